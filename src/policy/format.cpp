#include "policy/format.h"

#include "policy/document.h"
#include "policy/layout.h"
#include "policy/lexer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace entente::policy {
namespace {

struct Comment {
  std::string_view text;
  bool own_line = true;      // else behind the word before it
  bool after_empty = false;  // an empty line stood before it
};

// The comments between two words, and whether an empty line stands before the second.
struct Between {
  std::vector<Comment> comments;
  bool empty_line = false;
};

Between between(std::string_view text, bool at_start) {
  Between out;
  size_t lines = at_start ? 1 : 0;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at, 2) != "//") {
      if (text[at] == '\n') ++lines;
      ++at;
      continue;
    }
    const size_t end = std::min(text.find_first_of("\n\r", at), text.size());
    std::string_view comment = text.substr(at, end - at);
    comment = comment.substr(0, comment.find_last_not_of(" \t") + 1);
    out.comments.push_back({comment, lines > 0, lines > 1});
    lines = 0;
    at = end;
    if (at < text.size() && text[at] == '\r' && text.substr(at, 2) != "\r\n") ++lines;
  }
  out.empty_line = lines > 1;
  return out;
}

// Follows the grammar over words that are known to parse.
class Formatter {
 public:
  using Doc = Layout::Doc;

  Formatter(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  std::string run(const FormatOptions& options) {
    std::vector<Doc> all;
    while (now().kind != Token::Kind::end) {
      if (!all.empty()) all.push_back(layout_.empty_line());
      top_ = true;
      all.push_back(policy());
    }
    const std::vector<Comment> last = between_at(at_).comments;
    const auto own = std::ranges::find(last, true, &Comment::own_line);
    if (!all.empty() && own != last.end() && own->after_empty) all.push_back(layout_.empty_line());
    top_ = true;
    lead(all);
    return layout_.print(layout_.row(std::move(all)), options.width, options.indent);
  }

 private:
  [[nodiscard]] const Token& now() const { return tokens_[at_]; }
  [[nodiscard]] const Token& after() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  [[nodiscard]] bool at(std::string_view what) const { return now().is(what); }

  [[nodiscard]] Between between_at(size_t index) const {
    const size_t from = index == 0 ? 0 : tokens_[index - 1].finish;
    return between(text_.substr(from, tokens_[index].begin - from), index == 0);
  }

  // The comments before the next word. Empty lines are kept between policies only.
  void lead(std::vector<Doc>& out) {
    const Between before = between_at(at_);
    const bool top = std::exchange(top_, false);
    bool first = true;
    for (const Comment& comment : before.comments) {
      if (!comment.own_line && at_ > 0) continue;  // stood behind the word before
      if (top && comment.after_empty && !first) out.push_back(layout_.empty_line());
      out.push_back(layout_.comment(comment.text, true));
      first = false;
    }
    if (top && !first && before.empty_line && now().kind != Token::Kind::end)
      out.push_back(layout_.empty_line());
  }

  void trail(std::vector<Doc>& out) {
    for (const Comment& comment : between_at(at_).comments)
      if (!comment.own_line) out.push_back(layout_.comment(comment.text, false));
  }

  Doc word() {
    std::vector<Doc> out;
    lead(out);
    out.push_back(layout_.text(now().text));
    step(out);
    return out.size() == 1 ? out[0] : layout_.row(std::move(out));
  }

  void step(std::vector<Doc>& out) {
    ++at_;
    trail(out);
  }

  // A word that is left out; its comments stay.
  void drop(std::vector<Doc>& out) {
    lead(out);
    step(out);
  }

  Doc space() { return layout_.text(" "); }

  Doc policy() {
    std::vector<Doc> out;
    while (at("@")) {
      out.push_back(word());
      out.push_back(word());
      if (at("("))
        for (int i = 0; i < 3; ++i) out.push_back(word());
      out.push_back(layout_.hard());
    }
    out.push_back(word());
    out.push_back(space());
    out.push_back(bracketed(")", [this] { return scope(); }));
    while (!at(";")) {
      out.push_back(layout_.hard());
      out.push_back(condition());
    }
    out.push_back(word());
    return layout_.row(std::move(out));
  }

  Doc condition() {
    std::vector<Doc> out{word(), space(), word()};
    const Doc body = layout_.nest(layout_.row({layout_.line(), expression()}));
    out.push_back(body);
    out.push_back(layout_.line());
    out.push_back(word());
    return layout_.group(layout_.row(std::move(out)));
  }

  // An opening mark, items parted by commas, and the mark that closes.
  template <class Item>
  Doc bracketed(std::string_view close, Item item, bool airy = false) {
    const Doc open = word();
    if (at(close)) return layout_.row({open, word()});
    const auto edge = [&] { return airy ? layout_.line() : layout_.soft(); };
    std::vector<Doc> inside{edge()};
    while (!at(close)) {
      inside.push_back(item());
      if (!at(",")) break;
      if (after().is(close)) {
        drop(inside);
        break;
      }
      inside.push_back(word());
      inside.push_back(layout_.line());
    }
    const Doc body = layout_.nest(layout_.row(std::move(inside)));
    return layout_.group(layout_.row({open, body, edge(), word()}));
  }

  Doc scope() {
    std::vector<Doc> out{word()};
    while (!at(",") && !at(")")) {
      out.push_back(space());
      if (at("[")) {
        out.push_back(bracketed("]", [this] { return path(); }));
      } else if (at("?")) {
        out.push_back(word());
        out.push_back(word());
      } else if (now().kind == Token::Kind::identifier && !at("in") && !at("is")) {
        out.push_back(path());
      } else {
        out.push_back(word());
      }
    }
    return layout_.row(std::move(out));
  }

  // A::B or A::B::"x".
  Doc path() {
    std::vector<Doc> out{word()};
    while (at("::")) {
      out.push_back(word());
      out.push_back(word());
    }
    return layout_.row(std::move(out));
  }

  Doc expression() {
    if (!at("if")) return chain(0);
    std::vector<Doc> out;
    for (int i = 0; i < 3; ++i) {  // if, then, else
      if (i > 0) out.push_back(layout_.line());
      out.push_back(word());
      out.push_back(space());
      out.push_back(layout_.nest(expression()));
    }
    return layout_.group(layout_.row(std::move(out)));
  }

  [[nodiscard]] bool at_operator(size_t level) const {
    switch (level) {
      case 0:
        return at("||");
      case 1:
        return at("&&");
      case 2:
        return at("==") || at("!=") || at("<") || at("<=") || at(">") || at(">=") || at("in") || at("has") ||
               at("like") || at("is");
      case 3:
        return at("+") || at("-");
      default:
        return at("*");
    }
  }

  Doc chain(size_t level) {
    constexpr size_t kLevels = 5;
    if (level == kLevels) return unary();
    const Doc first = chain(level + 1);
    if (!at_operator(level)) return first;
    std::vector<Doc> out{first};
    std::vector<Doc> rest;
    while (at_operator(level)) {
      std::vector<Doc>& into = level < 2 ? out : rest;
      const bool test = at("has") || at("is");
      into.push_back(space());
      into.push_back(word());
      into.push_back(layout_.line());
      into.push_back(test ? named() : chain(level + 1));
    }
    if (!rest.empty()) out.push_back(layout_.nest(layout_.row(std::move(rest))));
    return layout_.group(layout_.row(std::move(out)));
  }

  // What stands behind `has` and `is`: names, not an expression.
  Doc named() {
    std::vector<Doc> out{word()};
    while (at("::") || at(".")) {
      out.push_back(word());
      out.push_back(word());
    }
    return layout_.row(std::move(out));
  }

  Doc unary() {
    std::vector<Doc> out;
    while (at("!") || at("-")) out.push_back(word());
    out.push_back(member());
    return layout_.row(std::move(out));
  }

  Doc member() {
    std::vector<Doc> out{primary()};
    while (at(".") || at("[") || at("(")) {
      if (at("(")) {
        out.push_back(arguments());
      } else {
        const bool index = at("[");
        out.push_back(word());
        out.push_back(word());
        if (index) out.push_back(word());
      }
    }
    return layout_.row(std::move(out));
  }

  Doc arguments() {
    return bracketed(")", [this] { return expression(); });
  }

  Doc primary() {
    if (at("(")) {
      const Doc open = word();
      const Doc inner = layout_.nest(layout_.row({layout_.soft(), expression()}));
      return layout_.group(layout_.row({open, inner, layout_.soft(), word()}));
    }
    if (at("[")) return bracketed("]", [this] { return expression(); });
    if (at("{")) return record();
    return path();
  }

  Doc record() {
    const auto member = [this] {
      std::vector<Doc> out{word(), word(), space()};
      out.push_back(expression());
      return layout_.row(std::move(out));
    };
    return bracketed("}", member, true);
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  bool top_ = false;
  Layout layout_;
};

}  // namespace

Result<std::string> format_policies(std::string_view text, std::string_view file,
                                    const FormatOptions& options) {
  const PolicySource source{std::string(file), std::string(text)};
  TRY(const PolicyDocument before, PolicyDocument::parse(source, PolicyDocument::Names::numbered));
  TRY(std::vector<Token> tokens, lex(source.text, source.file));
  std::string out = Formatter(source.text, std::move(tokens)).run(options);
  const auto after = PolicyDocument::parse({source.file, out}, PolicyDocument::Names::numbered);
  if (!after || after->text() != before.text())
    return fail("policy.syntax", "this text cannot be laid out without changing what it means", source.file);
  return out;
}

}  // namespace entente::policy
