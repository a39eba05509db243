#include "exchange/lane.h"

#include "exchange/connectors.h"
#include "exchange/gateway.h"
#include "exchange/lanes.h"
#include "exchange/statements_for_test.h"

#include <atomic>
#include <latch>
#include <thread>

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

// Writes at once, and answers on the next turn.
struct Paper final : Archive {
  net::Loop& loop;
  explicit Paper(net::Loop& control) : loop(control) {}
  void commit(Write, Done done) override {
    loop.post([told = std::move(done)] { told({}); });
  }
  void append(Leaf, bool, Done done) override {
    loop.post([told = std::move(done)] { told({}); });
  }
};

// Permits everything until it is told otherwise.
struct OpenRules final : Rules {
  uint64_t number = 1;
  bool permit = true;
  bool permit_requests = true;
  std::vector<coalition::Obligation> obligations{};
  mutable std::atomic<int> requests{0};
  PartnerCode code{"XAA"};
  Revision revision() const override { return {number}; }
  const PartnerCode& self() const override { return code; }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    coalition::Verdict out;
    out.id = ask.id;
    out.permit = permit && (permit_requests || !ask.http);
    out.obligations = obligations;
    requests.fetch_add(ask.http ? 1 : 0);
    out.revision = {number};
    out.valid_until = kNever;
    if (!out.permit) out.refusal = coalition::Refusal::denied;
    return out;
  }
  Standing standing(const PartnerCode&) const override { return Standing::active; }
  std::string standing_reason(const PartnerCode&) const override { return {}; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId&, std::string_view, Instant) const override {
    return {AppId("cop")};
  }
};

// A node's control loop and three more, each on a thread of its own.
struct House {
  static constexpr size_t kLoops = 4;
  std::vector<net::Loop> loops = std::vector<net::Loop>(kLoops);
  Paper paper{loops[0]};
  testing::NoStatements statements;
  std::shared_ptr<OpenRules> rules = std::make_shared<OpenRules>();
  std::unique_ptr<Switchboard> board;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<std::thread> threads;

  House() {
    board = std::make_unique<Switchboard>(loops[0], system_clock(), paper, statements, rules);
    for (size_t i = 0; i < kLoops; ++i) {
      lanes.push_back(std::make_unique<Lane>(loops[i], i, system_clock(), *board));
      board->add_lane(*lanes[i]);
    }
    for (net::Loop& loop : loops) threads.emplace_back([&loop] { loop.run(); });
  }
  ~House() {
    for (net::Loop& loop : loops) loop.stop();
    for (std::thread& thread : threads) thread.join();
  }
  // Runs it on that loop and waits for it.
  void on(size_t number, std::function<void()> work) {
    std::latch done(1);
    loops[number].post([&] {
      work();
      done.count_down();
    });
    done.wait();
  }
  // A session of a person of our own, open.
  std::shared_ptr<const Pass> open(std::string person) {
    std::shared_ptr<const Pass> pass;
    std::latch done(1);
    on(0, [&] {
      coalition::Person who;
      who.id = PersonId(std::move(person));
      who.partner = PartnerCode("XAA");
      CHECK(board->connector_up(ConnectorId("cop-1"), "thumbprint"));
      loops[0].spawn(open_one(*board, std::move(who), &pass, &done));
    });
    done.wait();
    return pass;
  }
  static net::Task<void> open_one(Switchboard& board, coalition::Person who,
                                  std::shared_ptr<const Pass>* into, std::latch* done) {
    Opening opening;
    opening.app = {PartnerCode("XAA"), AppId("cop")};
    opening.who = std::move(who);
    Switchboard::OpenAnswer answer = co_await board.open(std::move(opening));
    if (const Pass* pass = std::get_if<Pass>(&answer)) *into = board.pass(pass->id);
    done->count_down();
  }
};

struct Writer {
  std::atomic<uint64_t> written{0};
  std::atomic<bool> aborted{false};
  std::atomic<bool> over{false};
};

// Writes for as long as it may, and counts.
net::Task<void> keep_writing(Lane* lane, std::shared_ptr<const Pass> pass, Writer* writer) {
  const Attachment attached = lane->attach(*pass, [writer] { writer->aborted.store(true); });
  while (!writer->aborted.load()) {
    const bool open = co_await lane->passage(*pass);
    if (!open) break;
    writer->written.fetch_add(1);
    co_await lane->loop().sleep(Millis(0));
  }
  writer->over.store(true);
}

// Attached, and otherwise silent: only an abort ends it.
net::Task<void> stay_silent(Lane* lane, std::shared_ptr<const Pass> pass, Writer* writer) {
  net::Event aborted(lane->loop());
  const Attachment attached = lane->attach(*pass, [&aborted] { aborted.set(); });
  writer->written.fetch_add(1);
  bool heard = co_await aborted.wait(net::kNoTimeout);
  while (!heard) heard = co_await aborted.wait(net::kNoTimeout);
  writer->over.store(true);
}

void wait_for(const std::atomic<bool>& flag) {
  while (!flag.load()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("attack: streams of one session on every loop pass nothing once it is cut") {
  House house;
  const std::shared_ptr<const Pass> pass = house.open("p1");
  REQUIRE(pass);
  std::vector<Writer> writers(House::kLoops * 8);
  for (size_t i = 0; i < writers.size(); ++i) {
    Lane* lane = house.lanes[i % House::kLoops].get();
    lane->loop().spawn(i < writers.size() / 2 ? keep_writing(lane, pass, &writers[i])
                                              : stay_silent(lane, pass, &writers[i]));
  }
  const auto total = [&] {
    uint64_t sum = 0;
    for (const Writer& each : writers) sum += each.written.load();
    return sum;
  };
  for (const Writer& each : writers) {
    while (each.written.load() == 0) std::this_thread::yield();
  }
  house.on(0, [&] {
    house.board->close(pass->id, {coalition::Refusal::denied, "cut", {}, {}, {}, {}});
    CHECK(pass->gate->is_cut());
  });
  // Whoever looked before the cut has written by now, and nobody looks again with success.
  for (size_t i = 0; i < House::kLoops; ++i) house.on(i, [] {});
  const uint64_t at_cut = total();
  for (const Writer& each : writers) wait_for(each.over);
  CHECK(total() == at_cut);
  CHECK(house.board->pass(pass->id) == nullptr);
}

TEST_CASE("attack: a stream that attaches on another loop after the cut is broken off at once") {
  House house;
  const std::shared_ptr<const Pass> pass = house.open("p1");
  REQUIRE(pass);
  house.on(0, [&] { house.board->close(pass->id, {}); });
  for (size_t i = 0; i < House::kLoops; ++i) {
    bool aborted = false;
    house.on(i, [&] {
      [[maybe_unused]] const Attachment late = house.lanes[i]->attach(*pass, [&] { aborted = true; });
    });
    CHECK(aborted);
  }
}

TEST_CASE("attack: each loop decides under the new world as soon as it is published") {
  House house;
  const std::shared_ptr<const Pass> pass = house.open("p1");
  REQUIRE(pass);
  for (uint64_t round = 2; round < 60; ++round) {
    auto next = std::make_shared<OpenRules>();
    next->number = 2;  // as worlds with what is fenced and not yet durable: several of one revision
    next->permit = round % 2 == 0;
    house.on(0, [&] { house.board->world_published(next, {}); });
    const size_t number = (round / 2) % House::kLoops;
    house.on(number, [&] {
      CHECK(house.lanes[number]->decide_request(*pass, coalition::HttpFacts{"GET", "/"})->permit ==
            next->permit);
    });
  }
}

TEST_CASE("attack: a request that waits for a connector is not let through by a world of before") {
  House house;
  const std::shared_ptr<const Pass> pass = house.open("p1");
  REQUIRE(pass);
  Lanes lanes;
  ConnectorDesk desk(*house.board, lanes);
  Lane& lane = *house.lanes[1];
  Connectors none(lane, lanes, desk, [] { return std::shared_ptr<const coalition::World>(); });
  lanes.all.resize(2);
  Gateway gateway(lane, none, [](const Pass&, const ConnectorId&) { return SignedAssertion{}; });
  struct Asked {
    Gateway& gateway;
    std::shared_ptr<const Pass> pass;
    std::latch done{1};
    std::string code{};
    Gateway::Attempt attempt{};
  } asked{gateway, pass};
  lane.loop().spawn([](Asked* by) -> net::Task<void> {
    net::RequestHead head;
    head.method = "GET";
    head.path = "/secret";
    Result<net::CarrierStream> opened = co_await by->gateway.open(by->pass, head, true, by->attempt);
    by->code = opened ? "opened" : opened.error().code();
    by->done.count_down();
  }(&asked));
  while (house.rules->requests.load() == 0) std::this_thread::yield();
  house.on(0, [&] {
    auto next = std::make_shared<OpenRules>();
    next->number = 2;
    next->permit_requests = false;  // the session lives on, this request is refused
    house.board->world_published(next, {});
    house.board->connector_down(ConnectorId("cop-1"));
  });
  asked.done.wait();
  CHECK(asked.code == "exchange.refused");
}

TEST_CASE("attack: who waits while their session is asked about again goes on with what is true then") {
  House house;
  const std::shared_ptr<const Pass> old = house.open("p1");
  REQUIRE(old);
  for (uint64_t round = 2; round < 30; ++round) {
    house.on(0, [&] {
      auto next = std::make_shared<OpenRules>();
      next->number = round;
      next->obligations = {{"watermark", std::to_string(round)}};
      coalition::Touch all;
      all.policies = true;
      house.board->world_published(next, all);
    });
    std::latch done(1);
    std::shared_ptr<const Pass> newest;
    Lane& lane = *house.lanes[round % House::kLoops];
    lane.loop().spawn([](Lane* on, std::shared_ptr<const Pass> from, std::shared_ptr<const Pass>* into,
                         std::latch* over) -> net::Task<void> {
      *into = co_await on->entry(std::move(from));
      over->count_down();
    }(&lane, old, &newest, &done));
    done.wait();
    REQUIRE(newest);
    CHECK(newest->obligations == std::vector<coalition::Obligation>{{"watermark", std::to_string(round)}});
    CHECK(newest->memo != old->memo);
    house.on(lane.number(), [&] { CHECK_FALSE(lane.is_current(*old)); });
  }
}

TEST_CASE("all loops have gone on once they were seen to") {
  House house;
  std::latch done(1);
  house.on(0, [&] {
    house.loops[0].spawn([](Switchboard& board, std::latch* over) -> net::Task<void> {
      const auto seen = board.seen_by_all();
      const bool all = co_await seen->done.wait(Seconds(10));
      CHECK(all);
      CHECK(seen->left == 0);
      over->count_down();
    }(*house.board, &done));
  });
  done.wait();
}

TEST_CASE("what is asked of the control loop is done there, in order, and comes back") {
  House house;
  std::latch done(1);
  std::vector<int> order;
  house.on(2, [&] {
    house.loops[2].spawn([](House& in, std::vector<int>* said, std::latch* over) -> net::Task<void> {
      Lane& lane = *in.lanes[2];
      lane.tell([&in, said](Switchboard&) {
        CHECK(in.loops[0].in_loop());
        said->push_back(1);
      });
      std::move_only_function<int(Switchboard&)> work = [said](Switchboard&) {
        said->push_back(2);
        return 42;
      };
      const int answer = co_await lane.ask<int>(std::move(work));
      CHECK(in.loops[2].in_loop());
      CHECK(answer == 42);
      over->count_down();
    }(house, &order, &done));
  });
  done.wait();
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("partners spread over the loops, each always on the same one") {
  Lanes lanes;
  lanes.all.resize(4);
  std::array<size_t, 4> count{};
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) ++count[lanes.number_of(PartnerCode(std::string{'X', a, b}))];
  }
  for (const size_t each : count) CHECK(each > 676 / 8);
  CHECK(lanes.number_of(PartnerCode("XAA")) == lanes.number_of(PartnerCode("XAA")));
}

}  // namespace entente::exchange
