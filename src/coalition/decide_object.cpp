// Asks about sealed objects: what is known of one is what its own policy says, read in this world's
// vocabulary. What cannot be read opens to nobody; every nation of origin and the reader's own must permit.
#include "coalition/barred.h"
#include "coalition/levels.h"
#include "coalition/question.h"
#include "coalition/world_memo.h"
#include "label/dominance.h"
#include "label/label_policy.h"
#include "label/predicate.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

template <class T>
bool has(const std::vector<T>& items, const T& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

// What somebody of this nation, level and caveats holds in the object's label policy.
policy::Value clearance_in(const ObjectView& object, int64_t level, const PartnerCode& partner,
                           std::span<const std::string> caveats) {
  label::Clearance out;
  out.policy = object.label.policy;
  for (const label::Classification& one : object.terms->policy->data().classifications) {
    const auto its = object.terms->level(one.name);
    if (its && *its <= level) out.classifications.push_back(one.name);
  }
  out.categories.push_back(
      {std::string(label::kReleasableTo), label::CategoryType::permissive, {partner.text()}});
  if (!caveats.empty())
    out.categories.push_back(
        {std::string(label::kCaveats), label::CategoryType::restrictive, {caveats.begin(), caveats.end()}});
  return label::clearance_value(out);
}

bool same_set(std::vector<std::string> one, std::vector<std::string> other) {
  for (auto* texts : {&one, &other}) {
    std::sort(texts->begin(), texts->end());
    texts->erase(std::unique(texts->begin(), texts->end()), texts->end());
  }
  return one == other;
}

}  // namespace

bool Question::is_object_action() const {
  switch (ask_.action) {
    case Action::open:
    case Action::view:
    case Action::edit:
    case Action::forward:
    case Action::relabel:
    case Action::recall:
      return true;
    default:
      return false;
  }
}

void Question::answer_object(const ObjectRef& ref) {
  check_vouching_partner();
  if (reasons_.empty()) check_identity();
  if (reasons_.empty()) check_signed_in_since_resumed(ask_.who.partner);
  check_context();
  if (!is_object_action() || !ask_.object || ref.id.empty() || ref.id.size() > kObjectIdBytesMax) {
    refuse("object-not-asked", "This cannot be asked of an object.", "", named(world_.self()));
  }
  if (!reasons_.empty()) return;

  ObjectRead read = read_object(world_, *ask_.object, ask_.now, notes_);
  if (!read.reading) {
    reasons_.push_back(std::move(read.fault));
    return;
  }
  if (ask_.action == Action::recall) {
    answer_author(ref, *read.reading);
    return;
  }
  const ObjectView& object = read.reading->view;
  check_origins(object);
  check_object_missions(object);
  check_object_domains(object);
  check_meant_for(ref, object);
  check_recalls(ref, object);  // whom it was never meant for need not hear why it was recalled
  check_key_use(object);
  if (!reasons_.empty()) return;

  person_.cleared = clearance_for(object);
  known_[1] = object_entity(ref, *ask_.object, *read.reading);
  if (beyond_label_)
    known_[1] = object_entity(ref, *ask_.object, released_to(ask_.who.partner, *read.reading, *ask_.object));
  Opinion opinion = ask_policies(ask_.action, has(object.origins, world_.self()));
  check_obligations(opinion);
  take(std::move(opinion));
}

// Whoever sealed it takes it back, at a node that has a say in it: what they may read and what has ended
// since is no matter. An asker can write any policy around a key that they know and name themselves in it; so
// that this is of no use to them, what is recalled is that policy's text and nothing else.
void Question::answer_author(const ObjectRef& ref, const ObjectReading& reading) {
  const ObjectView& object = reading.view;
  const bool own = ask_.who.partner == world_.self();
  if (!own || !has(object.origins, world_.self())) {
    refuse("not-ours",
           "Its author takes an object back at a node of their own nation, where that is its origin.",
           "Ask an operator of its nation of origin.",
           named(own ? object.origins.front() : ask_.who.partner));
  } else if (!ask_.by || ask_.by->author.empty() || ask_.by->author != ask_.object->author ||
             ask_.object->text_digest.empty()) {
    refuse("not-its-author", "This does not say that you are its author.",
           "Ask whoever sealed it, or an operator of its nation of origin.", named(world_.self()));
  } else if (ask_.by->device.empty()) {
    refuse("token-not-bound", "This is taken back only with a token that is bound to a key of yours.",
           "Use a client that proves which key it holds (DPoP).", named(world_.self()));
  }
  if (!reasons_.empty()) return;
  known_[1] = object_entity(ref, *ask_.object, reading);
  take(ask_policies(ask_.action, true));
}

// A duty is of use only where it is carried out: whoever did not prove that is not even offered it. The fact
// "enforces" is never the asker's own word.
void Question::check_obligations(Opinion& opinion) {
  if (!opinion.permit) return;
  const Fact* proved = live(ask_.context, "enforces");
  const auto* enforces = proved == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&proved->value);
  for (const Obligation& duty : opinion.obligations) {
    if (enforces != nullptr && has(*enforces, duty.name)) continue;
    opinion.permit = false;
    opinion.obligations.clear();
    opinion.reasons.clear();
    opinion.reasons.push_back({Layer::structure, "obligation-unproved",
                               "This opens only in a program that proved it protects what it shows.",
                               "Open it in your nation's viewer.", named(world_.self())});
    return;
  }
}

std::optional<Reason> Question::bar() {
  const auto* ref = std::get_if<ObjectRef>(&ask_.target);
  check_vouching_partner();
  if (ref == nullptr || !ask_.object)
    refuse("object-not-asked", "This cannot be asked of an object.", "", "");
  if (reasons_.empty()) {
    ObjectRead read = read_object(world_, *ask_.object, ask_.now, notes_);
    if (!read.reading) return std::move(read.fault);
    const ObjectView& object = read.reading->view;
    check_recalls(*ref, object);
    for (const PartnerCode& code : object.origins) {
      const Partner* origin = world_.partner(code);
      if (origin != nullptr) check_open(*origin, "owner");
    }
    check_object_missions(object);
    check_object_domains(object);
    check_released(*ref, object);
    // Each nation of origin releases its own share, at its own node.
    if (supposed_ != nullptr && reasons_.empty() && !has(object.origins, world_.self())) {
      refuse("not-ours", "This object is of other nations: a release of it here would say nothing.",
             "Ask its originators for a release.", named(object.origins.front()));
    }
  }
  if (reasons_.empty()) return std::nullopt;
  return reasons_.front();
}

std::optional<Reason> barred(const World& world, const Ask& ask, const Grant* supposed) {
  return Question(world, ask, supposed).bar();
}

std::optional<Reason> barred(const World& world, const Release& release, Instant now) {
  Ask ask;
  ask.action = Action::open;
  ask.who = Person{release.person, release.partner, {}};
  ask.target = ObjectRef{release.object};
  ask.object.emplace().attributes = release.attributes;
  ask.now = now;
  Grant supposed;
  supposed.purpose = release.purpose;
  supposed.end = now + std::chrono::minutes(release.minutes);
  return barred(world, ask, &supposed);
}

void Question::check_origins(const ObjectView& object) {
  for (const PartnerCode& code : object.origins) {
    notes_.read([&] { return uid_of(code); });
    const Partner* origin = world_.partner(code);
    if (origin == nullptr || !notes_.reached(origin->member_since) || !notes_.before(origin->member_until)) {
      refuse("origin-not-member", fmt::format("{}, whose object this is, is not a member now.", named(code)),
             "The coalition would have to renew its membership.", "The coalition");
      continue;
    }
    check_open(*origin, "owner");
    if (reasons_.empty()) check_signed_in_since_resumed(code);
  }
  // A share of its own for each of them also needs a key service of each.
  const auto has_service = [&](const PartnerCode& code) { return world_.key_service(code) != nullptr; };
  const bool in_shares = ask_.object->in_shares && std::ranges::all_of(object.origins, has_service);
  if (object.origins.size() > 1 && ask_.by && ask_.by->unwraps && !in_shares) {
    refuse("origin-not-asked", "One key opens this, and it is of several nations: each has to be asked.",
           "Whoever sealed it has to seal it in shares, one for each of them.",
           named(object.origins.front()));
  }
  // The address beside a key is bound by nothing: whoever wrote it does not choose who hears of the object.
  if (ask_.by && !ask_.by->service.empty() && !has(object.origins, ask_.by->service)) {
    refuse("origin-not-here",
           fmt::format("This is to be opened by {}, and it is not of {}.", named(ask_.by->service),
                       named(ask_.by->service)),
           "Whoever sealed it has to seal it for the key services of its nations of origin.",
           named(object.origins.front()));
  }
  if (has(object.origins, world_.self())) return;
  if (ask_.by && ask_.by->unwraps) {
    refuse("origin-not-here", "This node's key would open what other nations have to decide on.",
           "Whoever sealed it has to seal it for their key services.", named(object.origins.front()));
  } else if (ask_.who.partner != world_.self()) {
    refuse("not-ours", "This node speaks neither for the object nor for you.", "Ask your own nation's node.",
           named(ask_.who.partner));
  }
}

void Question::check_object_missions(const ObjectView& object) {
  for (const MissionId& id : object.missions) {
    notes_.read([&] { return uid_of(id); });
    const Mission* mission = world_.mission(id);
    if (mission == nullptr || !has(mission->partners, ask_.who.partner)) {
      refuse("partner-not-in-mission",
             fmt::format("{} does not take part in the mission this is for.", named(ask_.who.partner)), "",
             "The coalition");
    } else if (!notes_.reached(mission->start) || !notes_.before(mission->end)) {
      refuse("mission-ended", fmt::format("The mission {} is not running.", mission->name),
             "The mission would have to be prolonged.", "The coalition");
    }
  }
  if (!ask_.by || ask_.by->mission.empty()) return;
  const std::string& mission = ask_.by->mission.text();
  if (!has(person_.missions, mission)) {
    refuse("mission-not-yours", "You have no role in the mission you name.",
           "Your mission lead can give you one.", named(ask_.who.partner));
  }
}

void Question::check_object_domains(const ObjectView& object) {
  for (const DomainId& id : object.domains) {
    notes_.read([&] { return uid_of(id); });
    const Domain* domain = world_.domain(id);
    if (domain == nullptr) {
      refuse("domain-unknown", "The data domain this is of does not exist here.", "", named(world_.self()));
      continue;
    }
    if (object.level > level_of(domain->highest).value_or(-1)) {
      refuse("domain-too-high", fmt::format("This is classified higher than {} may be.", domain->name),
             "Whoever sealed it would have to seal it again.", named(domain->owner));
    }
    const PartnerCode& reader = ask_.who.partner;
    if (reader != domain->owner && !has(domain->partners, reader)) {
      refuse("domain-not-shared", fmt::format("{} is not shared with {}.", domain->name, named(reader)),
             "Its owner can share it.", named(domain->owner));
    }
  }
}

void Question::recalled(const Recall& recall) {
  if (!recall.partners.empty() && !has(recall.partners, ask_.who.partner)) return;
  const bool by_author = !recall.object.empty();
  refuse("object-recalled",
         fmt::format("This was recalled{}: {}", by_author ? " by its author" : "", recall.reason),
         "Ask those who sealed it for a newer one.", named(world_.self()));
}

// Whatever was said first is said: one recall is enough.
void Question::check_recalls(const ObjectRef& ref, const ObjectView& object) {
  const auto look = [&](std::string_view kind, std::string_view what) {
    if (what.empty()) return;
    notes_.read([&] { return recall_uid(fmt::format("recall/{}/{}", kind, what)); });
    const Recall* recall = world_.recall(kind, what);
    if (recall != nullptr && reasons_.empty()) recalled(*recall);
  };
  look("object", ask_.object->key_digest);
  look("policy", ref.id);
  look(kAuthorRecall, ask_.object->text_digest);
  look("key", ask_.object->kid);
  look("partner", ask_.who.partner.text());
  look("person", ask_.who.partner.text() + "/" + ask_.who.id.text());
  if (ask_.by) look("device", ask_.by->device);
  for (const MissionId& mission : object.missions) look("mission", mission.text());
  if (ask_.by && !has(object.missions, ask_.by->mission)) look("mission", ask_.by->mission.text());

  notes_.read([&] { return recall_uid("recall/label/"); });
  for (const Recall* recall : world_.recalls("label")) {
    const bool high =
        recall->classification.empty() || object.level >= level_of(recall->classification).value_or(0);
    const bool all = std::all_of(recall->attributes.begin(), recall->attributes.end(),
                                 [&](const std::string& fqn) { return has(ask_.object->attributes, fqn); });
    if (high && all && reasons_.empty()) recalled(*recall);
  }
}

// The one that names the person, if there is one. An id is what its sealer chose, and whoever asked for a
// release said what the object bears without a key to prove it: a release is of that id and those attributes.
const Release* Question::find_release(const ObjectRef& ref) {
  release_sought_ = true;
  notes_.read([&] { return release_uid(ask_.who.partner, ref.id); });
  if (supposed_ != nullptr) {
    supposed_release_.emplace();
    supposed_release_->person = ask_.who.id;
    supposed_release_->purpose = supposed_->purpose;
    supposed_release_->until = supposed_->end;
    return &*supposed_release_;
  }
  const Partner& partner = *world_.partner(ask_.who.partner);
  const std::string right(action_name(ask_.action));
  const Release* found = nullptr;
  for (const Release* one : world_.releases(ask_.who.partner)) {
    if (one->object != ref.id || !one->start || !one->until || !has(one->rights, right)) continue;
    if (!one->person.empty() && one->person != ask_.who.id) continue;
    if (!same_set(one->attributes, ask_.object->attributes)) continue;
    if (!notes_.reached(*one->start) || !notes_.before(*one->until)) continue;
    // Lifting a suspension restores nothing by itself.
    if (partner.resumed_at && *one->start <= *partner.resumed_at) continue;
    if (!one->person.empty()) return one;
    found = one;
  }
  return found;
}

// Whom the label lets an object go to; under originator control, each nation of origin says for its own share
// where else. The others leave that to them.
bool Question::check_released(const ObjectRef& ref, const ObjectView& object) {
  const PartnerCode& reader = ask_.who.partner;
  if (has(object.origins, reader)) return true;
  const bool controlled = has(object.handling, std::string(kOriginatorControl));
  const bool ours = has(object.origins, world_.self());
  if (controlled && ours) release_ = find_release(ref);
  if (has(object.releasable_to, reader)) return true;
  if (release_ == nullptr && (ours || !controlled)) {
    refuse(controlled ? "object-not-released" : "object-not-releasable",
           fmt::format("This is not {} to {}.", controlled ? "released" : "releasable", named(reader)),
           controlled ? "Ask its originators for a release." : "Its originators would have to release it.",
           named(ours ? world_.self() : object.origins.front()));
    return false;
  }
  beyond_label_ = true;
  return true;
}

void Question::check_meant_for(const ObjectRef& ref, const ObjectView& object) {
  const PartnerCode& reader = ask_.who.partner;
  if (!check_released(ref, object)) return;
  const std::vector<std::string>& dissem = ask_.object->dissem;
  if (dissem.empty()) return;
  const bool theirs = !has(object.origins, reader) && !has(object.origins, world_.self()) &&
                      has(object.handling, std::string(kOriginatorControl));
  if (theirs || (release_ != nullptr && !release_->person.empty())) return;
  const auto names = [&](const std::string& entry) { return has(dissem, entry); };
  const std::vector<std::string> own = names_of_reader();
  if (names(reader.text()) || std::any_of(own.begin(), own.end(), names)) return;
  // Nobody says whose an address is: alone it stands for our own people, and that of any other nation's
  // reader, an originator's too, is written with its nation.
  const Fact* email = live(ask_.who.facts, "email");
  const auto* address = email == nullptr ? nullptr : std::get_if<std::string>(&email->value);
  if (address != nullptr && reader == world_.self() && has(object.origins, reader) && names(*address)) return;
  refuse("object-not-for-you", "This was sealed for named readers, and you are not among them.",
         fmt::format("Whoever sealed it can name you, as {}/ and your address.", reader.text()),
         "Whoever sealed it");
}

// What dissem may call them: said here of our own people, and by their nation's node of its own and no
// other's.
std::vector<std::string> Question::names_of_reader() {
  const std::string before = ask_.who.partner.text() + "/";
  std::vector<std::string> out{before + ask_.who.id.text()};
  const Fact* email = live(ask_.who.facts, "email");
  const auto* address = email == nullptr ? nullptr : std::get_if<std::string>(&email->value);
  if (address != nullptr && !address->empty()) out.push_back(before + *address);
  if (!ask_.by) return out;
  for (const std::string& name : ask_.by->named) {
    if (name.starts_with(before)) out.push_back(name);
  }
  return out;
}

// A token that anybody may use who has it opens little; and what lies under the share cannot be left out.
void Question::check_key_use(const ObjectView& object) {
  check_labelled();
  if (ask_.by && !ask_.by->device.empty()) return;
  notes_.read([&] { return key_service_uid(world_.self()); });
  const KeyService* own = world_.key_service(world_.self());
  const int64_t ceiling = own == nullptr ? 0 : level_of(own->bearer_ceiling).value_or(0);
  if (object.level <= ceiling) return;
  refuse("token-not-bound", "This opens only for a token that is bound to a key of yours.",
         "Use a client that proves which key it holds (DPoP).", named(world_.self()));
}

void Question::check_labelled() {
  if (!ask_.by || !ask_.by->unwraps || ask_.object->labelled) return;
  notes_.read([&] { return key_service_uid(world_.self()); });
  const KeyService* own = world_.key_service(world_.self());
  if (own == nullptr || !own->labels_required) return;
  refuse("label-missing", "This opens only with the label that was sealed under its key.",
         "Send the object's key as it was sealed; or whoever sealed it has to seal it with its label.",
         named(world_.self()));
}

policy::Value Question::clearance_for(const ObjectView& object) {
  std::span<const std::string> caveats;
  if (const Fact* held = live(ask_.who.facts, "caveats")) {
    if (const auto* all = std::get_if<std::vector<std::string>>(&held->value)) {
      caveats = *all;
    } else if (const auto* one = std::get_if<std::string>(&held->value)) {
      caveats = {one, 1};
    }
  }
  thread_local WorldMemo<policy::Value> kept;
  std::string key;
  add_to_key(key, object.label.policy);
  add_to_key(key, std::to_string(person_.clearance));
  add_to_key(key, ask_.who.partner.text());
  for (const std::string& caveat : caveats) add_to_key(key, caveat);
  if (const policy::Value* known = kept.find(world_, key)) return *known;
  policy::Value out = clearance_in(object, person_.clearance, ask_.who.partner, caveats);
  constexpr size_t kKeptBytesMax = 1024;
  if (key.size() <= kKeptBytesMax) kept.put(std::move(key), out);
  return out;
}

}  // namespace entente::coalition
