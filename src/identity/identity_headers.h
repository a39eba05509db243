// Headers by which an app or a proxy would be told who somebody is or where they come from. Clients may never
// send them: the door removes them, whatever their spelling.
#pragma once

#include <string_view>

namespace entente::identity {

// Case does not matter, and '_' counts as '-', since CGI-like programs cannot tell the two apart.
[[nodiscard]] bool is_identity_header(std::string_view name);

}  // namespace entente::identity
