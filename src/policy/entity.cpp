#include "policy/entity.h"

#include "policy/cell.h"
#include "policy/extension.h"
#include "policy/lexer.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {

size_t UidHash::operator()(const EntityUid& uid) const noexcept {
  return hash_uid(hash_text(uid.type), hash_text(uid.id));
}

std::string EntityUid::text() const {
  return type + "::" + quote(id);
}

Result<EntityUid> parse_uid(std::string_view text) {
  TRY(const std::vector<Token> tokens, lex(text, "entity"));
  EntityUid uid;
  size_t i = 0;
  while (tokens[i].kind == Token::Kind::identifier && tokens[i + 1].is("::")) {
    if (is_reserved(tokens[i].text)) break;
    uid.type += (uid.type.empty() ? "" : "::") + std::string(tokens[i].text);
    i += 2;
  }
  if (uid.type.empty() || tokens[i].kind != Token::Kind::string || tokens[i + 1].kind != Token::Kind::end)
    return fail("policy.syntax", fmt::format("\"{}\" is no entity", text), {}, "write Type::\"id\"");
  TRY(uid.id, unescape(tokens[i]));
  return uid;
}

Value::Value(std::string value) : data_(std::make_shared<const Text>(std::move(value))) {}
Value::Value(EntityUid value) : data_(std::make_shared<const Named>(std::move(value))) {}
Value::Value(Record value) : data_(std::make_shared<const Record>(std::move(value))) {}
Value::Value(const IpNet& value) : data_(std::make_shared<const IpNet>(value)) {}

Value Value::set(Items items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  Value out;
  out.data_ = std::make_shared<const ItemSet>(std::move(items));
  return out;
}

Value Value::texts(const std::vector<std::string>& items) {
  return set(Items(items.begin(), items.end()));
}

std::string_view Value::kind_name() const {
  constexpr std::string_view kNames[] = {"Bool",   "Long",     "String",   "Set",     "Record",
                                         "Entity", "datetime", "duration", "decimal", "ipaddr"};
  return kNames[data_.index()];
}

template <class T, class Data>
static const T& part(const Data& data) {
  const T* found = std::get_if<T>(&data);
  ENTENTE_CHECK(found != nullptr);
  return *found;
}

bool Value::boolean() const {
  return part<bool>(data_);
}
int64_t Value::integer() const {
  return part<int64_t>(data_);
}
const std::string& Value::string() const {
  return part<Shared<Text>>(data_)->text;
}
const Value::Items& Value::items() const {
  return part<Shared<ItemSet>>(data_)->items;
}
const Record& Value::record() const {
  return *part<Shared<Record>>(data_);
}
const EntityUid& Value::entity() const {
  return part<Shared<Named>>(data_)->uid;
}
Datetime Value::datetime() const {
  return part<Datetime>(data_);
}
Duration Value::duration() const {
  return part<Duration>(data_);
}
Decimal Value::decimal() const {
  return part<Decimal>(data_);
}
const IpNet& Value::ip() const {
  return *part<Shared<IpNet>>(data_);
}

std::strong_ordering Value::operator<=>(const Value& other) const {
  if (data_.index() != other.data_.index()) return data_.index() <=> other.data_.index();
  switch (kind()) {
    case Kind::boolean:
      return boolean() <=> other.boolean();
    case Kind::integer:
      return integer() <=> other.integer();
    case Kind::string:
      return string() <=> other.string();
    case Kind::set: {
      if (&items() == &other.items()) return std::strong_ordering::equal;
      return std::lexicographical_compare_three_way(items().begin(), items().end(), other.items().begin(),
                                                    other.items().end());
    }
    case Kind::record:
      if (&record() == &other.record()) return std::strong_ordering::equal;
      return record() <=> other.record();
    case Kind::entity:
      return entity() <=> other.entity();
    case Kind::datetime:
      return datetime() <=> other.datetime();
    case Kind::duration:
      return duration() <=> other.duration();
    case Kind::decimal:
      return decimal() <=> other.decimal();
    case Kind::ip:
      return ip() <=> other.ip();
  }
  return std::strong_ordering::equal;
}

std::string Value::text() const {
  switch (kind()) {
    case Kind::boolean:
      return boolean() ? "true" : "false";
    case Kind::integer:
      return std::to_string(integer());
    case Kind::string:
      return quote(string());
    case Kind::set: {
      std::string out;
      for (const Value& item : items()) out += (out.empty() ? "" : ", ") + item.text();
      return "[" + out + "]";
    }
    case Kind::record: {
      std::string out;
      for (const auto& [name, value] : record().members())
        out += (out.empty() ? "" : ", ") + quote(name) + ": " + value.text();
      return "{" + out + "}";
    }
    case Kind::entity:
      return entity().text();
    case Kind::datetime:
      return datetime_text(datetime());
    case Kind::duration:
      return "duration(" + quote(duration_text(duration())) + ")";
    case Kind::decimal:
      return "decimal(" + quote(decimal_text(decimal())) + ")";
    case Kind::ip:
      return "ip(" + quote(ip_text(ip())) + ")";
  }
  return {};
}

Record::Record(std::initializer_list<Given> members) {
  members_.reserve(members.size());
  for (const Given& member : members) set(std::move(member.name_), std::move(member.value_));
}

static bool before(const Record::Member& member, std::string_view name) {
  return member.first < name;
}

Record& Record::set(std::string name, Value value) {
  const auto at = std::lower_bound(members_.begin(), members_.end(), std::string_view(name), before);
  if (at != members_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    members_.emplace(at, std::move(name), std::move(value));
  }
  return *this;
}

const Value* Record::find(std::string_view name) const {
  const auto at = std::lower_bound(members_.begin(), members_.end(), name, before);
  return at != members_.end() && at->first == name ? &at->second : nullptr;
}

std::strong_ordering Record::operator<=>(const Record& other) const {
  return std::lexicographical_compare_three_way(members_.begin(), members_.end(), other.members_.begin(),
                                                other.members_.end(),
                                                [](const Member& a, const Member& b) -> std::strong_ordering {
                                                  if (const auto name = a.first <=> b.first; name != 0)
                                                    return name;
                                                  return a.second <=> b.second;
                                                });
}

}  // namespace entente::policy
