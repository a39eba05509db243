// One line of JSON per event on standard error: {"at","level","room","what",...}. Never secrets, never
// tokens.
#pragma once

#include "base/json.h"

#include <string_view>

namespace entente {

enum class LogLevel { debug, info, warning, error };

void set_log_level(LogLevel least);  // process-wide; set once in main
void log(LogLevel level, std::string_view room, std::string_view what, Json::Object details = {});

}  // namespace entente
