#include "data/kas_case.h"

#include "coalition/author_recall.h"
#include "coalition/releases.h"
#include "crypto/digest.h"
#include "data/kas_client.h"
#include "data/lineage.h"
#include "label/label.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kAnswerTextMax = 4096;
constexpr size_t kWordsMax = 400;
constexpr size_t kViewNameMax = 64;
constexpr int64_t kViewSecondsMax = 24 * 3600;  // that a partner may say; our own limit is lower
constexpr std::string_view kAlike = "this key cannot be opened here";

// What the person asking may know: decide()'s words, and the verdict to quote.
std::string told(const coalition::Verdict& verdict, const PartnerCode& of) {
  const std::vector<coalition::Reason> reasons = coalition::shown_reasons(verdict);
  std::string out = reasons.empty() ? "This is not permitted." : reasons.front().text;
  if (!out.ends_with('.')) out += '.';  // some words are a person's
  if (!reasons.empty() && !reasons.front().change.empty()) out += " " + reasons.front().change;
  return out.append(" (verdict ").append(verdict.id.text()).append(" of ").append(of.text()).append(")");
}

// A partner's words, for a person: short, printable, and nothing that plays with a page.
std::string plain_words(std::string_view text) {
  constexpr std::string_view kBefore = "desc = ";
  const size_t at = text.find(kBefore);
  if (at != std::string_view::npos) text.remove_prefix(at + kBefore.size());
  std::string out;
  for (const char c : text.substr(0, kWordsMax)) {
    if (c >= ' ' && c < 0x7f && c != '<' && c != '>') out.push_back(c);
  }
  return out;
}

}  // namespace

Kas::Case::Case(const Kas& of, Pending& pending, KasCaller who, RewrapRequest wanted)
    : caller(std::move(who)), request(std::move(wanted)), service_(of), pending_(pending) {
  size_t count = 0;
  for (const WantedObject& object : request.objects) {
    count += object.keys.size();
    bytes_ += 2 * object.policy_text.size();  // as it came, and read
    for (const WantedKey& key : object.keys)
      bytes_ += sizeof(CaseItem) + key.access.wrapped_key.size() + key.access.encrypted_metadata.size();
  }
  ++pending_.all.requests;
  pending_.all.bytes += bytes_;
  items.reserve(count);
  for (const WantedObject& object : request.objects) {
    for (const WantedKey& key : object.keys) {
      CaseItem& item = items.emplace_back();
      item.object = &object;
      item.key = &key;
      item.problem = !object.problem.empty() ? object.problem : key.problem;
      item.alike = !item.problem.empty();
    }
  }
}

Kas::Case::~Case() {
  --pending_.all.requests;
  pending_.all.bytes -= bytes_;
  for (const std::string& name : shares_) {
    const auto one = pending_.of.find(name);
    one->second.bytes -= bytes_;
    if (--one->second.requests == 0) pending_.of.erase(one);
  }
}

void Kas::Case::count_under(std::string name) {
  Load& load = pending_.of[name];
  ++load.requests;
  load.bytes += bytes_;
  shares_.push_back(std::move(name));
}

PartnerCode Kas::Case::service_of(const coalition::World& world, const CaseItem& item) const {
  const std::string url = key_service_of(item.key->access.url);
  if (url == key_service_of(service_.url())) return service_.parts_.self;
  for (const coalition::KeyService* one : world.key_services()) {
    if (key_service_of(one->url) == url) return one->partner;
  }
  return {};
}

coalition::Ask Kas::Case::ask_about(const CaseItem& item, Instant now) const {
  coalition::Ask out;
  out.id = VerdictId(crypto::random_token(12));
  out.action = item.object->actions.front();
  out.who = caller.person;
  out.target = coalition::ObjectRef{item.object->policy.uuid};
  out.now = now;
  out.context = caller.context;
  out.by = caller.by;
  coalition::SealedObject& sealed = out.object.emplace();
  for (const AttributeName& name : item.object->policy.attributes) sealed.attributes.push_back(name.fqn());
  sealed.dissem = item.object->policy.dissem;
  sealed.in_shares = !item.key->access.sid.empty();
  sealed.key_digest = item.key->digest;
  // Another nation's kid is its own business, and may well be spelt like one of ours.
  out.by->unwraps = service == service_.parts_.self;
  if (out.by->unwraps)
    sealed.kid = item.key->access.kid;
  else
    out.by->service = service;
  sealed.labelled = !item.key->access.encrypted_metadata.empty();
  const DataPolicy& policy = item.object->policy;
  if (policy.author.empty()) return out;
  sealed.author = policy.author;
  sealed.text_digest = base64url(item.object->policy_digest);
  if (!vouched && service_.parts_.author)
    out.by->author = author_mark(service_.parts_.author(caller.person.id), policy.uuid);
  return out;
}

bool Kas::Case::may_recall(const CaseItem& item, const coalition::World& world) const {
  if (item.ask.by->author.empty() || item.ask.by->author != item.ask.object->author) return false;
  if (coalition::author_recall(world, *item.ask.object) != nullptr) return false;
  coalition::Ask ask = item.ask;
  ask.action = coalition::Action::recall;
  return coalition::decide_without_reach(world, ask).permit;
}

// What is looked after as a view ends when something changes that was read here; all else is asked anew. Each
// right that is asked for has to permit: the first that does not is the answer, and left in the ask.
void Kas::Case::decide(CaseItem& item, const coalition::World& world, Instant now) const {
  item.ask.now = now;
  item.grants.clear();
  Instant until = kNever;
  for (const coalition::Action action : item.object->actions) {
    item.ask.action = action;
    item.verdict =
        request.view ? coalition::decide(world, item.ask) : coalition::decide_without_reach(world, item.ask);
    if (!item.verdict.permit) break;
    until = std::min(until, item.verdict.valid_until);
    item.verdict.valid_until = until;
    if (!item.verdict.grant.empty()) item.grants.push_back(item.verdict.grant.text());
  }
  item.permitted = item.verdict.permit;
  if (!item.permitted) item.grants.clear();  // a refusal rests on none of them
  item.decided_in = world;
  item.decided_at = now;
}

bool Kas::Case::still_permitted(CaseItem& item, const coalition::World& newest, Instant now) const {
  const bool stands = item.decided_in && item.decided_in->is(newest) && item.decided_at <= now &&
                      now < item.verdict.valid_until;
  if (!stands) decide(item, newest, now);
  item.permitted = item.verdict.permit;
  if (!item.permitted) return false;
  std::optional<coalition::Reason> lapsed = what_lapsed(now);
  if (!lapsed) return true;
  item.permitted = false;
  item.verdict.permit = false;
  item.verdict.reasons = {*std::move(lapsed)};
  return false;
}

// What was proved by the clock that was wrong stands for nothing by the right one.
std::optional<coalition::Reason> Kas::Case::what_lapsed(Instant now) const {
  if (service_.started() != began_)
    return coalition::Reason{.policy = "clock-put-right",
                             .text = "The clock of this node was put right meanwhile.",
                             .change = "Ask again.",
                             .who_decides = {}};
  if (caller.issued && !service_.parts_.counts(caller.person.id, *caller.issued, now))
    return coalition::Reason{.policy = "signed-out",
                             .text = "You signed out everywhere meanwhile.",
                             .change = "Sign in, and ask again with a new access token.",
                             .who_decides = {}};
  return std::nullopt;
}

void Kas::Case::name_key(CaseItem& item, const std::string& kid) {
  if (item.ask.object->kid == kid) return;
  item.ask.object->kid = kid;
  item.decided_in.reset();
}

// Nobody is offered what would not help: with a release at hand, everything else has to permit already.
void Kas::Case::wish_for(CaseItem& item, const coalition::World& world,
                         const coalition::WishesUnderWay& others) const {
  item.permitted = false;
  if (item.verdict.permit) {
    item.problem = "This is open to you already.";
    if (const auto known = coalition::newest_release(world, item.ask))
      item.news = coalition::news_of(*known, item.ask.now);
    return;
  }
  coalition::Grant supposed;
  supposed.purpose = item.object->release->purpose;
  supposed.end = item.ask.now + std::chrono::minutes(item.object->release->minutes);
  coalition::Verdict with_release = coalition::decide_as_if(world, item.ask, supposed);
  if (!with_release.permit) {
    item.verdict = std::move(with_release);
    item.decided_in.reset();
    return;
  }
  if (const auto known = coalition::waiting_release(world, item.ask)) {
    item.waits = known->id.text();
    item.news = coalition::news_of(*known, item.ask.now);
    return;
  }
  Result<coalition::Release> made =
      coalition::wished_release(world, item.ask, RequestId(crypto::random_token(16)),
                                item.object->release->purpose, item.object->release->minutes, others);
  if (!made) {
    item.problem = made.error().what();
    return;
  }
  item.waits = made->id.text();
  item.news = coalition::news_of(*made, item.ask.now);
  item.wish = *std::move(made);
}

bool Kas::Case::read_client() {
  const auto permitted = [](const CaseItem& item) { return item.permitted; };
  if (!wishes() && std::none_of(items.begin(), items.end(), permitted)) return true;
  auto key = crypto::PublicKey::from_pem(request.client_key);
  if (!key || key->kind() == crypto::KeyKind::ed25519) return false;
  client_ = *std::move(key);
  return true;
}

Result<Bytes> Kas::Case::wrap(const crypto::Secret& share) {
  if (!rewrapper_) {
    TRY(Rewrapper made, Rewrapper::to(*client_));
    rewrapper_ = std::move(made);
  }
  return rewrapper_->wrap(share);
}

bool Kas::Case::label_agrees(CaseItem& item, const crypto::Secret& share, const coalition::World& newest,
                             Instant now) const {
  const auto text = open_metadata(item.key->access, share);
  if (!text) return false;
  const coalition::KeyService* own = newest.key_service(service_.parts_.self);
  const bool required = own != nullptr && own->labels_required;
  if (text->empty()) return !required;
  const auto metadata = Json::parse(*text, {.bytes_max = kMetadataBytesMax, .depth_max = 16});
  if (!metadata || !metadata->is_object()) return false;
  item.from = read_key_metadata_from(*metadata);
  const Json* said = metadata->find("label");
  if (said == nullptr) return !required;  // other clients keep other things there
  auto label = label::from_json(*said);
  if (!label) return false;
  item.ask.object->label = *std::move(label);
  decide(item, newest, now);
  return item.permitted;
}

Json Kas::Case::request_for_others(const coalition::World& newest, Instant now) {
  Json requests = Json::array();
  for (size_t i = 0; i < items.size(); ++i) {
    CaseItem& item = items[i];
    if (!item.permitted || !still_permitted(item, newest, now)) continue;
    const Json key = Json::object({{"keyAccessObjectId", fmt::format("k{}", i)},
                                   {"keyAccessObject", write_key_access(item.key->access)}});
    Json one = Json::object(
        {{"policy", Json::object({{"id", fmt::format("o{}", i)}, {"body", item.object->policy_text}})},
         {"action", request.view ? Json(coalition::action_name(coalition::Action::open))
                                 : write_actions(item.object->actions)},
         {"keyAccessObjects", Json::array({key})}});
    if (item.object->release)
      one.set("release", Json::object({{"purpose", item.object->release->purpose},
                                       {"minutes", item.object->release->minutes}}));
    requests.push(std::move(one));
  }
  if (requests.items().empty()) return {};
  Json out = Json::object({{"clientPublicKey", request.client_key}, {"requests", std::move(requests)}});
  if (request.view) out.set("view", true);
  return out;
}

std::vector<std::string> Kas::Case::named() const {
  const std::string before = caller.person.partner.text() + "/";
  std::vector<std::string> known{before + caller.person.id.text()};
  const auto email = caller.person.facts.find("email");
  if (email != caller.person.facts.end()) {
    if (const auto* address = std::get_if<std::string>(&email->second.value))
      known.push_back(before + *address);
  }
  std::vector<std::string> out;
  for (std::string& name : known) {
    const bool said = std::any_of(items.begin(), items.end(), [&](const CaseItem& item) {
      const std::vector<std::string>& dissem = item.object->policy.dissem;
      return item.permitted && std::find(dissem.begin(), dissem.end(), name) != dissem.end();
    });
    if (said) out.push_back(std::move(name));
  }
  return out;
}

// Whatever it says is about the keys it was asked for, bounded, and its words are words.
void Kas::Case::hear(const Json& said, Instant now) {
  const Json* body = said.find("body");
  const Json* responses = body == nullptr ? nullptr : body->find("responses");
  session_key = body == nullptr ? "" : body->text_or("sessionPublicKey", "");
  if (session_key.size() > kAnswerTextMax) session_key.clear();
  std::vector<bool> told(items.size());
  const size_t count = responses != nullptr && responses->is_array() ? responses->items().size() : 0;
  for (size_t i = 0; i < std::min(count, items.size()); ++i) {
    const Json* results = responses->items()[i].find("results");
    if (results == nullptr || !results->is_array() || results->items().size() != 1) continue;
    const Json& result = results->items().front();
    const std::string_view id = result.text_or("keyAccessObjectId", "");
    for (size_t n = 0; n < items.size(); ++n) {
      if (id != fmt::format("k{}", n) || told[n] || !items[n].permitted) continue;
      told[n] = true;
      if (const Json* wish = result.find("wish")) items[n].news = coalition::read_release_news(*wish);
      if (wishes() && result.text_or("status", "") == "asked") {
        items[n].waits = plain_words(result.text_or("release", ""));
        if (items[n].news && items[n].news->id.text() != items[n].waits) items[n].news.reset();
        continue;
      }
      const auto wrapped = from_base64(result.text_or("kasWrappedKey", ""));
      const bool good = !wishes() && result.text_or("status", "") == "permit" && wrapped &&
                        !wrapped->empty() && wrapped->size() <= kWrappedBytesMax;
      if (good && (!request.view || hear_view(items[n], result, now))) {
        items[n].wrapped = *wrapped;
        items[n].news.reset();
      } else {
        items[n].elsewhere = plain_words(result.text_or("error", ""));
      }
    }
  }
  for (CaseItem& item : items) {
    if (item.permitted && item.wrapped.empty() && item.waits.empty() && item.elsewhere.empty()) {
      item.elsewhere = "Another nation's key service gave no answer that can be used.";
    }
  }
}

// What cannot be watched is not shown: their node has to say by which name it looks after it.
bool Kas::Case::hear_view(CaseItem& item, const Json& result, Instant now) {
  const std::string_view name = result.text_or("view", "");
  const Json* until = result.find("until");
  if (name.empty() || name.size() > kViewNameMax || until == nullptr || !until->is_int() ||
      until->integer() < 0 || until->integer() > kViewSecondsMax) {
    return false;
  }
  item.elsewhere_view = name;
  item.elsewhere_until = now + Seconds(until->integer());
  return true;
}

KasAnswer Kas::Case::first_answer() const {
  const CaseItem& item = items.front();
  if (item.wrapped.empty()) {
    if (item.alike) return connect_error("invalid_argument", std::string(kAlike));
    if (!item.problem.empty()) return connect_error("invalid_argument", item.problem);
    return connect_error("permission_denied",
                         item.elsewhere.empty() ? told(item.verdict, service_.self()) : item.elsewhere);
  }
  KasAnswer out;
  out.body = Json::object({{"entityWrappedKey", base64(item.wrapped)},
                           {"metadata", Json::object()},
                           {"sessionPublicKey", answer_key()},
                           {"schemaVersion", "1.0.0"}});
  return out;
}

KasAnswer Kas::Case::second_answer() const {
  Json responses = Json::array();
  size_t next = 0;
  for (const WantedObject& object : request.objects) {
    Json results = Json::array();
    for (size_t i = 0; i < object.keys.size(); ++i, ++next) {
      const CaseItem& item = items[next];
      Json metadata = Json::object({{"sid", item.key->access.sid}});
      if (!item.verdict.id.empty()) metadata.set("verdict", item.verdict.id.text());
      Json result = Json::object({{"keyAccessObjectId", item.key->id}});
      if (!item.wrapped.empty()) {
        result.set("status", "permit").set("kasWrappedKey", base64(item.wrapped));
        if (!item.view.empty()) result.set("view", item.view).set("until", item.lasts.count());
        if (!item.marking.empty()) result.set("marking", item.marking);
      } else if (item.recalled) {
        result.set("status", "recalled").set("durable", !item.fenced);
      } else if (!item.waits.empty()) {
        result.set("status", "asked").set("release", item.waits);
      } else if (item.alike || !item.problem.empty()) {
        result.set("status", "fail")
            .set("error", "rpc error: code = InvalidArgument desc = " +
                              (item.alike ? std::string(kAlike) : item.problem));
      } else {
        result.set("status", "fail")
            .set("error",
                 "rpc error: code = PermissionDenied desc = " +
                     (item.elsewhere.empty() ? told(item.verdict, service_.self()) : item.elsewhere));
      }
      if (item.may_recall) result.set("recall", true);
      if (item.news) result.set("wish", coalition::to_json(*item.news));
      results.push(std::move(result.set("metadata", std::move(metadata))));
    }
    responses.push(Json::object({{"policyId", object.id}, {"results", std::move(results)}}));
  }
  KasAnswer out;
  out.body = Json::object({{"sessionPublicKey", answer_key()}, {"responses", std::move(responses)}});
  return out;
}

}  // namespace entente::data
