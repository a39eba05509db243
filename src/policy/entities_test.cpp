#include "policy/entities.h"

#include "policy/entities_inside.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

EntityUid uid(unsigned number) {
  return {"T", std::to_string(number)};
}

unsigned below(std::mt19937& random, unsigned bound) {
  return static_cast<unsigned>(random() % bound);
}

template <class T>
std::vector<T> sorted(std::vector<T> items) {
  std::sort(items.begin(), items.end());
  return items;
}

// A random entity whose parents have lower numbers, so that no cycle comes up.
Entity random_entity(unsigned number, std::mt19937& random) {
  Entity out{uid(number), {{"value", static_cast<int64_t>(random() % 5)}}, {}, {}};
  for (unsigned i = 0; i < random() % 3 && number > 0; ++i) out.parents.push_back(uid(below(random, number)));
  return out;
}

void check_equal(const Entities& a, const Entities& b, unsigned count) {
  REQUIRE(a.size() == b.size());
  for (unsigned i = 0; i < count; ++i) {
    const auto left = a.find(uid(i));
    const auto right = b.find(uid(i));
    REQUIRE((left == nullptr) == (right == nullptr));
    if (left != nullptr) CHECK(*left == *right);
    CHECK(sorted(a.ancestors(uid(i))) == sorted(b.ancestors(uid(i))));
    CHECK(sorted(a.children(uid(i))) == sorted(b.children(uid(i))));
  }
}

}  // namespace

TEST_CASE("changing entities one by one gives what building them anew gives") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    constexpr unsigned kCount = 40;
    Entities grown = Entities::unchecked();
    std::map<unsigned, Entity> truth;
    for (unsigned step = 0; step < 30; ++step) {
      EntityChanges changes;
      std::set<unsigned> touched;
      for (unsigned i = 0; i < 1 + random() % 5; ++i) {
        const unsigned number = below(random, kCount);
        if (!touched.insert(number).second) continue;
        if (random() % 4 == 0) {
          changes.remove.push_back(uid(number));
          truth.erase(number);
        } else {
          changes.put.push_back(random_entity(number, random));
          truth[number] = changes.put.back();
        }
      }
      auto next = grown.with(changes);
      REQUIRE(next.has_value());
      grown = *std::move(next);
    }
    EntityChanges everything;
    for (const auto& [number, entity] : truth) everything.put.push_back(entity);
    check_equal(grown, *Entities::unchecked().with(everything), kCount);
  }
}

TEST_CASE("an older version stays as it was") {
  const Entities first = *Entities::unchecked().with({{{uid(1), {{"a", 1}}, {uid(0)}, {}}}, {}});
  const Entities second = *first.with({{{uid(1), {{"a", 2}}, {}, {}}}, {}});
  CHECK(*first.find(uid(1))->attributes.find("a") == Value(1));
  CHECK(first.is_in(uid(1), uid(0)));
  CHECK_FALSE(second.is_in(uid(1), uid(0)));
}

TEST_CASE("a changed entity shares nearly all of a large store with the version before") {
  EntityChanges all;
  constexpr unsigned kCount = 20'000;
  for (unsigned i = 0; i < kCount; ++i) all.put.push_back({uid(i), {{"n", int64_t{i}}}, {{"P", "all"}}, {}});
  const Entities large = *Entities::unchecked().with(all);
  const Entities next = *large.with({{{uid(7), {{"n", -1}}, {{"P", "all"}}, {}}}, {}});
  CHECK(next.inside().nodes.unshared(large.inside().nodes) <= 4);
  CHECK(next.find(uid(8)) == large.find(uid(8)));
  // Also when a parent of many loses one of them.
  const Entities moved = *large.with({{{uid(7), {}, {}, {}}}, {}});
  CHECK(moved.inside().nodes.unshared(large.inside().nodes) <= 8);
  CHECK(moved.children({"P", "all"}).size() == kCount - 1);
}

TEST_CASE("an entity keeps its number in every later version, also after removal and return") {
  const Entities first = *Entities::unchecked().with({{{uid(1), {}, {}, {}}, {uid(2), {}, {}, {}}}, {}});
  const auto number = first.id_of(uid(1));
  const Entities gone = *first.with({{}, {uid(1)}});
  CHECK(gone.find(uid(1)) == nullptr);
  CHECK(gone.id_of(uid(1)) == number);
  CHECK(gone.with({{{uid(1), {}, {}, {}}}, {}})->id_of(uid(1)) == number);
}

TEST_CASE("a cycle of parents is refused and leaves nothing behind") {
  const Entities chain =
      *Entities::unchecked().with({{{uid(1), {}, {uid(2)}, {}}, {uid(2), {}, {uid(3)}, {}}}, {}});
  const auto cycle = chain.with({{{uid(3), {}, {uid(1)}, {}}}, {}});
  REQUIRE_FALSE(cycle.has_value());
  CHECK(cycle.error().code() == "policy.entity-cycle");
  CHECK_FALSE(Entities::unchecked().with({{{uid(1), {}, {uid(1)}, {}}}, {}}).has_value());
  CHECK(chain.is_in(uid(1), uid(3)));
}

TEST_CASE("one uid twice in one change is refused") {
  const auto doubled = Entities::unchecked().with({{{uid(1), {}, {}, {}}}, {uid(1)}});
  REQUIRE_FALSE(doubled.has_value());
  CHECK(doubled.error().code() == "policy.entity-doubled");
}

TEST_CASE("with a schema, each entity is checked and the schema's actions are there") {
  const Schema schema = *Schema::parse(
      "entity Team; entity User in [Team] = { level: Long, note?: String };"
      "action all; action view in [all] appliesTo { principal: [User], resource: [User] };",
      "s");
  const Entities empty(schema);
  CHECK(empty.is_in({"Action", "view"}, {"Action", "all"}));
  CHECK(empty.with({{{{"User", "a"}, {{"level", 1}}, {{"Team", "t"}}, {}}}, {}}).has_value());
  const auto refused = [&](Entity entity, const char* part) {
    const auto next = empty.with({{std::move(entity)}, {}});
    REQUIRE_FALSE(next.has_value());
    CHECK(next.error().code() == "policy.entity");
    CHECK(next.error().what().find(part) != std::string::npos);
  };
  refused({{"User", "a"}, {}, {}, {}}, "level is missing");
  refused({{"User", "a"}, {{"level", "1"}}, {}, {}}, "level is a String where a Long belongs");
  refused({{"User", "a"}, {{"level", 1}, {"other", 1}}, {}, {}}, "other is not in the schema");
  refused({{"User", "a"}, {{"level", 1}}, {{"User", "b"}}, {}}, "does not allow");
  refused({{"Usr", "a"}, {}, {}, {}}, "no entity type");
  refused({{"Action", "view"}, {}, {}, {}}, "in other groups than the schema says");
  refused({{"Action", "viw"}, {}, {}, {}}, "there is no action");
  CHECK(empty.with({{{{"Action", "view"}, {}, {{"Action", "all"}}, {}}}, {}}).has_value());
  CHECK_FALSE(empty.with({{}, {{"Action", "view"}}}).has_value());
}
