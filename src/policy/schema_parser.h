// Schemas as written, as text or JSON, names not yet resolved. Private to the room.
#pragma once

#include "base/json.h"
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

// In the order written; "" when without a value.
using AnnotationsText = std::vector<std::pair<std::string, std::string>>;

struct NameText {
  std::string name;  // with its path: "A::B"
  Span span;
};

struct TypeText {
  enum class Kind : uint8_t { name, set, record };
  // What the name may stand for: a common or entity type or one of Cedar's own; only one of them.
  enum class Means : uint8_t { any, entity, common, own };
  struct Member;
  Kind kind = Kind::name;
  Means means = Means::any;
  std::string name;
  std::unique_ptr<TypeText> element;
  std::vector<Member> members;
  Span span;
};
struct TypeText::Member {
  std::string name;
  bool required = true;
  TypeText type;
  AnnotationsText annotations;
};

struct EntityText {
  std::vector<NameText> names;
  std::vector<NameText> parents;
  std::optional<TypeText> attributes;
  std::optional<TypeText> tags;
  std::vector<std::string> enumerated;
  AnnotationsText annotations;
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
  AnnotationsText annotations;
};

struct CommonText {
  NameText name;
  TypeText type;
  AnnotationsText annotations;
};

struct NamespaceText {
  std::string name;  // empty: none
  std::vector<EntityText> entities;
  std::vector<ActionText> actions;
  std::vector<CommonText> commons;
  AnnotationsText annotations;
  Span span;
  [[nodiscard]] bool empty() const { return entities.empty() && actions.empty() && commons.empty(); }
};

[[nodiscard]] Result<std::vector<NamespaceText>> parse_schema_text(std::string_view text,
                                                                   std::string_view file);
// Error "policy.schema", where the file and the JSON pointer.
[[nodiscard]] Result<std::vector<NamespaceText>> parse_schema_json(const Json& json, std::string_view file);
[[nodiscard]] Json write_schema_json(const std::vector<NamespaceText>& spaces);
[[nodiscard]] std::string write_schema_text(const std::vector<NamespaceText>& spaces);
[[nodiscard]] Result<TypeText> parse_type_text(std::string_view text, std::string_view file);

}  // namespace entente::policy
