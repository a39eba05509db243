#include "simulation/simulator.h"

#include <algorithm>

#include <fmt/core.h>

namespace entente::simulation {

using namespace exchange;

namespace {

constexpr Millis kTickEvery{100};
constexpr size_t kTraceMax = 40;
constexpr size_t kKeptStatements = 3;  // so few that resets are common
constexpr size_t kVisitors = 3;

const std::vector<std::string> kCodes{"XAA", "XBB", "XCC"};

coalition::AppRef app_of(const PartnerCode& owner) {
  return {owner, AppId("cop")};
}

}  // namespace

// --- statements

void TableStatements::load(const Disk& disk) {
  for (const auto& [key, json] : disk.records) {
    const PartnerCode partner(key.substr(key.rfind('/') + 1));
    if (key.starts_with("statements/in/")) seen_[partner] = static_cast<uint64_t>(json.integer());
    if (!key.starts_with("statements/out/")) continue;
    for (const Json& place : json.items()) sent_[partner].push_back(static_cast<uint64_t>(place.integer()));
  }
}

Result<Issued> TableStatements::issue(const PartnerCode& host, const coalition::AppRef& app,
                                      const coalition::Person& who, const coalition::Facts& context,
                                      Instant) {
  std::vector<uint64_t>& sent = sent_[host];
  const uint64_t number = sent.empty() ? 1 : world_.statements.at(sent.back()).number + 1;
  coalition::Person there = who;
  there.id = PersonId(fmt::format("pw-{}-{}", who.id.text(), app.app.text()));
  const uint64_t place = world_.statements.size();
  world_.statements.push_back({self_, host, number, std::move(there), context, app.app});
  sent.push_back(place);
  if (sent.size() > kKeptStatements) sent.erase(sent.begin());
  Json kept = Json::array();
  for (const uint64_t one : sent) kept.push(one);
  return Issued{fmt::format("s:{}", place), number,
                coalition::Record{"statements/out/" + host.text(), std::move(kept)}};
}

uint64_t TableStatements::issued(const PartnerCode& host) {
  const std::vector<uint64_t>& sent = sent_[host];
  return sent.empty() ? 0 : world_.statements.at(sent.back()).number;
}

Result<Issued> TableStatements::reset(const PartnerCode& host, Instant) {
  std::vector<uint64_t>& sent = sent_[host];
  const uint64_t number = sent.empty() ? 1 : world_.statements.at(sent.back()).number + 1;
  const uint64_t place = world_.statements.size();
  world_.statements.push_back({.issuer = self_, .audience = host, .number = number, .reset = true});
  sent = {place};
  Json kept = Json::array();
  kept.push(place);
  world_.reset_made();
  return Issued{fmt::format("s:{}", place), number,
                coalition::Record{"statements/out/" + host.text(), std::move(kept)}};
}

std::vector<std::string> TableStatements::resend(const PartnerCode& host, uint64_t from, uint64_t to) {
  std::vector<std::string> again;
  const std::vector<uint64_t>& sent = sent_[host];
  if (sent.empty()) return again;
  const Statement& oldest = world_.statements.at(sent.front());
  if (oldest.number > from && !oldest.reset) return again;
  for (const uint64_t place : sent) {
    const uint64_t number = world_.statements.at(place).number;
    if (number >= from && number <= to) again.push_back(fmt::format("s:{}", place));
  }
  return again;
}

Result<Vouched> TableStatements::verify(const PartnerCode& from, std::string_view text, Instant) {
  const uint64_t place = std::stoull(std::string(text.substr(2)));
  const Statement& said = world_.statements.at(place);
  if (said.issuer != from || said.audience != self_)
    return entente::fail("identity.statement", "not for this node");
  if (said.reset && said.number >= expected(from)) {
    seen_[from] = said.number;
    Vouched reset;
    reset.reset = true;
    reset.remember = coalition::Record{"statements/in/" + from.text(), Json(said.number)};
    return reset;
  }
  if (said.number > expected(from))
    return entente::fail(std::string(kStatementGap), "statements are missing");
  if (said.number < expected(from))
    return entente::fail("identity.statement-seen", "the statement was seen before");
  seen_[from] = said.number;
  return Vouched{said.who, said.context, said.app,
                 coalition::Record{"statements/in/" + from.text(), Json(said.number)}};
}

uint64_t TableStatements::expected(const PartnerCode& from) const {
  const auto at = seen_.find(from);
  return at == seen_.end() ? 1 : at->second + 1;
}

// --- the world

World::World(const Settings& settings) : settings_(settings), random_(settings.seed) {
  for (const std::string& code : kCodes) found(PartnerCode(code));
  for (const auto& [home, a] : nodes_)
    for (const auto& [host, b] : nodes_)
      if (home != host) {
        links_[{home, host}] = Connection{};
        join_link({home, host});
      }
  advance(Millis(500));
}

void World::found(const PartnerCode& code) {
  Node& node = nodes_[code];
  node.code = code;
  Tables& tables = node.disk.tables;
  tables.self = code;
  tables.mission = {.start = base_ - std::chrono::hours(2), .end = base_ + std::chrono::hours(48)};
  for (const std::string& other : kCodes) {
    const PartnerCode partner(other);
    tables.partners[partner] = {};
    TableApp app;
    for (const std::string& nation : kCodes) app.offered_to.insert(PartnerCode(nation));
    tables.apps[app_of(partner)] = app;
  }
  for (const char* id : {"one", "two"}) {
    tables.connectors[ConnectorId(id)] = {AppId("cop")};
    node.connectors_up.insert(ConnectorId(id));
  }
  for (size_t i = 0; i < kVisitors; ++i)
    node.visitors.push_back({{PersonId(fmt::format("{}-{}", code.text(), i)), code,
                              clearance(static_cast<int64_t>(1 + i), base_ + std::chrono::minutes(20))},
                             risk(10, base_ + std::chrono::hours(1))});
  start(node);
}

void World::start(Node& node) {
  node.rules = std::make_shared<TableRules>(node.disk.tables);
  node.statements = std::make_unique<TableStatements>(*this, node.code);
  node.statements->load(node.disk);
  Exchange::Options options{.limits = {}, .defences = settings_.defences};
  options.limits.wave_max = 1 + below(3);
  node.core = std::make_unique<Exchange>(
      node.rules, *node.statements, [this] { return fmt::format("r{}", ++drawn_); }, options);
  for (const ConnectorId& id : node.connectors_up)
    (void)node.core->connector_up(moment(node), id, "tp-" + id.text());
  node.acting = node.rules;
  node.narrowed.clear();
  node.next_tick = tick_;
  go_on(node);
}

// As a node does when it starts: what its ledger says still stands, unless its clock went back.
void World::go_on(Node& node) {
  Recollection recollection(node.code, wall(node));
  Instant newest{};
  for (auto at = node.disk.ledger.rbegin(); at != node.disk.ledger.rend(); ++at) {
    newest = std::max(newest, at->at);
    const bool ending = at->leaf.kind == "ending" || at->leaf.kind == "refusal";
    if (!Recollection::reads(at->leaf.kind) || (ending && !settings_.endings_count)) continue;
    if (!recollection.take(at->leaf.kind, at->at, Json(at->leaf.fields))) break;
  }
  Kept kept = std::move(recollection).kept();
  const bool back = wall(node) < newest - Seconds(60);
  Leaf started{std::string(kRestartLeaf), {{"kept", back ? "no" : "yes"}}};
  node.disk.ledger.push_back({wall(node), std::move(started)});
  outcome_.returned += back ? 0 : kept.sessions.size();
  for (const KeptSession& one : kept.sessions)
    if (!back) returning_.insert({node.code, one.id});
  std::optional<Ending> end;
  if (back) end.emplace().what = "The clock went back.";
  apply(node, node.core->restore(moment(node), std::move(kept.sessions), end));
}

Instant World::wall(const Node& node) const {
  const auto passed = std::chrono::duration_cast<Millis>(tick_ - Tick(std::chrono::hours(1)));
  return base_ + passed + node.clock_off;
}

void World::note(std::string text) {
  if (!settings_.trace) return;
  outcome_.trace.push_back(
      fmt::format("{:9} ms  {}", std::chrono::duration_cast<Millis>(tick_.time_since_epoch()).count(), text));
  if (outcome_.trace.size() > kTraceMax) outcome_.trace.erase(outcome_.trace.begin());
}

void World::fail(const std::string& what) {
  if (!outcome_.violation.empty()) return;
  outcome_.violation = what;
  note("VIOLATION " + what);
}

Millis World::some_millis(int64_t low, int64_t high) {
  return Millis(low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1))));
}

Node& World::any_node() {
  auto at = nodes_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(below(nodes_.size())));
  return at->second;
}

void World::advance(Millis by) {
  const Tick until = tick_ + by;
  while (outcome_.violation.empty()) {
    Node* first = nullptr;
    for (auto& [code, node] : nodes_)
      if (node.core && (first == nullptr || node.next_tick < first->next_tick)) first = &node;
    const Tick node_tick = first == nullptr ? Tick::max() : first->next_tick;
    const Tick next = std::min(agenda_.next(), node_tick);
    if (next > until) break;
    tick_ = std::max(tick_, next);
    if (agenda_.next() <= node_tick) {
      agenda_.run_next();
    } else {
      tick(*first);
    }
    check();
  }
  tick_ = until;
}

void World::tick(Node& node) {
  for (const ConnectorId& id : node.connectors_up)
    node.core->connector_measured(moment(node), id, std::chrono::microseconds(1'000 + below(1'000)));
  apply(node, node.core->tick(moment(node)));
  node.next_tick = tick_ + kTickEvery;
  const Instant due = node.core->next_due();
  if (due != kNever && due > wall(node))
    node.next_tick = std::min(node.next_tick, tick_ + (due - wall(node)));
}

// --- effects

void World::apply(Node& node, Effects effects) {
  for (Effect& effect : effects) {
    if (auto* control = std::get_if<SendControl>(&effect)) {
      send(node, *control);
    } else if (auto* commit = std::get_if<CommitEffect>(&effect)) {
      Write write{.token = commit->token, .ops = std::move(commit->ops), .leaf = std::move(commit->leaf)};
      write.store = true;
      enqueue(node, std::move(write));
    } else if (auto* append = std::get_if<AppendEffect>(&effect)) {
      enqueue(node, Write{.token = append->token, .leaf = std::move(append->leaf)});
    } else if (auto* opened = std::get_if<Opened>(&effect)) {
      ++outcome_.opened;
      note(fmt::format("{} opens {} ({})", node.code.text(), opened->pass.id.text(),
                       side_name(opened->pass.side)));
      if (!node.disk.admissions.contains(opened->pass.id.text()))
        fail(node.code.text() + " said yes before the admission was durable");
      if (opened->opening != 0) node.answered[opened->opening] = true;
      node.passes.push_back(opened->pass);
      if (node.passes.size() > 256) node.passes.erase(node.passes.begin());
    } else if (auto* refused = std::get_if<Refused>(&effect)) {
      ++outcome_.refused;
      ++outcome_.why[refused->ending.what];
      note(
          fmt::format("{} refuses opening {}: {}", node.code.text(), refused->opening, refused->ending.what));
      node.answered[refused->opening] = false;
    } else if (auto* ended = std::get_if<Ended>(&effect)) {
      ++outcome_.ended;
      ++outcome_.why[ended->ending.what];
      note(fmt::format("{} ends {} ({}): {}", node.code.text(), ended->session.text(), side_name(ended->side),
                       ended->ending.what));
    } else if (auto* held = std::get_if<HeldEffect>(&effect)) {
      note(fmt::format("{} holds {}", node.code.text(), held->session.text()));
    } else if (auto* released = std::get_if<ReleasedEffect>(&effect)) {
      note(fmt::format("{} releases {}", node.code.text(), released->session.text()));
    } else if (auto* alarm = std::get_if<Alarm>(&effect)) {
      note(fmt::format("{} alarm {}: {}", node.code.text(), alarm->code, alarm->what));
    }
  }
  if (!node.core->busy() || node.step_planned) return;
  node.step_planned = true;
  agenda_.at(tick_ + some_millis(0, 20), [this, &node, life = node.life] {
    if (node.life != life || !node.core) return;
    node.step_planned = false;
    apply(node, node.core->step(moment(node)));
  });
}

// --- disks

void World::enqueue(Node& node, Write write) {
  const bool store = write.store;
  (store ? node.store_queue : node.ledger_queue).push_back(std::move(write));
  serve_disk(node, store);
}

void World::serve_disk(Node& node, bool store) {
  bool& busy = store ? node.store_busy : node.ledger_busy;
  if (busy || node.disk_stalls || (store ? node.store_queue : node.ledger_queue).empty()) return;
  busy = true;
  const Millis takes = chance(2) ? some_millis(500, 3'000) : some_millis(1, 30);
  agenda_.at(tick_ + takes, [this, &node, store, life = node.life] { written(node, store, life); });
}

void World::written(Node& node, bool store, uint64_t life) {
  if (node.life != life || !node.core) return;
  auto& queue = store ? node.store_queue : node.ledger_queue;
  const Write write = std::move(queue.front());
  queue.pop_front();
  (store ? node.store_busy : node.ledger_busy) = false;
  if (node.disk_fails) {
    const Error why("store.full", "the disk is full");
    note(fmt::format("{} could not write {}", node.code.text(), write.token));
    if (write.token != 0) apply(node, node.core->failed(moment(node), write.token, why));
  } else {
    put_on_disk(node, write);
    if (write.store) publish(node, write);
    if (write.token != 0) apply(node, node.core->durable(moment(node), write.token));
  }
  serve_disk(node, store);
}

void World::put_on_disk(Node& node, const Write& write) {
  ++outcome_.commits;
  if (write.store) ++node.disk.tables.revision.value;
  if (write.change) write.change(node.disk.tables);
  for (const coalition::Record& record : write.ops)
    if (record.value) node.disk.records[record.key] = *record.value;
  if (!write.leaf) return;
  ++node.disk.leaves[write.leaf->kind];
  node.disk.ledger.push_back({wall(node), *write.leaf});
  const bool ending = write.leaf->kind == "ending" || write.leaf->kind == "refusal";
  if (write.leaf->kind != "admission" && !ending) return;
  for (const auto& [name, value] : write.leaf->fields)
    if (name == "session") (ending ? node.disk.endings : node.disk.admissions).insert(value.string());
}

void World::publish(Node& node, const Write& write) {
  node.rules = std::make_shared<TableRules>(node.disk.tables);
  if (write.change) note(fmt::format("{} publishes {}", node.code.text(), node.rules->revision().value));
  // What was decided later stays narrowed, what is written with this is not waited for any more.
  std::erase_if(node.narrowed, [&](const Narrowed& one) {
    return write.decided != 0 && one.decided <= write.decided && one.what == write.what;
  });
  tell_world(node, write.touch);
}

void World::tell_world(Node& node, const coalition::Touch& touch) {
  node.acting = node.rules;
  if (!node.narrowed.empty()) {
    Tables tables = node.rules->tables();
    ++tables.revision.value;
    for (const Narrowed& one : node.narrowed) one.change(tables);
    node.acting = std::make_shared<TableRules>(std::move(tables));
  }
  apply(node, node.core->world_published(moment(node), node.rules, touch,
                                         node.narrowed.empty() ? nullptr : node.acting));
}

void World::change(Node& node, const std::string& what, std::function<void(Tables&)> how,
                   coalition::Touch touch) {
  Write write{.change = std::move(how), .what = what, .decided = ++decided_, .touch = std::move(touch)};
  write.store = true;
  enqueue(node, std::move(write));
}

// Held before any disk; while the disk fails it stays so, until it is decided anew.
void World::narrow(Node& node, const std::string& what, std::function<void(Tables&)> how,
                   coalition::Touch touch) {
  std::erase_if(node.narrowed, [&](const Narrowed& one) { return one.what == what; });
  node.narrowed.push_back({what, how, decided_ + 1});
  tell_world(node, touch);
  change(node, what, std::move(how), std::move(touch));
}

void World::suspend(Node& node, const PartnerCode& partner) {
  note(fmt::format("{} suspends {}", node.code.text(), partner.text()));
  narrow(node, partner.text(),
         [partner](Tables& tables) {
           tables.partners[partner].suspended = true;
           tables.partners[partner].reason = "exercise";
         },
         {.entities = {partner_uid(partner)}});
}

void World::resume(Node& node, const PartnerCode& partner) {
  note(fmt::format("{} resumes {}", node.code.text(), partner.text()));
  change(node, partner.text(), [partner](Tables& tables) { tables.partners[partner] = {}; },
         {.entities = {}, .policies = true});
}

// --- links

void World::send(Node& node, const SendControl& control) {
  const bool to_host = control.way == Way::asking;
  const LinkEnds ends = to_host ? LinkEnds{node.code, control.partner} : LinkEnds{control.partner, node.code};
  Connection& c = links_.at(ends);
  ++outcome_.messages;
  const bool lost = !c.wire || below(1'000) < weather_.lost;
  note(fmt::format("{} -> {} {}{}", node.code.text(), control.partner.text(),
                   control.message.text_or("kind", ""), lost ? " LOST" : ""));
  if (lost) return;
  const Millis delay = below(1'000) < weather_.slow ? some_millis(100, 3'000) : some_millis(1, 40);
  Tick& after = to_host ? c.to_host_after : c.to_home_after;
  after = std::max(after, tick_ + delay);
  const auto arrive = [this, ends, id = c.id, to_host, message = control.message] {
    deliver(ends, id, to_host, message);
  };
  agenda_.at(after, arrive);
  if (below(1'000) < weather_.doubled) agenda_.at(after + some_millis(0, 2'000), arrive);
}

void World::deliver(const LinkEnds& ends, uint64_t connection, bool to_host, const Json& message) {
  const Connection& c = links_.at(ends);
  if (c.id != connection || !c.wire || !(to_host ? c.host_sees : c.home_sees)) return;
  Node& node = nodes_.at(to_host ? ends.host : ends.home);
  if (!node.core) return;
  const PartnerCode& from = to_host ? ends.home : ends.host;
  note(fmt::format("{} <- {} {}", node.code.text(), from.text(), message.text_or("kind", "")));
  if (!to_host && message.text_or("kind", "") == "beat") node.beat_at[from] = tick_;
  apply(node, node.core->received(moment(node), from, to_host ? Way::serving : Way::asking, message));
}

void World::see(const LinkEnds& ends, bool home, bool up) {
  Connection& c = links_.at(ends);
  bool& sees = home ? c.home_sees : c.host_sees;
  Node& node = nodes_.at(home ? ends.home : ends.host);
  if (sees == up || !node.core) return;
  sees = up;
  const PartnerCode& other = home ? ends.host : ends.home;
  const Way way = home ? Way::asking : Way::serving;
  note(fmt::format("{} sees the {} link to {} {}", node.code.text(), way_name(way), other.text(),
                   up ? "up" : "down"));
  apply(node,
        up ? node.core->link_up(moment(node), other, way) : node.core->link_down(moment(node), other, way));
}

void World::cut_link(const LinkEnds& ends) {
  Connection& c = links_.at(ends);
  if (!c.wire) return;
  c.wire = false;
  note(fmt::format("cut {} -> {}", ends.home.text(), ends.host.text()));
  for (const bool home : {true, false})
    agenda_.at(tick_ + some_millis(0, 3'000), [this, ends, home, id = c.id] {
      if (links_.at(ends).id == id) see(ends, home, false);
    });
  agenda_.at(tick_ + some_millis(200, 9'000), [this, ends] { join_link(ends); });
}

void World::join_link(const LinkEnds& ends) {
  Connection& c = links_.at(ends);
  if (c.wire) return;
  if (c.home_sees || c.host_sees || !nodes_.at(ends.home).core || !nodes_.at(ends.host).core) {
    agenda_.at(tick_ + Millis(300), [this, ends] { join_link(ends); });
    return;
  }
  c = Connection{.id = ++connections_, .wire = true};
  see(ends, false, true);
  see(ends, true, true);
}

// --- faults

void World::kill(Node& node) {
  note(fmt::format("kill {}", node.code.text()));
  ++outcome_.kills;
  for (const bool store : {true, false}) {  // some of what was on its way got there, and nobody was told
    auto& queue = store ? node.store_queue : node.ledger_queue;
    uint64_t there = node.disk_fails ? 0 : below(queue.size() + 1);
    for (; there > 0; --there, queue.pop_front()) put_on_disk(node, queue.front());
    queue.clear();
  }
  ++node.life;
  node.core.reset();
  node.store_busy = node.ledger_busy = node.step_planned = node.disk_stalls = false;
  node.passes.clear();
  node.beat_at.clear();
  for (auto& [ends, c] : links_) {
    if (ends.home != node.code && ends.host != node.code) continue;
    const bool home = ends.home == node.code;
    c.wire = false;
    (home ? c.home_sees : c.host_sees) = false;
    agenda_.at(tick_ + some_millis(0, 2'000), [this, between = ends, home, id = c.id] {
      if (links_.at(between).id == id) see(between, !home, false);
    });
    agenda_.at(tick_ + some_millis(1'000, 4'000), [this, between = ends] { join_link(between); });
  }
  agenda_.at(tick_ + some_millis(50, 900), [this, &node, life = node.life] {
    if (node.life == life && !node.core) start(node);
  });
}

void World::sign_out(Node& node, size_t visitor) {
  const PersonId who = node.visitors.at(visitor).person.id;
  note(fmt::format("{} signs out {}", node.code.text(), who.text()));
  Ending why;
  why.which = coalition::Refusal::credential_dead;
  why.what = "You signed out.";
  apply(node, node.core->person_signed_out(moment(node), who, std::move(why)));
  for (const Session* s : node.core->sessions())
    if (s->who.id == who && s->side != Side::host)
      fail(node.code.text() + " kept a session of " + who.text());
}

void World::new_facts(Node& node, size_t visitor, int64_t level, Instant end) {
  Visitor& who = node.visitors.at(visitor);
  who.person.facts = clearance(level, end);
  note(fmt::format("{} has new facts about {}: {}", node.code.text(), who.person.id.text(), level));
  apply(node, node.core->facts_replaced(moment(node), who.person.id, who.person.facts));
}

uint64_t World::open(Node& node, size_t visitor, const coalition::AppRef& app) {
  const Visitor& who = node.visitors.at(visitor);
  Opening opening;
  opening.number = ++openings_;
  opening.app = app;
  opening.who = who.person;
  opening.context = who.context;
  note(fmt::format("{} opening {}: {} wants {}", node.code.text(), openings_, who.person.id.text(),
                   app.owner.text()));
  apply(node, node.core->person_opens(moment(node), std::move(opening)));
  return openings_;
}

size_t World::open_gates(const Node& node) const {
  size_t open = 0;
  for (const Session* s : node.core->sessions()) open += s->gate->passes(tick_) ? 1 : 0;
  return open;
}

}  // namespace entente::simulation
