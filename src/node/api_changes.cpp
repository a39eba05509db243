// What operators change. Each is asked of decide(), committed, and answered in one way.
#include "base/fields.h"
#include "base/log.h"
#include "base/text.h"
#include "coalition/words.h"
#include "crypto/digest.h"
#include "node/api_answers.h"
#include "node/operators.h"
#include "node/preview.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kLineBytesMax = 1000;
constexpr Seconds kWriteMax{30};
constexpr Seconds kNarrowingMax{5};  // then it is said that it is fenced and not yet durable

}  // namespace

Api::Answer refusal(int status, const Error& error) {
  return {status, Json::object({{"error", Json::object({{"code", error.code()},
                                                        {"what", error.what()},
                                                        {"where", error.where()},
                                                        {"hint", error.hint()}})}})};
}

Api::Answer not_found(std::string what, std::string_view see) {
  return refusal(404, {"api.not-found", std::move(what), {}, fmt::format("see `entente {}`", see)});
}

Json round_trip_json(int64_t round_trip_us) {
  if (round_trip_us == 0) return Json();
  // Pings are measured in whole milliseconds.
  if (round_trip_us < 1'000) return Json("< 1 ms");
  return Json(fmt::format("{:.1f} ms", static_cast<double>(round_trip_us) / 1'000));
}

// Which status an error of a change deserves: 400 for what is none, 409 for what is not so, 507 for no space,
// 503 for what may work later.
int status_of(const Error& error) {
  struct Known {
    std::string_view code;  // "x." stands for all of that kind
    int status;
  };
  static constexpr Known kKnown[] = {
      {"access.value", 400},       {"access.refused", 403}, {"access.unknown", 404},
      {"access.over", 409},        {"access.changed", 409}, {"access.full", 409},
      {"access.waits", 409},       {"mission.", 409},       {"access.not-by-grant", 409},
      {"coalition.", 409},         {"field.", 409},         {"store.precondition", 409},
      {"access.crowded", 503},     {"store.full", 507},     {"ledger.full", 507},
      {"node.not-taken-back", 507}};
  for (const auto& [code, status] : kKnown)
    if (code.ends_with('.') ? error.code().starts_with(code) : error.code() == code) return status;
  return 503;
}

std::string take_line(Fields& fields, std::string_view name) {
  std::string line = fields.text(name, kLineBytesMax);
  if (!is_line(line) || line.find_first_not_of(' ') == std::string::npos)
    fields.wrong(name, "this is no text that can be shown", "write one line of text");
  return line;
}

std::string take_reason(Fields& fields, bool preview) {
  return preview && !fields.has("reason") ? "no reason yet" : take_line(fields, "reason");
}

Result<std::string> read_reason(const Json& body, bool preview) {
  Fields fields(body, "");
  std::string reason = take_reason(fields, preview);
  TRY_VOID(fields.done());
  return reason;
}

// Two nations are isolated by one of them, at its own node: the one of two that is not this node's.
std::variant<PartnerCode, Api::Answer> other_of_pair(const coalition::World& world, const PartnerCode& one,
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

std::variant<Pair, Api::Answer> read_pair(const coalition::World& world, std::string_view name,
                                          const Json& body, bool preview) {
  Fields fields(body, "");
  std::string with = fields.text("with", 16);
  std::string reason = take_reason(fields, preview);
  const Result<void> read = fields.done();
  if (!read) return refusal(400, read.error());
  auto other = other_of_pair(world, PartnerCode(std::string(name)), PartnerCode(std::move(with)));
  if (auto* no = std::get_if<Api::Answer>(&other)) return std::move(*no);
  return Pair{std::get<PartnerCode>(std::move(other)), std::move(reason)};
}

// Commits and answers, for every change alike. A narrowing one acts when this is called, whatever the disk
// says: then the answer is "fenced, not yet durable".
net::Task<Api::Answer> Api::change(Request request, Change change, Words words) {
  if (request.preview) {
    std::vector<coalition::Record> records = std::move(change.records);
    co_return co_await previewed(std::move(request), std::move(records));
  }
  const bool narrowing = change.narrowing;
  const Tick decided = parts_.clock.tick();
  auto done = std::make_shared<net::Event>(parts_.switchboard.loop());
  auto answer = std::make_shared<std::optional<Result<Outcome>>>();
  parts_.records.commit(std::move(change), [done, answer](Result<Outcome> outcome) {
    *answer = std::move(outcome);
    done->set();
  });
  const auto seen = narrowing ? parts_.switchboard.seen_by_all() : nullptr;
  const bool heard = co_await done->wait(narrowing ? kNarrowingMax : kWriteMax);
  if (seen) {
    // Said only when no loop can be between a look at a gate and its write.
    const bool all = co_await seen->done.wait(exchange::Switchboard::kSeenMax);
    if (!all) log(LogLevel::error, "node", "a loop does not go on", {});
    if (answer->has_value() && **answer) {
      const Tick held = all ? seen->at : parts_.clock.tick();
      (**answer)->held_us = std::chrono::duration_cast<std::chrono::microseconds>(held - decided);
    }
  }
  if (heard && answer->has_value()) co_return changed(**answer, words, narrowing);
  const Error slow{"node.slow",
                   "it is not known yet whether the change was written",
                   {},
                   "look whether it is there; see `entente doctor`"};
  if (!narrowing) co_return refusal(503, slow);
  Outcome waiting;
  waiting.durable = false;
  waiting.why = slow;
  co_return changed(waiting, words, narrowing);
}

Api::Answer Api::changed(const Result<Outcome>& outcome, const Words& words, bool narrowing) const {
  if (!outcome) return refusal(status_of(outcome.error()), outcome.error());
  Json body = Json::object({{"durable", outcome->durable}, {"verdict", words.verdict.text()}});
  if (outcome->revision.value != 0) body.set("revision", outcome->revision.value);
  const size_t ended = outcome->held;
  if (narrowing) {
    body.set("sessions", static_cast<int64_t>(ended));
    body.set("fenced_at", rfc3339(words.decided));
    body.set("held_us", int64_t{outcome->held_us.count()});
  }
  if (outcome->durable) {
    std::string text = words.done;
    if (narrowing && ended != 0) text += fmt::format(", {} session{} ended", ended, ended == 1 ? "" : "s");
    if (outcome->revision.value != 0) text += fmt::format(", revision {}", outcome->revision.value);
    body.set("text", std::move(text));
    return {200, std::move(body)};
  }
  const Error error = not_durable(words.what, outcome->why);
  body.set("text", error.what());
  body.set("fenced", true);
  Answer answer = refusal(507, error);
  for (Json::Member& member : answer.body.members()) body.set(member.first, std::move(member.second));
  return {507, std::move(body)};
}

net::Task<Api::Answer> Api::suspend_partner(Request request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (parts_.records.world().partner(code) == nullptr || code == parts_.self)
    co_return not_found(fmt::format("{} is no partner of this node", request.name), "partner list");
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, code, "suspend: " + *reason, verdict))
    co_return *no;
  Words words{code.text(), code.text() + " is suspended", verdict.id, parts_.clock.now()};
  Answer answer =
      co_await change(request,
                      partner_state_change(parts_.records.world(), code, coalition::PartnerState::suspended,
                                           *reason, request.by.who, verdict, parts_.clock.now()),
                      std::move(words));
  co_return answer;
}

net::Task<Api::Answer> Api::resume_partner(Request request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (parts_.records.world().partner(code) == nullptr || code == parts_.self)
    co_return not_found(fmt::format("{} is no partner of this node", request.name), "partner list");
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, code, "resume: " + *reason, verdict))
    co_return *no;
  // Whoever is inside would have to sign in again, for nothing.
  if (parts_.records.world().partner(code)->state == coalition::PartnerState::active)
    co_return refusal(409, {"partner.unchanged", code.text() + " is not suspended", code.text(),
                            "its people go on as they are; `partner list` shows how each stands"});
  Change change = partner_state_change(parts_.records.world(), code, coalition::PartnerState::active, *reason,
                                       request.by.who, verdict, parts_.decisions.now());
  const bool apart = !parts_.records.world().partner(code)->isolated.empty();
  Words words{code.text(),
              code.text() + (apart ? " is suspended no more; it is isolated still, and nobody gets in"
                                   : " is active again; its people must sign in again"),
              verdict.id, parts_.clock.now()};
  Answer answer = co_await readmit(std::move(request), code, std::move(change), std::move(words));
  co_return answer;
}

// What people of that nation were given before opens nothing (decide() says so): lists and pages must not say
// that it does.
net::Task<Api::Answer> Api::readmit(Request request, PartnerCode partner, Change change, Words words) {
  // What shut it out meanwhile is not undone by a decision made before it. What never became durable is given
  // up by this.
  Result<store::Precondition> seen = parts_.records.as_seen("partner/" + partner.text());
  if (!seen) co_return refusal(status_of(seen.error()), seen.error());
  change.preconditions.push_back(*std::move(seen));
  const exchange::AccessDesk::Closing closing =
      parts_.access.closing(partner, fmt::format("It ended when {} was shut out. Ask again.",
                                                 coalition::partner_text(parts_.records.world(), partner)));
  for (const coalition::Record& record : closing.records) change.records.push_back(record);
  Answer answer = co_await this->change(request, std::move(change), std::move(words));
  if (!request.preview && answer.status == 200) parts_.access.closed(closing);
  co_return answer;
}

net::Task<Api::Answer> Api::isolate_partner(Request request) {
  const auto read = read_pair(parts_.records.world(), request.name, request.body, request.preview);
  if (const auto* no = std::get_if<Answer>(&read)) co_return *no;
  const Pair& pair = std::get<Pair>(read);
  coalition::Verdict verdict;
  if (auto no =
          refused(request, coalition::Action::administer, pair.other, "isolate: " + pair.reason, verdict))
    co_return *no;
  Words words{pair.other.text(),
              fmt::format("{} and {} are isolated from each other", parts_.self.text(), pair.other.text()),
              verdict.id, parts_.clock.now()};
  Answer answer = co_await change(request,
                                  isolation_change(parts_.records.world(), pair.other, pair.reason, true,
                                                   request.by.who, verdict, parts_.clock.now()),
                                  std::move(words));
  co_return answer;
}

net::Task<Api::Answer> Api::rejoin_partner(Request request) {
  const auto read = read_pair(parts_.records.world(), request.name, request.body, request.preview);
  if (const auto* no = std::get_if<Answer>(&read)) co_return *no;
  const Pair& pair = std::get<Pair>(read);
  coalition::Verdict verdict;
  if (auto no =
          refused(request, coalition::Action::administer, pair.other, "rejoin: " + pair.reason, verdict))
    co_return *no;
  if (parts_.records.world().partner(pair.other)->isolated.empty())
    co_return refusal(
        409,
        {"partner.unchanged",
         fmt::format("{} and {} are not isolated from each other", parts_.self.text(), pair.other.text()),
         pair.other.text(), "their people go on as they are; `partner list` shows how each stands"});
  Change change = isolation_change(parts_.records.world(), pair.other, pair.reason, false, request.by.who,
                                   verdict, parts_.decisions.now());
  Words words{pair.other.text(),
              fmt::format("{} and {} {}", parts_.self.text(), pair.other.text(),
                          parts_.records.world().partner(pair.other)->state == coalition::PartnerState::active
                              ? "may meet again; their people must sign in again"
                              : "are isolated no more; suspended as it is, nobody of it gets in"),
              verdict.id, parts_.clock.now()};
  PartnerCode other = pair.other;
  Answer answer = co_await readmit(std::move(request), std::move(other), std::move(change), std::move(words));
  co_return answer;
}

net::Task<Api::Answer> Api::withdraw_app(Request request) {
  const coalition::AppRef ref{parts_.self, AppId(request.name)};
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (parts_.records.world().app(ref) == nullptr)
    co_return not_found(fmt::format("this node has no app {}", request.name), "app list");
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{parts_.self},
                        "withdraw " + request.name + ": " + *reason, verdict))
    co_return *no;
  Words words{request.name, request.name + " is withdrawn", verdict.id, parts_.clock.now()};
  Answer answer = co_await change(
      request,
      app_withdrawal(parts_.records.world(), ref, *reason, request.by.who, verdict, parts_.clock.now()),
      std::move(words));
  co_return answer;
}

net::Task<Api::Answer> Api::cut_connector(Request request) {
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  const coalition::World& world = parts_.records.world();
  if (world.connector(ConnectorId(request.name)) == nullptr &&
      world.raw(enrolment_key(request.name)) == nullptr)
    co_return not_found(fmt::format("this node knows no connector {}", request.name), "connector list");
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{parts_.self},
                        "cut connector " + request.name + ": " + *reason, verdict))
    co_return *no;
  Words words{request.name,
              request.name + " is cut: neither its certificate nor a token counts for anything here",
              verdict.id, parts_.clock.now()};
  Answer answer = co_await change(
      request, connector_cut(request.name, *reason, request.by.who, verdict, parts_.clock.now()),
      std::move(words));
  co_return answer;
}

net::Task<Api::Answer> Api::cut_session(Request request) {
  const SessionId id(request.name);
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (parts_.switchboard.core().session(id) == nullptr)
    co_return not_found("there is no such session now", "session ls");
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{parts_.self},
                        "cut session: " + *reason, verdict))
    co_return *no;
  if (request.preview) {
    const exchange::Session& session = *parts_.switchboard.core().session(id);
    Foreseen counted;
    const bool inside = session.stage == exchange::Stage::live;
    (inside ? counted.sessions : counted.admissions).add(session.who.partner);
    co_return foreseen(request, counted);
  }
  exchange::Ending ending;
  ending.which = coalition::Refusal::denied;
  ending.what = fmt::format("An operator ended this session: {}", *reason);
  ending.change = "It can be opened again where policies let you; its operators know more.";
  ending.who = coalition::partner_text(parts_.records.world(), parts_.self);
  ending.verdict = verdict.id;
  ending.policies = request.by.who.id.text();  // so that the ending's own leaf, which is kept for a disk that
                                               // comes back, says who it was
  parts_.switchboard.close(id, std::move(ending));  // at once; then it is said when it is on the disk
  ledger::Record leaf{.event_class = "session.cut", .time = parts_.clock.now(), .fields = {}};
  leaf.fields.emplace_back("session", id.text());
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  Outcome outcome;
  outcome.held = 1;
  const auto seen = parts_.switchboard.seen_by_all();
  const Result<void> recorded = co_await record(std::move(leaf));
  const bool all = co_await seen->done.wait(exchange::Switchboard::kSeenMax);
  if (!all) log(LogLevel::error, "node", "a loop does not go on", {});
  outcome.durable = recorded.has_value();
  if (!recorded) outcome.why = recorded.error();
  co_return changed(outcome, {"the session", "the session is cut", verdict.id, parts_.clock.now()}, true);
}

net::Task<Result<void>> Api::record(ledger::Record leaf, bool narrowing) {
  auto done = std::make_shared<net::Event>(parts_.switchboard.loop());
  auto answer =
      std::make_shared<Result<void>>(fail("node.slow", "it is not known yet whether the record was written",
                                          {}, "look at the disk; see `entente doctor`"));
  std::vector<ledger::Record> leaves;
  leaves.push_back(std::move(leaf));
  parts_.records.append(std::move(leaves), narrowing,
                        [done, answer](const Result<ledger::Appended>& appended) {
                          *answer = appended ? Result<void>() : Result<void>(Failure(appended.error()));
                          done->set();
                        });
  [[maybe_unused]] const bool heard = co_await done->wait(kNarrowingMax);
  co_return std::move(*answer);
}

net::Task<Api::Answer> Api::add_connector(Request request) {
  Fields fields(request.body, "");
  const std::string id = fields.text("id", 63);
  const std::vector<std::string> apps = fields.texts("apps", 64);
  const std::vector<std::string> nations = fields.texts_or_none("for", 64);
  const int64_t days = fields.integer_or("days", 90, 1, 400);
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{parts_.self},
                        "expect connector " + id, verdict))
    co_return *no;
  const Result<void> known = check_connector(parts_.records.world(), id, apps, nations);
  if (!known) co_return refusal(400, known.error());
  const std::string token = crypto::random_token(32);
  Words words{id, token, verdict.id, parts_.clock.now()};
  Answer answer = co_await change(request,
                                  enrolment_change(id, apps, nations, std::chrono::days(days), token,
                                                   request.by.who, verdict, parts_.clock.now()),
                                  std::move(words));
  if (answer.status == 200) {
    answer.body.set("text", token);
    answer.body.set("id", id);
    answer.body.set("token", token);
    answer.body.set("valid_until", rfc3339(parts_.clock.now() + kEnrolmentLife));
  }
  co_return answer;
}

}  // namespace entente::node
