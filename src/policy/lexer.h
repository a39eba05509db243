// Words of policy and schema text, with their places. Private to the room.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct Token {
  enum class Kind : uint8_t { end, identifier, integer, string, mark };
  Kind kind = Kind::end;
  uint32_t begin = 0;  // byte offsets into the text
  uint32_t finish = 0;
  std::string_view text;  // as written; a string keeps its quotes

  [[nodiscard]] bool is(std::string_view what) const {
    return (kind == Kind::mark || kind == Kind::identifier) && text == what;
  }
};

// The words and one `end` word after them (twice, so that looking one ahead is always allowed).
// Error "policy.syntax" with file:line:column. `text` must outlive the words.
[[nodiscard]] Result<std::vector<Token>> lex(std::string_view text, std::string_view file);

// What a string literal stands for; Rust's escapes, as Cedar has them. Error "policy.syntax" without a place.
[[nodiscard]] Result<std::string> unescape(const Token& token);
// A `like` pattern: the pieces between the stars (always one more than there are stars).
[[nodiscard]] Result<std::vector<std::string>> unescape_pattern(const Token& token);
[[nodiscard]] std::string quote(std::string_view text);

[[nodiscard]] bool is_reserved(std::string_view word);

// Where an offset lies: "file:line:column", counted from 1 in characters; and the line with a caret under it.
[[nodiscard]] std::string place(std::string_view text, std::string_view file, uint32_t offset);
[[nodiscard]] std::string with_caret(std::string_view text, uint32_t begin, uint32_t finish);
// An error at a place: what, then the line and the caret on lines of their own.
[[nodiscard]] Error error_at(std::string code, std::string_view what, std::string_view text,
                             std::string_view file, uint32_t begin, uint32_t finish, std::string hint = {});

// "did you mean `x`?" for the nearest of the names, or "" when none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace entente::policy
