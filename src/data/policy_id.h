// The id ("uuid") in an object's policy: what may be one, by its form, and which two are the same.
#pragma once

#include <string>
#include <string_view>

namespace entente::data {

[[nodiscard]] bool is_policy_id(std::string_view text);
// As it is kept and compared: a UUID in lower case, since capitals mean the same in one (RFC 9562), and any
// other id as its sealer wrote it.
[[nodiscard]] std::string plain_policy_id(std::string_view text);

}  // namespace entente::data
