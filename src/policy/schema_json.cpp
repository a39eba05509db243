// Schemas as JSON, both ways.
#include "policy/est.h"
#include "policy/lexer.h"
#include "policy/print.h"
#include "policy/schema_parser.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr size_t kTypeDepthMax = 32;

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  Result<std::vector<NamespaceText>> schema(const Json& json) {
    if (!json.is_object()) return wrong("", "a schema is an object of namespaces");
    std::vector<NamespaceText> all(1);
    for (const auto& [name, inside] : json.members()) {
      NamespaceText space;
      space.name = name;
      if (!name.empty() && !is_type_name(name)) return wrong(name, "this is no namespace");
      TRY_VOID(read_namespace(inside, under("", name), space));
      if (name.empty() && !space.annotations.empty())
        return wrong("//annotations", "these belong to a namespace with a name");
      if (name.empty()) {
        all[0] = std::move(space);
      } else {
        all.push_back(std::move(space));
      }
    }
    return all;
  }

 private:
  static std::string under(const std::string& path, std::string_view name) {
    constexpr size_t kPathMax = 400;
    return path.size() > kPathMax ? path : path + "/" + std::string(name.substr(0, 60));
  }
  [[nodiscard]] Failure wrong(const std::string& path, std::string what, std::string hint = {}) const {
    return fail("policy.schema", std::move(what), fmt::format("{}{}", file_, path), std::move(hint));
  }

  Result<void> members(const Json& json, const std::string& path,
                       std::initializer_list<std::string_view> names) {
    if (!json.is_object()) return wrong(path, "an object belongs here");
    for (const auto& [name, value] : json.members())
      if (std::find(names.begin(), names.end(), name) == names.end())
        return wrong(under(path, name), fmt::format("there is no `{}` here", name),
                     fmt::format("{}", fmt::join(names, ", ")));
    return {};
  }

  Result<void> read_namespace(const Json& json, const std::string& path, NamespaceText& out) {
    TRY_VOID(members(json, path, {"commonTypes", "entityTypes", "actions", "annotations"}));
    TRY(out.annotations, annotations(json, path));
    const Json none = Json::object();
    const auto part = [&](std::string_view key) -> Result<const Json*> {
      const Json* found = json.find(key);
      if (found == nullptr && key == "commonTypes") return &none;
      if (found == nullptr || !found->is_object()) return wrong(under(path, key), "an object belongs here");
      return found;
    };
    TRY(const Json* commons, part("commonTypes"));
    for (const auto& [name, inside] : commons->members()) {
      const std::string here = under(under(path, "commonTypes"), name);
      if (!is_plain_name(name)) return wrong(here, fmt::format("{} is no name", quote(name)));
      CommonText one;
      one.name.name = name;
      TRY(one.annotations, annotations(inside, here));
      TRY(one.type, type(inside, here, 0, {"annotations"}));
      out.commons.push_back(std::move(one));
    }
    TRY(const Json* entities, part("entityTypes"));
    for (const auto& [name, inside] : entities->members())
      TRY_VOID(entity(name, inside, under(under(path, "entityTypes"), name), out));
    TRY(const Json* actions, part("actions"));
    for (const auto& [name, inside] : actions->members())
      TRY_VOID(action(name, inside, under(under(path, "actions"), name), out));
    return {};
  }

  Result<AnnotationsText> annotations(const Json& json, const std::string& path) {
    AnnotationsText out;
    const Json* found = json.find("annotations");
    if (found == nullptr) return out;
    if (!found->is_object()) return wrong(under(path, "annotations"), "an object belongs here");
    for (const auto& [name, value] : found->members()) {
      if ((!is_plain_name(name) && !is_reserved(name)) || (!value.is_string() && !value.is_null()))
        return wrong(under(under(path, "annotations"), name), "a name and a string belong here");
      out.emplace_back(name, value.is_null() ? std::string() : value.string());
    }
    return out;
  }

  Result<std::vector<NameText>> names(const Json* json, const std::string& path) {
    std::vector<NameText> out;
    if (json == nullptr) return out;
    if (!json->is_array()) return wrong(path, "a list of types belongs here");
    for (const Json& item : json->items()) {
      if (!item.is_string() || !is_reference(item.string())) return wrong(path, "a type's name belongs here");
      out.push_back({item.string(), {}});
    }
    return out;
  }

  // A type's name, where Cedar's own may be called by their full name.
  static bool is_reference(std::string_view name) {
    return is_type_name(name.starts_with("__cedar::") ? name.substr(9) : name);
  }

  Result<void> entity(const std::string& name, const Json& json, const std::string& path,
                      NamespaceText& space) {
    if (!is_plain_name(name)) return wrong(path, fmt::format("{} is no name", quote(name)));
    EntityText out;
    out.names.push_back({name, {}});
    TRY(out.annotations, annotations(json, path));
    if (const Json* choices = json.find("enum")) {
      TRY_VOID(members(json, path, {"enum", "annotations"}));
      if (!choices->is_array() || choices->items().empty())
        return wrong(under(path, "enum"), "a list of at least one id belongs here");
      for (const Json& id : choices->items()) {
        if (!id.is_string()) return wrong(under(path, "enum"), "ids are strings");
        out.enumerated.push_back(id.string());
      }
    } else {
      TRY_VOID(members(json, path, {"memberOfTypes", "shape", "tags", "annotations"}));
      TRY(out.parents, names(json.find("memberOfTypes"), under(path, "memberOfTypes")));
      if (const Json* shape = json.find("shape")) {
        TRY(out.attributes, type(*shape, under(path, "shape"), 0, {}));
      }
      if (const Json* tags = json.find("tags"); tags != nullptr && !tags->is_null()) {
        TRY(out.tags, type(*tags, under(path, "tags"), 0, {}));
      }
    }
    space.entities.push_back(std::move(out));
    return {};
  }

  Result<void> action(const std::string& name, const Json& json, const std::string& path,
                      NamespaceText& space) {
    TRY_VOID(members(json, path, {"attributes", "appliesTo", "memberOf", "annotations"}));
    ActionText out;
    out.names.push_back({name, {}});
    TRY(out.annotations, annotations(json, path));
    const Json* attributes = json.find("attributes");
    if (attributes != nullptr && !attributes->is_null() &&
        (!attributes->is_object() || !attributes->members().empty()))
      return wrong(under(path, "attributes"), "actions have no attributes");
    if (const Json* parents = json.find("memberOf"); parents != nullptr && !parents->is_null()) {
      if (!parents->is_array()) return wrong(under(path, "memberOf"), "a list belongs here");
      for (const Json& parent : parents->items()) {
        TRY(ActionRef ref, action_ref(parent, under(path, "memberOf")));
        out.parents.push_back(std::move(ref));
      }
    }
    if (const Json* applies = json.find("appliesTo"); applies != nullptr && !applies->is_null()) {
      const std::string here = under(path, "appliesTo");
      TRY_VOID(members(*applies, here, {"principalTypes", "resourceTypes", "context"}));
      for (const std::string_view key : {"principalTypes", "resourceTypes"})
        if (applies->find(key) == nullptr) return wrong(here, fmt::format("`{}` is missing", key));
      TRY(out.principals, names(applies->find("principalTypes"), under(here, "principalTypes")));
      TRY(out.resources, names(applies->find("resourceTypes"), under(here, "resourceTypes")));
      if (const Json* context = applies->find("context")) {
        TRY(out.context, type(*context, under(here, "context"), 0, {}));
      }
    }
    space.actions.push_back(std::move(out));
    return {};
  }

  Result<ActionRef> action_ref(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"id", "type"}));
    const Json* id = json.find("id");
    const Json* type = json.find("type");
    if (id == nullptr || !id->is_string()) return wrong(path, "an action has an id");
    if (type != nullptr && !type->is_null() && (!type->is_string() || !is_type_name(type->string())))
      return wrong(path, "the type of an action is `Action`, after its namespace");
    return ActionRef{type == nullptr || type->is_null() ? std::string() : type->string(), id->string(), {}};
  }

  Result<TypeText> type(const Json& json, const std::string& path, size_t depth,
                        std::vector<std::string_view> also) {
    if (depth > kTypeDepthMax) return wrong(path, fmt::format("types nest deeper than {}", kTypeDepthMax));
    const Json* kind = json.find("type");
    if (kind == nullptr || !kind->is_string()) return wrong(path, "a type has a `type`");
    const std::string& word = kind->string();
    also.push_back("type");
    const auto only = [&](std::initializer_list<std::string_view> more) -> Result<void> {
      also.insert(also.end(), more);
      for (const auto& [name, value] : json.members())
        if (std::find(also.begin(), also.end(), name) == also.end())
          return wrong(under(path, name), fmt::format("`{}` has no `{}`", word, name));
      return {};
    };
    TypeText out;
    if (word == "Set") {
      TRY_VOID(only({"element"}));
      const Json* element = json.find("element");
      if (element == nullptr) return wrong(path, "a set has an `element`");
      out.kind = TypeText::Kind::set;
      TRY(TypeText inner, type(*element, under(path, "element"), depth + 1, {}));
      out.element = std::make_unique<TypeText>(std::move(inner));
      return out;
    }
    if (word == "Record") {
      TRY_VOID(only({"attributes", "additionalAttributes"}));
      TRY_VOID(record(json, path, depth, out));
      return out;
    }
    if (word == "Entity" || word == "EntityOrCommon" || word == "Extension") {
      TRY_VOID(only({"name"}));
      out.name = json.text_or("name", "");
      out.means = word == "Entity"      ? TypeText::Means::entity
                  : word == "Extension" ? TypeText::Means::own
                                        : TypeText::Means::any;
    } else {
      TRY_VOID(only({}));
      const bool own = word == "String" || word == "Long" || word == "Boolean";
      out.name = word == "Boolean" ? "Bool" : word;
      out.means = own ? TypeText::Means::own : TypeText::Means::common;
    }
    if (!is_reference(out.name)) return wrong(path, fmt::format("{} is no type", quote(out.name)));
    return out;
  }

  Result<void> record(const Json& json, const std::string& path, size_t depth, TypeText& out) {
    out.kind = TypeText::Kind::record;
    const Json* more = json.find("additionalAttributes");
    if (more != nullptr && (!more->is_bool() || more->boolean()))
      return wrong(under(path, "additionalAttributes"), "records with further attributes are not supported");
    const Json* attributes = json.find("attributes");
    if (attributes == nullptr || !attributes->is_object()) return wrong(path, "a record has `attributes`");
    for (const auto& [name, inside] : attributes->members()) {
      const std::string here = under(under(path, "attributes"), name);
      TypeText::Member member;
      member.name = name;
      const Json* required = inside.find("required");
      if (required != nullptr && !required->is_bool()) return wrong(here, "`required` is true or false");
      member.required = required == nullptr || required->boolean();
      TRY(member.annotations, annotations(inside, here));
      TRY(member.type, type(inside, here, depth + 1, {"required", "annotations"}));
      out.members.push_back(std::move(member));
    }
    return {};
  }

  std::string_view file_;
};

Json annotations_json(const AnnotationsText& annotations) {
  Json out = Json::object();
  for (const auto& [name, value] : annotations) out.set(name, value);
  return out;
}

void annotate(Json& json, const AnnotationsText& annotations) {
  if (!annotations.empty()) json.set("annotations", annotations_json(annotations));
}

Json type_json(const TypeText& type) {
  if (type.kind == TypeText::Kind::set)
    return Json::object({{"type", "Set"}, {"element", type_json(*type.element)}});
  if (type.kind == TypeText::Kind::record) {
    std::map<std::string, Json> sorted;
    for (const TypeText::Member& member : type.members) {
      Json one = type_json(member.type);
      if (!member.required) one.set("required", false);
      annotate(one, member.annotations);
      sorted[member.name] = std::move(one);
    }
    return Json::object(
        {{"type", "Record"}, {"attributes", Json(Json::Object(sorted.begin(), sorted.end()))}});
  }
  switch (type.means) {
    case TypeText::Means::entity:
      return Json::object({{"type", "Entity"}, {"name", type.name}});
    case TypeText::Means::common:
      return Json::object({{"type", type.name}});
    case TypeText::Means::own:
      if (type.name == "Bool") return Json::object({{"type", "Boolean"}});
      if (type.name == "String" || type.name == "Long") return Json::object({{"type", type.name}});
      return Json::object({{"type", "Extension"}, {"name", type.name}});
    default:
      return Json::object({{"type", "EntityOrCommon"}, {"name", type.name}});
  }
}

bool is_empty_record(const std::optional<TypeText>& type) {
  return !type || (type->kind == TypeText::Kind::record && type->members.empty());
}

Json names_json(const std::vector<NameText>& names) {
  Json out = Json::array();
  for (const NameText& name : names) out.push(name.name);
  return out;
}

Json entity_json(const EntityText& entity) {
  Json out = Json::object();
  if (!entity.enumerated.empty()) {
    Json choices = Json::array();
    for (const std::string& id : entity.enumerated) choices.push(id);
    out.set("enum", std::move(choices));
  } else {
    if (!entity.parents.empty()) out.set("memberOfTypes", names_json(entity.parents));
    if (!is_empty_record(entity.attributes)) out.set("shape", type_json(*entity.attributes));
    if (entity.tags) out.set("tags", type_json(*entity.tags));
  }
  annotate(out, entity.annotations);
  return out;
}

Json action_json(const ActionText& action) {
  Json applies = Json::object(
      {{"resourceTypes", names_json(action.resources)}, {"principalTypes", names_json(action.principals)}});
  if (!is_empty_record(action.context)) applies.set("context", type_json(*action.context));
  Json out = Json::object({{"appliesTo", std::move(applies)}});
  if (!action.parents.empty()) {
    Json parents = Json::array();
    for (const ActionRef& ref : action.parents) {
      Json one = Json::object({{"id", ref.id}});
      if (!ref.type.empty()) one.set("type", ref.type);
      parents.push(std::move(one));
    }
    out.set("memberOf", std::move(parents));
  }
  annotate(out, action.annotations);
  return out;
}

Json sorted_object(std::map<std::string, Json> members) {
  return Json(Json::Object(std::make_move_iterator(members.begin()), std::make_move_iterator(members.end())));
}

}  // namespace

Result<std::vector<NamespaceText>> parse_schema_json(const Json& json, std::string_view file) {
  return Reader(file).schema(json);
}

Json write_schema_json(const std::vector<NamespaceText>& spaces) {
  std::map<std::string, Json> out;
  for (const NamespaceText& space : spaces) {
    if (space.name.empty() && space.empty()) continue;
    std::map<std::string, Json> commons;
    std::map<std::string, Json> entities;
    std::map<std::string, Json> actions;
    for (const CommonText& one : space.commons) {
      Json type = type_json(one.type);
      annotate(type, one.annotations);
      commons[one.name.name] = std::move(type);
    }
    for (const EntityText& one : space.entities)
      for (const NameText& name : one.names) entities[name.name] = entity_json(one);
    for (const ActionText& one : space.actions)
      for (const NameText& name : one.names) actions[name.name] = action_json(one);
    Json json = Json::object();
    if (!commons.empty()) json.set("commonTypes", sorted_object(std::move(commons)));
    json.set("entityTypes", sorted_object(std::move(entities)));
    json.set("actions", sorted_object(std::move(actions)));
    annotate(json, space.annotations);
    out[space.name] = std::move(json);
  }
  return sorted_object(std::move(out));
}

}  // namespace entente::policy
