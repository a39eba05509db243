// Policies as JSON (Cedar's EST), both ways. Private to the room; the face is document.h.
#pragma once

#include "base/json.h"
#include "policy/ast.h"

#include <string>
#include <string_view>

namespace entente::policy {

// One policy or template. Error "policy.json" when it is too deep for JSON.
[[nodiscard]] Result<Json> policy_to_json(const Policy& policy);
// The policy's text, ready to be parsed. Error "policy.json", where the JSON pointer of the fault.
[[nodiscard]] Result<std::string> policy_text_from_json(const Json& json, const std::string& path,
                                                        const NativePredicates& natives);

[[nodiscard]] Json uid_json(const EntityUid& uid);  // {"type", "id"}
// {"type", "id"} or {"__entity": {"type", "id"}}. Error "policy.json".
[[nodiscard]] Result<EntityUid> uid_from_json(const Json& json, const std::string& path);

// A name as policies may write it: identifiers joined by `::`, none reserved.
[[nodiscard]] bool is_type_name(std::string_view text);

}  // namespace entente::policy
