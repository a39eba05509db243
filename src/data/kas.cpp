#include "data/kas.h"

#include "data/kas_case.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr int64_t kBudgetUnit = 1000;
constexpr size_t kClientKeyMax = 8192;

Failure unproved_caller(std::string what) {
  return fail("kas.unauthenticated", std::move(what), {},
              "Sign in, and send the access token with your request.");
}

// What it may come to: one that names no key is tried with several.
size_t operations_for(const RewrapRequest& request) {
  size_t out = 0;
  for (const WantedObject& object : request.objects)
    for (const WantedKey& key : object.keys) out += key.access.kid.empty() ? kKeysTriedMax : 1;
  return out;
}

}  // namespace

KasAnswer connect_error(std::string_view code, std::string message) {
  constexpr std::array<std::pair<std::string_view, int>, 8> kStatus{{{"invalid_argument", 400},
                                                                     {"unauthenticated", 401},
                                                                     {"permission_denied", 403},
                                                                     {"not_found", 404},
                                                                     {"resource_exhausted", 429},
                                                                     {"unimplemented", 501},
                                                                     {"internal", 500},
                                                                     {"unavailable", 503}}};
  KasAnswer out;
  const auto* found =
      std::find_if(kStatus.begin(), kStatus.end(), [&](const auto& entry) { return entry.first == code; });
  out.status = found == kStatus.end() ? 500 : found->second;
  out.body = Json::object({{"code", code}, {"message", std::move(message)}});
  return out;
}

Kas::Kas(Parts parts) : parts_(std::move(parts)), nonces_(crypto::Secret::random(32)) {}
Kas::~Kas() = default;
void Kas::FreeCase::operator()(Case* one) const noexcept {
  delete one;
}

std::string Kas::token_of(const KasRequest& request) {
  for (const std::string_view scheme : {"Bearer ", "DPoP "}) {
    if (request.authorization.starts_with(scheme)) return request.authorization.substr(scheme.size());
  }
  return {};
}

// The key that signs the request: the one the token is bound to; where it is bound to none, the one that
// came along, which proves that the request is whole and nothing about who made it.
Result<crypto::PublicKey> Kas::prove_key(const KasRequest& request, const std::string& token,
                                         const identity::AccessToken& read,
                                         const identity::DpopLeniency& lenient, KasMoment at,
                                         coalition::KeyUse& by) {
  if (request.dpop.empty()) {
    if (!read.thumbprint.empty()) {
      return unproved_caller("the access token is bound to a key, and nothing proves that you hold it");
    }
    const auto pem = from_base64(request.client_key);
    if (request.client_key.size() > kClientKeyMax || !pem || pem->empty()) {
      return unproved_caller("nothing says which key signs your request");
    }
    return crypto::PublicKey::from_pem(as_text(*pem));
  }
  identity::DpopExpect expect;
  expect.method = request.method;
  expect.origin = request.origin.empty() ? parts_.url : request.origin;
  expect.path = request.path;
  expect.access_token = token;
  expect.now = at.now;
  expect.lenient = lenient;
  TRY(identity::DpopProof proof, identity::check_dpop(request.dpop, expect));
  if (!read.thumbprint.empty() && !crypto::equal_constant_time(read.thumbprint, proof.thumbprint)) {
    return unproved_caller("the access token is bound to another key than the one you proved to hold");
  }
  if (parts_.nonces && !nonces_.is_ours(proof.nonce, at.now)) {
    return fail("dpop.nonce", "the proof bears no nonce of this service's");
  }
  TRY_VOID(replays_.use(proof, std::string(as_text(identity::framed({read.issuer, read.subject}))), at.now));
  if (!read.thumbprint.empty()) by.device = proof.thumbprint;
  return proof.key;
}

Result<void> Kas::admits(const KasRequest& request, const Issuer* issuer, KasMoment at) {
  const std::string token = token_of(request);
  if (token.empty()) return unproved_caller("there is no access token");
  if (issuer == nullptr) return unproved_caller("the access token is of nobody who is known here");
  TRY_VOID(identity::check_access_token(token, issuer->settings, issuer->keys, at.now));
  return {};
}

Result<Kas::Proved> Kas::prove(const KasRequest& request, const Issuer* issuer, KasMoment at) {
  const std::string token = token_of(request);
  if (token.empty()) return unproved_caller("there is no access token");
  if (issuer == nullptr) return unproved_caller("the access token is of nobody who is known here");
  TRY(const identity::AccessToken read,
      identity::check_access_token(token, issuer->settings, issuer->keys, at.now));
  coalition::KeyUse by;
  by.client = read.client;
  TRY(crypto::PublicKey key, prove_key(request, token, read, issuer->settings.lenient, at, by));
  TRY(identity::PersonFacts facts, parts_.person(read, at.now));
  KasCaller caller;
  caller.person = facts.person();
  for (auto& [name, fact] : caller.person.facts) fact.end = std::min(fact.end, read.end);
  // A token may be renewed without anybody signing in: when it was made says nothing of that.
  if (read.auth_time) {
    caller.person.facts.insert_or_assign(
        "signed_in_at", coalition::Fact{read.auth_time->time_since_epoch().count(), read.issuer, read.end});
  }
  caller.context = parts_.context(std::min(read.end, facts.end));
  caller.by = std::move(by);
  return Proved{std::move(caller), std::move(key)};
}

Result<KasCaller> Kas::who(const KasRequest& request, const Issuer* issuer, KasMoment at) {
  KasRequest unsigned_one = request;
  // A token that is bound to nothing needs no key where there is nothing to sign.
  if (request.dpop.empty() && request.client_key.empty()) {
    unsigned_one.client_key = base64(as_bytes(parts_.keys.keys().front().key.public_key().pem()));
  }
  TRY(Proved proved, prove(unsigned_one, issuer, at));
  return std::move(proved.caller);
}

KasAnswer Kas::unproved(const Error& why, KasMoment at) const {
  KasAnswer out = connect_error("unauthenticated", why.what());
  out.stranger = true;
  if (why.code() == "dpop.nonce") {
    out.headers.emplace_back("DPoP-Nonce", nonces_.current(at.now));
    out.headers.emplace_back("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\"");
  } else if (why.code().starts_with("dpop.")) {
    out.headers.emplace_back("WWW-Authenticate", "DPoP error=\"invalid_dpop_proof\"");
  } else {
    out.headers.emplace_back("WWW-Authenticate", "DPoP error=\"invalid_token\"");
  }
  return out;
}

bool Kas::within_budget(const coalition::Person& who, size_t objects, Tick tick) {
  if (budgets_.size() >= parts_.limits.callers_max) {
    // Those who took nothing for as long as it takes to fill a bucket are as good as new.
    const auto full_after =
        Seconds(parts_.limits.objects_burst / std::max(1U, parts_.limits.objects_per_second) + 1);
    std::erase_if(budgets_, [&](const auto& entry) { return tick - entry.second.last > full_after; });
    if (budgets_.size() >= parts_.limits.callers_max) return false;
  }
  const int64_t most = int64_t{parts_.limits.objects_burst} * kBudgetUnit;
  auto [entry, fresh] =
      budgets_.try_emplace(who.partner.text() + "/" + who.id.text(), Bucket{.left = most, .last = tick});
  Bucket& bucket = entry->second;
  const int64_t passed_ms = std::chrono::duration_cast<Millis>(tick - bucket.last).count();
  if (passed_ms > 0) {
    bucket.left =
        passed_ms >= most ? most : std::min(most, bucket.left + passed_ms * parts_.limits.objects_per_second);
    bucket.last = tick;
  }
  const int64_t cost = static_cast<int64_t>(objects) * kBudgetUnit;
  if (bucket.left < cost) return false;
  bucket.left -= cost;
  return true;
}

Kas::Step Kas::take(const KasRequest& request, const Issuer* issuer, const coalition::World& world,
                    KasMoment at) {
  auto proved = prove(request, issuer, at);
  if (!proved) return unproved(proved.error(), at);
  const auto body = open_request_token(request.body, proved->key, at.now);
  if (!body) {
    if (body.error().code() == "kas.signature") return unproved(body.error(), at);
    return connect_error("invalid_argument", body.error().text());
  }
  auto read = read_rewrap(*body);
  if (!read) return connect_error("invalid_argument", read.error().text());
  read->view = false;  // nobody looks after what a program of theirs holds
  return begin(std::move(proved->caller), *std::move(read), false, {}, world, at);
}

Kas::Step Kas::take_for(KasCaller caller, RewrapRequest request, const coalition::World& world,
                        KasMoment at) {
  return begin(std::move(caller), std::move(request), true, {}, world, at);
}

Kas::Step Kas::take_for_page(KasCaller caller, std::string page, RewrapRequest request,
                             const coalition::World& world, KasMoment at) {
  if (request.first_version) return connect_error("invalid_argument", "a page asks by version 2");
  request.view = true;
  return begin(std::move(caller), std::move(request), false, std::move(page), world, at);
}

Kas::Step Kas::begin(KasCaller caller, RewrapRequest request, bool vouched, std::string page,
                     const coalition::World& world, KasMoment at) {
  if (!within_budget(caller.person, operations_for(request), at.tick)) {
    return connect_error("resource_exhausted", "You ask for more keys than one person may; try again later.");
  }
  auto client = crypto::PublicKey::from_pem(request.client_key);
  if (!client || client->kind() == crypto::KeyKind::ed25519) {
    return connect_error("invalid_argument", "the client's public key cannot be used");
  }
  std::unique_ptr<Case, FreeCase> work(
      new Case(*this, pending_, std::move(caller), std::move(request), *std::move(client)));
  if (pending_.requests > parts_.limits.pending_max || pending_.bytes > parts_.limits.pending_bytes_max) {
    return connect_error("unavailable", "This key service has more to do than it can; try again.");
  }
  work->page = std::move(page);
  judge(*work, vouched, world, at);
  std::vector<KasLeaf> leaves;
  for (const CaseItem& item : work->items) {
    if (item.permitted) leaves.push_back(work->leaf("key.attempt", item));
  }
  if (leaves.empty()) return answer(*work, at.now);
  return Write{std::move(leaves), std::move(work)};
}

// Each key access object is asked about by itself: keys are recalled one by one.
void Kas::judge(Case& work, bool vouched, const coalition::World& world, KasMoment at) {
  for (CaseItem& item : work.items) {
    if (!item.problem.empty()) continue;
    const PartnerCode service = work.service_of(world, item);
    if (work.service.empty()) work.service = service;
    if (service.empty() || service != work.service || (vouched && service != parts_.self)) {
      item.problem = "This key is wrapped for another key service: ask each by a request of its own.";
      continue;
    }
    item.ask = work.ask_about(item, at.now);
    item.ask.by->unwraps = service == parts_.self;
    item.verdict = coalition::decide(world, item.ask);
    item.permitted = item.verdict.permit;
  }
}

// A client that is refused tries the same on another route at once: that is one event.
bool Kas::is_retry(const Case& work, size_t item, Instant now) {
  while (!denial_order_.empty() &&
         (denial_order_.front().first <= now || denials_.size() >= parts_.limits.denials_max)) {
    denials_.erase(denial_order_.front().second);
    denial_order_.pop_front();
  }
  std::string name = work.denial_name(item);
  if (denials_.contains(name)) return true;
  const Instant until = now + parts_.limits.denial_retry;
  denials_.emplace(name, until);
  denial_order_.emplace_back(until, std::move(name));
  return false;
}

Kas::Step Kas::written(Write write, const Result<void>& durable, const coalition::World& newest,
                       KasMoment at) {
  if (!durable) {
    return connect_error("unavailable", "What is released is recorded first, and that is not possible now.");
  }
  if (write.rest->stage == Case::Stage::attempted) return attempted(std::move(write.rest), newest, at);
  if (write.rest->stage == Case::Stage::passing) return passed(*write.rest, newest, at);
  return released(*write.rest, newest, at);
}

void Kas::open(Case& work, const coalition::World& newest, KasMoment at) {
  for (CaseItem& item : work.items) {
    if (!item.permitted) continue;
    // Which of our keys it is decides, too: one that was recalled is not even tried, named or not.
    std::optional<crypto::Secret> share;
    const std::vector<const KasKey*> candidates = parts_.keys.candidates(item.key->access);
    for (const KasKey* key : candidates) {
      item.ask.object->kid = key->kid;
      if (!work.still_permitted(item, newest, at.now)) continue;
      auto opened = parts_.keys.unwrap(item.key->access, *key);
      if (opened && binds(item.key->access.binding, *opened, item.object->policy_text))
        share = *std::move(opened);
      if (share) break;
    }
    const bool asked = !candidates.empty();
    if (asked && !share && !item.permitted && candidates.size() == 1)
      continue;  // refused: that is the answer
    if (!share || !work.label_agrees(item, *share, newest, at.now)) {
      if (item.permitted || !share) item.fail_alike();
      continue;
    }
    item.share = *std::move(share);
  }
}

Kas::Step Kas::attempted(std::unique_ptr<Case, FreeCase> work, const coalition::World& newest, KasMoment at) {
  if (work->service != parts_.self) {
    Json request = work->request_for_others(newest, at.now);
    if (request.is_null()) return answer(*work, at.now);
    return Forward{work->service, work->caller, std::move(request), std::move(work)};
  }
  open(*work, newest, at);
  std::vector<KasLeaf> leaves;
  for (const CaseItem& item : work->items) {
    if (item.share) leaves.push_back(work->leaf("key.release", item));
  }
  if (leaves.empty()) return answer(*work, at.now);
  work->stage = Case::Stage::releasing;
  return Write{std::move(leaves), std::move(work)};
}

KasAnswer Kas::released(Case& work, const coalition::World& newest, KasMoment at) {
  std::vector<KasLeaf> withheld;
  for (CaseItem& item : work.items) {
    if (!item.share) continue;
    if (!work.still_permitted(item, newest, at.now)) {
      withheld.push_back(work.leaf("key.withheld", item));
      item.share.reset();
      continue;
    }
    auto wrapped = work.wrap(*item.share);
    if (!wrapped) item.fail_alike();
    if (!wrapped || !shown(work, item, at)) {
      withheld.push_back(work.leaf("key.withheld", item));
    } else {
      item.wrapped = *std::move(wrapped);
    }
    item.share.reset();
  }
  KasAnswer out = answer(work, at.now);
  std::move(withheld.begin(), withheld.end(), std::back_inserter(out.leaves));
  return out;
}

Kas::Step Kas::forwarded(Forward forward, const Result<Json>& said, const coalition::World&, KasMoment at) {
  std::unique_ptr<Case, FreeCase> work = std::move(forward.rest);
  if (!said) {
    return connect_error("unavailable", "The other nation's key service cannot be asked now; try again.");
  }
  work->hear(*said, at.now);
  std::vector<KasLeaf> leaves;
  for (CaseItem& item : work->items) {
    if (!item.wrapped.empty()) leaves.push_back(work->leaf("key.passed", item));
  }
  if (leaves.empty()) return answer(*work, at.now);
  work->stage = Case::Stage::passing;
  return Write{std::move(leaves), std::move(work)};
}

KasAnswer Kas::passed(Case& work, const coalition::World& newest, KasMoment at) {
  std::vector<KasLeaf> withheld;
  for (CaseItem& item : work.items) {
    if (item.wrapped.empty()) continue;
    if (work.still_permitted(item, newest, at.now) && shown(work, item, at)) continue;
    item.wrapped.clear();
    withheld.push_back(work.leaf("key.withheld", item));
  }
  KasAnswer out = answer(work, at.now);
  std::move(withheld.begin(), withheld.end(), std::back_inserter(out.leaves));
  return out;
}

bool Kas::shown(Case& work, CaseItem& item, KasMoment at) {
  if (!work.request.view) return true;
  View view;
  view.ask = item.ask;
  view.end = item.elsewhere_until;
  view.page = work.page;
  view.there = item.elsewhere_view;
  if (!view.there.empty()) view.service = work.service;
  Result<View> opened = parts_.views == nullptr
                            ? Result<View>(fail("kas.views", "nothing is looked after here"))
                            : parts_.views->open(std::move(view), item.verdict, {at.now, at.tick});
  if (!opened) {
    item.problem = std::string(opened.error().what());
    return false;
  }
  item.view = std::move(opened->id);
  item.until = opened->end;
  item.lasts = std::chrono::floor<Seconds>(opened->end - at.now);
  return true;
}

KasAnswer Kas::answer(Case& work, Instant now) {
  std::vector<KasLeaf> leaves;
  for (size_t i = 0; i < work.items.size(); ++i) {
    const CaseItem& item = work.items[i];
    if (!item.view.empty()) leaves.push_back(work.leaf("object.view", item));
    if (!item.wrapped.empty() || is_retry(work, i, now)) continue;
    leaves.push_back(work.leaf("key.refusal", item));
  }
  KasAnswer out = work.request.first_version ? work.first_answer() : work.second_answer();
  out.leaves = std::move(leaves);
  return out;
}

}  // namespace entente::data
