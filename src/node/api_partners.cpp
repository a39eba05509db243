// Nations: how each stands with this one, shutting one out and letting it in again.
#include "base/fields.h"
#include "coalition/words.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/operators.h"

#include <variant>

#include <fmt/format.h>

namespace entente::node {
namespace {

// Two nations are isolated by one of them, at its own node: the one of two that is not this node's.
std::variant<PartnerCode, Answer> other_of_pair(const coalition::World& world, const PartnerCode& one,
                                                const PartnerCode& two) {
  for (const PartnerCode& code : {one, two}) {
    if (world.partner(code) == nullptr)
      return not_found(fmt::format("{} is no partner here", code.text()), "partner list");
  }
  const PartnerCode& self = world.self();
  if (one != two && (one == self || two == self)) return one == self ? two : one;
  const auto named = [&](const PartnerCode& code) {
    return fmt::format("{} ({})", world.partner(code)->name, code.text());
  };
  return refusal(
      409,
      {"api.not-of-the-pair",
       fmt::format("this is the node of {}, which is not one of two different nations here", named(self)),
       "with",
       one == two
           ? "name this node's nation and another"
           : fmt::format("an operator of {} or of {} can do it, at their own node", named(one), named(two))});
}

struct Pair {
  PartnerCode other;  // the one that is not this node's
  std::string reason;
};

std::variant<Pair, Answer> read_pair(const coalition::World& world, std::string_view name, const Json& body,
                                     bool preview) {
  Fields fields(body, "");
  std::string with = fields.text("with", 16);
  std::string reason = take_reason(fields, preview);
  const Result<void> read = fields.done();
  if (!read) return refusal(400, read.error());
  auto other = other_of_pair(world, PartnerCode(std::string(name)), PartnerCode(std::move(with)));
  if (auto* no = std::get_if<Answer>(&other)) return std::move(*no);
  return Pair{std::get<PartnerCode>(std::move(other)), std::move(reason)};
}

struct PartnerCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  exchange::AccessDesk& access;
  const Clock& clock;
  const Clock& decisions;
  PartnerCode self;
  std::function<std::vector<LinkState>()> links;

  net::Task<Answer> list(ApiRequest request);
  net::Task<Answer> suspend(ApiRequest request);
  net::Task<Answer> resume(ApiRequest request);
  net::Task<Answer> isolate(ApiRequest request);
  net::Task<Answer> rejoin(ApiRequest request);
  net::Task<Answer> readmit(ApiRequest request, PartnerCode partner, Change change, ApiCore::Words words);
};

}  // namespace

std::vector<ApiRoute> partners_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(PartnerCalls{api, parts.records, parts.switchboard, parts.access, parts.clock,
                                parts.decisions, parts.self, parts.links},
                   {
                       {"GET", "/v1/partners", &PartnerCalls::list},
                       {"POST", "/v1/partners/{}/suspend", &PartnerCalls::suspend, preview},
                       {"POST", "/v1/partners/{}/resume", &PartnerCalls::resume},
                       {"POST", "/v1/partners/{}/isolate", &PartnerCalls::isolate, preview},
                       {"POST", "/v1/partners/{}/rejoin", &PartnerCalls::rejoin},
                   });
}

net::Task<Answer> PartnerCalls::list(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list partners")) co_return *no;
  Json out = Json::array();
  const std::vector<LinkState> states = links();
  for (const coalition::Partner* partner : records.world().partners()) {
    int64_t sessions = 0;
    for (const exchange::Session* session : switchboard.core().sessions()) {
      if (session->partner == partner->code) ++sessions;
    }
    std::string link = partner->code == self ? "self" : "down";
    for (const LinkState& state : states) {
      if (state.partner != partner->code) continue;
      link = state.asking && state.serving ? "both ways"
             : state.asking                ? "asking"
             : state.serving               ? "serving"
                                           : "down";
    }
    const coalition::Partner* durable = records.durable_world().partner(partner->code);
    const bool fenced = !partner->is_open() || switchboard.core().fenced(partner->code);
    const std::optional<std::string> by_them = switchboard.core().told_shut(partner->code);
    out.push(Json::object({{"code", partner->code.text()},
                           {"name", partner->name},
                           {"state", durable != nullptr && !durable->is_open() ? shut_name(*durable)
                                     : fenced                                  ? "fenced"
                                                                               : "active"},
                           {"reason", partner->is_open() && by_them ? *by_them : shut_reason(*partner)},
                           {"member_until", rfc3339(partner->member_until)},
                           {"link", link},
                           {"sessions", sessions}}));
  }
  co_return Answer{200, Json::object({{"partners", std::move(out)}})};
}

net::Task<Answer> PartnerCalls::suspend(ApiRequest request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (records.world().partner(code) == nullptr || code == self)
    co_return not_found(fmt::format("{} is no partner of this node", request.name), "partner list");
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, code, "suspend: " + *reason, verdict))
    co_return *no;
  ApiCore::Words words{code.text(), code.text() + " is suspended", verdict.id, clock.now()};
  Answer answer =
      co_await api.change(request,
                          partner_state_change(records.world(), code, coalition::PartnerState::suspended,
                                               *reason, request.by.who, verdict, clock.now()),
                          std::move(words));
  co_return answer;
}

net::Task<Answer> PartnerCalls::resume(ApiRequest request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (records.world().partner(code) == nullptr || code == self)
    co_return not_found(fmt::format("{} is no partner of this node", request.name), "partner list");
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, code, "resume: " + *reason, verdict))
    co_return *no;
  // Whoever is inside would have to sign in again, for nothing.
  if (records.world().partner(code)->state == coalition::PartnerState::active)
    co_return refusal(409, {"partner.unchanged", code.text() + " is not suspended", code.text(),
                            "its people go on as they are; `partner list` shows how each stands"});
  Change change = partner_state_change(records.world(), code, coalition::PartnerState::active, *reason,
                                       request.by.who, verdict, decisions.now());
  const bool apart = !records.world().partner(code)->isolated.empty();
  ApiCore::Words words{
      code.text(),
      code.text() + (apart ? " is suspended no more; it is isolated still, and nobody gets in"
                           : " is active again; its people must sign in again"),
      verdict.id, clock.now()};
  Answer answer = co_await readmit(std::move(request), code, std::move(change), std::move(words));
  co_return answer;
}

net::Task<Answer> PartnerCalls::isolate(ApiRequest request) {
  const auto read = read_pair(records.world(), request.name, request.body, request.preview);
  if (const auto* no = std::get_if<Answer>(&read)) co_return *no;
  const Pair& pair = std::get<Pair>(read);
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::administer, pair.other, "isolate: " + pair.reason, verdict))
    co_return *no;
  ApiCore::Words words{pair.other.text(),
                       fmt::format("{} and {} are isolated from each other", self.text(), pair.other.text()),
                       verdict.id, clock.now()};
  Answer answer = co_await api.change(
      request,
      isolation_change(records.world(), pair.other, pair.reason, true, request.by.who, verdict, clock.now()),
      std::move(words));
  co_return answer;
}

net::Task<Answer> PartnerCalls::rejoin(ApiRequest request) {
  const auto read = read_pair(records.world(), request.name, request.body, request.preview);
  if (const auto* no = std::get_if<Answer>(&read)) co_return *no;
  const Pair& pair = std::get<Pair>(read);
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::administer, pair.other, "rejoin: " + pair.reason, verdict))
    co_return *no;
  if (records.world().partner(pair.other)->isolated.empty())
    co_return refusal(
        409, {"partner.unchanged",
              fmt::format("{} and {} are not isolated from each other", self.text(), pair.other.text()),
              pair.other.text(), "their people go on as they are; `partner list` shows how each stands"});
  Change change = isolation_change(records.world(), pair.other, pair.reason, false, request.by.who, verdict,
                                   decisions.now());
  ApiCore::Words words{
      pair.other.text(),
      fmt::format("{} and {} {}", self.text(), pair.other.text(),
                  records.world().partner(pair.other)->state == coalition::PartnerState::active
                      ? "may meet again; their people must sign in again"
                      : "are isolated no more; suspended as it is, nobody of it gets in"),
      verdict.id, clock.now()};
  PartnerCode other = pair.other;
  Answer answer = co_await readmit(std::move(request), std::move(other), std::move(change), std::move(words));
  co_return answer;
}

// What people of that nation were given before opens nothing (decide() says so): lists and pages must not say
// that it does.
net::Task<Answer> PartnerCalls::readmit(ApiRequest request, PartnerCode partner, Change change,
                                        ApiCore::Words words) {
  // What shut it out meanwhile is not undone by a decision made before it. What never became durable is given
  // up by this.
  Result<store::Precondition> seen = records.as_seen("partner/" + partner.text());
  if (!seen) co_return refusal(status_of(seen.error()), seen.error());
  change.preconditions.push_back(*std::move(seen));
  const exchange::AccessDesk::Closing closing =
      access.closing(partner, fmt::format("It ended when {} was shut out. Ask again.",
                                          coalition::partner_text(records.world(), partner)));
  for (const coalition::Record& record : closing.records) change.records.push_back(record);
  Answer answer = co_await api.change(request, std::move(change), std::move(words));
  if (!request.preview && answer.status == 200) access.closed(closing);
  co_return answer;
}

}  // namespace entente::node
