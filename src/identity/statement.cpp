#include "identity/statement.h"

#include "base/fields.h"
#include "coalition/levels.h"

#include <algorithm>
#include <array>

namespace entente::identity {
namespace {

constexpr std::array<std::pair<StatementKind, std::string_view>, 5> kKinds{
    {{StatementKind::person, "person"},
     {StatementKind::offer, "offer"},
     {StatementKind::end, "end"},
     {StatementKind::membership, "membership"},
     {StatementKind::reset, "reset"}}};
constexpr int64_t kSeqMax = int64_t{1} << 53;  // what every JSON reader holds exactly
constexpr size_t kDigestLength = 43;
constexpr size_t kPersonIdBytesMax = 64;

std::string digest_of(std::string_view compact) {
  return base64url(crypto::sha256(compact));
}

Result<Statement> read(const Json& claims) {
  Fields fields(claims, "");
  Statement out;
  out.issuer = PartnerCode(fields.text("iss", 3));
  out.audience = PartnerCode(fields.text("aud", 3));
  out.seq = static_cast<uint64_t>(fields.integer("seq", 1, kSeqMax));
  const Json* prev = fields.value_if("prev");
  out.issued = from_unix_seconds(fields.integer("iat", 0, 253402300799));
  out.end = from_unix_seconds(fields.integer("exp", 0, 253402300799));
  const std::string kind = fields.text("kind", 32);
  out.body = fields.value("body");
  const auto done = fields.done();
  if (!done)
    return fail("statement.format",
                "The statement's claims are not as they must be: " + done.error().what() + ".");
  const size_t length = out.seq == 1 ? 0 : kDigestLength;
  if (prev == nullptr || !prev->is_string() || prev->string().size() != length)
    return fail("statement.format", "The statement's \"prev\" does not fit its number.");
  out.prev = prev->string();
  const auto known = std::ranges::find(kKinds, kind, [](const auto& each) { return each.second; });
  if (known == kKinds.end())
    return fail("statement.format", "The statement is of a kind that is not known here.");
  out.kind = known->first;
  if (!out.body.is_object()) return fail("statement.format", "The statement's body is not an object.");
  return out;
}

// Who may say this at all: nobody but the one whose people, apps or membership it is about.
Result<void> check_authority(const Statement& statement) {
  const std::string_view member = statement.kind == StatementKind::offer ? "owner" : "partner";
  const Json* whose = statement.body.find(member);
  if (whose == nullptr || !whose->is_string() || whose->string() != statement.issuer.text())
    return fail("statement.authority", "The statement is about somebody else's matter.", {},
                "Its body's \"" + std::string(member) + "\" must be its issuer.");
  return {};
}

Result<void> check_times(const Statement& statement) {
  const Seconds most = statement.kind == StatementKind::person ? kPersonLifeMax : kStatementLifeMax;
  if (statement.end <= statement.issued || statement.end - statement.issued > most)
    return fail("statement.format", "The statement's end is not in its kind's bounds.");
  return {};
}

Failure gap(uint64_t expected, uint64_t got) {
  return fail("statement.gap",
              "Statements are missing: number " + std::to_string(expected) + " was due, " +
                  std::to_string(got) + " came.",
              {}, "Ask the partner for those between.");
}

// Where the statement stands in the chain: `again` or next in line, or why neither.
Result<Heard> place(const Statement& statement, const std::string& digest, const ChainState& state) {
  if (statement.seq < state.seq)
    return fail("statement.old", "The statement was followed by others already.");
  if (statement.seq == state.seq) {
    if (digest == state.digest) return Heard::again;
    return fail("statement.forked", "The partner made two different statements of one number.", {},
                "Cut the partner and find out which of its keys are not its own.");
  }
  // Later than all that was heard, by its signed number: what was missed is given up, not what is known.
  if (statement.kind == StatementKind::reset) return Heard::fresh;
  if (statement.seq > state.seq + 1) return gap(state.seq + 1, statement.seq);
  if (statement.prev != state.digest)
    return fail("statement.forked", "The statement follows another one than we heard.", {},
                "Cut the partner and find out which of its keys are not its own.");
  return Heard::fresh;
}

}  // namespace

std::string_view name(StatementKind kind) {
  return kKinds[static_cast<size_t>(kind)].second;
}

Json to_json(const ChainState& state) {
  return Json::object({{"seq", state.seq}, {"digest", state.digest}});
}

Result<ChainState> chain_state_from_json(const Json& json) {
  Fields fields(json, "");
  const auto seq = static_cast<uint64_t>(fields.integer("seq", 0, kSeqMax));
  const std::string digest = seq == 0 ? std::string() : fields.text("digest", kDigestLength);
  static_cast<void>(fields.value_if("digest"));
  TRY_VOID(fields.done());
  return ChainState{seq, digest};
}

StatementChain::StatementChain(PartnerCode self, PartnerCode audience, crypto::PrivateKey key,
                               std::string kid, ChainState state)
    : self_(std::move(self)),
      audience_(std::move(audience)),
      key_(std::move(key)),
      kid_(std::move(kid)),
      state_(std::move(state)) {}

Result<std::string> StatementChain::make(StatementKind kind, Json body, Instant now, Seconds life) {
  const Instant issued = from_unix_seconds(unix_seconds(now));
  Statement next{self_,  audience_,     state_.seq + 1, state_.digest,
                 issued, issued + life, kind,           std::move(body)};
  TRY_VOID(check_authority(next));
  TRY_VOID(check_times(next));
  const Json claims = Json::object({{"iss", self_.text()},
                                    {"aud", audience_.text()},
                                    {"seq", next.seq},
                                    {"prev", next.prev},
                                    {"iat", unix_seconds(next.issued)},
                                    {"exp", unix_seconds(next.end)},
                                    {"kind", name(kind)},
                                    {"body", std::move(next.body)}});
  TRY(std::string compact,
      crypto::sign_jwt(key_,
                       {.alg = crypto::SignatureAlg::ES256, .typ = std::string(kStatementTyp), .kid = kid_},
                       claims));
  if (compact.size() > crypto::kTokenBytesMax)
    return fail("statement.format", "The statement would be too long.");
  state_ = {next.seq, digest_of(compact)};
  kept_.emplace_back(next.seq, compact);
  if (kept_.size() > kStatementsKept) kept_.pop_front();
  return compact;
}

std::optional<std::string> StatementChain::kept(uint64_t seq) const {
  if (kept_.empty() || seq < kept_.front().first || seq > kept_.back().first) return std::nullopt;
  return kept_[seq - kept_.front().first].second;
}

Result<Hearing> hear_statement(std::string_view compact, const StatementExpect& expect,
                               const ChainState& state) {
  ENTENTE_CHECK(expect.keys != nullptr);
  TRY(const crypto::Jws jws,
      crypto::verify_jws(compact, *expect.keys,
                         {.algs = {crypto::SignatureAlg::ES256}, .typ = std::string(kStatementTyp)}));
  const auto claims =
      Json::parse(as_text(jws.payload), {.bytes_max = crypto::kTokenBytesMax, .depth_max = 16});
  if (!claims) return fail("statement.format", "The statement's claims are not JSON of unique members.");
  TRY(Statement statement, read(*claims));
  if (statement.issuer != expect.issuer)
    return fail("statement.issuer", "The statement is not from the partner that sent it.");
  if (statement.audience != expect.audience)
    return fail("statement.audience", "The statement is for another partner.");
  TRY_VOID(check_authority(statement));
  TRY_VOID(check_times(statement));
  const std::string digest = digest_of(compact);
  TRY(Heard heard, place(statement, digest, state));
  // A late statement keeps its place, and so does one from the future (a clock that ran ahead), or the chain
  // would stand still; it only has no effect.
  const bool lasting = statement.kind == StatementKind::end || statement.kind == StatementKind::reset;
  const bool late = expect.now >= statement.end && !lasting;
  const bool early = statement.issued > expect.now + expect.skew && !lasting;
  if (heard == Heard::fresh && late) heard = Heard::expired;
  if (heard == Heard::fresh && early) heard = Heard::early;
  const ChainState next{statement.seq, digest};
  return Hearing{heard, std::move(statement), next};
}

Json to_json(const PersonStatement& person) {
  return Json::object({{"partner", person.partner.text()},
                       {"person", person.person.text()},
                       {"app", person.app.text()},
                       {"facts", coalition::facts_to_json(person.facts)}});
}

Result<PersonStatement> person_of(const Statement& statement, int64_t ceiling) {
  if (statement.kind != StatementKind::person)
    return fail("statement.format", "The statement is not about a person.");
  TRY_VOID(check_authority(statement));
  Fields fields(statement.body, "/body");
  PersonStatement out;
  out.partner = PartnerCode(fields.text("partner", 3));
  out.person = PersonId(fields.text("person", kPersonIdBytesMax));
  out.app = AppId(fields.text("app", 63));
  if (!is_label(out.app.text())) fields.wrong("app", "this is no name of an app");
  const Json facts = fields.value("facts");
  TRY_VOID(fields.done());
  TRY(out.facts, coalition::facts_from_json(facts));
  const std::string source = "statement:" + statement.issuer.text() + "#" + std::to_string(statement.seq);
  for (auto& [name, fact] : out.facts) {
    fact.source = source;
    fact.end = std::min(fact.end, statement.end);
  }
  if (const auto at = out.facts.find("nationality"); at != out.facts.end()) {
    const auto* nation = std::get_if<std::string>(&at->second.value);
    if (nation == nullptr || *nation != statement.issuer.text())
      return fail("statement.authority", "The statement gives a person another nation than its issuer's.");
  }
  if (const auto at = out.facts.find("clearance"); at != out.facts.end()) {
    const auto* clearance = std::get_if<std::string>(&at->second.value);
    const auto level = clearance == nullptr ? std::nullopt : coalition::level_of(*clearance);
    if (!level)
      return fail("statement.format", "The statement's clearance is not one of the coalition's levels.");
    ENTENTE_CHECK(ceiling >= 0 && ceiling < static_cast<int64_t>(coalition::kLevels.size()));
    at->second.value = std::string(coalition::kLevels[static_cast<size_t>(std::min(*level, ceiling))]);
  }
  return out;
}

}  // namespace entente::identity
