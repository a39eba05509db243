#include "policy/layout.h"

#include <algorithm>

namespace entente::policy {
namespace {

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(),
                                           [](char c) { return (static_cast<uint8_t>(c) & 0xc0U) != 0x80; }));
}

}  // namespace

Layout::Doc Layout::add(Kind kind, std::string_view text, std::vector<Doc> parts) {
  bool breaks =
      kind == Kind::hard || kind == Kind::empty_line || kind == Kind::comment || kind == Kind::own_comment;
  for (const Doc part : parts) breaks = breaks || nodes_[part].breaks;
  nodes_.push_back({kind, breaks, text, std::move(parts)});
  return static_cast<Doc>(nodes_.size() - 1);
}

Layout::Doc Layout::text(std::string_view text) {
  return add(Kind::text, text, {});
}
Layout::Doc Layout::line() {
  return add(Kind::line, {}, {});
}
Layout::Doc Layout::soft() {
  return add(Kind::soft, {}, {});
}
Layout::Doc Layout::hard() {
  return add(Kind::hard, {}, {});
}
Layout::Doc Layout::empty_line() {
  return add(Kind::empty_line, {}, {});
}
Layout::Doc Layout::comment(std::string_view text, bool own_line) {
  return add(own_line ? Kind::own_comment : Kind::comment, text, {});
}
Layout::Doc Layout::row(std::vector<Doc> parts) {
  return add(Kind::row, {}, std::move(parts));
}
Layout::Doc Layout::nest(Doc inner) {
  return add(Kind::nest, {}, {inner});
}
Layout::Doc Layout::group(Doc inner) {
  return add(Kind::group, {}, {inner});
}

class Layout::Printer {
 public:
  Printer(const std::vector<Node>& nodes, size_t width, size_t indent)
      : nodes_(nodes), width_(width), indent_(indent) {}

  std::string run(Doc doc) {
    todo_.push_back({doc, 0, false});
    while (!todo_.empty()) {
      const Item item = todo_.back();
      todo_.pop_back();
      step(item);
    }
    if (!out_.empty() && out_.back() != '\n') out_ += '\n';
    return std::move(out_);
  }

 private:
  struct Item {
    Doc doc;
    size_t indent;
    bool flat;
  };

  void step(const Item& item) {
    const Node& node = nodes_[item.doc];
    switch (node.kind) {
      case Kind::text:
        return put(node.text, item.indent);
      case Kind::line:
        if (!item.flat) return break_line();
        if (!owed_) put(" ", item.indent);
        return;
      case Kind::soft:
        if (!item.flat) break_line();
        return;
      case Kind::hard:
        return break_line();
      case Kind::empty_line:
        break_line();
        if (!out_.empty()) gap_ = true;
        return;
      case Kind::comment:
        if (!owed_) out_ += " ";
        put(node.text, item.indent);
        return break_line();
      case Kind::own_comment:
        if (column_ > 0) break_line();
        put(node.text, item.indent);
        return break_line();
      case Kind::row:
        for (auto part = node.parts.rbegin(); part != node.parts.rend(); ++part)
          todo_.push_back({*part, item.indent, item.flat});
        return;
      case Kind::nest:
        todo_.push_back({node.parts[0], item.indent + indent_, item.flat});
        return;
      case Kind::group:
        todo_.push_back({node.parts[0], item.indent, item.flat || (!node.breaks && fits(node.parts[0]))});
        return;
    }
  }

  // A line that is broken is begun by whatever comes next, so that several breaks are one.
  void break_line() { owed_ = column_ > 0 || owed_; }

  void put(std::string_view text, size_t indent) {
    if (owed_) {
      while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      out_ += gap_ ? "\n\n" : "\n";
      column_ = 0;
    }
    if (column_ == 0) {
      if (text == " ") return;
      out_.append(indent, ' ');
      column_ = indent;
    }
    owed_ = false;
    gap_ = false;
    out_ += text;
    column_ += characters(text);
  }

  // Whether this, flat, and what follows it up to the next line break fit.
  bool fits(Doc doc) const {
    if (owed_) return fits_from(doc, 0);
    return fits_from(doc, column_);
  }

  bool fits_from(Doc doc, size_t used) const {
    std::vector<Item> ahead{{doc, 0, true}};
    size_t rest = todo_.size();
    while (used <= width_) {
      if (ahead.empty()) {
        if (rest == 0) return true;
        ahead.push_back(todo_[--rest]);
        continue;
      }
      const Item item = ahead.back();
      ahead.pop_back();
      const Node& node = nodes_[item.doc];
      switch (node.kind) {
        case Kind::text:
          used += characters(node.text);
          break;
        case Kind::line:
          if (!item.flat) return true;
          ++used;
          break;
        case Kind::soft:
          if (!item.flat) return true;
          break;
        case Kind::row:
          for (auto part = node.parts.rbegin(); part != node.parts.rend(); ++part)
            ahead.push_back({*part, 0, item.flat});
          break;
        case Kind::nest:
          ahead.push_back({node.parts[0], 0, item.flat});
          break;
        case Kind::group:
          ahead.push_back({node.parts[0], 0, item.flat || !node.breaks});
          break;
        default:
          return true;
      }
    }
    return false;
  }

  const std::vector<Node>& nodes_;
  size_t width_;
  size_t indent_;
  std::vector<Item> todo_;
  std::string out_;
  size_t column_ = 0;
  bool owed_ = false;  // a line break before what comes next
  bool gap_ = false;   // an empty line before it
};

std::string Layout::print(Doc doc, size_t width, size_t indent) const {
  return Printer(nodes_, width, indent).run(doc);
}

}  // namespace entente::policy
