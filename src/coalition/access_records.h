// Reads the records of access.h, strictly. Private to the room.
#pragma once

#include "base/fields.h"
#include "coalition/access.h"

#include <string_view>

namespace entente::coalition {

// `rest` is the key behind its first part. Errors "coalition.record" for a key of no good form; what is wrong
// with the value is said to `fields`.
[[nodiscard]] Result<Grant> read_grant(std::string_view rest, Fields& fields);
[[nodiscard]] Result<AccessRequest> read_request(std::string_view rest, Fields& fields, bool at_owner);
[[nodiscard]] Result<Release> read_release(std::string_view rest, Fields& fields);
[[nodiscard]] Result<Delegation> read_delegation(std::string_view rest, Fields& fields);

}  // namespace entente::coalition
