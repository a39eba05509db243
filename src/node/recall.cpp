#include "node/recall.h"

#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace entente::node {
namespace {

constexpr char kRecorded = ' ', kUnrecorded = '?';  // behind the time

std::string why_nothing(const std::optional<AliveMark::Noted>& last, Instant seen, Instant now,
                        Seconds away_max) {
  if (now < seen - kClockBackMax)
    return fmt::format("this machine's clock went back: it was {} here before", rfc3339(seen));
  if (away_max == Seconds(0)) return "this node is set to let no session outlive a restart";
  // By the mark alone: leaves may be of a life that let nothing go on, and could not write that down.
  if (!last) return "it is not known how long the node was away";
  if (!last->recorded) return "the ledger has no record of the start before this one";
  if (now - last->at > away_max)
    return fmt::format("the node was away for longer than {} s", away_max.count());
  return {};
}

ledger::Record restart_leaf(const Recalled& recalled, Instant now) {
  ledger::Record leaf{.event_class = std::string(exchange::kRestartLeaf), .time = now, .fields = {}};
  leaf.fields.emplace_back("kept", recalled.why_not.empty() ? "yes" : "no");
  if (!recalled.why_not.empty()) leaf.fields.emplace_back("why", recalled.why_not);
  leaf.fields.emplace_back("sessions", static_cast<int64_t>(recalled.kept.sessions.size()));
  leaf.fields.emplace_back("sign_ins", static_cast<int64_t>(recalled.kept.sign_ins.size()));
  return leaf;
}

}  // namespace

AliveMark::~AliveMark() {
  if (open_ >= 0) ::close(open_);
}

std::optional<AliveMark::Noted> AliveMark::last() const {
  char text[32] = {};
  const int file = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const ssize_t count = ::read(file, text, sizeof text - 1);
  ::close(file);
  if (count <= 0) return std::nullopt;
  std::string_view noted(text, static_cast<size_t>(count));
  const bool recorded = noted.back() != kUnrecorded;
  if (noted.back() == kRecorded || !recorded) noted.remove_suffix(1);
  const Result<Instant> at = parse_rfc3339(noted);
  return at ? std::optional(Noted{*at, recorded}) : std::nullopt;
}

// Always as many bytes, so that a newer time takes the place of the older one.
void AliveMark::note(Noted now) {
  if (open_ < 0) open_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::string text = rfc3339(now.at) + (now.recorded ? kRecorded : kUnrecorded);
  if (open_ >= 0 && ::pwrite(open_, text.data(), text.size(), 0) < 0) {
    ::close(open_);
    open_ = -1;
  }
}

Recalled recall(ledger::Ledger& ledger, const PartnerCode& self, std::optional<AliveMark::Noted> last,
                Instant now, Seconds away_max) {
  exchange::Recollection recollection(self, now);
  Instant seen = last ? last->at : Instant{};
  const auto visit = [&](const ledger::Record& record) {
    if (!recollection.nothing_older()) seen = std::max(seen, record.time);
    return recollection.take(record.event_class, record.time, Json(record.fields));
  };
  const Result<void> read = ledger.newest_first(&exchange::Recollection::reads, visit);
  const bool all_that_stood = read || recollection.nothing_older();
  Recalled out{std::move(recollection).kept(), why_nothing(last, seen, now, away_max)};
  if (!all_that_stood) {
    out = {.kept = {}, .why_not = "the ledger does not say what stood"};
    out.refused = read.error();
  }
  if (now < seen - kClockBackMax) out.seen = seen;
  if (!read || out.seen) out.kept.sign_outs_known_from = now;
  const Result<ledger::Appended> taken =
      ledger.append_and_wait({restart_leaf(out, now)}, ledger::Space::narrowing);
  if (taken) return out;
  out.why_not = "the ledger took no record of the start";
  out.refused = taken.error();
  out.owed = restart_leaf(out, now);
  return out;
}

}  // namespace entente::node
