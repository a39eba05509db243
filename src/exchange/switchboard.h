// Carries out what the core says: sends control messages, has changes written, resets streams, answers those
// who wait at the door. Owns the core. Everything here is called on the control loop.
#pragma once

#include "exchange/budget.h"
#include "exchange/exchange.h"
#include "net/loop.h"
#include "net/stream.h"

#include <functional>
#include <map>
#include <memory>
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
  virtual void commit(std::vector<coalition::Record> ops, std::optional<Leaf> leaf, Done done) = 0;
  virtual void append(Leaf leaf, bool narrowing, Done done) = 0;
};

// Streams of one session that must end with it. Detaches when destroyed.
class Attachment {
 public:
  Attachment() = default;
  explicit Attachment(std::shared_ptr<void> token) : token_(std::move(token)) {}

 private:
  std::shared_ptr<void> token_;
};

class Switchboard {
 public:
  Switchboard(net::Loop& loop, const Clock& clock, Archive& archive, Statements& statements,
              std::shared_ptr<const Rules> rules, Exchange::Options options = {});
  ~Switchboard();

  // Asks here, then at the host, has the admission recorded, and comes back with the way in or with why not.
  using OpenAnswer = std::variant<Pass, Ending>;
  [[nodiscard]] net::Task<OpenAnswer> open(Opening opening);
  void sign_out(const PersonId& who, Ending why);
  void close(const SessionId& session, Ending why);

  // The pass of a session that lives, or nullptr. Held ones live.
  [[nodiscard]] std::shared_ptr<const Pass> pass(const SessionId& session) const;
  // Waits while the session is held; true once bytes may pass, false when it ended or stayed held too long.
  [[nodiscard]] net::Task<bool> passage(SessionId session);
  // The request's own verdict: the session's ask with its method and normalised path, under the newest world.
  // A refusal is recorded. Without `http` for opaque bytes: what reads a method or a path then finds none.
  // A permit that cannot have changed since comes from the pass's memo; permits carry no reasons and no
  // reach.
  [[nodiscard]] std::shared_ptr<const coalition::Verdict> decide_request(
      const Pass& pass, std::optional<coalition::HttpFacts> http);
  [[nodiscard]] std::optional<ConnectorId> connector_for(const SessionId& session);
  // `abort` is called once when the session ends, at once; it must not throw and may run inside the ending
  // commit.
  [[nodiscard]] Attachment attach(const SessionId& session, std::function<void()> abort);

  // Links. `send` queues one control message on that link's control stream.
  using Send = std::function<void(const Json&)>;
  void link_up(const PartnerCode& partner, Way way, Send send);
  void link_down(const PartnerCode& partner, Way way);
  void received(const PartnerCode& partner, Way way, const Json& message);

  // Connectors.
  [[nodiscard]] bool connector_up(const ConnectorId& connector, std::string thumbprint);
  void connector_down(const ConnectorId& connector);
  void connector_measured(const ConnectorId& connector, std::chrono::microseconds round_trip);
  void connector_failed(const ConnectorId& connector);

  // World and narrowing.
  // As Exchange::world_published. Answers how many sessions are held that were not before.
  size_t world_published(std::shared_ptr<const Rules> rules, const coalition::Touch& touch,
                         std::shared_ptr<const Rules> acting = nullptr);
  // Ends every session, so that both nodes and the ledger know: for a node that stops.
  void close_all(const Ending& why);
  void stranger_refused();
  void partner_over_budget();

  struct Watcher {
    std::function<void(const Ended&, const Pass&)> ended;
    std::function<void(const ConnectorId&)> connector_dropped;
    std::function<void(const Alarm&)> alarm;
  };
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  [[nodiscard]] const Exchange& core() const { return *core_; }
  [[nodiscard]] const Rules& rules() const { return *rules_; }
  // No change acts that is not durable yet: then a revision names one world.
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] net::Loop& loop() { return loop_; }
  [[nodiscard]] Moment moment() const { return {clock_.now(), clock_.tick()}; }

  static constexpr Millis kHeldMax{5'000};  // longer than any wave: then the stream gives up
  static constexpr Millis kTickEvery{100};
  // Refused requests inside sessions that are recorded one by one; more are only counted.
  static constexpr uint32_t kRefusalsPerSecond = 20, kRefusalsBurst = 200;

 private:
  struct Waiting;
  struct Live;
  void refuse_request(const Pass& pass, const coalition::Ask& ask, const coalition::Verdict& verdict);
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
  std::map<SessionId, std::shared_ptr<Live>> live_;
  uint64_t next_opening_ = 1;
  net::Timer timer_;
  Budget refusals_{kRefusalsBurst, kRefusalsPerSecond};
  bool stepping_ = false;
  bool settled_ = true;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace entente::exchange
