// The ledger, and verdicts in it.
#include "net/url.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/operators.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace entente::node {
namespace {

struct LedgerCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  const Clock& clock;
  PartnerCode self;
  bool searching = false;  // for a verdict

  net::Task<Answer> show_verdict(ApiRequest request);
  ledger::Record disclosure(const coalition::Person& who, const coalition::Verdict& verdict) const;
  net::Task<Answer> show_tail(ApiRequest request);
  net::Task<Answer> show_entry(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> ledger_routes(ApiCore& api, const Api::Parts& parts) {
  return routes_of(LedgerCalls{api, parts.records, parts.switchboard, parts.clock, parts.self},
                   {
                       {"GET", "/v1/verdicts/{}", &LedgerCalls::show_verdict},
                       {"GET", "/v1/ledger", &LedgerCalls::show_tail},
                       {"GET", "/v1/ledger/{}", &LedgerCalls::show_entry},
                   });
}

net::Task<Answer> LedgerCalls::show_verdict(ApiRequest request) {
  if (auto no = api.may_not_view(request, "read verdict " + request.name)) co_return *no;
  // A search may look through much of the ledger, on the loop that decides: one at a time.
  if (searching)
    co_return refusal(429,
                      {"api.busy", "another verdict is being looked for now", {}, "ask again in a moment"});
  const Held held(searching);
  const uint64_t size = records.ledger().size();
  std::optional<Json> found;
  TakenBack taken_back;
  for (uint64_t skip = 0; !found && skip < std::min(size, kLookBackMax); skip += kLookBackSlice) {
    found = find_verdict(records.ledger(), request.name, size, skip, kLookBackSlice, taken_back);
    co_await switchboard.loop().sleep(Millis(0));
  }
  // What was done under a verdict is recorded after it: it says who did what, the verdict's own entry why.
  if (found && found->find("permit") == nullptr) {
    const uint64_t begin = size - static_cast<uint64_t>(found->find("index")->integer());
    std::optional<Json> why;
    for (uint64_t skip = begin; !why && skip < std::min(size, begin + kLookBackMore);
         skip += kLookBackSlice) {
      why = find_verdict(records.ledger(), request.name, size, skip, kLookBackSlice, taken_back);
      co_await switchboard.loop().sleep(Millis(0));
    }
    if (why)
      for (Json::Member& part : why->members())
        if (found->find(part.first) == nullptr) found->set(part.first, std::move(part.second));
  }
  if (!found) co_return not_found("no verdict of that id is in the newest part of the ledger", "ledger show");
  co_return Answer{200, *found};
}

// Durable before anybody sees what is shown: who looked, under which verdict.
ledger::Record LedgerCalls::disclosure(const coalition::Person& who,
                                       const coalition::Verdict& verdict) const {
  ledger::Record leaf{.event_class = "ledger.disclosed", .time = clock.now(), .fields = {}};
  leaf.fields.emplace_back("who", who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  return leaf;
}

net::Task<Answer> LedgerCalls::show_tail(ApiRequest request) {
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::view, coalition::NodeRef{self}, "read the ledger", verdict))
    co_return *no;
  uint64_t last = 20;
  bool disclose = false;
  const Result<net::Pairs> query = net::parse_form(request.query);
  if (query) {
    if (const std::string* text = net::find_pair(*query, "last")) {
      std::from_chars(text->data(), text->data() + text->size(), last);
    }
    const std::string* wanted = net::find_pair(*query, "disclose");
    disclose = wanted != nullptr && *wanted == "1";
  }
  last = std::min(last, disclose ? kDisclosedTailMax : kTailMax);
  if (disclose) {
    ledger::Record leaf = disclosure(request.by.who, verdict);
    leaf.fields.emplace_back("newest", static_cast<int64_t>(last));
    leaf.fields.emplace_back("size", static_cast<int64_t>(records.ledger().size()));
    const Result<void> recorded = co_await api.record(std::move(leaf), false);
    if (!recorded) co_return refusal(status_of(recorded.error()), recorded.error());
  }
  co_return Answer{200, ledger_tail(records.ledger(), last, disclose)};
}

// One entry with all its fields as a disclosure: what is shown can be checked by whoever is shown it.
net::Task<Answer> LedgerCalls::show_entry(ApiRequest request) {
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::view, coalition::NodeRef{self},
                            "read ledger entry " + request.name, verdict))
    co_return *no;
  uint64_t index = 0;
  const char* const end = request.name.data() + request.name.size();
  const auto read = std::from_chars(request.name.data(), end, index);
  const bool known = read.ec == std::errc() && read.ptr == end && index < records.ledger().size();
  if (!known) co_return not_found(fmt::format("the ledger has no entry {}", request.name), "ledger show");
  const Result<ledger::Record> found = records.ledger().record(index);
  if (!found) co_return refusal(503, found.error());
  std::vector<std::string> fields;
  for (const auto& [name, value] : found->fields) fields.push_back(name);
  const Result<ledger::Disclosure> entry = records.ledger().disclose(index, fields);
  if (!entry) co_return refusal(503, entry.error());
  ledger::Record leaf = disclosure(request.by.who, verdict);
  leaf.fields.emplace_back("index", static_cast<int64_t>(index));
  const Result<void> recorded = co_await api.record(std::move(leaf), false);
  if (!recorded) co_return refusal(status_of(recorded.error()), recorded.error());
  co_return Answer{200, entry->json()};
}

}  // namespace entente::node
