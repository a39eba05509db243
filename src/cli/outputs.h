// Where a verb writes: nothing that its command line reads is ever written over.
#pragma once

#include "cli/cli.h"

namespace entente::cli {

// The file that --`option` names. Looked at before anybody is asked for anything. Errors: "cli.usage",
// "data.file".
[[nodiscard]] Result<std::string> output_named(const Arguments& arguments, std::string_view option = "out");

}  // namespace entente::cli
