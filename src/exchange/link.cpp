#include "exchange/link.h"

#include "base/fields.h"

#include <algorithm>

namespace entente::exchange {

std::string_view way_name(Way way) {
  return way == Way::asking ? "asking" : "serving";
}

Numbering::Arrival Numbering::arrived(const link::Envelope& envelope) {
  if (envelope.epoch != epoch_) return Arrival::other_epoch;
  if (envelope.number <= received_) return Arrival::doubled;
  const bool next = envelope.number == received_ + 1;
  received_ = envelope.number;
  if (next && !missed_) return Arrival::next;
  missed_ = true;
  return Arrival::gap;
}

namespace link {

namespace {

constexpr size_t kIdBytesMax = 64;

std::string_view cut_to(std::string_view text) {
  if (text.size() <= kLinkTextBytesMax) return text;
  size_t end = kLinkTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return text.substr(0, end);
}

Json ids_json(const std::vector<SessionId>& ids) {
  Json::Array items;
  items.reserve(ids.size());
  for (const SessionId& id : ids) items.emplace_back(id.text());
  return items;
}

Json strings_json(const std::vector<std::string>& texts) {
  Json::Array items;
  for (const std::string& text : texts) items.emplace_back(text);
  return items;
}

void put_ending(Json& json, const Ending& ending) {
  json.set("refusal", coalition::refusal_name(ending.which));
  json.set("what", ending.what.empty() ? std::string_view("The session was ended.") : cut_to(ending.what));
  if (!ending.change.empty()) json.set("change", cut_to(ending.change));
  if (!ending.who.empty()) json.set("who", cut_to(ending.who));
  if (!ending.verdict.empty()) json.set("verdict", ending.verdict.text());
  if (ending.terms) {
    json.set("terms", Json::object({{"approvals", ending.terms->approvals},
                                    {"minutes", ending.terms->minutes},
                                    {"uses", ending.terms->uses}}));
  }
}

struct Body {
  Json& json;

  void operator()(const Hello& m) const {
    json.set("sessions", ids_json(m.sessions));
    if (m.statements != 0) json.set("statements", m.statements);
  }
  void operator()(const Pulse& m) const { json.set("at", m.at); }
  void operator()(const AskAdmission& m) const {
    json.set("request", m.request);
    json.set("statement", m.statement);
  }
  void operator()(const EndSession& m) const { json.set("session", m.session.text()); }
  void operator()(const ReplaceFacts& m) const { json.set("statement", m.statement); }
  void operator()(const ResentStatements& m) const { json.set("statements", strings_json(m.statements)); }
  void operator()(const Welcome& m) const {
    json.set("sessions", ids_json(m.sessions));
    json.set("held", ids_json(m.held));
    if (!m.vouch.empty()) json.set("vouch", ids_json(m.vouch));
  }
  void operator()(const Beat& m) const {
    json.set("echo", m.echo);
    json.set("now", rfc3339(m.now));
    json.set("revision", m.revision.value);
  }
  void operator()(const Answer& m) const {
    json.set("request", m.request);
    if (m.session.empty()) return put_ending(json, m.ending);
    json.set("session", m.session.text());
    json.set("valid_until", rfc3339(m.valid_until));
  }
  void operator()(const HeldNotice& m) const { json.set("sessions", ids_json(m.sessions)); }
  void operator()(const ReleasedNotice& m) const { json.set("sessions", ids_json(m.sessions)); }
  void operator()(const CutNotice& m) const {
    json.set("session", m.session.text());
    put_ending(json, m.ending);
  }
  void operator()(const PartnerNotice& m) const {
    constexpr std::string_view names[] = {"active", "fenced", "suspended"};
    json.set("state", names[static_cast<size_t>(m.state)]);
    if (!m.reason.empty()) json.set("reason", cut_to(m.reason));
    if (m.isolated) json.set("isolated", true);
  }
  void operator()(const ResendStatements& m) const { json.set("from", m.from); }
  void operator()(const Resync&) const {}
  void operator()(const Told& m) const {
    json.set("topic", m.topic);
    json.set("id", m.id.text());
    json.set("body", m.body);
    if (!m.statement.empty()) json.set("statement", m.statement);
  }
};

std::vector<SessionId> ids(Fields& f, std::string_view key) {
  std::vector<SessionId> found;
  for (std::string& text : f.texts(key, kLinkSessionsMax)) {
    if (text.empty() || text.size() > kIdBytesMax) {
      f.wrong(key, "a session id has 1 to 64 characters");
      return {};
    }
    found.emplace_back(std::move(text));
  }
  return found;
}

SessionId session_id(Fields& f) {
  SessionId id(f.text("session", kIdBytesMax));
  if (id.empty()) f.wrong("session", "a session id has 1 to 64 characters");
  return id;
}

std::string statement(Fields& f) {
  return f.text("statement", kLinkStatementBytesMax);
}

std::vector<std::string> statements(Fields& f) {
  std::vector<std::string> found = f.texts("statements", kLinkStatementsMax);
  for (const std::string& text : found)
    if (text.size() > kLinkStatementBytesMax) f.wrong("statements", "a statement is longer than 16 KiB");
  return found;
}

Ending ending(Fields& f) {
  const std::string name = f.text("refusal", 32);
  Ending e{.which = coalition::Refusal::none};
  for (const auto which : {coalition::Refusal::denied, coalition::Refusal::credential_dead,
                           coalition::Refusal::app_down, coalition::Refusal::lease_ended})
    if (name == coalition::refusal_name(which)) e.which = which;
  if (e.which == coalition::Refusal::none) f.wrong("refusal", "this is none of the four refusals");
  e.what = f.text("what", kLinkTextBytesMax);
  e.change = f.text_or("change", "", kLinkTextBytesMax);
  e.who = f.text_or("who", "", kLinkTextBytesMax);
  e.verdict = VerdictId(f.text_or("verdict", "", kIdBytesMax));
  if (f.has("terms")) {
    Fields terms = f.object("terms");
    e.terms.emplace();
    e.terms->approvals = terms.integer("approvals", 1, coalition::kApprovalsMax);
    e.terms->minutes = terms.integer("minutes", 1, coalition::kGrantLifeMax / std::chrono::minutes(1));
    e.terms->uses = terms.integer("uses", 1, coalition::kGrantUsesMax);
    [[maybe_unused]] const Result<void> done = terms.done();  // its faults count in `f`
  }
  return e;
}

Answer answer(Fields& f) {
  Answer m{.request = f.text("request", kIdBytesMax)};
  if (!f.has("session")) {
    m.ending = ending(f);
    return m;
  }
  m.session = session_id(f);
  m.valid_until = f.instant("valid_until");
  return m;
}

PartnerNotice partner_notice(Fields& f) {
  const std::string state = f.text("state", 16);
  PartnerNotice m{.reason = f.text_or("reason", "", kLinkTextBytesMax),
                  .isolated = f.boolean_or("isolated", false)};
  if (state == "fenced") {
    m.state = PartnerNoticeState::fenced;
  } else if (state == "suspended") {
    m.state = PartnerNoticeState::suspended;
  } else if (state != "active") {
    f.wrong("state", "a partner is active, fenced or suspended");
  }
  return m;
}

constexpr std::string_view kKinds[] = {"hello",   "pulse",  "ask",    "end",  "facts",    "resent",
                                       "welcome", "beat",   "answer", "held", "released", "cut",
                                       "partner", "resend", "resync", "told"};
static_assert(std::size(kKinds) == std::variant_size_v<Message>);

constexpr int64_t kNumberMax = int64_t{1} << 53;

Hello hello(Fields& f) {
  Hello m{.sessions = ids(f, "sessions"), .statements = 0};
  if (f.has("statements")) m.statements = static_cast<uint64_t>(f.integer("statements", 1, kNumberMax));
  return m;
}

Message read_body(size_t kind, Fields& f) {
  switch (kind) {
    case 0:
      return hello(f);
    case 1:
      return Pulse{f.integer("at", 0, kNumberMax)};
    case 2: {
      AskAdmission m{.request = f.text("request", kIdBytesMax), .statement = statement(f)};
      if (m.request.empty()) f.wrong("request", "a request has a name");
      return m;
    }
    case 3:
      return EndSession{session_id(f)};
    case 4:
      return ReplaceFacts{statement(f)};
    case 5:
      return ResentStatements{statements(f)};
    case 6: {
      Welcome m{.sessions = ids(f, "sessions"), .held = {}, .vouch = {}};
      m.held = ids(f, "held");
      if (f.has("vouch")) m.vouch = ids(f, "vouch");
      return m;
    }
    case 7: {
      Beat m{.echo = f.integer("echo", 0, kNumberMax), .now = f.instant("now"), .revision = {}};
      m.revision = {static_cast<uint64_t>(f.integer("revision", 0, kNumberMax))};
      return m;
    }
    case 8:
      return answer(f);
    case 9:
      return HeldNotice{ids(f, "sessions")};
    case 10:
      return ReleasedNotice{ids(f, "sessions")};
    case 11: {
      CutNotice m{.session = session_id(f), .ending = {}};
      m.ending = ending(f);
      return m;
    }
    case 12:
      return partner_notice(f);
    case 13:
      return ResendStatements{static_cast<uint64_t>(f.integer("from", 0, kNumberMax))};
    case 15: {
      Told m{.topic = f.text("topic", 32), .id = RequestId(f.text("id", kIdBytesMax))};
      const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
      };
      if (m.topic.empty() || m.id.empty() || !std::all_of(m.id.text().begin(), m.id.text().end(), plain))
        f.wrong("topic", "what is told has a topic, and an id of letters, digits, - and _");
      m.body = f.value("body");
      if (!m.body.is_object() || m.body.dump().size() > kLinkToldBytesMax)
        f.wrong("body", "this is no object of at most 8 KiB");
      if (f.has("statement")) m.statement = statement(f);
      return m;
    }
    default:
      return Resync{};
  }
}

}  // namespace

std::string_view kind_of(const Message& message) {
  return kKinds[message.index()];
}

bool is_of_all(const Message& message) {
  return std::holds_alternative<Hello>(message) || std::holds_alternative<Welcome>(message) ||
         std::holds_alternative<PartnerNotice>(message);
}

bool narrows(const Message& message) {
  if (const auto* notice = std::get_if<PartnerNotice>(&message))
    return notice->state != PartnerNoticeState::active;
  return std::holds_alternative<EndSession>(message) || std::holds_alternative<HeldNotice>(message) ||
         std::holds_alternative<CutNotice>(message);
}

Json to_json(const Envelope& envelope) {
  Json json = Json::object({{"v", kLinkVersion},
                            {"epoch", envelope.epoch},
                            {"n", envelope.number},
                            {"kind", kind_of(envelope.message)}});
  std::visit(Body{json}, envelope.message);
  return json;
}

Result<Envelope> from_json(const Json& json) {
  Fields f(json, "");
  const int64_t version = f.integer("v", 0, kNumberMax);
  Envelope envelope;
  envelope.epoch = static_cast<uint64_t>(f.integer("epoch", 1, kNumberMax));
  envelope.number = static_cast<uint64_t>(f.integer("n", 1, kNumberMax));
  const std::string kind = f.text("kind", 32);
  if (!json.is_object()) TRY_VOID(f.done());
  if (version != kLinkVersion)
    return fail("link.version", "the link message is of a version this node does not speak", "/v",
                "1 is spoken here");
  size_t which = 0;
  while (which < std::size(kKinds) && kKinds[which] != kind) ++which;
  if (which == std::size(kKinds)) return fail("link.kind", "the link message is of an unknown kind", "/kind");
  envelope.message = read_body(which, f);
  TRY_VOID(f.done());
  return envelope;
}

}  // namespace link

}  // namespace entente::exchange
