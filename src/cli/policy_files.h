// Files that policy verbs read. Private to the room.
#pragma once

#include "cli/cli.h"
#include "policy/document.h"
#include "policy/native.h"
#include "policy/schema.h"

#include <string>
#include <vector>

namespace entente::cli {

inline constexpr size_t kPolicyFileMax = size_t{64} << 20;

[[nodiscard]] Result<std::string> read_policy_file(const std::string& path);  // "-": standard input
[[nodiscard]] Result<policy::Schema> read_schema_file(const std::string& path);
// What a node's policies may ask of labels. Here no label policy is known: nothing dominates anything.
[[nodiscard]] const policy::NativePredicates& label_natives();
[[nodiscard]] Json error_json(const Error& error);

}  // namespace entente::cli
