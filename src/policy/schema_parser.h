// Schema text as written, names not yet resolved. Private to the room.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct Span {
  uint32_t begin = 0;
  uint32_t finish = 0;
};

struct NameText {
  std::string name;  // with its path: "A::B"
  Span span;
};

struct TypeText {
  enum class Kind : uint8_t { name, set, record };
  struct Member;
  Kind kind = Kind::name;
  std::string name;
  std::unique_ptr<TypeText> element;
  std::vector<Member> members;
  Span span;
};
struct TypeText::Member {
  std::string name;
  bool required = true;
  TypeText type;
};

struct EntityText {
  std::vector<NameText> names;
  std::vector<NameText> parents;
  std::optional<TypeText> attributes;
  std::optional<TypeText> tags;
  std::vector<std::string> enumerated;
};

struct ActionRef {
  std::string type;  // empty: an action of the same namespace
  std::string id;
  Span span;
};

struct ActionText {
  std::vector<NameText> names;
  std::vector<ActionRef> parents;
  std::vector<NameText> principals;
  std::vector<NameText> resources;
  std::optional<TypeText> context;
};

struct NamespaceText {
  std::string name;  // empty: none
  std::vector<EntityText> entities;
  std::vector<ActionText> actions;
  std::vector<std::pair<NameText, TypeText>> commons;
};

[[nodiscard]] Result<std::vector<NamespaceText>> parse_schema_text(std::string_view text,
                                                                   std::string_view file);
[[nodiscard]] Result<TypeText> parse_type_text(std::string_view text, std::string_view file);

}  // namespace entente::policy
