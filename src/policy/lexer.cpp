#include "policy/lexer.h"

#include "base/form.h"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

namespace entente::policy {
namespace {

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
// How many bytes of white space (Unicode's White_Space) stand here first: 0 when none does.
size_t space_length(std::string_view text) {
  constexpr std::string_view kOne = " \t\n\r\f\v";
  constexpr std::string_view kMore[] = {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
                                        "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                        "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  if (text.empty()) return 0;
  if (kOne.find(text[0]) != std::string_view::npos) return 1;
  if (static_cast<uint8_t>(text[0]) < 0x80) return 0;
  for (const std::string_view blank : kMore)
    if (text.starts_with(blank)) return blank.size();
  return 0;
}

constexpr std::array<std::string_view, 7> kTwoMarks = {"::", "==", "!=", "<=", ">=", "&&", "||"};
constexpr std::string_view kMarks = "@()[]{},;:.<>=!+-*?&|/%";

size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(static_cast<uint8_t>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0U | (c >> 6U));
    put(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    put(0xe0U | (c >> 12U));
    put(0x80U | ((c >> 6U) & 0x3fU));
    put(0x80U | (c & 0x3fU));
  } else {
    put(0xf0U | (c >> 18U));
    put(0x80U | ((c >> 12U) & 0x3fU));
    put(0x80U | ((c >> 6U) & 0x3fU));
    put(0x80U | (c & 0x3fU));
  }
}

class Unescaper {
 public:
  Unescaper(std::string_view body, bool pattern) : body_(body), pattern_(pattern) { pieces_.emplace_back(); }

  Result<std::vector<std::string>> run() {
    while (at_ < body_.size()) {
      const char c = body_[at_++];
      if (c == '\\') {
        TRY_VOID(escape());
      } else if (c == '*') {
        star_or('*');
      } else if (c == '\r') {
        return fail("policy.syntax", "a carriage return in a string", {}, "write \\r");
      } else {
        pieces_.back() += c;
      }
    }
    return std::move(pieces_);
  }

 private:
  // In a pattern each star is a wildcard, written as itself or by its number: `\*` alone is a literal one, as
  // Cedar reads it.
  void star_or(uint32_t c) {
    if (c == '*' && pattern_) {
      pieces_.emplace_back();
    } else {
      append_utf8(pieces_.back(), c);
    }
  }

  Result<void> escape() {
    if (at_ == body_.size()) return fail("policy.syntax", "a string ends in a backslash", {}, "write \\\\");
    const char c = body_[at_++];
    constexpr std::string_view kFrom = "nrt\\0'\"";
    constexpr std::string_view kTo("\n\r\t\\\0'\"", 7);
    if (const size_t simple = kFrom.find(c); simple != std::string_view::npos) {
      pieces_.back() += kTo[simple];
      return {};
    }
    if (c == '*' && pattern_) {
      pieces_.back() += '*';
      return {};
    }
    if (c == 'x') return hex_escape();
    if (c == 'u') return unicode_escape();
    return fail("policy.syntax", fmt::format("\\{} is no escape", c), {},
                "the escapes are \\n \\r \\t \\\\ \\0 \\' \\\" \\x41 \\u{1F600} and, in `like`, \\*");
  }

  Result<void> hex_escape() {
    const int high = at_ < body_.size() ? hex_value(body_[at_]) : -1;
    const int low = at_ + 1 < body_.size() ? hex_value(body_[at_ + 1]) : -1;
    if (high < 0 || low < 0 || high > 7)
      return fail("policy.syntax", "\\x needs two hex digits up to 7F", {}, "use \\u{...} for others");
    at_ += 2;
    star_or(static_cast<uint32_t>(high * 16 + low));
    return {};
  }

  Result<void> unicode_escape() {
    const size_t close = body_.find('}', at_);
    const bool open = at_ < body_.size() && body_[at_] == '{';
    uint32_t value = 0;
    size_t digits = 0;
    bool good = open && close != std::string_view::npos && body_[at_ + 1] != '_';
    for (size_t i = at_ + 1; good && i < close; ++i) {
      if (body_[i] == '_') continue;
      const int digit = hex_value(body_[i]);
      good = digit >= 0 && ++digits <= 6;
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    if (!good || digits == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
      return fail("policy.syntax", "\\u needs one to six hex digits in braces that name a character", {},
                  "for example \\u{1F600}");
    star_or(value);
    at_ = close + 1;
    return {};
  }

  std::string_view body_;
  bool pattern_;
  size_t at_ = 0;
  std::vector<std::string> pieces_;
};

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Result<std::vector<Token>> run() {
    if (text_.size() > UINT32_MAX / 2)
      return fail("policy.syntax", "the text is too long", std::string(file_));
    while (true) {
      skip_blank();
      if (at_ == text_.size()) break;
      TRY_VOID(word());
    }
    push(Token::Kind::end, at_);
    push(Token::Kind::end, at_);
    return std::move(tokens_);
  }

 private:
  void skip_blank() {
    while (at_ < text_.size()) {
      if (const size_t blank = space_length(text_.substr(at_))) {
        at_ += blank;
      } else if (text_.substr(at_, 2) == "//") {
        while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
      } else {
        return;
      }
    }
  }

  void push(Token::Kind kind, size_t begin) {
    tokens_.push_back(
        {kind, static_cast<uint32_t>(begin), static_cast<uint32_t>(at_), text_.substr(begin, at_ - begin)});
  }

  Result<void> word() {
    const size_t begin = at_;
    const char c = text_[at_];
    if (c == '"') return string();
    if (starts_name(c)) {
      while (at_ < text_.size() && (starts_name(text_[at_]) || is_digit(text_[at_]))) ++at_;
      push(Token::Kind::identifier, begin);
      return {};
    }
    if (is_digit(c)) {
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      push(Token::Kind::integer, begin);
      return {};
    }
    const auto two = std::find(kTwoMarks.begin(), kTwoMarks.end(), text_.substr(at_, 2));
    if (two == kTwoMarks.end() && kMarks.find(c) == std::string_view::npos) {
      const size_t length = std::max<size_t>(1, utf8_length(text_.substr(at_)));
      return std::unexpected(error_at("policy.syntax", "this character has no place here", text_, file_,
                                      static_cast<uint32_t>(at_), static_cast<uint32_t>(at_ + length)));
    }
    at_ += two == kTwoMarks.end() ? 1 : 2;
    push(Token::Kind::mark, begin);
    return {};
  }

  Result<void> string() {
    const size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') ++at_;
      if (at_ >= text_.size()) break;
      const size_t length = utf8_length(text_.substr(at_));
      if (length == 0)
        return std::unexpected(error_at("policy.syntax", "these bytes are not UTF-8", text_, file_,
                                        static_cast<uint32_t>(at_), static_cast<uint32_t>(at_ + 1)));
      at_ += length;
    }
    if (at_ >= text_.size())
      return std::unexpected(error_at("policy.syntax", "this string does not end", text_, file_,
                                      static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + 1),
                                      "close it with \""));
    ++at_;
    push(Token::Kind::string, begin);
    return {};
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

std::string_view body_of(const Token& token) {
  return token.text.substr(1, token.text.size() - 2);
}

size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t here = std::min({row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      corner = row[j];
      row[j] = here;
    }
  }
  return row[b.size()];
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view text, std::string_view file) {
  return Lexer(text, file).run();
}

Result<std::string> unescape(const Token& token) {
  TRY(std::vector<std::string> pieces, Unescaper(body_of(token), false).run());
  return std::move(pieces[0]);
}

Result<std::vector<std::string>> unescape_pattern(const Token& token) {
  return Unescaper(body_of(token), true).run();
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

bool is_reserved(std::string_view word) {
  constexpr std::array<std::string_view, 10> kWords = {"true", "false", "if",   "then", "else",
                                                       "in",   "is",    "like", "has",  "__cedar"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

std::string place(std::string_view text, std::string_view file, uint32_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n') + 1;
  const auto column = 1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(start), before.end(),
                                        [](char c) { return (static_cast<uint8_t>(c) & 0xc0U) != 0x80; });
  return fmt::format("{}:{}:{}", file, line, column);
}

std::string with_caret(std::string_view text, uint32_t begin, uint32_t finish) {
  const size_t start = text.substr(0, begin).rfind('\n') + 1;
  constexpr size_t kLineMax = 160;
  const std::string_view line =
      text.substr(start, std::min(text.find('\n', start), start + kLineMax) - start);
  std::string under;
  for (size_t i = start; i < begin && i - start < kLineMax; ++i) under += text[i] == '\t' ? '\t' : ' ';
  const size_t end_of_line = start + line.size();
  const size_t width =
      finish > begin ? std::min<size_t>(finish, std::max<size_t>(end_of_line, begin + 1)) - begin : 1;
  return fmt::format("  {}\n  {}{}", line, under, std::string(width, '^'));
}

Error error_at(std::string code, std::string_view what, std::string_view text, std::string_view file,
               uint32_t begin, uint32_t finish, std::string hint) {
  return Error{std::move(code), fmt::format("{}\n{}", what, with_caret(text, begin, finish)),
               place(text, file, begin), std::move(hint)};
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  constexpr size_t kLongest = 128;
  size_t best = 1 + word.size() / 3;
  std::string_view found;
  for (const std::string& name : names) {
    if (word.size() > kLongest || name.size() > kLongest) continue;
    if (const size_t distance = edits(word, name);
        distance <= best && distance < std::max<size_t>(2, word.size())) {
      if (found.empty() || distance < best) found = name;
      best = distance;
    }
  }
  return found.empty() ? std::string() : fmt::format("did you mean `{}`?", found);
}

}  // namespace entente::policy
