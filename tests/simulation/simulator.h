// Lives through a seed: nodes that admit, links that break, disks that fail, nodes that are killed, clocks
// that step, operators that change their mind. After every single event it asks everybody, and says what it
// found.
#pragma once

#include "exchange/exchange.h"
#include "exchange/kept.h"
#include "simulation/network.h"
#include "simulation/table_world.h"

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace entente::simulation {

struct Settings {
  uint64_t seed = 1;
  size_t steps = 400;
  exchange::Defences defences{};
  bool trace = false;
  bool endings_count = true;  // what a restart reads: switched off to see that the simulator notices
};

struct Outcome {
  std::string violation;  // empty: none
  std::vector<std::string> trace;
  std::map<std::string, uint64_t> why{};  // refusals and endings by their words
  uint64_t opened = 0, ended = 0, refused = 0, kills = 0, commits = 0, messages = 0, checks = 0, resets = 0;
  uint64_t returned = 0, went_on = 0;  // sessions after a kill: found again, and open again
};
[[nodiscard]] Outcome simulate(const Settings& settings);

// What a node's disk holds: survives a kill.
struct Disk {
  Tables tables;
  std::map<std::string, Json> records{};
  std::set<std::string> admissions{};  // session ids
  std::set<std::string> endings{};     // likewise
  struct Recorded {
    Instant at{};
    exchange::Leaf leaf{};
  };
  std::vector<Recorded> ledger{};
  std::map<std::string, uint64_t> leaves{};
};

class World;

// A signer and checker of statements whose state is what a disk gave back.
class TableStatements final : public exchange::Statements {
 public:
  TableStatements(World& world, PartnerCode self) : world_(world), self_(std::move(self)) {}
  void load(const Disk& disk);
  Result<exchange::Issued> issue(const PartnerCode& host, const coalition::AppRef& app,
                                 const coalition::Person& who, const coalition::Facts& context,
                                 Instant now) override;
  uint64_t issued(const PartnerCode& host) override;
  std::vector<std::string> resend(const PartnerCode& host, uint64_t from, uint64_t to) override;
  Result<exchange::Issued> reset(const PartnerCode& host, Instant now) override;
  Result<exchange::Vouched> verify(const PartnerCode& from, std::string_view statement, Instant now) override;
  uint64_t expected(const PartnerCode& from) const override;

 private:
  World& world_;
  PartnerCode self_;
  std::map<PartnerCode, std::vector<uint64_t>> sent_;  // places in the world's list of statements
  std::map<PartnerCode, uint64_t> seen_;
};

struct Statement {
  PartnerCode issuer;
  PartnerCode audience;
  uint64_t number = 0;
  coalition::Person who{};
  coalition::Facts context{};
  AppId app{};
  bool reset = false;
};

struct Visitor {  // a person at home
  coalition::Person person;
  coalition::Facts context;
};

struct Write {  // one thing on its way to the disk
  uint64_t order = 0;
  uint64_t token = 0;  // 0: an operator's change
  std::vector<coalition::Record> ops{};
  std::optional<exchange::Leaf> leaf{};
  std::function<void(Tables&)> change{};
  std::string what{};    // what it changes: a later one of the same takes its place
  uint64_t decided = 0;  // in the order of decisions
  coalition::Touch touch{};
  bool store = false;
};

struct Narrowed {  // decided, and not known to be on the disk
  std::string what;
  std::function<void(Tables&)> change;
  uint64_t decided = 0;
};

struct Node {
  PartnerCode code;
  Disk disk;
  std::shared_ptr<const TableRules> rules;   // the published ones
  std::shared_ptr<const TableRules> acting;  // with what was narrowed since
  std::unique_ptr<TableStatements> statements;
  std::unique_ptr<exchange::Exchange> core;
  uint64_t life = 0;  // grows with each kill: what an earlier life waited for never comes
  Millis clock_off{0};
  bool disk_fails = false;
  bool disk_stalls = false;
  std::deque<Write> store_queue, ledger_queue;
  bool store_busy = false, ledger_busy = false;
  bool step_planned = false;
  Tick next_tick{};
  std::vector<Narrowed> narrowed;
  std::vector<Visitor> visitors;
  std::vector<exchange::Pass> passes;  // handed to loops, kept by streams
  std::set<ConnectorId> connectors_up;
  std::map<PartnerCode, Tick> beat_at;  // last delivered
  std::map<uint64_t, bool> answered;    // openings, and whether they were opened
};

class World {
 public:
  explicit World(const Settings& settings);
  Outcome run();

  // For tests that stage a race themselves.
  Node& node(const std::string& code) { return nodes_.at(PartnerCode(code)); }
  uint64_t open(Node& node, size_t visitor, const coalition::AppRef& app);
  void advance(Millis by);
  void change(Node& node, const std::string& what, std::function<void(Tables&)> how, coalition::Touch touch);
  void narrow(Node& node, const std::string& what, std::function<void(Tables&)> how, coalition::Touch touch);
  void suspend(Node& node, const PartnerCode& partner);
  void resume(Node& node, const PartnerCode& partner);
  void cut_link(const LinkEnds& ends);
  void join_link(const LinkEnds& ends);
  void kill(Node& node);
  void sign_out(Node& node, size_t visitor);
  void new_facts(Node& node, size_t visitor, int64_t level, Instant end);
  [[nodiscard]] Instant wall(const Node& node) const;
  [[nodiscard]] size_t open_gates(const Node& node) const;
  [[nodiscard]] const std::string& violation() const { return outcome_.violation; }
  void weather(Weather weather) { weather_ = weather; }
  void note(std::string text);
  void reset_made() { ++outcome_.resets; }

  std::vector<Statement> statements;  // what "s:<place>" stands for

 private:
  friend class Oracle;
  void found(const PartnerCode& code);
  void start(Node& node);
  void go_on(Node& node);
  void act();
  void act_on_fault();
  void spoil_disk(Node& node);
  void settle();
  void apply(Node& node, exchange::Effects effects);
  void send(Node& node, const exchange::SendControl& control);
  void deliver(const LinkEnds& ends, uint64_t connection, bool to_host, const Json& message);
  void enqueue(Node& node, Write write);
  void serve_disk(Node& node, bool store);
  void written(Node& node, bool store, uint64_t life);
  void put_on_disk(Node& node, const Write& write);
  void publish(Node& node, const Write& write);
  void tell_world(Node& node, const coalition::Touch& touch);
  void tick(Node& node);
  void see(const LinkEnds& ends, bool home, bool up);
  void check();
  void compare(const exchange::Session& at_home);
  void fail(const std::string& what);
  [[nodiscard]] exchange::Moment moment(const Node& node) const { return {wall(node), tick_}; }
  [[nodiscard]] uint64_t below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }
  [[nodiscard]] bool chance(uint64_t percent) { return below(100) < percent; }
  [[nodiscard]] Node& any_node();
  [[nodiscard]] Millis some_millis(int64_t low, int64_t high);

  Settings settings_;
  std::mt19937_64 random_;
  Agenda agenda_;
  Tick tick_{std::chrono::hours(1)};
  Instant base_ = from_unix_seconds(1'795'000'000);
  std::map<PartnerCode, Node> nodes_;
  std::map<LinkEnds, Connection> links_;
  std::map<std::pair<PartnerCode, SessionId>, Tick> host_open_;  // when a host's gate was last seen open
  std::map<std::pair<PartnerCode, SessionId>, Tick> home_has_;   // when a home last had the host's session
  std::map<std::pair<PartnerCode, SessionId>, Tick> agreed_;  // when both last believed the same of a person
  std::set<std::pair<PartnerCode, SessionId>> returning_;     // after a kill, and not open since
  Weather weather_;
  uint64_t drawn_ = 0;
  uint64_t openings_ = 0;
  uint64_t connections_ = 0;
  uint64_t decided_ = 0;
  Outcome outcome_;
};

}  // namespace entente::simulation
