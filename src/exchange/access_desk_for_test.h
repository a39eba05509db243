// What tests of the access desk share: a desk at an owner or at a home, with a world and a clock that stand
// still.
#pragma once

#include "exchange/access_desk.h"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::exchange::office {

inline constexpr std::string_view kSchema = R"(namespace Entente {
  entity Partner = { name: String, state: String, member_until: datetime, ceiling: Long };
  entity Node in [Partner] = { partner: Partner };
  entity Mission = { phase: String, threat: String, start: datetime, end: datetime, partners: Set<Partner> };
  entity Segment in [Mission] = { mission: Mission };
  entity App in [Segment, Partner] = { owner: Partner, mission: Mission, segment: Segment,
    classification: Long, offered_to: Set<Partner>, end: datetime };
  entity Person in [Partner] = { partner: Partner, operator: Bool, roles: Set<String>, missions: Set<Mission>,
    clearance: Long, assurance: Long };
  type Moment = { now: datetime, node: Partner, risk: Long, network: String, purpose: String,
    grant?: { id: String, purpose: String, end: datetime }, delegation?: { from: Person, end: datetime },
    request?: { partner: Partner, minutes: Long, purpose: String } };
  action view, open, approve appliesTo { principal: [Person], resource: [App], context: Moment };
})";
// Known to all, open by grant, answered by officers.
inline constexpr std::string_view kPolicies = R"(
@id("known") permit (principal, action == Entente::Action::"view", resource);
@id("granted") @minutes("60") @uses("1") permit (principal, action == Entente::Action::"open", resource)
  when { context has grant };
@id("answered") permit (principal, action == Entente::Action::"approve", resource)
  when { principal.roles.contains("officer") };)";
inline constexpr std::string_view kAll = R"(permit (principal, action, resource);)";

struct StillClock final : Clock {
  Instant instant = from_unix_seconds(1'795'262'400);
  Tick at{std::chrono::hours(9)};
  Instant now() const override { return instant; }
  Tick tick() const override { return at; }
};

inline std::string at(Instant base, std::chrono::hours by) {
  return rfc3339(base + by);
}

inline Json text_record(std::string_view text) {
  return Json::object({{"text", text}});
}

inline coalition::World world_of(const char* self, Instant now) {
  using std::chrono::hours;
  std::map<std::string, Json> records;
  records["node/self"] = Json::object({{"partner", self}});
  for (const char* code : {"XAA", "XBB", "XCC"}) {
    records[fmt::format("partner/{}", code)] = Json::object({{"name", code},
                                                             {"state", "active"},
                                                             {"member_since", at(now, -hours(24))},
                                                             {"member_until", at(now, hours(240))},
                                                             {"ceiling", "SECRET"}});
  }
  records["mission/harbor-light"] = Json::object({{"name", "Harbor Light"},
                                                  {"partners", Json::array({"XAA", "XBB", "XCC"})},
                                                  {"phase", "planning"},
                                                  {"threat", "low"},
                                                  {"start", at(now, -hours(24))},
                                                  {"end", at(now, hours(240))}});
  records["segment/maritime"] = Json::object({{"name", "Maritime"}, {"mission", "harbor-light"}});
  const bool owner = std::string_view(self) == "XAA";
  records[owner ? "app/charts" : "offer/XAA/charts"] =
      Json::object({{"owner", "XAA"},
                    {"name", "Charts"},
                    {"banner", "EXERCISE"},
                    {"classification", "RESTRICTED"},
                    {"mission", "harbor-light"},
                    {"segment", "maritime"},
                    {"offered_to", Json::array({"XBB", "XCC"})},
                    {"shares", Json::array()},
                    {"end", at(now, hours(240))}});
  records["schema"] = text_record(kSchema);
  records["policy/coalition/all"] = text_record(kAll);
  records["policy/host/charts"] = text_record(kPolicies);
  records["policy/home/all"] = text_record(kAll);
  std::vector<coalition::Record> list;
  list.reserve(records.size());
  for (auto& [key, value] : records) list.push_back({key, value});
  auto made = coalition::World::load(list, Revision{1});
  REQUIRE_MESSAGE(made, made.error().text());
  return *std::move(made);
}

// Keeps a world as a node does, and answers on the next turn.
struct Book final : Archive {
  net::Loop& loop;
  coalition::World world;
  Switchboard* board = nullptr;
  std::vector<Leaf> leaves;
  bool narrowed = false;              // the last one: it acts whatever the disk says
  bool slow = false;                  // as a disk is: what is written shows on a later turn
  std::function<void()> meanwhile{};  // runs once, while the next write is on its way
  Book(net::Loop& control, coalition::World first) : loop(control), world(std::move(first)) {}
  void commit(Write write, Done done) override {
    if (const auto first = std::exchange(meanwhile, {})) first();
    narrowed = write.narrowing;
    if (!slow) take(write);
    loop.post([this, late = slow, write = std::move(write), told = std::move(done)]() mutable {
      if (late) take(write);
      told({});
    });
  }
  void take(Write& write) {
    auto next = world.with(write.ops, Revision{world.revision().value + 1});
    REQUIRE_MESSAGE(next, next.error().text());
    world = next->world;
    if (write.leaf) leaves.push_back(std::move(*write.leaf));
    if (board != nullptr) board->world_published(rules_of(world), next->touch);
  }
  void append(Leaf leaf, bool, Done done) override {
    leaves.push_back(std::move(leaf));
    loop.post([told = std::move(done)] { told({}); });
  }
};

struct Mute final : Statements {
  Result<Issued> issue(const PartnerCode&, const coalition::AppRef&, const coalition::Person&,
                       const coalition::Facts&, Instant) override {
    return Issued{"statement", 1, std::nullopt};
  }
  std::vector<std::string> resend(const PartnerCode&, uint64_t, uint64_t) override { return {}; }
  Result<Vouched> verify(const PartnerCode&, std::string_view, Instant) override {
    return fail("test", "not asked for here");
  }
  uint64_t expected(const PartnerCode&) const override { return 1; }
};

struct Office {
  net::Loop loop;
  StillClock clock;
  Book book;
  Mute statements;
  Switchboard board;
  AccessDesk desk;

  explicit Office(const char* self)
      : book(loop, world_of(self, clock.now())),
        board(loop, clock, book, statements, rules_of(book.world)),
        desk({board, book, clock, [this]() -> const coalition::World& { return book.world; }}) {
    book.board = &board;
  }
  Acting person(const char* id, const char* partner, const char* role) const {
    const Instant end = clock.now() + std::chrono::hours(4);
    Acting out;
    out.who.id = PersonId(id);
    out.who.partner = PartnerCode(partner);
    const auto fact = [&](coalition::FactValue value) {
      return coalition::Fact{std::move(value), "idp", end};
    };
    out.who.facts["clearance"] = fact(std::string("SECRET"));
    out.who.facts["nationality"] = fact(std::string(partner));
    out.who.facts["role"] = fact(std::string(role));
    out.who.facts["assurance"] = fact(int64_t{3});
    out.who.facts["missions"] = fact(std::vector<std::string>{"harbor-light"});
    out.context["risk"] = fact(int64_t{0});
    out.context["network"] = fact(std::string("door"));
    return out;
  }
  // What that partner's node says of one of its people.
  void told(const char* partner, const char* topic, const char* id, const char* who = nullptr, Json body = {},
            const char* role = "planner") {
    Heard heard;
    heard.partner = PartnerCode(partner);
    heard.way = Way::serving;
    if (!body.is_object()) body = Json::object({{"purpose", "charts"}, {"minutes", 30}});
    heard.told = {topic, RequestId(id), std::move(body), who == nullptr ? "" : "statement"};
    if (who != nullptr) {
      const Acting asker = person(who, partner, role);
      heard.vouched = Vouched{asker.who, asker.context, AppId("charts"), std::nullopt};
    }
    desk.heard(heard);
    settle();
  }
  // Lets what was posted run.
  void settle() {
    for (int i = 0; i < 4; ++i) loop.run_until(turn(loop));
  }
  static net::Task<void> turn(net::Loop& loop) {
    net::Event next(loop);
    loop.post([&next] { next.set(); });
    [[maybe_unused]] const bool went = co_await next.wait(Millis(1'000));
  }
  const coalition::AccessRequest* request(const char* id) const {
    for (const auto& list : {book.world.requests(), book.world.asked()})
      for (const coalition::AccessRequest* one : list)
        if (one->id.text() == id) return one;
    return nullptr;
  }
  std::vector<coalition::AccessRequest> to_answer(const Acting& by) {
    return loop.run_until(desk.to_answer(by)).requests;
  }
  Result<coalition::AccessRequest> approve(const Acting& by, const char* id) {
    const coalition::AccessRequest* read = request(id);
    return approve_read(by, id, read == nullptr ? "" : mark_of(book.world, *read));
  }
  Result<coalition::AccessRequest> approve_read(const Acting& by, const char* id, const std::string& seen) {
    const RequestId which(id);
    const AccessDesk::Said said{seen, ""};
    return loop.run_until(desk.approve(by, which, said));
  }
};

using coalition::RequestState;

// Two have to approve: officers, and people of that role.
inline coalition::Record rules(std::string_view role) {
  constexpr std::string_view kTwo = R"(
@id("known") permit (principal, action == Entente::Action::"view", resource);
@id("granted") @minutes("60") @uses("1") @approvals("2") permit (principal, action == Entente::Action::"open",
  resource) when { context has grant && principal.roles.contains("planner") };
@id("answered") permit (principal, action == Entente::Action::"approve", resource)
  when { principal.roles.contains("officer") || principal.roles.contains("ROLE") };)";
  std::string text(kTwo);
  text.replace(text.find("ROLE"), 4, role);
  return {"policy/host/charts", text_record(text)};
}

}  // namespace entente::exchange::office
