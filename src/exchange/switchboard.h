// Carries out what the core says: sends control messages, has changes written, tells the lanes whose streams
// to reset, answers those who wait at the door. Owns the core. Everything here is called on the control loop,
// but for what says that any loop may.
#pragma once

#include "base/budget.h"
#include "base/published.h"
#include "exchange/exchange.h"
#include "exchange/passes.h"
#include "net/loop.h"
#include "net/stream.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace entente::exchange {

// Who writes for us: the node's store and ledger. Answers come on the control loop, in the order they finish.
class Archive {
 public:
  using Done = std::function<void(Result<void>)>;
  virtual ~Archive() = default;
  // `narrowing`: acts before any disk, and is tried again until the disk takes it; "node.fenced-not-durable"
  // says that it acts and waits for that.
  // `unchanged`: keys of records that must still be as the world shows them, or absent where it shows none;
  // else "store.precondition", and nothing is written.
  struct Write {
    std::vector<coalition::Record> ops{};
    std::optional<Leaf> leaf{};
    bool narrowing = false;
    std::vector<std::string> unchanged{};
  };
  virtual void commit(Write write, Done done) = 0;
  virtual void append(Leaf leaf, bool narrowing, Done done) = 0;
};

class Lane;

class Switchboard {
 public:
  Switchboard(net::Loop& loop, const Clock& clock, Archive& archive, Statements& statements,
              std::shared_ptr<const Rules> rules, Exchange::Options options = {});
  ~Switchboard();

  // The loops whose streams are reset when a session ends; the control loop's first. Before any of them runs.
  void add_lane(Lane& lane) { lanes_.push_back(&lane); }

  // From any loop.
  [[nodiscard]] std::shared_ptr<const Pass> pass(const SessionId& session) const {
    return passes_.find(session);
  }
  [[nodiscard]] const Published<Rules>& rules_now() const { return rules_now_; }
  [[nodiscard]] const Published<ConnectorRoster>& roster() const { return roster_; }
  // The node's clock as decisions see it.
  [[nodiscard]] Instant now() const { return Instant(Millis(now_ms_.load(std::memory_order_relaxed))); }
  // How far that is ahead of a wall clock that was set back; 0: it goes by it.
  [[nodiscard]] Millis ahead() const { return Millis(ahead_ms_.load(std::memory_order_relaxed)); }
  void stranger_refused() { strangers_.fetch_add(1, std::memory_order_relaxed); }
  void partner_over_budget() { over_budget_.fetch_add(1, std::memory_order_relaxed); }
  // Whether a refused request is to be recorded one by one; more of them are only counted.
  [[nodiscard]] bool may_record_refusal();

  // Asks here, then at the host, has the admission recorded, and comes back with the way in or with why not.
  using OpenAnswer = std::variant<Pass, Ending>;
  [[nodiscard]] net::Task<OpenAnswer> open(Opening opening);
  // Before any lane runs and any link comes up; what watch() says is called of what ends.
  void restore(std::vector<KeptSession> sessions, const std::optional<Ending>& end);
  void begins_unrecorded(Leaf restart) { core_->begins_unrecorded(std::move(restart)); }
  void sign_out(const PersonId& who, Ending why);
  void close(const SessionId& session, Ending why);

  // Done once each loop has gone on since: then no loop is between a look at a gate and its write.
  struct Seen {
    explicit Seen(net::Loop& loop, size_t count) : done(loop), left(count) {}
    net::Event done;
    size_t left;
    Tick at{};
  };
  [[nodiscard]] std::shared_ptr<Seen> seen_by_all();
  void record(Leaf leaf);
  void keep(Leaf leaf) { core_->not_recorded(std::move(leaf)); }  // after the disk refused it

  // Links. `send` queues one control message on that link's control stream.
  using Send = std::function<void(const Json&)>;
  void link_up(const PartnerCode& partner, Way way, Send send);
  void link_down(const PartnerCode& partner, Way way);
  void received(const PartnerCode& partner, Way way, const Json& message);
  [[nodiscard]] bool link_is_up(const PartnerCode& partner, Way way) const {
    return links_.contains({partner, way});
  }

  void tell(const PartnerCode& partner, Way way, link::Told told, const Exchange::About* about = nullptr);

  // Connectors.
  [[nodiscard]] bool connector_up(const ConnectorId& connector, std::string thumbprint);
  void connector_down(const ConnectorId& connector);
  void connector_measured(const ConnectorId& connector, std::chrono::microseconds round_trip);
  void connector_failed(const ConnectorId& connector);
  void app_away(const ConnectorId& connector, const AppId& app);  // it answers, the app behind it does not
  void app_back(const ConnectorId& connector, const AppId& app);  // both do again

  // World and narrowing.
  // As Exchange::world_published. Answers how many sessions are held that were not before.
  size_t world_published(std::shared_ptr<const Rules> rules, const coalition::Touch& touch,
                         std::shared_ptr<const Rules> acting = nullptr);
  // For a node that stops. Records what is left to record; sessions go on when it is back in time.
  void rest() { carry_out(core_->tick(moment())); }
  // As Exchange::go_on_from(), now.
  void go_on_from_wall(const Ending& why) { carry_out(core_->go_on_from(moment(), why)); }
  // Ends every session, so that both nodes and the ledger know: where none outlives a restart.
  void close_all(const Ending& why);

  struct Watcher {
    std::function<void(const Ended&, const Pass&)> ended;
    std::function<void(const ConnectorId&)> connector_dropped;
    std::function<void(const Alarm&)> alarm;
    std::function<void(const Heard&)> heard;
    std::function<void(const PartnerCode&)> welcomed;
  };
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  [[nodiscard]] const Exchange& core() const { return *core_; }
  [[nodiscard]] const Rules& rules() const { return *rules_; }
  [[nodiscard]] net::Loop& loop() { return loop_; }
  [[nodiscard]] Moment moment() const { return {clock_.now(), clock_.tick()}; }

  static constexpr Millis kSeenMax{1'000};  // for a loop to go on
  static constexpr Millis kTickEvery{100};
  // Refused requests inside sessions that are recorded one by one; more are only counted.
  static constexpr uint32_t kRefusalsPerSecond = 20, kRefusalsBurst = 200;

 private:
  struct Waiting;
  struct News {  // for the other loops, of one carrying out
    std::vector<SessionId> released;
    std::vector<SessionId> ended;
  };
  void spread(News news);
  void publish_roster();
  void carry_out(Effects effects);
  void carry_out_one(Effect& effect);
  void answer(uint64_t token, const Result<void>& result);
  void keep_time();

  net::Loop& loop_;
  const Clock& clock_;
  Archive& archive_;
  std::shared_ptr<const Rules> rules_;  // the acting ones
  std::unique_ptr<Exchange> core_;
  Watcher watcher_;
  std::map<std::pair<PartnerCode, Way>, Send> links_;
  std::map<uint64_t, std::shared_ptr<Waiting>> waiting_;
  std::vector<Lane*> lanes_;
  Passes passes_;
  Published<Rules> rules_now_;
  Published<ConnectorRoster> roster_;
  bool roster_moved_ = false;
  std::atomic<int64_t> now_ms_;
  std::atomic<int64_t> ahead_ms_{0};
  std::atomic<uint64_t> strangers_{0};
  std::atomic<uint64_t> over_budget_{0};
  std::mutex refusals_mutex_;
  News news_;
  uint64_t next_opening_ = 1;
  net::Timer timer_;
  Budget refusals_{kRefusalsBurst, kRefusalsPerSecond};
  bool stepping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace entente::exchange
