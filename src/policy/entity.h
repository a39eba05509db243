// Cedar's values and entities (language 4.5). All are plain immutable values: copying shares, readers never
// lock.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace entente::policy {

// Entente::Person::"p-17" is {"Entente::Person", "p-17"}; an action is {"Entente::Action", "open"}.
struct EntityUid {
  std::string type;
  std::string id;

  [[nodiscard]] std::string text() const;  // as policies write it
  auto operator<=>(const EntityUid&) const = default;
  // Ids differ sooner than types do.
  bool operator==(const EntityUid& other) const { return id == other.id && type == other.type; }
};

struct UidHash {
  [[nodiscard]] size_t operator()(const EntityUid& uid) const noexcept;
};

// Reads what text() writes. Error "policy.syntax".
[[nodiscard]] Result<EntityUid> parse_uid(std::string_view text);

// An IPv4 or IPv6 address with its prefix length; host bits are kept as written.
struct IpNet {
  bool v6 = false;
  uint8_t prefix = 32;
  std::array<uint8_t, 16> octets{};  // IPv4 uses the first four
  auto operator<=>(const IpNet&) const = default;
};
struct Decimal {
  int64_t ten_thousandths = 0;
  auto operator<=>(const Decimal&) const = default;
};
struct Datetime {
  int64_t ms = 0;  // since 1970-01-01T00:00Z
  auto operator<=>(const Datetime&) const = default;
};
struct Duration {
  int64_t ms = 0;
  auto operator<=>(const Duration&) const = default;
};

class Record;
struct Text;  // private to the room, like the next three
struct ItemSet;
struct Named;
struct Cell;

class Value {
 public:
  enum class Kind : uint8_t {
    boolean,
    integer,
    string,
    set,
    record,
    entity,
    datetime,
    duration,
    decimal,
    ip
  };
  using Items = std::vector<Value>;

  Value() : data_(false) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(int64_t{value}) {}
  Value(int64_t value) : data_(value) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(std::string value);
  Value(EntityUid value);
  Value(Record value);
  Value(Datetime value) : data_(value) {}
  Value(Duration value) : data_(value) {}
  Value(Decimal value) : data_(value) {}
  Value(const IpNet& value);
  Value(Instant value) : data_(Datetime{value.time_since_epoch().count()}) {}
  [[nodiscard]] static Value set(Items items);  // any order, doubles allowed: kept sorted and once each
  [[nodiscard]] static Value texts(const std::vector<std::string>& items);  // a set of strings

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
  [[nodiscard]] std::string_view kind_name() const;  // as schemas write it: "Long", "Set", ...

  // Only after kind() said so: otherwise ends the process.
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] int64_t integer() const;
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] const Items& items() const;
  [[nodiscard]] const Record& record() const;
  [[nodiscard]] const EntityUid& entity() const;
  [[nodiscard]] Datetime datetime() const;
  [[nodiscard]] Duration duration() const;
  [[nodiscard]] Decimal decimal() const;
  [[nodiscard]] const IpNet& ip() const;

  [[nodiscard]] std::string text() const;  // as policies write it

  // A total order over all values (kinds first); equal means Cedar's ==.
  [[nodiscard]] std::strong_ordering operator<=>(const Value& other) const;
  [[nodiscard]] bool operator==(const Value& other) const { return (*this <=> other) == 0; }

 private:
  friend struct Cell;
  template <class T>
  using Shared = std::shared_ptr<const T>;
  // The order of the alternatives is that of Kind.
  std::variant<bool, int64_t, Shared<Text>, Shared<ItemSet>, Shared<Record>, Shared<Named>, Datetime,
               Duration, Decimal, Shared<IpNet>>
      data_;
};

// Attributes by name; kept sorted, names unique.
class Record {
 public:
  using Member = std::pair<std::string, Value>;
  Record() = default;
  // A member as it is written down: what an initializer list holds is const, and would be copied.
  class Given {
   public:
    Given(std::string name, Value value) : name_(std::move(name)), value_(std::move(value)) {}

   private:
    friend class Record;
    mutable std::string name_;
    mutable Value value_;
  };
  Record(std::initializer_list<Given> members);
  Record& set(std::string name, Value value);  // replaces
  [[nodiscard]] const Value* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] std::strong_ordering operator<=>(const Record& other) const;
  [[nodiscard]] bool operator==(const Record& other) const { return (*this <=> other) == 0; }

 private:
  std::vector<Member> members_;
};

struct Entity {
  EntityUid uid;
  Record attributes;
  std::vector<EntityUid> parents;  // direct ones; any order
  Record tags;
  bool operator==(const Entity&) const = default;
};

// Cedar's JSON forms, without a schema: {"__entity": {"type", "id"}}, {"__extn": {"fn", "arg"}}. See Schema
// for the schema-directed readers. Errors: "policy.value" with the JSON pointer of the place in `where`.
[[nodiscard]] Result<Value> value_from_json(const Json& json);
[[nodiscard]] Json value_to_json(const Value& value);
// {"uid": {"type","id"}, "attrs": {...}, "parents": [{"type","id"}...], "tags": {...}}
[[nodiscard]] Result<Entity> entity_from_json(const Json& json);
[[nodiscard]] Json entity_to_json(const Entity& entity);

}  // namespace entente::policy
