#include "exchange/kept.h"

#include "coalition/facts.h"

#include <algorithm>
#include <array>
#include <optional>

namespace entente::exchange {

namespace {

constexpr std::array<std::string_view, 10> kKinds{"admission", "ending",  "refusal", "session.cut",
                                                  "verdict",   "facts",   "sign-in", "sign-out",
                                                  "app-entry", "requests"};

std::string text_of(const Json& fields, std::string_view name) {
  return std::string(fields.text_or(name, ""));
}

// "app XAA/cop", as coalition::target_text() writes it.
std::optional<coalition::AppRef> app_of(std::string_view text) {
  constexpr std::string_view kBegin = "app ";
  if (!text.starts_with(kBegin)) return std::nullopt;
  text.remove_prefix(kBegin.size());
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return coalition::AppRef{PartnerCode(std::string(text.substr(0, slash))),
                           AppId(std::string(text.substr(slash + 1)))};
}

std::optional<Side> side_of(std::string_view text) {
  for (const Side side : {Side::local, Side::home, Side::host})
    if (text == side_name(side)) return side;
  return std::nullopt;
}

std::optional<coalition::Facts> facts_of(const Json& fields, std::string_view name) {
  const Json* found = fields.find(name);
  if (found == nullptr || !found->is_object()) return std::nullopt;
  Result<coalition::Facts> facts = coalition::facts_from_json(*found);
  return facts ? std::optional(*std::move(facts)) : std::nullopt;
}

}  // namespace

bool Recollection::reads(std::string_view kind) {
  return std::ranges::find(kKinds, kind) != kKinds.end() || kind == kRestartLeaf || kind == kClockLeaf;
}

bool Recollection::read_to(Instant at) {
  kept_.sign_outs_known_from = at;
  return false;
}

bool Recollection::take(std::string_view kind, Instant at, const Json& fields) {
  if (++read_ > kLeavesReadMax) return read_to(at);
  if (at < oldest_) {
    nothing_older_ = true;
    if (++older_ > kOlderReadMax) return read_to(oldest_);
  }
  if (kind == "sign-out") {
    signed_out(at, fields);
  } else if (kind == kClockLeaf) {
    // What is before the clock was put right has ended, and says a wrong time; a start by itself says nothing
    // of which of the two was right.
    if (fields.text_or("who", "") != "restart") return read_to(at);
    nothing_older_ = true;
  } else if (kind == kRestartLeaf) {
    // A start that let nothing go on: what was before it has ended.
    nothing_older_ = nothing_older_ || fields.text_or("kept", "") != "yes";
  } else if (nothing_older_) {
    return true;
  } else if (kind == "admission") {
    admission(at, fields);
  } else if (kind == "ending" || kind == "session.cut" ||
             (kind == "refusal" && fields.find("ending") != nullptr)) {  // else of one request inside
    if (SessionId id(text_of(fields, "session")); !id.empty()) ended_.insert(std::move(id));
  } else if (kind == "verdict" || kind == "facts") {
    asked(fields);
  } else if (kind == "requests") {
    counted(fields);
  } else if (kind == "sign-in") {
    signed_in(at, fields);
  } else if (kind == "app-entry") {
    entered(at, fields);
  }
  return true;
}

void Recollection::admission(Instant at, const Json& fields) {
  KeptSession one;
  one.id = SessionId(text_of(fields, "session"));
  const std::optional<Side> side = side_of(fields.text_or("side", ""));
  const std::optional<coalition::AppRef> app = app_of(fields.text_or("app", ""));
  if (one.id.empty() || !side || !app || !taken_.insert(one.id).second || ended_.contains(one.id)) return;
  one.side = *side;
  one.app = *app;
  one.partner = PartnerCode(text_of(fields, "partner"));
  one.who.id = PersonId(text_of(fields, "person"));
  one.who.partner = one.side == Side::host ? one.partner : self_;
  if (one.side != Side::host && kept_.sign_outs.contains(one.who.id)) return;
  if (const auto newer = asked_.find(one.id); newer != asked_.end()) {
    one.who.facts = std::move(newer->second.who);
    one.context = std::move(newer->second.context);
    asked_.erase(newer);
  } else {
    std::optional<coalition::Facts> facts = facts_of(fields, "facts");
    std::optional<coalition::Facts> context = facts_of(fields, "context");
    if (!facts || !context) return;
    one.who.facts = *std::move(facts);
    one.context = *std::move(context);
  }
  one.purpose = text_of(fields, "purpose");
  one.sign_in = text_of(fields, "sign_in");
  one.request = text_of(fields, "request");
  one.at_host = SessionId(text_of(fields, "at_host"));
  one.connector = ConnectorId(text_of(fields, "connector"));
  one.entered_by = RequestId(text_of(fields, "grant"));
  if (const Json* verdict = fields.find("verdict")) one.verdict = VerdictId(text_of(*verdict, "id"));
  if (const auto counted = requests_.find(one.id); counted != requests_.end()) one.requests = counted->second;
  one.admitted = at;
  if (tokens_gone_.contains(one.sign_in)) return;  // whoever signed out of it closed it
  const std::string cookie = text_of(fields, "cookie");
  if (!cookie.empty() && kept_.cookies.size() < kKeptSessionsMax)
    kept_.cookies.push_back({cookie, one.app, one.id, at + kAppCookieLife});
  if (kept_.sessions.size() < kKeptSessionsMax) kept_.sessions.push_back(std::move(one));
}

void Recollection::asked(const Json& fields) {
  const SessionId id(text_of(fields, "session"));
  if (id.empty() || ended_.contains(id) || asked_.contains(id)) return;
  std::optional<coalition::Facts> facts = facts_of(fields, "facts");
  std::optional<coalition::Facts> context = facts_of(fields, "context");
  if (!facts || !context) return;
  asked_.emplace(id, Asked{*std::move(facts), *std::move(context)});
}

void Recollection::counted(const Json& fields) {
  const Json* sessions = fields.find("sessions");
  if (sessions == nullptr || !sessions->is_array()) return;
  for (const Json& one : sessions->items()) {
    const Json* last = one.find("last");
    if (last == nullptr || !last->is_int() || last->integer() < 0) continue;
    // The greatest: a batch that the disk refused at first stands behind later ones.
    uint64_t& most = requests_[SessionId(text_of(one, "session"))];
    most = std::max(most, static_cast<uint64_t>(last->integer()));
  }
}

void Recollection::signed_in(Instant at, const Json& fields) {
  KeptSignIn one;
  one.token = text_of(fields, "token");
  one.who = {PersonId(text_of(fields, "person")), self_, {}};
  const bool gone =
      one.token.empty() || tokens_gone_.contains(one.token) || kept_.sign_outs.contains(one.who.id);
  if (std::string replaced = text_of(fields, "replaces"); !replaced.empty())
    tokens_gone_.insert(std::move(replaced));
  std::optional<coalition::Facts> facts = facts_of(fields, "facts");
  const Result<Instant> end = parse_rfc3339(fields.text_or("end", ""));
  if (gone || !facts || !end || kept_.sign_ins.size() >= kKeptSessionsMax) return;
  one.who.facts = *std::move(facts);
  one.at = at;
  one.end = std::min(*end, at + kSignInMost);
  kept_.sign_ins.push_back(std::move(one));
}

void Recollection::signed_out(Instant at, const Json& fields) {
  std::string token = text_of(fields, "token");
  const PersonId person(text_of(fields, "person"));
  if (!token.empty()) tokens_gone_.insert(std::move(token));
  if (fields.find("token") != nullptr || person.empty()) return;
  // Out of every browser.
  const Result<Instant> said = parse_rfc3339(fields.text_or("at", ""));
  Instant& last = kept_.sign_outs[person];
  last = std::max(last, said ? *said : at);
}

void Recollection::entered(Instant at, const Json& fields) {
  const std::optional<coalition::AppRef> app = app_of(fields.text_or("app", ""));
  const std::string token = text_of(fields, "cookie");
  const SessionId session(text_of(fields, "session"));
  if (!app || token.empty() || ended_.contains(session) || kept_.cookies.size() >= kKeptSessionsMax) return;
  kept_.cookies.push_back({token, *app, session, at + kAppCookieLife});
}

Kept Recollection::kept() && {
  std::erase_if(kept_.sessions, [this](const KeptSession& one) { return ended_.contains(one.id); });
  std::set<SessionId> live;
  for (const KeptSession& one : kept_.sessions) live.insert(one.id);
  std::erase_if(kept_.cookies, [&](const KeptCookie& one) { return !live.contains(one.session); });
  std::ranges::reverse(kept_.sessions);
  std::ranges::reverse(kept_.sign_ins);
  std::ranges::reverse(kept_.cookies);
  return std::move(kept_);
}

}  // namespace entente::exchange
