// A wall clock that ran ahead and was put right. Decisions go on from the latest time that was seen (see
// Exchange::now()), so that nothing which had ended begins again; nobody comes in until an operator says that
// the clock is right now, or the node is started anew. Before either: what had ended by then is ended in the
// records too, and whatever stands ends with all sign-ins.
#pragma once

#include "exchange/access_desk.h"
#include "exchange/kept.h"
#include "node/records.h"

#include <functional>

namespace entente::node {

// The time as this node's decisions see it: the wall clock, but never behind what was seen before. For what
// keeps no session: keys of objects, proofs, vouchers.
class DecisionClock final : public Clock {
 public:
  DecisionClock(const Clock& wall, const exchange::Switchboard& switchboard)
      : wall_(wall), switchboard_(switchboard) {}
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] Tick tick() const override { return wall_.tick(); }

 private:
  const Clock& wall_;
  const exchange::Switchboard& switchboard_;
};

// What has to be written before decisions may go from `seen` back to `now`: this node's grants, delegations,
// requests and releases that had ended by then, or began later than it is, are over. `leaf` says who wants
// it.
struct ClockStep {
  Change change;
  exchange::AccessDesk::Closing closing;
};
[[nodiscard]] ClockStep clock_step(const coalition::World& world, const exchange::AccessDesk& access,
                                   Instant seen, Instant now, ledger::Record leaf, std::string author);
// Once somebody says that the clock is right: nobody has to sign in later than `now` because their nation was
// let in again while it was ahead. The change's leaf names the nations. Never at nobody's word: a clock that
// went back because it is wrong would let in who signed in before their nation was suspended.
void let_in_from(const coalition::World& world, Instant now, Change& change);
// The same as clock_step() at a start after the clock went back, at nobody's word. It acts at once; until it
// is durable a next start has to know of `seen`.
class ClosingAtStart {
 public:
  explicit ClosingAtStart(const Records& records) : records_(records) {}
  void begin(Records& records, const exchange::AccessDesk& access, Instant seen, Instant now);
  [[nodiscard]] bool is_owed();

 private:
  enum class Stage { none, asked, acts };
  const Records& records_;
  Stage stage_ = Stage::none;
};

}  // namespace entente::node
