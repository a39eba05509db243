#include "exchange/pass_memo.h"

namespace entente::exchange {
namespace {

bool same_request(const std::optional<coalition::HttpFacts>& a,
                  const std::optional<coalition::HttpFacts>& b) {
  if (!a || !b) return !a && !b;
  return a->method == b->method && a->path == b->path && a->upgrade == b->upgrade;
}

}  // namespace

std::shared_ptr<const coalition::Verdict> PassMemo::verdict(Revision world,
                                                            const std::optional<coalition::HttpFacts>& http,
                                                            Instant now) const {
  const std::lock_guard lock(mutex_);
  for (const KeptVerdict& kept : verdicts_) {
    if (kept.verdict == nullptr || kept.verdict->revision != world) continue;
    // A clock that was set back behind the decision makes it one about another time.
    if (now < kept.made || now >= kept.verdict->valid_until) continue;
    // What is the same for any request says nothing of opaque bytes.
    const bool any = kept.verdict->any_request && kept.http.has_value() == http.has_value();
    if (any || same_request(kept.http, http)) return kept.verdict;
  }
  return nullptr;
}

void PassMemo::keep(std::shared_ptr<const coalition::Verdict> verdict,
                    const std::optional<coalition::HttpFacts>& http, Instant now) {
  if (!verdict->permit || (http && http->path.size() + http->method.size() > kPathBytesMax)) return;
  const std::lock_guard lock(mutex_);
  verdicts_[next_] = {std::move(verdict), http, now};
  next_ = (next_ + 1) % kVerdictsKept;
}

std::shared_ptr<const std::string> PassMemo::assertion(Revision world, const ConnectorId& connector,
                                                       Instant now) const {
  const std::lock_guard lock(mutex_);
  const KeptAssertion& kept = assertion_;
  const bool good = kept.text != nullptr && kept.world == world && kept.connector == connector &&
                    now >= kept.made && now < kept.until;
  return good ? kept.text : nullptr;
}

void PassMemo::keep(SignedAssertion assertion, Revision world, ConnectorId connector, Instant now) {
  if (assertion.keep_until <= now) return;
  auto text = std::make_shared<const std::string>(std::move(assertion.text));
  const std::lock_guard lock(mutex_);
  assertion_ = {std::move(text), world, std::move(connector), now, assertion.keep_until};
}

}  // namespace entente::exchange
