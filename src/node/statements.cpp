#include "node/statements.h"

#include "coalition/levels.h"
#include "identity/pseudonym.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

// Facts about the moment travel beside those about the person under this prefix.
constexpr std::string_view kContext = "context.";
constexpr Seconds kResetLife{3600};

std::string sent_key(const PartnerCode& host) {
  return "chain/sent/" + host.text();
}
std::string heard_key(const PartnerCode& from) {
  return "chain/heard/" + from.text();
}

// So many of the newest statements travel in the record of a chain: what may be on its way when a process is
// killed.
constexpr size_t kKeptMax = 32;
// Statements that may wait for the disk at once and still be taken back.
constexpr size_t kUndoneMax = 4'096;

// As long as what it says: each fact has its own end, and nothing says it a second time while a session
// lasts.
Seconds life_of(const identity::PersonStatement& person, Instant now) {
  Instant end = now + Seconds(1);
  for (const auto& [name, fact] : person.facts) end = std::max(end, fact.end);
  return std::min(std::chrono::ceil<Seconds>(end - now), identity::kPersonLifeMax);
}

identity::ChainState state_in(const Json* record) {
  if (record == nullptr) return {};
  const Result<identity::ChainState> state = identity::chain_state_from_json(*record);
  return state ? *state : identity::ChainState{};
}

}  // namespace

StatementDesk::StatementDesk(const Keys& keys, PartnerCode self, CurrentWorld world)
    : keys_(keys), self_(std::move(self)), world_(std::move(world)), kid_(key_id(keys.statement)) {}

PersonId StatementDesk::pairwise(const PersonId& who, const coalition::AppRef& app) const {
  // The person's id is bound to its issuer already, so it stands for issuer and subject here.
  return identity::pseudonym(keys_.pairwise, self_, "person", who.text(), app.owner, app.app);
}

StatementDesk::Sent& StatementDesk::sent_to(const PartnerCode& host) {
  Sent& sent = sent_[host];
  if (sent.chain) return sent;
  const Json* record = world_().raw(sent_key(host));
  const identity::ChainState state = state_in(record == nullptr ? nullptr : record->find("state"));
  sent.chain = std::make_unique<identity::StatementChain>(self_, host, keys_.statement, kid_, state);
  const Json* reset = record == nullptr ? nullptr : record->find("reset");
  if (reset != nullptr && reset->is_int() && reset->integer() > 0)
    sent.reset = static_cast<uint64_t>(reset->integer());
  const Json* kept = record == nullptr ? nullptr : record->find("kept");
  if (kept != nullptr && kept->is_array()) {
    uint64_t seq = state.seq + 1 - std::min<uint64_t>(kept->items().size(), state.seq);
    for (const Json& statement : kept->items()) {
      if (statement.is_string()) sent.kept.emplace_back(seq++, statement.string());
    }
  }
  return sent;
}

Result<exchange::Issued> StatementDesk::issue(const PartnerCode& host, const coalition::AppRef& app,
                                              const coalition::Person& who, const coalition::Facts& context,
                                              Instant now) {
  const coalition::App* known = world_().app(app);
  if (known == nullptr)
    return fail(std::string(exchange::kStatementApp), "this app is not offered here any more",
                coalition::target_text(app));
  identity::PersonStatement person{pairwise(who.id, app), self_, app.app, {}};
  for (const std::string& name : known->shares) {
    const auto fact = who.facts.find(name);
    if (fact != who.facts.end()) person.facts.insert(*fact);
  }
  // When the person signed in is about the session, not about them: a host needs it whatever the app asks
  // for.
  if (const auto signed_in = who.facts.find("signed_in_at"); signed_in != who.facts.end())
    person.facts.insert(*signed_in);
  for (const auto& [name, fact] : context) person.facts.emplace(std::string(kContext) + name, fact);
  return sign(host, identity::StatementKind::person, identity::to_json(person), now, life_of(person, now));
}

Result<exchange::Issued> StatementDesk::reset(const PartnerCode& host, Instant now) {
  return sign(host, identity::StatementKind::reset, Json::object({{"partner", self_.text()}}), now,
              kResetLife);
}

Result<exchange::Issued> StatementDesk::sign(const PartnerCode& host, identity::StatementKind kind, Json body,
                                             Instant now, Seconds life) {
  Sent& sent = sent_to(host);
  const identity::ChainState before = sent.chain->state();
  TRY(std::string statement, sent.chain->make(kind, std::move(body), now, life));
  if (kind == identity::StatementKind::reset) {
    sent.kept.clear();  // nobody needs what is given up
    sent.reset = sent.chain->state().seq;
  }
  sent.kept.emplace_back(sent.chain->state().seq, statement);
  if (sent.kept.size() > kKeptMax) sent.kept.pop_front();
  sent.undone.push_back({sent.chain->state().seq, before, false});
  if (sent.undone.size() > kUndoneMax) sent.undone.pop_front();
  Json kept = Json::array();
  for (const auto& [seq, text] : sent.kept) kept.push(text);
  Json record = Json::object({{"state", identity::to_json(sent.chain->state())}, {"kept", std::move(kept)}});
  if (sent.reset != 0) record.set("reset", sent.reset);
  return exchange::Issued{std::move(statement), sent.chain->state().seq,
                          coalition::Record{sent_key(host), std::move(record)}};
}

// Otherwise a disk that was full for a while would leave more numbers missing than are kept to send again,
// and the host would wait for them for ever. A later statement that is still on its way keeps its number: if
// it fails too, both are taken back; if it is kept, so is this one, in its record.
void StatementDesk::not_kept(const PartnerCode& host, uint64_t number) {
  Sent& sent = sent_to(host);
  for (Undone& undone : sent.undone) undone.failed = undone.failed || undone.number == number;
  bool back = false;
  identity::ChainState state = sent.chain->state();
  while (!sent.undone.empty() && sent.undone.back().failed && sent.undone.back().number == state.seq) {
    state = sent.undone.back().before;
    sent.undone.pop_back();
    if (!sent.kept.empty()) sent.kept.pop_back();
    back = true;
  }
  if (back)
    sent.chain = std::make_unique<identity::StatementChain>(self_, host, keys_.statement, kid_, state);
}

std::vector<std::string> StatementDesk::resend(const PartnerCode& host, uint64_t from, uint64_t to) {
  std::vector<std::string> out;
  const Sent& sent = sent_to(host);
  const bool begins = !sent.kept.empty() && sent.kept.front().first == sent.reset;
  if (sent.kept.empty() || (sent.kept.front().first > from && !begins)) return out;
  for (const auto& [seq, statement] : sent.kept) {
    if (seq >= from && seq <= to) out.push_back(statement);
  }
  return out;
}

identity::ChainState StatementDesk::heard_from(const PartnerCode& from) const {
  const auto at = heard_.find(from);
  return at != heard_.end() ? at->second : state_in(world_().raw(heard_key(from)));
}

uint64_t StatementDesk::expected(const PartnerCode& from) const {
  return heard_from(from).seq + 1;
}

Result<exchange::Vouched> StatementDesk::verify(const PartnerCode& from, std::string_view statement,
                                                Instant now) {
  const coalition::World& world = world_();
  const coalition::Partner* partner = world.partner(from);
  if (partner == nullptr) return fail("statement.issuer", "the statement is from nobody known here");
  TRY(const crypto::KeySet keys, crypto::KeySet::from_json(partner->statement_keys));
  const identity::StatementExpect expect{.issuer = from, .audience = self_, .keys = &keys, .now = now};
  Result<identity::Hearing> hearing = identity::hear_statement(statement, expect, heard_from(from));
  if (!hearing) {
    Error error = hearing.error();
    if (error.code() == "statement.gap") error.code() = exchange::kStatementGap;
    return Failure(std::move(error));
  }
  exchange::Vouched vouched;
  if (hearing->heard != identity::Heard::again) {
    heard_[from] = hearing->next;
    vouched.remember = coalition::Record{heard_key(from), identity::to_json(hearing->next)};
  }
  if (hearing->statement.kind == identity::StatementKind::reset) {
    if (hearing->heard == identity::Heard::again)
      return fail("statement.old", "this new beginning was heard already");
    vouched.reset = true;
    vouched.who.partner = from;
    return vouched;
  }
  if (hearing->heard == identity::Heard::expired) {
    return fail("statement.expired", "the statement came after its end");
  }
  if (hearing->heard == identity::Heard::early)
    return fail("statement.early", "the statement comes from the future", {}, "check both clocks");
  const std::optional<int64_t> ceiling = coalition::level_of(partner->ceiling);
  TRY(identity::PersonStatement person, identity::person_of(hearing->statement, ceiling.value_or(0)));
  vouched.app = person.app;
  vouched.who = {person.person, from, {}};
  for (auto& [name, fact] : person.facts) {
    if (name.starts_with(kContext)) {
      vouched.context.emplace(name.substr(kContext.size()), fact);
    } else {
      vouched.who.facts.emplace(name, fact);
    }
  }
  return vouched;
}

}  // namespace entente::node
