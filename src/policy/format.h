// Lays policy text out: one way for all, comments kept, the meaning unchanged.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace entente::policy {

struct FormatOptions {
  size_t width = 80;  // characters in a line, as far as words allow
  size_t indent = 2;
};

// The same policies, laid out. Formatting the result again changes nothing. Errors "policy.syntax": only text
// that parses is laid out.
[[nodiscard]] Result<std::string> format_policies(std::string_view text, std::string_view file,
                                                  const FormatOptions& options = {});

}  // namespace entente::policy
