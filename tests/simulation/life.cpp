// What happens in a seed, and what must be true after each event of it.
#include "simulation/simulator.h"

#include <fmt/core.h>

namespace entente::simulation {

using namespace exchange;

namespace {

// Beyond the lease: an end's own clock ticks each 100 ms.
constexpr Millis kSlack{150};
constexpr Millis kHomeLag = Millis(5'000) + kSlack;
// A host that lost the word of an ending hears no more valid pulse, and ends it by silence.
constexpr Millis kHostLag{20'000};

}  // namespace

void World::check() {
  if (!outcome_.violation.empty()) return;
  for (auto& [code, node] : nodes_) {
    if (!node.core) continue;
    for (const Session* s : node.core->sessions()) {
      if (s->side == Side::host) host_open_.try_emplace({code, s->id}, tick_);  // it may be let in held
      if (s->side == Side::host && s->gate->passes()) host_open_[{code, s->id}] = tick_;
      if (s->side == Side::home && !s->at_host.empty()) home_has_[{s->partner, s->at_host}] = tick_;
      if (node.disk.endings.contains(s->id.text()))
        fail(fmt::format("{} has a session again that had ended: {}", code.text(), s->id.text()));
      if (s->gate->passes(tick_)) outcome_.went_on += returning_.erase({code, s->id});
      if (s->side == Side::home && !s->at_host.empty()) compare(*s);
    }
  }
  for (auto& [code, node] : nodes_) {
    if (!node.core) continue;
    for (const Session* s : node.core->sessions()) {
      if (!s->gate->passes(tick_)) continue;
      ++outcome_.checks;
      const std::string name = fmt::format("{} {} session {}", code.text(), side_name(s->side), s->id.text());
      if (!permits(node.rules->tables(), s->who, s->context, s->app, node.core->now()))
        fail(name + " is open for somebody who may not be inside");
      if (!permits(node.acting->tables(), s->who, s->context, s->app, node.core->now()))
        fail(name + " is open through a fence");
      if (!node.disk.admissions.contains(s->id.text())) fail(name + " is open without a durable admission");
      if (s->side == Side::home && tick_ - node.beat_at[s->partner] > kHomeLag)
        fail(name + " is open past its lease");
      if (s->side == Side::home && tick_ - host_open_[{s->partner, s->at_host}] > kHomeLag)
        fail(name + " is open though the host has closed it");
      if (s->side == Side::host && tick_ - std::max(agreed_[{code, s->id}], s->opened_tick) > kHostLag)
        fail(name + " is open on facts that its home has replaced");
      if (s->side == Side::host && tick_ - std::max(home_has_[{code, s->id}], s->opened_tick) > kHostLag)
        fail(name + " is open though the home has ended it");
    }
    for (const Pass& pass : node.passes) {  // what a stream still holds in its hands
      if (!pass.gate->passes(tick_)) continue;
      const Session* s = node.core->session(pass.id);
      if (s == nullptr || !s->open())
        fail(fmt::format("a stream of {} {} could write", code.text(), pass.id.text()));
    }
  }
}

// Whether the host believes of a person what their home does.
void World::compare(const Session& at_home) {
  const Node& host = nodes_.at(at_home.partner);
  const Session* there = host.core ? host.core->session(at_home.at_host) : nullptr;
  if (there != nullptr && there->who.facts == at_home.who.facts) agreed_[{host.code, there->id}] = tick_;
}

void World::act_on_fault() {
  Node& node = any_node();
  if (!node.core) return;
  switch (below(7)) {
    case 0: {
      const PartnerCode other = any_node().code;
      if (other != node.code) cut_link({node.code, other});
      return;
    }
    case 1:
      return kill(node);
    case 2:
      node.clock_off += Millis(static_cast<int64_t>(below(7'200'000)) - 3'600'000);
      note(fmt::format("{} clock is now {} ms off", node.code.text(), node.clock_off.count()));
      return;
    case 3:
    case 4:
      return spoil_disk(node);
    case 5: {
      const ConnectorId id(chance(50) ? "one" : "two");
      if (node.connectors_up.erase(id) > 0) return apply(node, node.core->connector_down(moment(node), id));
      node.connectors_up.insert(id);
      (void)node.core->connector_up(moment(node), id, "tp-" + id.text());
      return;
    }
    default:
      weather_ = chance(50) ? Weather{} : Weather{.lost = below(60), .doubled = below(60), .slow = below(60)};
      return;
  }
}

void World::spoil_disk(Node& node) {
  (chance(50) ? node.disk_fails : node.disk_stalls) = true;
  note(fmt::format("{} disk {}", node.code.text(), node.disk_fails ? "is full" : "stalls"));
  agenda_.at(tick_ + some_millis(100, 14'000), [this, &node, life = node.life] {
    node.disk_fails = node.disk_stalls = false;
    note(fmt::format("{} disk goes on", node.code.text()));
    if (node.life != life || !node.core) return;
    serve_disk(node, true);
    serve_disk(node, false);
  });
}

void World::act() {
  Node& node = any_node();
  if (!node.core) return;
  const PartnerCode other = any_node().code;
  const coalition::AppRef app{other, AppId("cop")};
  const size_t visitor = below(node.visitors.size());
  const uint64_t dice = below(100);
  if (dice < 45) {
    open(node, visitor, app);
  } else if (dice < 52) {
    const std::string phase = chance(70) ? "two" : "three";  // nobody may do anything in phase three
    const bool back = chance(80);
    change(node, "mission", [phase, back](Tables& t) { t.mission.phase = back ? "one" : phase; },
           {.entities = {mission_uid()}});
  } else if (dice < 56) {
    const auto least = static_cast<int64_t>(below(3));
    change(node, app.owner.text() + "/cop", [app, least](Tables& t) { t.apps[app].clearance_min = least; },
           {.entities = {app_uid(app)}});
  } else if (dice < 58) {
    narrow(node, app.owner.text() + "/cop", [app](Tables& t) { t.apps[app].clearance_min = 3; },
           {.entities = {app_uid(app)}});
  } else if (dice < 61) {
    change(node, app.owner.text() + "/cop", [app](Tables& t) { t.apps[app].clearance_min = 0; },
           {.entities = {app_uid(app)}, .only_widens = true});
  } else if (dice < 65) {
    const auto more = static_cast<int64_t>(chance(20) ? 1 : 0);
    change(node, "policy", [more](Tables& t) { t.clearance_more = more; },
           {.entities = {}, .policies = true});
  } else if (dice < 69) {
    const Instant until = wall(node) + some_millis(500, 3'600'000);
    change(node, "until/" + other.text(),
           [other, until](Tables& t) { t.partners[other].member_until = until; },
           {.entities = {partner_uid(other)}});
  } else if (dice < 72) {
    if (other != node.code) suspend(node, other);
  } else if (dice < 79) {
    if (other != node.code) resume(node, other);
  } else if (dice < 82) {
    sign_out(node, visitor);
  } else if (dice < 88) {
    const auto level = static_cast<int64_t>(1 + below(4));
    new_facts(node, visitor, level, wall(node) + some_millis(1'000, 7'200'000));
  } else if (dice < 90) {
    const auto level = static_cast<int64_t>(below(60));
    node.visitors.at(visitor).context = risk(level, wall(node) + some_millis(1'000, 900'000));
  } else {
    act_on_fault();
  }
}

// Faults stop, everybody is permitted: then a person gets in again.
void World::settle() {
  weather_ = {};
  advance(Millis(3'000));
  for (auto& [code, node] : nodes_) {
    node.disk_fails = node.disk_stalls = false;
    if (!node.core) return fail(code.text() + " did not come back");
    serve_disk(node, true);
    serve_disk(node, false);
    const Instant far = wall(node) + std::chrono::hours(24);
    node.narrowed.clear();  // all is decided anew
    change(node, "all",
           [far](Tables& t) {
             for (auto& [app, rules] : t.apps) rules = {.offered_to = rules.offered_to};
             for (auto& [partner, state] : t.partners) state = {};
             t.mission = {.start = far - std::chrono::hours(240), .end = far};
             t.clearance_more = 0;
           },
           {.entities = {}, .policies = true});
  }
  advance(Millis(15'000));
  for (auto& [code, node] : nodes_) {
    for (const char* id : {"one", "two"}) {
      node.connectors_up.insert(ConnectorId(id));
      (void)node.core->connector_up(moment(node), ConnectorId(id), std::string("tp-") + id);
    }
    for (size_t i = 0; i < node.visitors.size(); ++i) {
      node.visitors[i].context = risk(1, wall(node) + std::chrono::hours(24));
      sign_out(node, i);
      new_facts(node, i, 9, wall(node) + std::chrono::hours(24));
    }
  }
  advance(Millis(5'000));
  std::vector<std::pair<Node*, uint64_t>> openings;
  for (auto& [code, node] : nodes_)
    for (const auto& [host, other] : nodes_)
      openings.emplace_back(&node, open(node, 0, {host, AppId("cop")}));
  advance(Millis(9'000));
  for (const auto& [node, number] : openings)
    if (!node->answered[number])
      fail(fmt::format("{} opening {} came to nothing", node->code.text(), number));
}

Outcome World::run() {
  for (size_t step = 0; step < settings_.steps && outcome_.violation.empty(); ++step) {
    act();
    check();
    advance(chance(5) ? some_millis(500, 12'000) : some_millis(1, 300));
  }
  if (outcome_.violation.empty()) settle();
  return std::move(outcome_);
}

Outcome simulate(const Settings& settings) {
  return World(settings).run();
}

}  // namespace entente::simulation
