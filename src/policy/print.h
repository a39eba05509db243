// Policies as text again, in Cedar's canonical spacing: what it writes parses to the same tree. Private to
// the room.
#pragma once

#include "policy/ast.h"

#include <string>
#include <string_view>

namespace entente::policy {

// The sign between two operands; empty where the operator is written otherwise. JSON uses the same.
[[nodiscard]] std::string_view operator_text(Op op);
[[nodiscard]] std::string expression_text(const Expr& expr);
[[nodiscard]] std::string policy_text(const Policy& policy);
// Whether the text is an identifier that may stand bare as an attribute or key.
[[nodiscard]] bool is_plain_name(std::string_view text);
// A `like` pattern between quotes.
[[nodiscard]] std::string quote_pattern(const std::vector<std::string>& pieces);

}  // namespace entente::policy
