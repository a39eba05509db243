#include "node/clock.h"

#include "base/log.h"
#include "coalition/access.h"

#include <algorithm>

namespace entente::node {

using coalition::Release;
using coalition::RequestState;

// While that is ahead of the wall clock, as it was last told: the wall clock may have been stepped forward
// since, and what is ahead of that by what was would end all there is.
Instant DecisionClock::now() const {
  if (switchboard_.ahead() > Millis(0)) return switchboard_.now();
  return std::max(wall_.now(), switchboard_.now());
}

namespace {

void close_releases(const coalition::World& world, Instant seen, Instant now,
                    std::vector<coalition::Record>& records) {
  for (const Release* found : world.releases()) {
    const bool open = found->state == RequestState::open && (found->end <= seen || found->asked > now);
    const bool given = found->state == RequestState::granted &&
                       (found->until.value_or(seen) <= seen || found->start.value_or(now) > now);
    if (!open && !given) continue;
    Release release = *found;
    release.state = open ? RequestState::denied : RequestState::revoked;
    release.answer = "The clock of this node was wrong and was put right.";
    release.start.reset();
    release.until.reset();
    records.push_back({record_key(release), to_json(release)});
  }
}

}  // namespace

void let_in_from(const coalition::World& world, Instant now, Change& change) {
  Json codes = Json::array();
  for (const coalition::Partner* partner : world.partners()) {
    if (!partner->resumed_at || *partner->resumed_at <= now) continue;
    const std::string key = "partner/" + partner->code.text();
    Json record = *world.raw(key);
    record.set("resumed_at", rfc3339(now));
    change.records.push_back({key, std::move(record)});
    codes.items().emplace_back(partner->code.text());
  }
  // Nor are newer keys of a partner's service older than those that were told while it was ahead.
  for (const coalition::KeyService* service : world.key_services()) {
    if (service->told <= now) continue;
    const std::string key = "key-service/" + service->partner.text();
    Json record = *world.raw(key);
    record.set("told", rfc3339(now));
    change.records.push_back({key, std::move(record)});
  }
  if (!codes.items().empty()) change.leaves.front().fields.emplace_back("let_in", std::move(codes));
}

ClockStep clock_step(const coalition::World& world, const exchange::AccessDesk& access, Instant seen,
                     Instant now, ledger::Record leaf, std::string author) {
  ClockStep step;
  step.closing = access.clock_closing(seen, now);
  step.change.records = step.closing.records;
  close_releases(world, seen, now, step.change.records);
  leaf.fields.emplace_back("seen", rfc3339(seen));
  leaf.fields.emplace_back("from", rfc3339(now));
  leaf.fields.emplace_back("closed", std::ssize(step.change.records));
  step.change.leaves.push_back(std::move(leaf));
  step.change.author = std::move(author);
  step.change.narrowing = true;
  return step;
}

void ClosingAtStart::begin(Records& records, const exchange::AccessDesk& access, Instant seen, Instant now) {
  ledger::Record leaf{.event_class = std::string(exchange::kClockLeaf), .time = now, .fields = {}};
  leaf.fields.emplace_back("who", "restart");
  ClockStep step = clock_step(records.world(), access, seen, now, std::move(leaf), "restart");
  if (step.change.records.empty()) return;
  stage_ = Stage::asked;
  records.commit(std::move(step.change), [this](const Result<Outcome>& outcome) {
    if (outcome) {
      stage_ = Stage::acts;
      return;
    }
    log(LogLevel::error, "node", "what had ended by a clock that was wrong could not be closed",
        {{"error", outcome.error().text()}});
  });
}

// Nothing that widens comes between: what narrows is made durable first.
bool ClosingAtStart::is_owed() {
  if (stage_ == Stage::acts && records_.owed() == 0) stage_ = Stage::none;
  return stage_ != Stage::none;
}

}  // namespace entente::node
