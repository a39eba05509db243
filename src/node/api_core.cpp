#include "node/api_core.h"

#include "base/log.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"

#include <chrono>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr Seconds kWriteMax{30};
constexpr Seconds kNarrowingMax{5};  // then it is said that it is fenced and not yet durable

}  // namespace

ApiCore::ApiCore(const Api::Parts& parts) : parts_(parts) {}

std::optional<Answer> ApiCore::refused(const ApiRequest& request, coalition::Action action,
                                       coalition::Target target, std::string purpose,
                                       coalition::Verdict& verdict) {
  return refused_at(parts_.decisions.now(), request, action, std::move(target), std::move(purpose), verdict);
}

std::optional<Answer> ApiCore::refused_at(Instant now, const ApiRequest& request, coalition::Action action,
                                          coalition::Target target, std::string purpose,
                                          coalition::Verdict& verdict) {
  const std::string on = coalition::target_text(target);
  if (request.preview) purpose = "preview of: " + purpose;
  const coalition::Ask ask = operator_ask(request.by, action, std::move(target), purpose, now);
  verdict = coalition::decide(parts_.records.world(), ask);
  ledger::Record record =
      verdict_record(verdict, request.by.who, action_name(action), ask.context, parts_.clock.now());
  record.fields.emplace_back("target", on);
  record.fields.emplace_back("purpose", purpose);
  record_look(request, std::move(record));
  if (verdict.permit) return std::nullopt;
  std::string why = "an operator may not do this here";
  std::string change;
  for (const coalition::Reason& reason : verdict.reasons) {
    if (!reason.text.empty()) why = reason.text;
    if (!reason.change.empty()) change = reason.change;
  }
  return refusal(403,
                 {"operator.denied", fmt::format("{} (verdict {})", why, verdict.id.text()), {}, change});
}

std::optional<Answer> ApiCore::may_not_view(const ApiRequest& request, std::string purpose) {
  return may_not_view(request, std::move(purpose), coalition::NodeRef{parts_.self});
}

std::optional<Answer> ApiCore::may_not_view(const ApiRequest& request, std::string purpose,
                                            coalition::Target target) {
  coalition::Verdict verdict;
  return refused(request, coalition::Action::view, std::move(target), std::move(purpose), verdict);
}

void ApiCore::record_look(const ApiRequest& request, ledger::Record record) {
  if (request.look) {
    ++request.look->under_way;
    request.look->done.clear();  // an earlier leaf of the same request may be on the disk already
  }
  parts_.records.append({std::move(record)}, false,
                        [look = request.look](const Result<ledger::Appended>& appended) {
                          if (!appended)
                            log(LogLevel::error, "node", "an operator's verdict is not in the ledger",
                                {{"error", appended.error().text()}});
                          if (!look) return;
                          if (!appended) look->why_not = appended.error();
                          if (--look->under_way == 0) look->done.set();
                        });
}

net::Task<Answer> ApiCore::change(ApiRequest request, Change change, Words words) {
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

Answer ApiCore::changed(const Result<Outcome>& outcome, const Words& words, bool narrowing) {
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

net::Task<Result<void>> ApiCore::record(ledger::Record leaf, bool narrowing) {
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

}  // namespace entente::node
