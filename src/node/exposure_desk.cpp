#include "node/exposure_desk.h"

#include "base/log.h"
#include "node/api_core.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr Millis kKeepUpEvery{1'000};
constexpr Millis kAnsweringAgain{5};    // whether somebody else's answer is made
constexpr Millis kUnreadAgain{60'000};  // an entry that could not be read
// Between others' turns, where nobody waits for it.
constexpr size_t kKeepUpAtOnce = 100;
constexpr Millis kReleasedBeforeMax{2'000};  // an answer to a recall waits for no more of the ledger

Failure unread(const data::Exposure& exposure, const Error& why) {
  return fail("exposure.unread",
              fmt::format("entry {} of the ledger cannot be read: {}", exposure.read(), why.what()),
              why.where(), "What was released cannot be told before it can: `entente ledger verify`.");
}

}  // namespace

void ExposureDesk::follow(const ledger::Ledger& ledger) {
  ledger_ = &ledger;
  keep_up();
}

void ExposureDesk::keep_up() {
  if (*answering_) {
    next_ = loop_.after(kKeepUpEvery, [this] { keep_up(); });
    return;
  }
  const Result<bool> more = released_.read_on(*ledger_, ledger_->size(), kKeepUpAtOnce);
  if (!more)
    log(LogLevel::error, "node", "what was released cannot be read from the ledger",
        {{"error", more.error().text()}});
  next_ = loop_.after(!more ? kUnreadAgain : *more ? Millis(1) : kKeepUpEvery, [this] { keep_up(); });
}

net::Task<Result<void>> ExposureDesk::read_on(data::Exposure* exposure, uint64_t until) {
  for (bool more = true; more;) {
    const Result<bool> read = exposure->read_on(*ledger_, until, data::kExposureReadAtOnce);
    if (!read) co_return unread(*exposure, read.error());
    more = *read;
    co_await loop_.sleep(Millis(0));
  }
  co_return Result<void>();
}

net::Task<Json> ExposureDesk::report(const data::Exposure* exposure, data::ExposureFilter filter,
                                     coalition::World world, Instant now) {
  data::ExposureReport report(*exposure, std::move(filter), std::move(world), now);
  while (report.step(data::kExposureGroupsAtOnce)) co_await loop_.sleep(Millis(0));
  Json said = report.take();
  // What it can be checked by: a checkpoint of that many entries or more, which the ledger's proofs lead to.
  said.set("checkpoint", ledger_->checkpoint());
  co_return said;
}

net::Task<Result<Json>> ExposureDesk::answer(data::ExposureFilter filter, coalition::World world,
                                             Instant now) {
  while (*answering_) co_await loop_.sleep(kAnsweringAgain);
  const uint64_t until = ledger_->size();
  {
    const std::shared_ptr<bool> flag = answering_;
    const Held held(*flag);
    const Result<void> read = co_await read_on(&released_, until);
    if (!read) co_return Failure(read.error());
    if (!filter.is_narrow() || released_.incomplete(filter) == 0) {
      Json said = co_await report(&released_, std::move(filter), std::move(world), now);
      co_return said;
    }
  }
  if (*reading_again_)
    co_return fail("api.busy", "the ledger is being read for another such question now", {},
                   "ask again in a moment");
  const std::shared_ptr<bool> flag = reading_again_;
  const Held held(*flag);
  data::Exposure own(self_, filter, bytes_max_);
  const Result<void> again = co_await read_on(&own, until);
  if (!again) co_return Failure(again.error());
  Json said = co_await report(&own, std::move(filter), std::move(world), now);
  co_return said;
}

net::Task<std::optional<bool>> ExposureDesk::released_before(std::string kind, std::string what) {
  if (const auto known = released_.knows(kind, what); known == true) co_return known;
  const uint64_t until = ledger_->size();
  const Tick start = loop_.tick();
  for (bool more = true; more;) {
    if (!*answering_) {
      const Result<bool> read = released_.read_on(*ledger_, until, data::kExposureReadAtOnce);
      if (!read) co_return std::nullopt;
      more = *read;
    }
    if (more && loop_.tick() - start > kReleasedBeforeMax) co_return std::nullopt;
    co_await loop_.sleep(*answering_ ? kAnsweringAgain : Millis(0));
  }
  co_return released_.knows(kind, what);
}

}  // namespace entente::node
