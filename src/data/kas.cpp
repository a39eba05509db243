#include "data/kas.h"

#include "coalition/author_recall.h"
#include "coalition/releases.h"
#include "data/kas_case.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kShare = 4;  // of what may be under way: one person's part, or one partner's
constexpr size_t kClientKeyMax = 8192;

Failure unproved_caller(std::string what) {
  return fail("kas.unauthenticated", std::move(what), {},
              "Sign in, and send the access token with your request.");
}

std::string name_of(const identity::AccessToken& token) {
  return std::string(as_text(identity::framed({token.issuer, token.subject})));
}

// What it may come to: one that names no key is tried with several, and each right is asked about.
size_t operations_for(const RewrapRequest& request) {
  size_t out = 0;
  for (const WantedObject& object : request.objects)
    for (const WantedKey& key : object.keys)
      out += (key.access.kid.empty() ? kKeysTriedMax : 1) * object.actions.size();
  return out;
}

// What is shown and looked after is asked about as `view`, whatever name the request has for opening.
bool asks_to_view(RewrapRequest& request) {
  for (WantedObject& object : request.objects) {
    const coalition::Action asked = object.actions.front();
    if (object.release || object.actions.size() != 1 ||
        (asked != coalition::Action::open && asked != coalition::Action::view))
      return false;
    object.actions = {coalition::Action::view};
  }
  return true;
}

}  // namespace

KasAnswer connect_error(std::string_view code, std::string message) {
  constexpr std::array<std::pair<std::string_view, int>, 7> kStatus{{{"invalid_argument", 400},
                                                                     {"unauthenticated", 401},
                                                                     {"permission_denied", 403},
                                                                     {"not_found", 404},
                                                                     {"resource_exhausted", 429},
                                                                     {"internal", 500},
                                                                     {"unavailable", 503}}};
  KasAnswer out;
  const auto* found =
      std::find_if(kStatus.begin(), kStatus.end(), [&](const auto& entry) { return entry.first == code; });
  out.status = found == kStatus.end() ? 500 : found->second;
  out.body = Json::object({{"code", code}, {"message", std::move(message)}});
  return out;
}

namespace {

// Newcomers wait: to forget who used theirs up would give it to them again.
Budgets<std::string> budgets_of_callers(const KasLimits& limits, const Budget& budget) {
  return {budget, limits.callers_max, Budgets<std::string>::Crowded::refuse};
}

}  // namespace

Kas::Kas(Parts parts)
    : parts_(std::move(parts)),
      nonces_(crypto::Secret::random(32)),
      own_budgets_(budgets_of_callers(parts_.limits,
                                      Budget(parts_.limits.objects_burst, parts_.limits.objects_per_second))),
      vouched_budgets_(own_budgets_),
      partner_budgets_(budgets_of_callers(parts_.limits, Budget(parts_.limits.partner_objects_burst,
                                                                parts_.limits.partner_objects_per_second))),
      refusal_budgets_(budgets_of_callers(
          parts_.limits, Budget::by_minute(parts_.limits.refusals_burst, parts_.limits.refusals_per_minute))),
      partner_refusal_budgets_(
          budgets_of_callers(parts_.limits, Budget::by_minute(parts_.limits.partner_refusals_burst,
                                                              parts_.limits.partner_refusals_per_minute))),
      recall_budgets_(budgets_of_callers(
          parts_.limits, Budget::by_minute(parts_.limits.recalls_burst, parts_.limits.recalls_per_minute))) {}
Kas::~Kas() = default;
void Kas::FreeCase::operator()(Case* one) const noexcept {
  delete one;
}

// RFC 9110 section 11.1: a scheme's name is the same in any case.
std::string_view Kas::token_of(const KasRequest& request) {
  const std::string_view text = request.authorization;
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return {};
  const auto is_scheme = [&](std::string_view lower) {
    return std::ranges::equal(text.substr(0, space), lower, [](char c, char wanted) {
      return (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) == wanted;
    });
  };
  if (!is_scheme("bearer") && !is_scheme("dpop")) return {};
  return text.substr(std::min(text.find_first_not_of(' ', space), text.size()));
}

// The key that signs the request: the one the token is bound to; where it is bound to none, the one that
// came along, which proves that the request is whole and nothing about who made it.
Result<crypto::PublicKey> Kas::prove_key(const KasRequest& request, const identity::AccessToken& read,
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
  expect.access_token = read.digest;
  expect.now = at.now;
  expect.lenient = lenient;
  TRY(identity::DpopProof proof, identity::check_dpop(request.dpop, expect));
  if (!read.thumbprint.empty() && !crypto::equal_constant_time(read.thumbprint, proof.thumbprint)) {
    return unproved_caller("the access token is bound to another key than the one you proved to hold");
  }
  if (parts_.nonces && !nonces_.is_ours(proof.nonce, at.now)) {
    return fail("dpop.nonce", "the proof bears no nonce of this service's");
  }
  if (proof.issued < parts_.started) {
    return fail("dpop.request", "the proof is from before this service began", {}, "Make a new one.");
  }
  TRY_VOID(replays_.use(proof, name_of(read), at.now));
  if (!read.thumbprint.empty()) by.device = proof.thumbprint;
  return proof.key;
}

Result<std::string> Kas::admits(const KasRequest& request, const Issuer* issuer, KasMoment at) {
  const std::string_view token = token_of(request);
  if (token.empty()) return unproved_caller("there is no access token");
  if (issuer == nullptr) return unproved_caller("the access token is of nobody who is known here");
  TRY(const identity::AccessToken read,
      identity::check_access_token(token, issuer->settings, issuer->keys, at.now));
  return name_of(read);
}

Result<Kas::Proved> Kas::prove(const KasRequest& request, const Issuer* issuer, KasMoment at) {
  const std::string_view token = token_of(request);
  if (token.empty()) return unproved_caller("there is no access token");
  if (issuer == nullptr) return unproved_caller("the access token is of nobody who is known here");
  TRY(const identity::AccessToken read,
      identity::check_access_token(token, issuer->settings, issuer->keys, at.now));
  coalition::KeyUse by;
  by.client = read.client;
  TRY(crypto::PublicKey key, prove_key(request, read, issuer->settings.lenient, at, by));
  TRY(identity::PersonFacts facts, parts_.person(read, at.now));
  TRY_VOID(parts_.counts(facts.id, read.issued, at.now));
  KasCaller caller;
  caller.person = {std::move(facts.id), std::move(facts.partner), std::move(facts.facts)};
  for (auto& [name, fact] : caller.person.facts) fact.end = std::min(fact.end, read.end);
  // A token may be renewed without anybody signing in: when it was made says nothing of that.
  if (read.auth_time) {
    caller.person.facts.insert_or_assign(
        "signed_in_at", coalition::Fact{read.auth_time->time_since_epoch().count(), read.issuer, read.end});
  }
  caller.context = parts_.context(std::min(read.end, facts.end));
  caller.by = std::move(by);
  caller.issued = read.issued;
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

// A partner's node names its people as it likes: all of them together have a budget, too, and use up nobody
// else's room.
bool Kas::within_budget(const coalition::Person& who, bool vouched, size_t objects, Tick tick) {
  if (vouched && !partner_budgets_.take(who.partner.text(), tick, objects)) return false;
  return (vouched ? vouched_budgets_ : own_budgets_)
      .take(who.partner.text() + "/" + who.id.text(), tick, objects);
}

bool Kas::is_crowded(const Case& work) const {
  const auto above = [&](const Load& load, size_t share) {
    return load.requests > parts_.limits.pending_max / share ||
           load.bytes > parts_.limits.pending_bytes_max / share;
  };
  return above(pending_.all, 1) ||
         std::any_of(work.shares().begin(), work.shares().end(),
                     [&](const auto& name) { return above(pending_.of.at(name), kShare); });
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
  proved->caller.by.mission = MissionId(read->mission);
  return begin(std::move(proved->caller), *std::move(read), false, {}, world, at);
}

Kas::Step Kas::take_for(KasCaller caller, RewrapRequest request, const coalition::World& world,
                        KasMoment at) {
  return begin(std::move(caller), std::move(request), true, {}, world, at);
}

Kas::Step Kas::take_for_page(KasCaller caller, std::string page, RewrapRequest request,
                             const coalition::World& world, KasMoment at) {
  if (request.first_version) return connect_error("invalid_argument", "a page asks by version 2");
  request.view = !request.objects.front().release && !request.objects.front().recall;
  caller.by.mission = MissionId(request.mission);
  return begin(std::move(caller), std::move(request), false, std::move(page), world, at);
}

Kas::Step Kas::begin(KasCaller caller, RewrapRequest request, bool vouched, std::string page,
                     const coalition::World& world, KasMoment at) {
  if (!within_budget(caller.person, vouched, operations_for(request), at.tick)) {
    return connect_error("resource_exhausted", "You ask for more keys than one person may; try again later.");
  }
  if (request.view && !asks_to_view(request))
    return connect_error("invalid_argument",
                         "what is to be shown is asked for to be shown, and nothing else");
  std::unique_ptr<Case, FreeCase> work(new Case(*this, pending_, std::move(caller), std::move(request)));
  const auto crowded = [] {
    return connect_error("unavailable", "This key service has more to do than it can; try again.");
  };
  work->count_under("person/" + work->caller.person.partner.text() + "/" + work->caller.person.id.text());
  if (vouched) work->count_under("from/" + work->caller.person.partner.text());
  if (is_crowded(*work)) return crowded();
  work->vouched = vouched;
  work->page = std::move(page);
  judge(*work, world, at);
  if (!work->service.empty() && work->service != parts_.self) {
    work->count_under("to/" + work->service.text());
    if (is_crowded(*work)) return crowded();
  }
  if (work->recalls()) return recall(std::move(work), world, at);
  if (!work->read_client()) return unusable(*work, at);
  if (work->wishes()) return wish(std::move(work), world, at);
  std::vector<KasLeaf> leaves;
  for (const CaseItem& item : work->items) {
    if (item.permitted) leaves.push_back(work->leaf("key.attempt", item));
  }
  if (leaves.empty()) return answer(*work, at);
  return Write{std::move(leaves), {}, false, std::move(work)};
}

// A release is asked for: written down here, where the object is ours; else said to those whose it is, when
// this nation's own rules would let its person open it then.
Kas::Step Kas::wish(std::unique_ptr<Case, FreeCase> work, const coalition::World& world, KasMoment at) {
  std::vector<KasLeaf> leaves;
  std::vector<coalition::Record> records;
  const bool ours = work->service == parts_.self;
  const std::string partner = "wish/" + work->caller.person.partner.text();
  const std::string person = partner + "/" + work->caller.person.id.text();
  const auto under_way = [&](const std::string& name) {
    const auto found = pending_.of.find(name);
    return found == pending_.of.end() ? size_t{0} : found->second.requests;
  };
  const coalition::WishesUnderWay others{under_way(person), under_way(partner)};
  for (CaseItem& item : work->items) {
    if (ours && item.problem.empty()) work->wish_for(item, world, others);
    if (item.wish) {
      Result<std::vector<coalition::Record>> made =
          coalition::release_records(world, *item.wish, at.now, others.of_partner);
      if (!made) {
        item.problem = made.error().what();
        item.waits.clear();
        item.news.reset();
        continue;
      }
      records.insert(records.end(), made->begin(), made->end());
    }
    if (item.wish || (!ours && item.permitted)) leaves.push_back(work->leaf("release.asked", item));
  }
  if (leaves.empty()) return answer(*work, at);
  if (ours) work->stage = Case::Stage::wishing;
  if (!records.empty()) {
    work->count_under(person);
    work->count_under(partner);
  }
  return Write{std::move(leaves), std::move(records), false, std::move(work)};
}

// Its author takes an object back. No private key is touched: what is recalled is exactly the policy's text
// that was sent, so that one which is bound to no key recalls nothing that opens.
Kas::Step Kas::recall(std::unique_ptr<Case, FreeCase> work, const coalition::World& world, KasMoment at) {
  CaseItem& item = work->items.front();
  if (!item.permitted) return answer(*work, at);
  item.permitted = false;
  if (coalition::author_recall(world, *item.ask.object) != nullptr) {
    item.recalled = true;
    return answer(*work, at);
  }
  Result<coalition::Record> record =
      recall_budgets_.take(item.ask.who.id.text(), at.tick)
          ? coalition::author_recall_record(world, item.ask, item.object->recall->reason)
          : fail("recall.full", "You take back more than one person may at once; try again in a minute.");
  if (!record) {
    item.problem = record.error().what();
    return answer(*work, at);
  }
  work->stage = Case::Stage::recalling;
  std::vector<KasLeaf> leaves{work->leaf("object.recall", item)};
  return Write{std::move(leaves), {*std::move(record)}, true, std::move(work)};
}

// Each key access object is asked about by itself: keys are recalled one by one.
void Kas::judge(Case& work, const coalition::World& world, KasMoment at) {
  for (CaseItem& item : work.items) {
    if (!item.problem.empty()) continue;
    const PartnerCode service = work.service_of(world, item);
    if (work.service.empty()) work.service = service;
    if (service.empty() || service != work.service || (work.vouched && service != parts_.self)) {
      item.problem = "This key is wrapped for another key service: ask each by a request of its own.";
      continue;
    }
    if (work.recalls() && service != parts_.self) {
      item.problem = "An author is known to their own nation's node: ask that for its share.";
      continue;
    }
    item.ask = work.ask_about(item, at.now);
    work.decide(item, world, at.now);
    item.may_recall = !work.recalls() && service == parts_.self && work.may_recall(item, world);
    if (service == parts_.self && !work.wishes() && !work.recalls())
      item.news = coalition::release_news(world, item.ask, item.verdict);
  }
}

void Kas::go_on_from(Instant started) {
  parts_.started = started;
  denials_ = UsedOnce(SIZE_MAX, SIZE_MAX);
}

// A client that is refused tries the same at once, on this route or another: that is one event.
bool Kas::is_retry(const Case& work, size_t item, Instant now) {
  if (denials_.size() >= parts_.limits.denials_max) denials_.forget_soonest();
  return denials_.use(work.denial_name(item), {}, now + parts_.limits.denial_retry, now) ==
         UsedOnce::Use::again;
}

// Each by itself up to a budget; from there on they are counted.
bool Kas::is_recorded(const Case& work, size_t item, KasMoment at) {
  if (is_retry(work, item, at.now)) return false;
  const coalition::Person& who = work.caller.person;
  const bool within = work.vouched ? partner_refusal_budgets_.take(who.partner.text(), at.tick)
                                   : refusal_budgets_.take(who.partner.text() + "/" + who.id.text(), at.tick);
  if (!within) counted_.add(who.partner.text(), work.vouched ? std::string() : who.id.text(), at.now);
  return within;
}

std::vector<KasLeaf> Kas::counted(Instant now) {
  std::vector<KasLeaf> out;
  for (Counted::Count& count : counted_.take()) {
    KasLeaf leaf{"key.refusals", {}};
    leaf.fields.emplace_back("partner", std::move(count.partner));
    leaf.fields.emplace_back("person", std::move(count.person));
    leaf.fields.emplace_back("count", static_cast<int64_t>(count.refusals));
    leaf.fields.emplace_back("since", rfc3339(count.since));
    leaf.fields.emplace_back("until", rfc3339(now));
    out.push_back(std::move(leaf));
  }
  return out;
}

Kas::Step Kas::written(Write write, const Result<void>& durable, const coalition::World& newest,
                       KasMoment at) {
  if (write.rest->stage == Case::Stage::recalling && (durable || durable.error().code() == kFenced)) {
    write.rest->items.front().recalled = true;
    write.rest->items.front().fenced = !durable;
    return answer(*write.rest, at);
  }
  if (!durable) {
    for (const CaseItem& item : write.rest->items) give_up(*write.rest, item);
    return connect_error("unavailable", "What is released is recorded first, and that is not possible now.");
  }
  if (write.rest->stage == Case::Stage::attempted) return attempted(std::move(write.rest), newest, at);
  if (write.rest->stage == Case::Stage::wishing) return answer(*write.rest, at);
  if (write.rest->stage == Case::Stage::passing) return passed(*write.rest, newest, at);
  return released(*write.rest, newest, at);
}

// Which of our keys it is decides, too: one that was recalled is not even tried, named or not.
void Kas::open_one(Case& work, CaseItem& item, const std::vector<const KasKey*>& candidates,
                   const coalition::World& newest, KasMoment at) {
  std::optional<crypto::Secret> share;
  bool tried = false;
  for (const KasKey* key : candidates) {
    Case::name_key(item, key->kid);
    if (!work.still_permitted(item, newest, at.now)) continue;
    tried = true;
    auto opened = parts_.keys.unwrap(item.key->access, *key);
    if (opened && binds(item.key->access.binding, *opened, item.object->policy_text))
      share = *std::move(opened);
    if (share) break;
  }
  if (!tried && !item.permitted) return;  // refused: that is the answer
  if (!share || !work.label_agrees(item, *share, newest, at.now)) {
    if (item.permitted || !share) item.fail_alike();
    return;
  }
  item.share = *std::move(share);
}

// False: there is more, for another turn of the loop.
bool Kas::open(Case& work, const coalition::World& newest, KasMoment at) {
  size_t operations = 0;
  for (; work.opened < work.items.size(); ++work.opened) {
    CaseItem& item = work.items[work.opened];
    if (!item.permitted) continue;
    const std::vector<const KasKey*> candidates = parts_.keys.candidates(item.key->access);
    if (operations > 0 && operations + candidates.size() > parts_.limits.operations_per_turn) return false;
    operations += candidates.size();
    open_one(work, item, candidates, newest, at);
  }
  return true;
}

Kas::Step Kas::go_on(Pause pause, const coalition::World& newest, KasMoment at) {
  return attempted(std::move(pause.rest), newest, at);
}

Kas::Step Kas::attempted(std::unique_ptr<Case, FreeCase> work, const coalition::World& newest, KasMoment at) {
  if (work->service != parts_.self) {
    Json request = work->request_for_others(newest, at.now);
    if (request.is_null()) return answer(*work, at);
    KasCaller caller = work->caller;
    caller.by.named = work->named();
    work->asked = at;
    return Forward{work->service, std::move(caller), std::move(request), std::move(work)};
  }
  if (!open(*work, newest, at)) return Pause{std::move(work)};
  std::vector<KasLeaf> leaves;
  for (const CaseItem& item : work->items) {
    if (item.share) leaves.push_back(work->leaf("key.release", item));
  }
  if (leaves.empty()) return answer(*work, at);
  work->stage = Case::Stage::releasing;
  return Write{std::move(leaves), {}, false, std::move(work)};
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
    if (!wrapped || !shown(work, item, newest, at)) {
      withheld.push_back(work.leaf("key.withheld", item));
    } else {
      item.wrapped = *std::move(wrapped);
    }
    item.share.reset();
  }
  KasAnswer out = answer(work, at);
  std::move(withheld.begin(), withheld.end(), std::back_inserter(out.leaves));
  return out;
}

// It was decided all the same, and the answer differs from a refusal's: the ledger gets all of it.
KasAnswer Kas::unusable(Case& work, KasMoment at) {
  constexpr std::string_view kWhy = "the client's public key cannot be used";
  for (CaseItem& item : work.items) {
    if (item.permitted) item.problem = kWhy;
    item.permitted = false;
  }
  KasAnswer out = connect_error("invalid_argument", std::string(kWhy));
  out.leaves = answer(work, at).leaves;
  return out;
}

void Kas::tell_waits(const Case& work) const {
  if (!parts_.waits || work.vouched || work.service == parts_.self) return;
  for (const CaseItem& item : work.items)
    if (item.news && item.news->state == "open")
      parts_.waits(work.service, item.news->id, work.caller.person.id);
}

KasAnswer Kas::answer(Case& work, KasMoment at) {
  std::vector<KasLeaf> leaves;
  for (size_t i = 0; i < work.items.size(); ++i) {
    const CaseItem& item = work.items[i];
    if (!item.view.empty()) leaves.push_back(work.leaf("object.view", item));
    if (!item.wrapped.empty() || !item.waits.empty() || item.recalled || !is_recorded(work, i, at)) continue;
    leaves.push_back(work.leaf("key.refusal", item));
  }
  tell_waits(work);
  KasAnswer out = work.request.first_version ? work.first_answer() : work.second_answer();
  out.leaves = std::move(leaves);
  return out;
}

}  // namespace entente::data
