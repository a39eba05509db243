// One event loop and what lives on it of the sessions. Doors, links and connectors on a loop ask here what
// they need of the node: what any loop may read is read at once, what is the core's is asked of the control
// loop and comes back. Everything here is called on the lane's loop, but for what says otherwise.
//
// When a session ends, its gate is cut first: from then on nothing of it passes on any loop. Each lane hears
// of it next, and breaks off the streams it has.
#pragma once

#include "base/published.h"
#include "exchange/switchboard.h"
#include "net/loop.h"

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

namespace entente::exchange {

// Streams of one session that must end with it. Detaches when destroyed.
class Attachment {
 public:
  Attachment() = default;
  explicit Attachment(std::shared_ptr<void> token) : token_(std::move(token)) {}

 private:
  std::shared_ptr<void> token_;
};

class Lane {
 public:
  // `number` 0 is the control loop's. Lanes are added to the switchboard before any loop runs.
  Lane(net::Loop& loop, size_t number, const Clock& clock, Switchboard& control);

  [[nodiscard]] net::Loop& loop() { return loop_; }
  [[nodiscard]] net::Loop& control_loop() { return control_.loop(); }
  [[nodiscard]] size_t number() const { return number_; }
  [[nodiscard]] bool is_control() const { return number_ == 0; }
  [[nodiscard]] Moment moment() const { return {clock_.now(), clock_.tick()}; }

  // The pass of a session that lives, or nullptr. Held ones live.
  [[nodiscard]] std::shared_ptr<const Pass> pass(const SessionId& session) const {
    return control_.pass(session);
  }
  // Bytes may pass right now: then there is nothing to wait for.
  [[nodiscard]] bool passes(const Pass& pass) const { return pass.gate->passes(clock_); }
  // Waits while the session is held; true once bytes may pass, false when it ended or stayed held too long.
  // The pass must outlive the task.
  [[nodiscard]] net::Task<bool> passage(const Pass& pass);
  // Bytes may pass, and nothing about the session has changed since this pass was made.
  [[nodiscard]] bool is_current(const Pass& pass) const {
    return passes(pass) && pass.edition == pass.gate->edition();
  }
  // Waits as passage() does, for the session's newest pass: facts may change while it is held. nullptr when
  // it ended or stayed held too long.
  [[nodiscard]] net::Task<std::shared_ptr<const Pass>> entry(std::shared_ptr<const Pass> pass);
  // The request's own verdict: the session's ask with its method and normalised path, under the newest world.
  // A refusal is recorded. Without `http` for opaque bytes: what reads a method or a path then finds none.
  // A permit that cannot have changed since comes from the pass's memo; permits carry no reasons and no
  // reach, and their revision counts what was published to the loops.
  [[nodiscard]] std::shared_ptr<const coalition::Verdict> decide_request(
      const Pass& pass, std::optional<coalition::HttpFacts> http);
  // Whether a permit of decide_request() would be given again: no world, no facts and no end came since. To
  // be looked at after every wait between the decision and the request's leaving.
  [[nodiscard]] bool stands(const Pass& pass, const coalition::Verdict& permit);
  // The nearest healthy connector for the session's next stream among those that `usable` says are; it stays
  // the same while no other is clearly nearer.
  [[nodiscard]] std::optional<ConnectorId> connector_for(
      const Pass& pass, const std::function<bool(const ConnectorId&)>& usable);
  // Some healthy connector serves the app, though perhaps on another loop.
  [[nodiscard]] bool connected_anywhere(const AppId& app);
  [[nodiscard]] const ConnectorRoster& roster() { return *roster_.get(); }  // until the next wait
  // `abort` is called once when the session ends; it must not throw.
  [[nodiscard]] Attachment attach(const Pass& pass, std::function<void()> abort);
  // Into the ledger, unless there are too many of them just now: then it is only counted.
  bool record_refusal(Leaf leaf);
  void stranger_refused() { control_.stranger_refused(); }
  void partner_over_budget() { control_.partner_over_budget(); }

  // Runs `work` on the control loop, in the order told: at once when this is it.
  void tell(std::move_only_function<void(Switchboard&)> work);
  // The same, and comes back with what it gives.
  template <class T>
  [[nodiscard]] net::Task<T> ask(std::move_only_function<T(Switchboard&)> work);

  // What the control loop has to say.
  void released(const SessionId& session);
  void ended(const SessionId& session);

  static constexpr Millis kHeldMax{5'000};  // longer than any wave: then the stream gives up

 private:
  // What this loop has of a session, from its first stream here to its end.
  struct Berth {
    explicit Berth(net::Loop& loop) : moved(loop) {}
    net::Event moved;  // pulsed when it is released or ends
    uint64_t next_stream = 1;
    std::unordered_map<uint64_t, std::function<void()>> streams;
    ConnectorId connector{};
  };
  [[nodiscard]] std::shared_ptr<Berth> berth(const Pass& pass);
  void refuse_request(const Pass& pass, const coalition::Ask& ask, const coalition::Verdict& verdict);

  net::Loop& loop_;
  size_t number_;
  const Clock& clock_;
  Switchboard& control_;
  Published<Rules>::View rules_;
  Published<ConnectorRoster>::View roster_;
  std::unordered_map<SessionId, std::shared_ptr<Berth>> berths_;
};

template <class T>
net::Task<T> Lane::ask(std::move_only_function<T(Switchboard&)> work) {
  if (is_control()) co_return work(control_);
  net::Reply<T> reply(loop_);
  tell([take = reply.taker(), home = &loop_, doing = std::move(work)](Switchboard& control) mutable {
    // Taken at home only, and what took it is freed there.
    home->post([back = std::move(take), answer = doing(control)]() mutable { back(std::move(answer)); });
  });
  std::optional<T> answer = co_await reply.within(net::kNoTimeout);
  co_return *std::move(answer);
}

}  // namespace entente::exchange
