// Asks the node's API over its local socket. The node knows who asks by the socket's peer credentials.
#pragma once

#include "base/json.h"
#include "cli/cli.h"

#include <string>
#include <string_view>

namespace entente::cli {

// Errors: "cli.unreachable", or the node's own refusal with its code.
[[nodiscard]] Result<Json> call_node(const Arguments& arguments, std::string_view method, std::string path,
                                     const Json& body = Json());

}  // namespace entente::cli
