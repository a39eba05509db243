// Walks over the words of a text and says what was expected where. Private to the room.
#pragma once

#include "policy/lexer.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace entente::policy {

// On one policy, one declaration. Collections that test the language have policies with more than a hundred.
inline constexpr size_t kAnnotationsMax = 1024;

class Cursor {
 public:
  Cursor(std::string_view text, std::string_view file, std::string code)
      : text_(text), file_(file), code_(std::move(code)) {}

  [[nodiscard]] Result<void> start() {
    TRY(tokens_, lex(text_, file_));
    return {};
  }

  [[nodiscard]] const Token& now() const { return tokens_[at_]; }
  [[nodiscard]] const Token& after() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  [[nodiscard]] const Token& previous() const { return tokens_[at_ == 0 ? 0 : at_ - 1]; }
  [[nodiscard]] bool at(std::string_view what) const { return now().is(what); }
  [[nodiscard]] bool at(Token::Kind kind) const { return now().kind == kind; }
  [[nodiscard]] bool done() const { return at(Token::Kind::end); }

  const Token& step() {
    const Token& token = tokens_[at_];
    if (token.kind != Token::Kind::end) ++at_;
    return token;
  }
  bool take(std::string_view what) {
    if (!at(what)) return false;
    step();
    return true;
  }
  [[nodiscard]] Result<void> expect(std::string_view what, std::string hint = {}) {
    if (take(what)) return {};
    return expected(fmt::format("`{}`", what), std::move(hint));
  }
  [[nodiscard]] Failure expected(std::string_view what, std::string hint = {}) const {
    const std::string found = done() ? "the text ends" : fmt::format("`{}` stands", now().text.substr(0, 40));
    return wrong(now(), fmt::format("{} here, where {} is expected", found, what), std::move(hint));
  }
  [[nodiscard]] Failure wrong(const Token& token, std::string_view what, std::string hint = {}) const {
    return wrong(token.begin, token.finish, what, std::move(hint));
  }
  [[nodiscard]] Failure wrong(uint32_t begin, uint32_t finish, std::string_view what,
                              std::string hint = {}) const {
    return Failure(error_at(code_, what, text_, file_, begin, finish, std::move(hint)));
  }

  [[nodiscard]] Result<std::string> string() {
    if (!at(Token::Kind::string)) return expected("a string");
    const Token& token = step();
    auto value = unescape(token);
    if (!value) return wrong(token, value.error().what(), value.error().hint());
    return *std::move(value);
  }
  // A name that may not be one of Cedar's words.
  [[nodiscard]] Result<std::string> name(std::string_view what) {
    if (!at(Token::Kind::identifier)) return expected(what);
    if (is_reserved(now().text))
      return wrong(now(), fmt::format("`{}` is a word of the language", now().text));
    return std::string(step().text);
  }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::string_view file() const { return file_; }

 private:
  std::string_view text_;
  std::string_view file_;
  std::string code_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace entente::policy
