// The node's clock, where it was ahead and was put right: how far decisions are ahead, and an operator's word
// that they may go by it again.
#include "base/log.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/clock.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

struct ClockCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  exchange::AccessDesk& access;
  const Clock& clock;
  PartnerCode self;
  std::function<void(const exchange::AccessDesk::Closing&)> put_right;

  net::Task<Answer> show(ApiRequest request);
  net::Task<Answer> accept(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> clock_routes(ApiCore& api, const Api::Parts& parts) {
  return routes_of(ClockCalls{api, parts.records, parts.switchboard, parts.access, parts.clock, parts.self,
                              parts.put_right},
                   {
                       {"GET", "/v1/clock", &ClockCalls::show},
                       {"POST", "/v1/clock/accept", &ClockCalls::accept},
                   });
}

net::Task<Answer> ClockCalls::show(ApiRequest request) {
  coalition::Verdict verdict;
  if (auto no = api.refused_at(clock.now(), request, coalition::Action::view, coalition::NodeRef{self},
                               "show clock", verdict))
    co_return *no;
  co_return Answer{200, Json::object({{"wall", rfc3339(clock.now())},
                                      {"decisions", rfc3339(switchboard.now())},
                                      {"ahead_s", int64_t{switchboard.ahead().count() / 1'000}}})};
}

// Written first: whatever a kill leaves, nothing that had ended begins again.
net::Task<Answer> ClockCalls::accept(ApiRequest request) {
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  coalition::Verdict verdict;
  // By the wall clock, which is to be right: else who ended by the wrong one could not say so.
  if (auto no = api.refused_at(clock.now(), request, coalition::Action::administer, coalition::NodeRef{self},
                               "accept the clock: " + *reason, verdict))
    co_return *no;
  const Millis ahead = switchboard.ahead();
  if (ahead == Millis(0))
    co_return refusal(409, {"clock.not-behind",
                            "decisions go by the wall clock: there is nothing to accept",
                            {},
                            "put the clock right first, if it is wrong"});
  const Instant now = clock.now();
  ledger::Record leaf{.event_class = std::string(exchange::kClockLeaf), .time = now, .fields = {}};
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  ledger::Record again = leaf;
  const std::string author = request.by.who.id.text();
  ClockStep step = clock_step(records.world(), access, switchboard.now(), now, std::move(leaf), author);
  let_in_from(records.world(), now, step.change);
  ApiCore::Words words;
  words.what = "the clock";
  words.done = fmt::format("decisions go on from {}, {} s less than they were at; everybody signs in again",
                           rfc3339(now), ahead.count() / 1'000);
  words.verdict = verdict.id;
  words.decided = now;
  Answer answer;
  if (step.change.records.empty()) {
    const Result<void> durable = co_await api.record(std::move(step.change.leaves.front()));
    answer =
        durable
            ? Answer{200,
                     Json::object({{"text", words.done}, {"durable", true}, {"verdict", verdict.id.text()}})}
            : refusal(status_of(durable.error()), durable.error());
  } else {
    answer = co_await api.change(request, std::move(step.change), std::move(words));
  }
  if (answer.status != 200 || switchboard.ahead() == Millis(0)) co_return answer;
  const Instant seen = switchboard.now();
  put_right(step.closing);
  // What came to be while that was written. A sign-in from meanwhile stands behind the first leaf, so there
  // is always a second: a start after a kill reads no further back than that.
  const Instant right = clock.now();
  ClockStep rest = clock_step(records.world(), access, seen, right, std::move(again), author);
  let_in_from(records.world(), right, rest.change);
  const auto once = [](const Error& why) {
    log(LogLevel::warning, "node", "that the clock was accepted is in the ledger once, not twice",
        {{"why", why.text()}});
  };
  if (!rest.change.records.empty()) {
    records.commit(std::move(rest.change), [once](const Result<Outcome>& outcome) {
      if (!outcome) once(outcome.error());
    });
    access.put_right(rest.closing);
    co_return answer;
  }
  const Result<void> last = co_await api.record(std::move(rest.change.leaves.front()));
  if (!last) once(last.error());
  co_return answer;
}

}  // namespace entente::node
