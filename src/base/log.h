// One line of JSON per event on standard error: {"at","level","room","what",...}. Never secrets, never
// tokens.
#pragma once

#include "base/json.h"

#include <string_view>

namespace entente {

enum class LogLevel { debug, info, warning, error };

// What is below `info` is left out.
void log(LogLevel level, std::string_view room, std::string_view what, Json::Object details = {});

}  // namespace entente
