// What must hold in every world. A failing case prints its seed: Dice(seed) replays it.
#include "coalition/random_world_test.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::coalition {
namespace {

using namespace example;

constexpr uint64_t kWorlds = 60;
constexpr int kAsks = 40;

// The answer proper: what reach and valid_until speak of.
std::string answer(const Verdict& verdict) {
  std::string out = verdict.permit ? "permit" : "deny";
  out += verdict.hidden ? " hidden " : " ";
  out += refusal_name(verdict.refusal);
  for (const Obligation& duty : verdict.obligations) out += " " + duty.name;
  return out;
}

World next_of(const World& world, const std::vector<Record>& changes) {
  auto next = world.with(changes, Revision{world.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  return next->world;
}

// All that can be seen of a world, for comparing two.
std::string seen(const World& world, const Records& keys) {
  std::string out;
  for (const auto& [key, value] : keys) {
    const Json* raw = world.raw(key);
    out += key + (raw == nullptr ? "-" : raw->canonical()) + "\n";
  }
  out += fmt::format("{} {} {}\n", world.partners().size(), world.apps().size(), world.missions().size());
  std::set<std::string> entities;
  world.entities().each([&](const policy::Entity& entity) {
    std::string text = policy::entity_to_json(entity).canonical();
    entities.insert(std::move(text));
    return true;
  });
  for (const std::string& entity : entities) out += entity + "\n";
  return out;
}

TEST_CASE("random asks meet permits and denials of every kind") {
  std::map<std::string, int> kinds;
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    Dice dice(seed);
    const World made = world(random_records(dice));
    for (int i = 0; i < kAsks; ++i) {
      const Verdict verdict = decide(made, random_ask(dice));
      ++kinds[verdict.permit                                      ? "permit"
              : verdict.reasons.front().layer == Layer::structure ? "structure"
                                                                  : "policy"];
    }
  }
  CHECK(kinds["permit"] > 50);
  CHECK(kinds["structure"] > 50);
  CHECK(kinds["policy"] > 50);
}

TEST_CASE("any single layer's forbid denies, whatever the others say") {
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const Records all = random_records(dice);
    const World before = world(all);
    std::vector<World> narrowed;
    const std::string layers[] = {"coalition", "host", "home"};
    for (const std::string& layer : layers) {
      narrowed.push_back(next_of(
          before, {{"policy/" + layer + "/never",
                    Json::object({{"text", "@id(\"never\") forbid(principal, action, resource);"}})}}));
    }
    for (int i = 0; i < kAsks; ++i) {
      const Ask asked = random_ask(dice);
      const Verdict verdict = decide(before, asked);
      const auto* of_app = std::get_if<AppRef>(&asked.target);
      const bool own_target = of_app == nullptr || of_app->owner == before.self();
      CHECK_FALSE(decide(narrowed[0], asked).permit);
      if (own_target) CHECK_FALSE(decide(narrowed[1], asked).permit);
      if (asked.who.partner == before.self()) CHECK_FALSE(decide(narrowed[2], asked).permit);
      // A layer that does not concern this node changes nothing.
      if (!own_target) CHECK(answer(decide(narrowed[1], asked)) == answer(verdict));
      if (asked.who.partner != before.self()) CHECK(answer(decide(narrowed[2], asked)) == answer(verdict));
    }
  }
}

TEST_CASE("removing a permit never widens; removing a whole layer permits nothing") {
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const Records all = random_records(dice);
    const World before = world(all);
    const auto pool = policy_pool();
    std::vector<World> fewer;
    for (size_t i = 0; i < pool.size(); ++i) {
      const std::string key = fmt::format("policy/{}/p{}", pool[i].layer, i + 1);
      if (pool[i].permit && all.contains(key)) fewer.push_back(next_of(before, {{key, std::nullopt}}));
    }
    for (int i = 0; i < kAsks; ++i) {
      const Ask asked = random_ask(dice);
      if (decide(before, asked).permit) continue;
      for (const World& less : fewer) CHECK_FALSE(decide(less, asked).permit);
    }
  }
}

TEST_CASE("until valid_until, time alone changes nothing") {
  size_t flips = 0;
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const World made = world(random_records(dice));
    for (int i = 0; i < kAsks; ++i) {
      CAPTURE(i);
      Ask asked = random_ask(dice);
      const Instant now = asked.now;
      const Verdict verdict = decide(made, asked);
      REQUIRE(verdict.valid_until > now);
      for (size_t step = 0; step < kGridSteps; ++step) {
        for (const Millis nudge : {Millis(-1), Millis(0), Millis(1)}) {
          asked.now = grid(step) + nudge;
          if (asked.now < now) continue;
          const std::string later = answer(decide(made, asked));
          if (asked.now < verdict.valid_until) {
            CAPTURE(rfc3339(asked.now));
            CHECK(later == answer(verdict));
          } else if (later != answer(verdict)) {
            ++flips;
          }
        }
      }
    }
  }
  CHECK(flips > 100);
}

TEST_CASE("a change outside a verdict's reach changes nothing; one that only widens takes nothing away") {
  size_t inside = 0;
  size_t outside = 0;
  size_t widening = 0;
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const Records all = random_records(dice);
    const World before = world(all);
    std::vector<Ask> asks;
    asks.reserve(kAsks);
    for (int i = 0; i < kAsks; ++i) asks.push_back(random_ask(dice));
    for (int change_number = 0; change_number < 30; ++change_number) {
      const std::vector<Record> changes = random_change(dice, all);
      const auto next = before.with(changes, Revision{2});
      if (!next) continue;
      if (next->touch.only_widens) ++widening;
      for (const Ask& asked : asks) {
        const Verdict verdict = decide(before, asked);
        const Verdict later = decide(next->world, asked);
        if (next->touch.only_widens && verdict.permit) CHECK(later.permit);
        const bool touched =
            next->touch.policies || std::any_of(next->touch.entities.begin(), next->touch.entities.end(),
                                                [&](const auto& uid) { return verdict.reach.touches(uid); });
        if (touched) {
          inside += answer(later) != answer(verdict);
          continue;
        }
        ++outside;
        CAPTURE(changes.empty() ? "" : changes.front().key);
        CHECK(answer(later) == answer(verdict));
      }
    }
  }
  CHECK(inside > 100);
  CHECK(outside > 1000);
  CHECK(widening > 20);
}

TEST_CASE("with() comes to what load() makes of all records, in any order") {
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    Records all = random_records(dice);
    World made = world(all);
    Records every_key = all;
    for (int i = 0; i < 20; ++i) {
      const std::vector<Record> changes = random_change(dice, all);
      const auto next = made.with(changes, Revision{made.revision().value + 1});
      if (!next) continue;
      made = next->world;
      apply(all, changes);
      for (const Record& change : changes) every_key[change.key];
    }
    std::vector<Record> list = as_list(all);
    for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[dice.below(i)]);
    const auto loaded = World::load(list, made.revision());
    REQUIRE_MESSAGE(loaded, loaded.error().text());
    CHECK(seen(made, every_key) == seen(*loaded, every_key));
    for (int i = 0; i < kAsks; ++i) {
      const Ask asked = random_ask(dice);
      CHECK(decide(made, asked).to_json() == decide(*loaded, asked).to_json());
      CHECK(decide_without_reach(made, asked).to_json() == decide(*loaded, asked).to_json());
      CHECK(decide_without_reach(made, asked).reach.entities.empty());
    }
  }
}

TEST_CASE("what is hidden is refused like what does not exist, in every world") {
  size_t hidden = 0;
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    Dice dice(seed);
    const World made = world(random_records(dice));
    for (int i = 0; i < kAsks; ++i) {
      Ask asked = random_ask(dice);
      const Verdict verdict = decide(made, asked);
      if (!verdict.hidden) continue;
      ++hidden;
      asked.target = app("XAA", "never-was");
      const Verdict unknown = decide(made, asked);
      CHECK(rules(unknown) == kUnknownApp);
      CHECK(shown(verdict).to_json() == shown(unknown).to_json());
    }
  }
  CHECK(hidden > 100);
}

}  // namespace
}  // namespace entente::coalition
