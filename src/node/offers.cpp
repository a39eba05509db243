#include "node/offers.h"

#include "crypto/jose.h"
#include "node/keys.h"
#include "node/told_keys.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr std::string_view kType = "entente-offers+jwt";
constexpr size_t kOffersMax = 512;

std::string offer_key(const PartnerCode& owner, std::string_view app) {
  return fmt::format("offer/{}/{}", owner.text(), app);
}

// A list that is this partner's own, for this node, and of now.
Result<crypto::Jwt> check_list(const coalition::World& world, const PartnerCode& from, std::string_view jws,
                               Instant now) {
  const coalition::Partner* partner = world.partner(from);
  if (partner == nullptr || !partner->is_open() || now < partner->member_since ||
      partner->member_until <= now) {
    return fail("offers.partner", "this partner's word counts for nothing here now", from.text());
  }
  TRY(const crypto::KeySet keys, crypto::KeySet::from_json(partner->statement_keys));
  crypto::JwtExpect expect;
  expect.jws.algs = {crypto::SignatureAlg::ES256};
  expect.jws.typ = kType;
  expect.jws.bytes_max = 1 << 20;
  expect.issuer = from.text();
  expect.audience = world.self().text();
  expect.now = now;
  expect.lifetime_max = kOffersLife;
  return crypto::verify_jwt(jws, keys, expect);
}

Result<void> check_offer(const Json& item, const PartnerCode& from) {
  const Json* offer = item.find("offer");
  if (!is_label(item.text_or("app", "")) || offer == nullptr || !offer->is_object())
    return fail("offers.format", "an offer is not one", from.text());
  if (offer->text_or("owner", "") != from.text())
    return fail("offers.authority", "a partner may offer its own apps only", from.text());
  // What its owner takes back it leaves out: an offer that is none would be their words as this node's own.
  if (offer->find("withdrawn") != nullptr)
    return fail("offers.format", "an offer of what is withdrawn is none", from.text());
  return {};
}

Change heard_change(const PartnerCode& from, std::vector<coalition::Record> records, Instant now) {
  ledger::Record leaf{.event_class = "offers.heard", .time = now, .fields = {}};
  leaf.fields.emplace_back("partner", from.text());
  leaf.fields.emplace_back("changed", static_cast<int64_t>(records.size()));
  Change change;
  change.records = std::move(records);
  change.leaves = {std::move(leaf)};
  change.author = "partner/" + from.text();
  return change;
}

}  // namespace

Result<std::string> sign_offers(const coalition::World& world, const PartnerCode& audience,
                                const Json& service_keys, const crypto::PrivateKey& key, Instant now,
                                const Served& served) {
  Json offers = Json::array();
  const coalition::Partner* partner = world.partner(audience);
  const bool shares = partner != nullptr && partner->is_open() && now < partner->member_until;
  // A suspended partner is told nothing new: its people keep the card and are told why it does not open.
  if (!shares) return fail("offers.partner", "nothing is shared with this partner now", audience.text());
  for (const coalition::App* app : world.apps()) {
    if (app->ref.owner != world.self() || app->end <= now) continue;
    if (std::find(app->offered_to.begin(), app->offered_to.end(), audience) == app->offered_to.end())
      continue;
    const Json* record = world.raw("app/" + app->ref.app.text());
    if (record == nullptr) continue;
    Json offer = *record;
    offer.set("offered_to",
              Json::array({audience.text()}));  // whom else it is offered to is nobody's business
    Json one = Json::object({{"app", app->ref.app.text()}, {"offer", std::move(offer)}});
    if (served) one.set("served", served(app->ref.app));
    offers.push(std::move(one));
  }
  Json claims = Json::object({{"iss", world.self().text()},
                              {"aud", audience.text()},
                              {"iat", unix_seconds(now)},
                              {"exp", unix_seconds(now + kOffersLife)},
                              {"offers", std::move(offers)}});
  Json told = told_keys(world, service_keys);
  if (!told.is_null()) claims.set("key_service", std::move(told));
  return crypto::sign_jwt(
      key, {.alg = crypto::SignatureAlg::ES256, .typ = std::string(kType), .kid = key_id(key)}, claims);
}

Result<HeardOffers> hear_offers(const coalition::World& world, const PartnerCode& from, std::string_view jws,
                                Instant newest, Instant now) {
  TRY(const crypto::Jwt token, check_list(world, from, jws, now));
  HeardOffers heard;
  heard.issued = token.issued.value_or(now);
  if (heard.issued < newest)
    return fail("offers.old", "a newer list of this partner was heard already", from.text());
  const Json* offers = token.claims().find("offers");
  if (offers == nullptr || !offers->is_array() || offers->items().size() > kOffersMax) {
    return fail("offers.format", "the list of offers is not one", from.text());
  }
  std::set<std::string> named;
  for (const Json& item : offers->items()) {
    TRY_VOID(check_offer(item, from));
    const std::string_view app = item.text_or("app", "");
    const Json* offer = item.find("offer");
    const std::string key = offer_key(from, app);
    named.insert(key);
    const Json* served = item.find("served");
    if (served != nullptr && *served == Json(false)) heard.unserved.insert(AppId(std::string(app)));
    const Json* known = world.raw(key);
    if (known == nullptr || known->canonical() != offer->canonical())
      heard.change.records.push_back({key, *offer});
  }
  if (const Json* said = token.claims().find("key_service")) {
    Result<std::optional<coalition::Record>> told = hear_keys(world, from, *said, heard.issued);
    if (!told) {
      heard.keys_refused = told.error();
    } else if (*told) {
      Json kids = Json::array();
      for (const Json& one : (*told)->value->find("keys")->items()) kids.push(one.text_or("kid", ""));
      heard.keys = heard_change(from, {**std::move(told)}, now);
      heard.keys.leaves.front().fields.emplace_back("keys", std::move(kids));
    }
  }
  std::vector<coalition::Record> withdrawn;
  for (const coalition::App* app : world.apps()) {
    if (app->ref.owner != from) continue;
    const std::string key = offer_key(from, app->ref.app.text());
    if (named.contains(key)) continue;
    withdrawn.push_back({key, std::nullopt});
  }
  // What is taken back goes first and alone: what is new may not share its right to act before the ledger has
  // it. The list is heard again soon.
  const bool narrows = !withdrawn.empty();
  heard.change = heard_change(from, narrows ? std::move(withdrawn) : std::move(heard.change.records), now);
  heard.change.narrowing = narrows;
  return heard;
}

bool ListBudget::take(const PartnerCode& from, const Change& change, Tick now) {
  if (change.narrowing) return true;
  Hour& hour = hours_[from];
  if (now - hour.begin >= std::chrono::hours(1)) hour = {.begin = now};
  size_t bytes = 0;
  for (const coalition::Record& record : change.records)
    bytes += record.key.size() + (record.value ? record.value->canonical().size() : 0);
  if (bytes > hour.left) return false;
  hour.left -= bytes;
  return true;
}

}  // namespace entente::node
