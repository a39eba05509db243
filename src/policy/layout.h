// Documents that a printer lays out within a width: where lines may break is said once, whether they do is
// found out (after Wadler's "A prettier printer"). Private to the room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

class Layout {
 public:
  using Doc = uint32_t;

  [[nodiscard]] Doc text(std::string_view text);                    // must outlive the layout
  [[nodiscard]] Doc line();                                         // a space, or a new line
  [[nodiscard]] Doc soft();                                         // nothing, or a new line
  [[nodiscard]] Doc hard();                                         // a new line
  [[nodiscard]] Doc empty_line();                                   // a new line with an empty one before it
  [[nodiscard]] Doc comment(std::string_view text, bool own_line);  // what follows begins a new line
  [[nodiscard]] Doc row(std::vector<Doc> parts);
  [[nodiscard]] Doc nest(Doc inner);   // its new lines are indented
  [[nodiscard]] Doc group(Doc inner);  // on one line if it fits, else each of its own lines breaks

  [[nodiscard]] std::string print(Doc doc, size_t width, size_t indent) const;

 private:
  enum class Kind : uint8_t { text, line, soft, hard, empty_line, comment, own_comment, row, nest, group };
  struct Node {
    Kind kind;
    bool breaks;  // holds a comment or a hard line: never fits on one
    std::string_view text;
    std::vector<Doc> parts;
  };
  class Printer;
  [[nodiscard]] Doc add(Kind kind, std::string_view text, std::vector<Doc> parts);

  std::vector<Node> nodes_;
};

}  // namespace entente::policy
