// The compiled, indexed decision point against the plain evaluator that walks every policy's tree.
#include "policy/policy_set_inside.h"
#include "policy/random_policies.h"
#include "policy/reference.h"
#include "policy/world_for_test.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::policy;
using namespace entente::policy::test;

namespace {

PolicySet unchecked(const std::vector<std::string>& texts, const NativePredicates& natives = {}) {
  std::string all;
  for (const std::string& text : texts) all += text;
  const PolicySource source{"p.cedar", all};
  auto out = PolicySet::unchecked(std::span(&source, 1), natives);
  if (!out) FAIL(out.error().text() << "\n" << all);
  return *std::move(out);
}

Entities stored(const EntityChanges& changes) {
  auto out = Entities::unchecked().with(changes);
  if (!out) FAIL(out.error().text());
  return *std::move(out);
}

std::vector<std::string> texts_of(const Answer& answer) {
  std::vector<std::string> out;
  for (const PolicyError& error : answer.errors)
    out.push_back(std::to_string(static_cast<uint32_t>(error.policy.value_or(PolicyIndex{9999}))) +
                  error.error.text());
  return out;
}

// Everything is the same, except that more may have been read, and that the action is not looked up for
// policies whose other scope lines are not met.
void check_same(const PolicySet& policies, const Entities& entities, Overlay overlay, const Request& request,
                DecideMode mode) {
  mode.nearest = true;
  const Answer fast = decide(policies, entities, overlay, request, mode);
  const Answer plain = decide_plainly(policies, entities, overlay, request, mode);
  CHECK(fast.decision == plain.decision);
  CHECK(fast.reasons == plain.reasons);
  CHECK(texts_of(fast) == texts_of(plain));
  CHECK(std::includes(fast.instants.begin(), fast.instants.end(), plain.instants.begin(),
                      plain.instants.end()));
  CHECK((fast.clock_bound || !plain.clock_bound));
  for (const EntityUid& uid : plain.reach.entities) {
    CAPTURE(uid.text());
    CAPTURE(request.principal.text());
    CHECK((fast.reach.touches(uid) || uid == request.action));
  }
  if (fast.permitted() || !fast.reasons.empty() || !fast.errors.empty()) {
    CHECK(!fast.nearest);
    return;
  }
  const auto misses = near_misses(policies, entities, overlay, request, 1);
  CHECK(fast.nearest.has_value() == !misses.empty());
  if (fast.nearest && !misses.empty()) CHECK(*fast.nearest == misses.front().policy);
}

// More in a long run: ENTENTE_SEEDS=20000.
unsigned seeds(unsigned usual) {
  const char* given = std::getenv("ENTENTE_SEEDS");
  unsigned out = usual;
  if (given != nullptr) std::from_chars(given, given + std::strlen(given), out);
  return out;
}

constexpr DecideMode kModes[] = {{.forbid_error_denies = true, .every_error = true},
                                 {.forbid_error_denies = true, .every_error = false},
                                 {.forbid_error_denies = false, .every_error = true},
                                 {.forbid_error_denies = false, .every_error = false}};

}  // namespace

TEST_CASE("compiled and indexed policies say what a walk through every policy says") {
  for (unsigned seed = 1; seed <= seeds(400); ++seed) {
    CAPTURE(seed);
    RandomPolicies make(seed);
    const PolicySet policies = unchecked(make.policies(1 + make.below(40)));
    const Entities entities = stored(make.changes(14));
    const EntityChanges overlay = make.changes(make.below(3));
    for (int i = 0; i < 12; ++i) {
      const Request request = make.request();
      check_same(policies, entities, {}, request, kModes[make.below(4)]);
      check_same(policies, entities, overlay.put, request, kModes[make.below(4)]);
    }
  }
}

TEST_CASE("any order of policies gives the same answer, and one more forbid never widens") {
  for (unsigned seed = 1; seed <= seeds(100); ++seed) {
    CAPTURE(seed);
    RandomPolicies make(seed);
    std::vector<std::string> texts = make.policies(20);
    const PolicySet policies = unchecked(texts);
    texts.push_back("@id(\"more\") " + make.policy("forbid"));
    const PolicySet narrower = unchecked(texts);
    std::shuffle(texts.begin(), texts.end(), make.random());
    const PolicySet shuffled = unchecked(texts);
    const Entities entities = stored(make.changes(14));
    for (int i = 0; i < 10; ++i) {
      const Request request = make.request();
      const Answer answer = decide(narrower, entities, {}, request);
      const Answer other = decide(shuffled, entities, {}, request);
      CHECK(answer.decision == other.decision);
      CHECK(answer.reasons.size() == other.reasons.size());
      for (const PolicyIndex reason : other.reasons)
        CHECK(std::count(answer.reasons.begin(), answer.reasons.end(), *narrower.find(shuffled[reason].id)) ==
              1);
      if (answer.permitted()) CHECK(decide(policies, entities, {}, request).permitted());
    }
  }
}

TEST_CASE("a change outside what an answer read does not change the answer") {
  size_t untouched = 0;
  for (unsigned seed = 1; seed <= seeds(200); ++seed) {
    CAPTURE(seed);
    RandomPolicies make(seed);
    const PolicySet policies = unchecked(make.policies(1 + make.below(10)));
    Entities entities = stored(make.changes(10));
    const Request request = make.request();
    for (int i = 0; i < 30; ++i) {
      const Answer before = decide(policies, entities, {}, request);
      const EntityUid uid = make.uid();
      entities = *entities.with(make.below(4) == 0 ? EntityChanges{{}, {uid}}
                                                   : EntityChanges{{make.entity(uid)}, {}});
      if (before.reach.touches(uid)) continue;
      const Answer after = decide(policies, entities, {}, request);
      ++untouched;
      CHECK(before.decision == after.decision);
      CHECK(before.reasons == after.reasons);
      CHECK(texts_of(before) == texts_of(after));
      CHECK(before.reach.entities == after.reach.entities);
    }
  }
  CHECK(untouched > seeds(200) * 3);
}

TEST_CASE("what a decision could read is known before, and holds all that it reads") {
  for (unsigned seed = 1; seed <= seeds(200); ++seed) {
    CAPTURE(seed);
    RandomPolicies make(seed);
    const PolicySet policies = unchecked(make.policies(1 + make.below(10)));
    const Entities entities = stored(make.changes(12));
    const EntityChanges overlay = make.changes(make.below(3));
    for (int i = 0; i < 8; ++i) {
      const Request request = make.request();
      const Reach could = could_read(policies, entities, overlay.put, request);
      for (const EntityUid& uid :
           decide(policies, entities, overlay.put, request, kModes[0]).reach.entities) {
        CAPTURE(uid.text());
        CHECK(could.touches(uid));
      }
    }
  }
}

TEST_CASE("what could be read follows the policies of the action, and no further") {
  const PolicySet policies = load(R"(
    permit (principal, action == Shop::Action::"view", resource) when { resource.owner.level > 1 };
    permit (principal, action == Shop::Action::"edit", resource) when { principal has boss && principal.boss.level > 1 };
  )");
  Entity ben = a_user("ben", 1, {{"Shop::Team", "t"}});
  ben.attributes.set("boss", user("chris"));
  const Entities entities =
      *Entities(schema()).with({{ben, a_user("ann", 1), a_user("chris", 2), a_doc("d", "ann", 1)}, {}});
  Request request = view("ben", "d");
  const Reach viewing = could_read(policies, entities, {}, request);
  CHECK(viewing.touches(user("ann")));
  CHECK(viewing.touches({"Shop::Team", "t"}));
  CHECK_FALSE(viewing.touches(user("chris")));
  CHECK(viewing.types.empty());
  request.action = action("edit");
  const Reach editing = could_read(policies, entities, {}, request);
  CHECK(editing.touches(user("chris")));
  CHECK_FALSE(editing.touches(user("ann")));
}

TEST_CASE("an expression that many policies share stands once") {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i)
    texts.push_back("@id(\"p" + std::to_string(i) + "\") permit (principal in T::\"g" + std::to_string(i) +
                    "\", action, resource) when { principal.a >= resource.a && context.b > " +
                    std::to_string(i % 3) + " };");
  CHECK(unchecked(texts).inside().program.codes.size() < 20);
}

TEST_CASE("policies behind the same first question are found by its answer, failures included") {
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    texts.push_back(fmt::format(
        "@id(\"a{0}\") permit (principal, action, resource) when {{ context.a == {0} }};", number));
    texts.push_back(
        fmt::format("@id(\"s{0}\") permit (principal, action, resource) when {{ "
                    "context.s.contains(\"{0}\") && context.a + 9223372036854775807 > 0 }};",
                    number));
  }
  const PolicySet policies = unchecked(texts);
  const Entities none = Entities::unchecked();
  Request request{{"T", "p"}, {"Action", "a"}, {"T", "r"}, {}};
  const auto ask = [&](Record context) {
    request.context = std::move(context);
    check_same(policies, none, {}, request, kModes[0]);
    return decide(policies, none, {}, request);
  };
  CHECK(ask({{"a", 7}, {"s", Value::set({})}}).reasons.size() == 1);
  CHECK(ask({{"a", 7}, {"s", Value::texts({"3", "4"})}}).errors.size() == 2);
  CHECK(ask({{"a", 0}, {"s", Value::texts({"3", "4"})}}).reasons.size() == 3);
  CHECK(ask({{"a", "7"}, {"s", 1}}).errors.size() == 50);
  CHECK(ask({}).errors.size() == 100);
}

TEST_CASE("a forbid behind a first question that fails still denies") {
  const PolicySet policies =
      unchecked({"@id(\"yes\") permit (principal, action, resource);",
                 "@id(\"f1\") forbid (principal, action, resource) when { context.a == 1 };",
                 "@id(\"f2\") forbid (principal, action, resource) when { context.a == 2 };",
                 "@id(\"f3\") forbid (principal, action, resource) when { context.a == 3 };"});
  const Request request{{"T", "p"}, {"Action", "a"}, {"T", "r"}, {}};
  const Answer answer = decide(policies, Entities::unchecked(), {}, request);
  CHECK_FALSE(answer.permitted());
  CHECK(answer.reasons.size() == 3);
}

TEST_CASE("readers share policies and entities without locks") {
  RandomPolicies make(1);
  const PolicySet policies = unchecked(make.policies(60));
  const Entities entities = stored(make.changes(14));
  std::vector<Request> requests;
  std::vector<Answer> wanted;
  for (int i = 0; i < 40; ++i) {
    requests.push_back(make.request());
    wanted.push_back(decide(policies, entities, {}, requests.back()));
  }
  std::vector<size_t> wrong(4);
  std::vector<std::thread> readers;
  for (size_t& mine : wrong) {
    readers.emplace_back([&] {
      Entities changing = entities;
      for (size_t round = 0; round < 20; ++round) {
        for (size_t i = 0; i < requests.size(); ++i) {
          const Answer answer = decide(policies, entities, {}, requests[i]);
          mine += answer.decision == wanted[i].decision && answer.reasons == wanted[i].reasons ? 0 : 1;
        }
        changing = *changing.with({{{{"T", "new"}, {{"n", static_cast<int64_t>(round)}}, {}, {}}}, {}});
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  for (const size_t count : wrong) CHECK(count == 0);
}
