// Values and entities from JSON and back: Cedar's own escapes, and reading as a schema says.
#include "policy/entity.h"
#include "policy/est.h"
#include "policy/extension.h"
#include "policy/schema.h"
#include "policy/schema_inside.h"

#include <fmt/format.h>

namespace entente::policy {
namespace {

Failure wrong(const std::string& path, std::string what, std::string hint = {}) {
  return fail("policy.value", std::move(what), path.empty() ? "/" : path, std::move(hint));
}

// A path stops growing at some length, so that deep texts cost no more than their length.
std::string under(const std::string& path, std::string_view name) {
  constexpr size_t kPathMax = 400;
  return path.size() > kPathMax ? path : path + "/" + std::string(name.substr(0, 60));
}

Result<EntityUid> uid_from(const Json& json, const std::string& path) {
  if (json.is_object() && json.members().size() == 1)
    if (const Json* inner = json.find("__entity"); inner != nullptr && inner->find("__entity") == nullptr)
      return uid_from(*inner, under(path, "__entity"));
  const Json* type = json.find("type");
  const Json* id = json.find("id");
  if (type == nullptr || id == nullptr || !type->is_string() || !id->is_string() ||
      json.members().size() != 2)
    return wrong(path, "this is no entity", R"(write {"type": "T", "id": "x"})");
  if (!is_type_name(type->string())) return wrong(path, fmt::format("\"{}\" is no type", type->string()));
  return EntityUid{type->string(), id->string()};
}

Result<Value> plain_value(const Json& json, const std::string& path);

// {"fn": "offset", "args": [datetime, duration]}: instants that have no text of their own.
Result<Value> offset_from(const Json& arguments, const std::string& path) {
  if (!arguments.is_array() || arguments.items().size() != 2)
    return wrong(path, "offset takes a datetime and a duration");
  TRY(const Value from, plain_value(arguments.items()[0], under(path, "args/0")));
  TRY(const Value by, plain_value(arguments.items()[1], under(path, "args/1")));
  int64_t ms = 0;
  if (from.kind() != Value::Kind::datetime || by.kind() != Value::Kind::duration)
    return wrong(path, "offset takes a datetime and a duration");
  if (__builtin_add_overflow(from.datetime().ms, by.duration().ms, &ms))
    return wrong(path, "this instant is beyond 64 bits");
  return Value(Datetime{ms});
}

Result<Value> extension_from(const Json& json, const std::string& path) {
  const Json* arguments = json.find("args");
  if (arguments != nullptr && json.text_or("fn", "") == "offset") return offset_from(*arguments, path);
  const Json* function = json.find("fn");
  const Json* argument = json.find("arg");
  if (argument == nullptr && arguments != nullptr && arguments->is_array() && arguments->items().size() == 1)
    argument = &arguments->items()[0];
  if (function == nullptr || argument == nullptr || !function->is_string() || !argument->is_string())
    return wrong(path, "this is no extension value", R"(write {"fn": "datetime", "arg": "..."})");
  if (auto value = make_extension(function->string(), argument->string())) return *std::move(value);
  return wrong(path, fmt::format("{}(\"{}\") has no value", function->string(), argument->string()));
}

Result<Value> plain_value(const Json& json, const std::string& path) {
  if (json.is_bool()) return Value(json.boolean());
  if (json.is_int()) return Value(json.integer());
  if (json.is_string()) return Value(json.string());
  if (json.is_array()) {
    Value::Items items;
    for (size_t i = 0; i < json.items().size(); ++i) {
      TRY(Value item, plain_value(json.items()[i], under(path, std::to_string(i))));
      items.push_back(std::move(item));
    }
    return Value::set(std::move(items));
  }
  if (!json.is_object())
    return wrong(path, "Cedar has no such value", "whole numbers, strings, truth values, lists, objects");
  if (json.members().size() == 1) {
    if (const Json* entity = json.find("__entity")) {
      TRY(EntityUid uid, uid_from(*entity, path));
      return Value(std::move(uid));
    }
    if (const Json* extension = json.find("__extn")) return extension_from(*extension, path);
    if (const Json* expression = json.find("__expr"); expression != nullptr && expression->is_string())
      return wrong(path, "there is no `__expr` any more", R"(write {"__extn": {"fn": "ip", "arg": "..."}})");
  }
  Record record;
  for (const auto& [name, member] : json.members()) {
    TRY(Value value, plain_value(member, under(path, name)));
    record.set(name, std::move(value));
  }
  return Value(std::move(record));
}

Result<Record> record_from(const Json& json, const std::string& path) {
  if (!json.is_object()) return wrong(path, "an object belongs here");
  Record record;
  for (const auto& [name, member] : json.members()) {
    TRY(Value value, plain_value(member, under(path, name)));
    record.set(name, std::move(value));
  }
  return record;
}

std::string_view constructor_of(Type::Kind kind) {
  switch (kind) {
    case Type::Kind::datetime:
      return "datetime";
    case Type::Kind::duration:
      return "duration";
    case Type::Kind::decimal:
      return "decimal";
    case Type::Kind::ip:
      return "ip";
    default:
      return {};
  }
}

Result<Value> typed_value(const Json& json, const Type& type, const std::string& path);

Result<Record> typed_record(const Json& json, const Type& type, const std::string& path) {
  if (!json.is_object()) return wrong(path, fmt::format("an object belongs here: {}", type.text()));
  Record record;
  for (const auto& [name, member] : json.members()) {
    const auto attribute = type.members.find(name);
    if (attribute == type.members.end())
      return wrong(under(path, name), fmt::format("the schema has no `{}` here", name));
    TRY(Value value, typed_value(member, *attribute->second.type, under(path, name)));
    record.set(name, std::move(value));
  }
  for (const auto& [name, attribute] : type.members)
    if (attribute.required && record.find(name) == nullptr)
      return wrong(path, fmt::format("`{}` is missing; it is a {}", name, attribute.type->text()));
  return record;
}

Result<Value> typed_value(const Json& json, const Type& type, const std::string& path) {
  if (type.kind == Type::Kind::entity) {
    TRY(EntityUid uid, uid_from(json, path));
    if (uid.type != type.entity) return wrong(path, fmt::format("{} is no {}", uid.text(), type.entity));
    return Value(std::move(uid));
  }
  if (type.kind == Type::Kind::record) {
    TRY(Record record, typed_record(json, type, path));
    return Value(std::move(record));
  }
  if (type.kind == Type::Kind::set && json.is_array()) {
    Value::Items items;
    for (size_t i = 0; i < json.items().size(); ++i) {
      TRY(Value item, typed_value(json.items()[i], *type.element, under(path, std::to_string(i))));
      items.push_back(std::move(item));
    }
    return Value::set(std::move(items));
  }
  if (const std::string_view constructor = constructor_of(type.kind);
      !constructor.empty() && json.is_string()) {
    if (auto value = make_extension(constructor, json.string())) return *std::move(value);
    return wrong(path, fmt::format("\"{}\" is no {}", json.string(), type.text()));
  }
  const bool bare_call = !constructor_of(type.kind).empty() && json.is_object() && json.find("fn") != nullptr;
  TRY(Value value, bare_call ? extension_from(json, path) : plain_value(json, path));
  if (const std::string fault = mismatch(value, type, "this "); !fault.empty()) return wrong(path, fault);
  return value;
}

Result<std::vector<EntityUid>> parents_from(const Json& json) {
  std::vector<EntityUid> out;
  const Json* parents = json.find("parents");
  if (parents == nullptr) return out;
  if (!parents->is_array()) return wrong("/parents", "a list belongs here");
  for (size_t i = 0; i < parents->items().size(); ++i) {
    TRY(EntityUid uid, uid_from(parents->items()[i], fmt::format("/parents/{}", i)));
    out.push_back(std::move(uid));
  }
  return out;
}

Result<EntityUid> own_uid(const Json& json) {
  const Json* uid = json.find("uid");
  if (uid == nullptr) return wrong("/uid", "an entity has a uid");
  for (const auto& [name, value] : json.members())
    if (name != "uid" && name != "attrs" && name != "parents" && name != "tags")
      return wrong("/" + name, fmt::format("an entity has no `{}`", name), "uid, attrs, parents, tags");
  return uid_from(*uid, "/uid");
}

}  // namespace

Result<Value> value_from_json(const Json& json) {
  return plain_value(json, "");
}

static Json uid_to_json(const EntityUid& uid) {
  return Json::object({{"type", uid.type}, {"id", uid.id}});
}

static Json extension_to_json(std::string_view function, std::string argument) {
  return Json::object({{"__extn", Json::object({{"fn", function}, {"arg", std::move(argument)}})}});
}

static Json record_to_json(const Record& record) {
  Json out = Json::object();
  for (const auto& [name, value] : record.members()) out.set(name, value_to_json(value));
  return out;
}

static Json datetime_to_json(Datetime at) {
  const std::string text = datetime_text(at);
  if (text.find(".offset(") == std::string::npos)
    return extension_to_json("datetime", text.substr(10, text.size() - 12));
  return Json::object(
      {{"__extn", Json::object({{"fn", "offset"},
                                {"args", Json::array({extension_to_json("datetime", "1970-01-01"),
                                                      extension_to_json(
                                                          "duration", duration_text(Duration{at.ms}))})}})}});
}

Json value_to_json(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::boolean:
      return value.boolean();
    case Value::Kind::integer:
      return value.integer();
    case Value::Kind::string:
      return value.string();
    case Value::Kind::set: {
      Json out = Json::array();
      for (const Value& item : value.items()) out.push(value_to_json(item));
      return out;
    }
    case Value::Kind::record:
      return record_to_json(value.record());
    case Value::Kind::entity:
      return Json::object({{"__entity", uid_to_json(value.entity())}});
    case Value::Kind::datetime:
      return datetime_to_json(value.datetime());
    case Value::Kind::duration:
      return extension_to_json("duration", duration_text(value.duration()));
    case Value::Kind::decimal:
      return extension_to_json("decimal", decimal_text(value.decimal()));
    case Value::Kind::ip:
      return extension_to_json("ip", ip_text(value.ip()));
  }
  return {};
}

Result<Entity> entity_from_json(const Json& json) {
  Entity out;
  TRY(out.uid, own_uid(json));
  TRY(out.parents, parents_from(json));
  if (const Json* attributes = json.find("attrs")) {
    TRY(out.attributes, record_from(*attributes, "/attrs"));
  }
  if (const Json* tags = json.find("tags")) {
    TRY(out.tags, record_from(*tags, "/tags"));
  }
  return out;
}

Json entity_to_json(const Entity& entity) {
  Json parents = Json::array();
  for (const EntityUid& parent : entity.parents) parents.push(uid_to_json(parent));
  Json out = Json::object({{"uid", uid_to_json(entity.uid)},
                           {"attrs", record_to_json(entity.attributes)},
                           {"parents", std::move(parents)}});
  if (!entity.tags.empty()) out.set("tags", record_to_json(entity.tags));
  return out;
}

Result<Entity> Schema::read_entity(const Json& json) const {
  Entity out;
  TRY(out.uid, own_uid(json));
  if (inside_->is_action_type(out.uid.type)) {
    TRY(out, entity_from_json(json));
    TRY_VOID(check(out));
    return out;
  }
  const EntityTypeInfo* type = inside_->type(out.uid.type);
  if (type == nullptr) return wrong("/uid", fmt::format("there is no entity type `{}`", out.uid.type));
  TRY(out.parents, parents_from(json));
  const Json empty = Json::object();
  const Json* attributes = json.find("attrs");
  TRY(out.attributes, typed_record(attributes == nullptr ? empty : *attributes, *type->attributes, "/attrs"));
  if (const Json* tags = json.find("tags")) {
    if (!tags->is_object()) return wrong("/tags", "an object belongs here");
    if (type->tags == nullptr && !tags->members().empty())
      return wrong("/tags", fmt::format("`{}` has no tags", out.uid.type));
    for (const auto& [name, tag] : tags->members()) {
      TRY(Value value, typed_value(tag, *type->tags, "/tags/" + name));
      out.tags.set(name, std::move(value));
    }
  }
  TRY_VOID(check(out));
  return out;
}

Result<Record> Schema::read_attributes(std::string_view entity_type, const Json& json) const {
  const EntityTypeInfo* type = inside_->type(entity_type);
  if (type == nullptr) return wrong("", fmt::format("there is no entity type `{}`", entity_type));
  return typed_record(json, *type->attributes, "");
}

Result<Record> Schema::read_context(const EntityUid& action, const Json& json) const {
  const ActionInfo* info = inside_->action(action);
  if (info == nullptr) return wrong("", fmt::format("there is no action {}", action.text()));
  return typed_record(json, *info->context, "");
}

}  // namespace entente::policy
