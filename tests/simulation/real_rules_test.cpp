// Two cores under the coalition's own decide() and the demonstration's policies: what a commit touches in the
// real world is what the core holds, asks and cuts.
#include "coalition/example_test.h"
#include "exchange/exchange.h"

#include <deque>

#include <doctest/doctest.h>
#include <fmt/core.h>

namespace entente::exchange {
namespace {

using namespace coalition::example;

struct Said {
  coalition::Person who;
  coalition::Facts context;
  AppId app;
};

struct PlainStatements final : Statements {
  explicit PlainStatements(std::vector<Said>& all) : all_(all) {}
  Result<Issued> issue(const PartnerCode&, const coalition::AppRef& app, const coalition::Person& who,
                       const coalition::Facts& context, Instant) override {
    all_.push_back({who, context, app.app});
    return Issued{std::to_string(all_.size() - 1), all_.size(), std::nullopt};
  }
  std::vector<std::string> resend(const PartnerCode&, uint64_t, uint64_t) override { return {}; }
  Result<Vouched> verify(const PartnerCode&, std::string_view text, Instant) override {
    const Said& said = all_.at(std::stoull(std::string(text)));
    return Vouched{said.who, said.context, said.app, std::nullopt};
  }
  uint64_t expected(const PartnerCode&) const override { return 0; }

 private:
  std::vector<Said>& all_;
};

struct Nation {
  std::string code;
  coalition::World world;
  PlainStatements statements;
  int drawn = 0;
  std::unique_ptr<Exchange> core;

  Nation(const std::string& name, std::vector<Said>& said)
      : code(name), world(coalition::example::world(records(name))), statements(said) {
    core = std::make_unique<Exchange>(
        rules_of(world), statements, [this] { return fmt::format("{}-{}", code, ++drawn); },
        Exchange::Options{});
  }
};

// Delivers and writes at once.
struct Coalition {
  std::vector<Said> said;
  Nation xaa{"XAA", said}, xbb{"XBB", said};
  Moment at{kNow, Tick(std::chrono::hours(3))};
  std::vector<Opened> opened;
  std::vector<Refused> refused;
  std::vector<Ended> ended;

  Coalition() {
    REQUIRE(xaa.core->connector_up(at, ConnectorId("one"), std::string(42, 'k') + "A"));
    run(xaa, xaa.core->link_up(at, PartnerCode("XBB"), Way::serving));
    run(xbb, xbb.core->link_up(at, PartnerCode("XAA"), Way::asking));
  }
  void run(Nation& nation, Effects first) {
    std::deque<std::pair<Nation*, Effect>> todo;
    const auto add = [&](Nation& who, Effects effects) {
      for (Effect& effect : effects) todo.emplace_back(&who, std::move(effect));
    };
    add(nation, std::move(first));
    while (!todo.empty()) {
      auto [who, effect] = std::move(todo.front());
      todo.pop_front();
      Nation& other = who == &xaa ? xbb : xaa;
      if (auto* control = std::get_if<SendControl>(&effect)) {
        const Way way = control->way == Way::asking ? Way::serving : Way::asking;
        add(other, other.core->received(at, PartnerCode(who->code), way, control->message));
      } else if (auto* commit = std::get_if<CommitEffect>(&effect)) {
        add(*who, who->core->durable(at, commit->token));
      } else if (auto* append = std::get_if<AppendEffect>(&effect)) {
        add(*who, who->core->durable(at, append->token));
      } else if (auto* one = std::get_if<Opened>(&effect)) {
        opened.push_back(*one);
      } else if (auto* two = std::get_if<Refused>(&effect)) {
        refused.push_back(*two);
      } else if (auto* three = std::get_if<Ended>(&effect)) {
        ended.push_back(*three);
      }
    }
  }
  void open(Nation& nation, const std::string& post) {
    const coalition::Ask wanted = ask(person(nation.code, post), coalition::Action::open, app("XAA", "cop"));
    Opening opening;
    opening.number = 1;
    opening.app = app("XAA", "cop");
    opening.who = wanted.who;
    opening.context = wanted.context;
    run(nation, nation.core->person_opens(at, std::move(opening)));
  }
  void commit(Nation& nation, const std::string& key, const std::string& member, Json value) {
    Json json = records(nation.code).at(key);
    json.set(member, std::move(value));
    const std::vector<coalition::Record> changes{{key, json}};
    auto next = nation.world.with(changes, Revision{nation.world.revision().value + 1});
    REQUIRE_MESSAGE(next, next.error().text());
    nation.world = next->world;
    run(nation, nation.core->world_published(at, rules_of(nation.world), next->touch));
  }
};

TEST_CASE(
    "under the demonstration's policies a planner gets in, a clerk learns nothing, an officer comes by the "
    "own door") {
  Coalition both;
  both.open(both.xbb, "planner");
  CHECK(both.refused.empty());
  REQUIRE(both.opened.size() == 2);  // at the host, then at home
  for (const Opened& one : both.opened) CHECK(one.pass.gate->passes());
  both.open(both.xbb, "clerk");
  REQUIRE(both.refused.size() == 1);
  CHECK(both.refused[0].ending.what.find("cop") == std::string::npos);
  both.open(both.xaa, "officer");
  CHECK(both.opened.size() == 3);
}

TEST_CASE(
    "suspending a nation in the real world cuts its sessions at both nodes and leaves the own ones alone") {
  Coalition both;
  both.open(both.xbb, "planner");
  both.open(both.xaa, "officer");
  REQUIRE(both.opened.size() == 3);
  both.commit(both.xaa, "partner/XBB", "state", "suspended");
  CHECK(both.ended.size() == 2);
  CHECK_FALSE(both.opened[0].pass.gate->passes());
  CHECK_FALSE(both.opened[1].pass.gate->passes());
  CHECK(both.opened[2].pass.gate->passes());
  both.open(both.xbb, "planner");
  REQUIRE(both.refused.size() == 1);
  CHECK(both.refused[0].ending.which == coalition::Refusal::denied);
}

TEST_CASE("a person's facts end in an hour, and so does the session") {
  Coalition both;
  both.open(both.xbb, "planner");
  REQUIRE(both.opened.size() == 2);
  const Instant due = both.xbb.core->next_due();
  CHECK(due <= kNow + std::chrono::hours(1));
  both.at.now = due;
  both.run(both.xbb, both.xbb.core->tick(both.at));
  CHECK_FALSE(both.opened[1].pass.gate->passes());
}

}  // namespace
}  // namespace entente::exchange
