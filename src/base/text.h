// Text that strangers wrote, before a person reads it. What would steer a terminal or turn letters around:
// control characters (C0, C1), line and paragraph separators, marks and embeddings of writing direction.
#pragma once

#include <string>
#include <string_view>

namespace entente {

// One line, and nothing in it that steers. May be empty.
[[nodiscard]] bool is_line(std::string_view text);
// Nothing in it that somebody could read: blanks of any width, or nothing at all.
[[nodiscard]] bool is_blank(std::string_view text);
// For a page, before it is escaped: what steers becomes U+FFFD, ends of lines and tabs a blank.
[[nodiscard]] std::string readable(std::string_view text);
// For a terminal: what would steer it becomes '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace entente
