// A small world for this room's tests. Private to the room.
#pragma once

#include "policy/decide.h"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace entente::policy::test {

inline const char* const kSchema = R"(
namespace Shop {
  type Place = { city: String, zone?: Long };
  entity Nation;
  entity Team in [Team];
  entity User in [Team, Nation] = {
    level: Long, name: String, boss?: User, home?: Place, tags: Set<String>, until: datetime
  } tags String;
  entity Doc in [Folder] = { owner: User, secret: Bool, level: Long };
  entity Folder in [Folder];
  action all;
  action view, edit in [all] appliesTo { principal: [User], resource: [Doc], context: { now: datetime, aal?: Long } };
  action list appliesTo { principal: [User], resource: [Folder] };
}
)";

inline EntityUid user(const std::string& id) {
  return {"Shop::User", id};
}
inline EntityUid doc(const std::string& id) {
  return {"Shop::Doc", id};
}
inline EntityUid action(const std::string& id) {
  return {"Shop::Action", id};
}

inline const Schema& schema() {
  static const Schema parsed = [] {
    auto out = Schema::parse(kSchema, "shop.cedarschema");
    if (!out) FAIL(out.error().text());
    return *std::move(out);
  }();
  return parsed;
}

inline PolicySet load(const std::string& text, const NativePredicates& natives = {}) {
  const PolicySource source{"p.cedar", text};
  auto out = PolicySet::load(schema(), std::span(&source, 1), natives);
  if (!out) FAIL(out.error().text());
  return *std::move(out);
}

inline Result<PolicySet> try_load(const std::string& text) {
  const PolicySource source{"p.cedar", text};
  return PolicySet::load(schema(), std::span(&source, 1));
}

inline Entity a_user(const std::string& id, int64_t level, std::vector<EntityUid> parents = {}) {
  return {user(id),
          {{"level", level}, {"name", id}, {"tags", Value::texts({"x"})}, {"until", Datetime{5000}}},
          std::move(parents),
          {}};
}
inline Entity a_doc(const std::string& id, const std::string& owner, int64_t level,
                    std::vector<EntityUid> parents = {}) {
  return {doc(id), {{"owner", user(owner)}, {"secret", false}, {"level", level}}, std::move(parents), {}};
}

inline Request view(const std::string& who, const std::string& what) {
  return {user(who), action("view"), doc(what), {{"now", Datetime{1000}}}};
}

}  // namespace entente::policy::test
