#include "exchange/session.h"

#include <fmt/core.h>

namespace entente::exchange {

using coalition::Refusal;

std::string_view side_name(Side side) {
  switch (side) {
    case Side::local:
      return "local";
    case Side::home:
      return "home";
    case Side::host:
      return "host";
  }
  return "";
}

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::asking:
      return "asking";
    case Stage::recording:
      return "recording";
    case Stage::live:
      return "live";
  }
  return "";
}

Ending said_by_partner(Ending ending) {
  ending.by_partner = true;
  return ending;
}

std::string_view ending_title(Refusal which) {
  switch (which) {
    case Refusal::none:
    case Refusal::denied:
      return "This is not open to you";
    case Refusal::credential_dead:
      return "Your sign-in is no longer good";
    case Refusal::app_down:
      return "The app cannot be reached now";
    case Refusal::lease_ended:
      return "The connection to the other nation was lost";
  }
  return "";
}

Ending app_down(std::string what, std::string change) {
  return {.which = Refusal::app_down, .what = std::move(what), .change = std::move(change)};
}

Ending ending_of(const coalition::Verdict& verdict) {
  const coalition::Verdict seen = coalition::shown(verdict);
  Ending ending;
  ending.which = seen.refusal == Refusal::none ? Refusal::denied : seen.refusal;
  ending.verdict = verdict.id;
  for (const coalition::Reason& reason : verdict.reasons) {
    if (!ending.policies.empty()) ending.policies += ' ';
    ending.policies += fmt::format("{}:{}", coalition::layer_name(reason.layer), reason.policy);
  }
  if (!seen.reasons.empty()) {
    ending.what = seen.reasons.front().text;
    ending.change = seen.reasons.front().change;
    ending.who = seen.reasons.front().who_decides;
  }
  if (ending.what.empty()) ending.what = "No rule permits this.";
  ending.terms = seen.terms;
  return ending;
}

Json ending_json(const Ending& ending) {
  Json json = Json::object({{"refusal", coalition::refusal_name(ending.which)}, {"what", ending.what}});
  if (!ending.change.empty()) json.set("change", ending.change);
  if (!ending.who.empty()) json.set("who", ending.who);
  if (!ending.verdict.empty()) json.set("verdict", ending.verdict.text());
  if (!ending.policies.empty()) json.set("policies", ending.policies);
  return json;
}

Pass pass_of(const Session& session) {
  return {.id = session.id,
          .side = session.side,
          .partner = session.partner,
          .app = session.app,
          .at_host = session.at_host,
          .who = session.who,
          .context = session.context,
          .obligations = session.verdict.obligations,
          .purpose = session.purpose,
          .binding = session.binding,
          .connector = session.connector,
          .entered_by = session.entered_by,
          .gate = session.gate,
          .edition = session.gate ? session.gate->edition() : 0,
          .memo = std::make_shared<PassMemo>()};
}

coalition::Ask ask_of(const Pass& pass, VerdictId id, Instant now) {
  return {.id = std::move(id),
          .action = coalition::Action::open,
          .who = pass.who,
          .target = pass.app,
          .now = now,
          .context = pass.context,
          .http = std::nullopt,
          .purpose = pass.purpose,
          .inside = true,
          .entered_by = pass.entered_by};
}

}  // namespace entente::exchange
