#include "node/key_voucher.h"

#include "identity/assertion.h"

#include <algorithm>
#include <array>

namespace entente::node {
namespace {

constexpr std::string_view kVoucherTyp = "entente-key-request+jwt";
constexpr size_t kVoucherTextMax = 256;
constexpr Seconds kVoucherSkew{60};
constexpr size_t kNamesMax = 4;  // an id and an address
// What another nation decides on, and no more.
constexpr std::array<std::string_view, 7> kShared{"clearance", "nationality", "role",        "assurance",
                                                  "missions",  "caveats",     "signed_in_at"};

coalition::Facts shared_facts(const coalition::Facts& facts) {
  coalition::Facts out;
  for (const std::string_view name : kShared) {
    const auto found = facts.find(name);
    if (found != facts.end()) out.insert(*found);
  }
  return out;
}

Failure no_voucher(std::string what) {
  return fail("node.voucher", std::move(what));
}

Result<std::string> voucher_text(const Json& claims, std::string_view name, bool may_be_empty) {
  const Json* value = claims.find(name);
  if (value == nullptr || !value->is_string() || value->string().size() > kVoucherTextMax ||
      (value->string().empty() && !may_be_empty)) {
    return no_voucher("a voucher lacks what it should say");
  }
  return value->string();
}

// What the objects asked for call them: of their own nation's people alone.
Result<std::vector<std::string>> read_names(const Json& claims, const PartnerCode& from) {
  std::vector<std::string> out;
  const Json* names = claims.find("named");
  if (names == nullptr) return out;
  if (!names->is_array() || names->items().size() > kNamesMax)
    return no_voucher("a voucher names its person in too many ways");
  for (const Json& name : names->items()) {
    if (!name.is_string() || name.string().size() > kVoucherTextMax ||
        !name.string().starts_with(from.text() + "/"))
      return no_voucher("a voucher names somebody of another nation");
    out.push_back(name.string());
  }
  return out;
}

}  // namespace

Result<std::string> sign_voucher(const crypto::PrivateKey& key, const PartnerCode& self,
                                 const PartnerCode& host, const data::KasCaller& caller,
                                 const PersonId& pairwise, std::string_view request, Instant now) {
  Json named = Json::array();
  for (const std::string& name : caller.by.named) named.push(name);
  const Json claims = Json::object({{"iss", identity::node_uri(self)},
                                    {"aud", identity::node_uri(host)},
                                    {"iat", unix_seconds(now)},
                                    {"exp", unix_seconds(now + kVoucherLife)},
                                    {"jti", crypto::random_token(16)},
                                    {"sub", pairwise.text()},
                                    {"facts", coalition::facts_to_json(shared_facts(caller.person.facts))},
                                    {"context", coalition::facts_to_json(caller.context)},
                                    {"device", caller.by.device},
                                    {"client", caller.by.client},
                                    {"mission", caller.by.mission.text()},
                                    {"named", std::move(named)},
                                    {"request", base64url(crypto::sha256(request))}});
  return crypto::sign_jwt(key,
                          {.alg = crypto::default_alg(key.kind()),
                           .typ = std::string(kVoucherTyp),
                           .kid = key.public_key().thumbprint()},
                          claims);
}

Result<Voucher> check_voucher(std::string_view jws, const coalition::Partner& from, const PartnerCode& self,
                              std::string_view request, Instant now) {
  TRY(const crypto::KeySet keys, crypto::KeySet::from_json(from.statement_keys));
  crypto::JwtExpect expect;
  expect.jws = {.algs = {crypto::SignatureAlg::ES256}, .typ = std::string(kVoucherTyp), .kid_required = true};
  expect.issuer = identity::node_uri(from.code);
  expect.audience = identity::node_uri(self);
  expect.now = now;
  expect.skew = kVoucherSkew;
  expect.lifetime_max = kVoucherLife;
  TRY(const crypto::Jwt jwt, crypto::verify_jwt(jws, keys, expect));
  TRY(const std::string digest, voucher_text(jwt.claims(), "request", false));
  if (!crypto::equal_constant_time(digest, base64url(crypto::sha256(request)))) {
    return no_voucher("a voucher is for another request");
  }
  Voucher out;
  TRY(out.id, voucher_text(jwt.claims(), "jti", false));
  TRY(std::string person, voucher_text(jwt.claims(), "sub", false));
  out.caller.person.id = PersonId(std::move(person));
  out.caller.person.partner = from.code;
  const Json* facts = jwt.claims().find("facts");
  const Json* context = jwt.claims().find("context");
  if (facts == nullptr || context == nullptr) return no_voucher("a voucher lacks what it should say");
  TRY(const coalition::Facts said, coalition::facts_from_json(*facts));
  out.caller.person.facts = shared_facts(said);  // whatever else their node may say of them
  TRY(out.caller.context, coalition::facts_from_json(*context));
  // What a program was proved to enforce is this node's to say, and not a partner's.
  out.caller.context.erase("enforces");
  TRY(out.caller.by.device, voucher_text(jwt.claims(), "device", true));
  TRY(out.caller.by.client, voucher_text(jwt.claims(), "client", true));
  TRY(std::string mission, voucher_text(jwt.claims(), "mission", true));
  out.caller.by.mission = MissionId(std::move(mission));
  TRY(out.caller.by.named, read_names(jwt.claims(), from.code));
  const Json* issued = jwt.claims().find("iat");
  if (issued == nullptr || !issued->is_int()) return no_voucher("a voucher lacks what it should say");
  out.begin = from_unix_seconds(issued->integer());
  out.end = jwt.end + kVoucherSkew;
  return out;
}

Result<void> UsedVouchers::use(const PartnerCode& from, const Voucher& voucher, Instant now) {
  if (voucher.begin < started_) return no_voucher("a voucher from before this service began");
  const crypto::Digest name = crypto::sha256(identity::framed({from.text(), voucher.id}));
  switch (used_.use(name, from.text(), voucher.end, now)) {
    case UsedOnce::Use::first:
      return {};
    case UsedOnce::Use::again:
      return no_voucher("a voucher counts once");
    case UsedOnce::Use::full:
      break;
  }
  return fail("node.vouchers-full", "this nation has as many vouchers in use as it may", from.text());
}

}  // namespace entente::node
