#include "coalition/decide.h"

#include "base/memo.h"
#include "coalition/levels.h"
#include "coalition/question.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr int64_t kAssuranceMax = 4;
constexpr int64_t kRiskMax = 100;
constexpr size_t kRolesMax = 32;
constexpr std::string_view kCoalition = "The coalition";

bool contains(const std::vector<PartnerCode>& codes, const PartnerCode& code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

void Question::check_vouching_partner() {
  const PartnerCode& code = ask_.who.partner;
  notes_.read([&] { return uid_of(code); });
  const Partner* partner = world_.partner(code);
  if (partner == nullptr) {
    return refuse("partner-unknown", fmt::format("{} is no member of this coalition.", code.text()),
                  "It would have to join first.", std::string(kCoalition));
  }
  if (!notes_.reached(partner->member_since)) {
    refuse("membership-not-begun", fmt::format("The membership of {} has not begun.", named(code)),
           fmt::format("It begins at {}.", rfc3339(partner->member_since)), std::string(kCoalition));
  } else if (!notes_.before(partner->member_until)) {
    refuse("membership-ended", fmt::format("The membership of {} has ended.", named(code)),
           "The coalition would have to renew it.", std::string(kCoalition));
  }
  check_open(*partner, "partner");
}

// `which` of the two it is in this ask: "partner" or "owner".
void Question::check_open(const Partner& other, std::string_view which) {
  if (other.state == PartnerState::suspended) {
    refuse(fmt::format("{}-suspended", which), suspended_text(world_, other),
           "When it is lifted, sign in again.", named(world_.self()));
  }
  if (!other.isolated.empty()) {
    refuse(fmt::format("{}-isolated", which), isolated_text(world_, other),
           "When that ends, sign in again; apps of other nations stay open to you.", named(world_.self()));
  }
}

void Question::check_identity_fact(std::string_view name) {
  const auto found = ask_.who.facts.find(name);
  if (found == ask_.who.facts.end()) {
    return refuse("missing-identity", fmt::format("Your nation has not said your {}.", name),
                  "Sign in again; if that does not help, ask your identity office.", named(ask_.who.partner));
  }
  if (notes_.before(found->second.end)) return;
  credential_dead_ = true;
  refuse("credential-ended", fmt::format("What your nation said about your {} has ended.", name),
         "Sign in again.", named(ask_.who.partner));
}

std::optional<int64_t> Question::number(const Facts& facts, std::string_view name, int64_t lowest,
                                        int64_t highest) {
  const Fact* fact = live(facts, name);
  const auto* value = fact == nullptr ? nullptr : std::get_if<int64_t>(&fact->value);
  if (value != nullptr && *value >= lowest && *value <= highest) return *value;
  if (fact != nullptr) {
    errors_.push_back(
        fmt::format("fact {} from {} is no whole number from {} to {}", name, fact->source, lowest, highest));
  }
  return std::nullopt;
}

void Question::check_identity() {
  for (const std::string_view name : kIdentityFacts) check_identity_fact(name);
  // Rules that forbid by one of these would be passed by waiting until it ends.
  for (const std::string_view name : kDeclaredFacts)
    if (ask_.who.facts.contains(name)) check_identity_fact(name);
  if (reasons_.empty()) read_identity();
}

// Lifting a suspension restores nothing by itself: who signed in before it signs in again.
void Question::check_signed_in_since_resumed(const PartnerCode& code) {
  notes_.read([&] { return uid_of(code); });
  const Partner* partner = world_.partner(code);
  if (partner == nullptr || !partner->resumed_at) return;
  const int64_t resumed_ms = partner->resumed_at->time_since_epoch().count();
  const auto signed_in_ms = number(ask_.who.facts, "signed_in_at", 0, INT64_MAX);
  if (signed_in_ms && *signed_in_ms > resumed_ms) return;
  credential_dead_ = true;
  // An access token need not say when its person signed in, and then cannot show that it was since.
  refuse("signed-in-before-resume",
         signed_in_ms
             ? fmt::format("{} was shut out after you signed in, and is let in again now.", named(code))
             : fmt::format("{} was shut out before, and nothing says that you signed in since it is let "
                           "in again.",
                           named(code)),
         signed_in_ms ? "Sign in again." : "Sign in again, with a token that says when (auth_time).",
         named(world_.self()));
}

// All identity facts are there and live: what they say must make sense, and stay within what the partner may
// say.
void Question::read_identity() {
  const Facts& facts = ask_.who.facts;
  const std::string home = named(ask_.who.partner);
  const auto unreadable = [&](std::string_view name) {
    errors_.push_back(fmt::format("fact {} from {} cannot be read", name, facts.find(name)->second.source));
    refuse("missing-identity", fmt::format("What your nation said about your {} cannot be read.", name),
           "Ask your identity office.", home);
  };
  const auto text_of = [&](std::string_view name) {
    return std::get_if<std::string>(&facts.find(name)->second.value);
  };

  const std::string* nationality = text_of("nationality");
  if (nationality == nullptr) {
    unreadable("nationality");
  } else if (*nationality != ask_.who.partner.text()) {
    errors_.push_back(fmt::format("{} vouched for a person of {}: a partner vouches for its own people only",
                                  ask_.who.partner.text(), *nationality));
    refuse("nationality-not-vouched", "A nation vouches for its own people only.",
           "Sign in with your own nation.", home);
  }

  const std::string* clearance = text_of("clearance");
  const auto level = clearance == nullptr ? std::nullopt : level_of(*clearance);
  const int64_t ceiling = level_of(world_.partner(ask_.who.partner)->ceiling).value_or(0);
  if (!level) {
    unreadable("clearance");
  } else if (*level > ceiling) {
    errors_.push_back(fmt::format("{} gave clearance {}, above its ceiling {}", ask_.who.partner.text(),
                                  *clearance, kLevels[static_cast<size_t>(ceiling)]));
    refuse("clearance-above-ceiling", "Your nation gave a clearance above what it may give.",
           "Ask your identity office to correct it.", home);
  }

  const FactValue& role = facts.find("role")->second.value;
  if (const auto* set = std::get_if<std::vector<std::string>>(&role)) {
    person_.roles = *set;
  } else if (const auto* one = std::get_if<std::string>(&role)) {
    person_.roles = {*one};
  }
  // Roles stand in the line by which somebody is let in: they are names, and few, so that nothing else can be
  // written with them.
  if (person_.roles.empty() || person_.roles.size() > kRolesMax ||
      !std::all_of(person_.roles.begin(), person_.roles.end(), is_label))
    unreadable("role");

  const auto assurance = number(facts, "assurance", 1, kAssuranceMax);
  if (!assurance) unreadable("assurance");
  if (const Fact* missions = live(facts, "missions")) {
    if (const auto* set = std::get_if<std::vector<std::string>>(&missions->value)) {
      person_.missions = *set;
    } else if (const auto* one = std::get_if<std::string>(&missions->value)) {
      person_.missions = {*one};
    } else {
      unreadable("missions");
    }
  }
  for (const std::string_view name : kDeclaredFacts) {
    const Fact* declared = live(facts, name);
    if (declared == nullptr) continue;
    const auto* text = std::get_if<std::string>(&declared->value);
    if (text == nullptr)
      unreadable(name);
    else
      (name == "place" ? person_.place : person_.status) = *text;
  }
  person_.partner = ask_.who.partner;
  person_.clearance = level.value_or(0);
  person_.assurance = assurance.value_or(0);
}

void Question::check_context() {
  const Fact* network = live(ask_.context, "network");
  const auto* text = network == nullptr ? nullptr : std::get_if<std::string>(&network->value);
  if (text == nullptr) {
    refuse("missing-context", "It is not known from which network you come.", "Try again in a moment.",
           named(world_.self()));
  } else {
    network_ = *text;
  }
  if (const auto risk = number(ask_.context, "risk", 0, kRiskMax)) {
    risk_ = *risk;
  } else {
    refuse("missing-risk", "There is no current judgement of risk for this session.",
           "Try again in a moment.", named(world_.self()));
  }
}

// Whoever is inside knows of the app, and hears why it went; to all others it is an app that is not there.
bool Question::is_withdrawn(const AppRef& ref) {
  const App* app = world_.app(ref);
  if (!ask_.inside || app == nullptr || app->withdrawn.empty()) return false;
  notes_.read([&] { return uid_of(ref); });
  refuse("app-withdrawn", withdrawn_text(world_, *app), "It would have to be offered again.",
         named(ref.owner));
  return true;
}

// The app, when it exists and this person's nation was told of it. Otherwise all is as if there were none.
const App* Question::find_app(const AppRef& ref) {
  const PartnerCode& from = ask_.who.partner;
  notes_.read([&] { return uid_of(ref); });
  notes_.read([&] { return uid_of(ref.owner); });
  const App* app = world_.app(ref);
  std::string_view rule;
  if (app == nullptr) {
    rule = kUnknownApp;
  } else if (ref.owner != from && !contains(app->offered_to, from)) {
    rule = "app-not-offered";
  } else if (ref.owner != world_.self() && from != world_.self()) {
    rule = "not-ours";  // neither our app nor our person: no layer here speaks for them
  } else {
    return app;
  }
  refuse(rule, "", "", "");
  hidden_ = true;
  return nullptr;
}

void Question::check_owner(const App& app) {
  const PartnerCode& code = app.ref.owner;
  const Partner& owner = *world_.partner(code);  // the world holds no app without its owner
  if (!notes_.reached(owner.member_since) || !notes_.before(owner.member_until)) {
    refuse("owner-not-member", fmt::format("{}, whose app this is, is not a member now.", named(code)),
           "The coalition would have to renew its membership.", std::string(kCoalition));
  }
  check_open(owner, "owner");
  if (!notes_.before(app.end)) {
    refuse("app-ended", fmt::format("{} is no longer offered.", app.name),
           "Its owner would have to offer it again.", named(code));
  }
}

void Question::check_mission(const App& app) {
  notes_.read([&] { return uid_of(app.mission); });
  notes_.read([&] { return uid_of(app.segment); });
  const Mission& mission = *world_.mission(app.mission);
  if (!notes_.reached(mission.start)) {
    refuse("mission-not-begun", fmt::format("The mission {} has not begun.", mission.name),
           fmt::format("It begins at {}.", rfc3339(mission.start)), std::string(kCoalition));
  } else if (!notes_.before(mission.end)) {
    refuse("mission-ended", fmt::format("The mission {} has ended.", mission.name),
           "The mission would have to be prolonged.", std::string(kCoalition));
  }
  if (!contains(mission.partners, app.ref.owner)) {
    refuse("owner-not-in-mission",
           fmt::format("{} does not take part in {}.", named(app.ref.owner), mission.name), "",
           std::string(kCoalition));
  }
  in_mission_ = contains(mission.partners, ask_.who.partner);
  if (!in_mission_) {
    refuse("partner-not-in-mission",
           fmt::format("{} does not take part in {}.", named(ask_.who.partner), mission.name), "",
           std::string(kCoalition));
  }
  rest_roles(mission);
}

// What counts in other phases of the mission only is as if nobody had said it. Who may know of an app knows
// of it in every phase: else nobody could tell them why it is shut.
void Question::rest_roles(const Mission& mission) {
  if (ask_.action == Action::view) return;
  std::erase_if(person_.roles, [&](const std::string& role) {
    const auto phases = mission.roles.find(role);
    const bool rests =
        phases != mission.roles.end() &&
        std::find(phases->second.begin(), phases->second.end(), mission.phase) == phases->second.end();
    if (rests) resting_.push_back(role);
    return rests;
  });
}

Opinion Question::ask_with_all_roles(Action action, bool own) {
  if (resting_.empty()) return ask_policies(action, own);
  const std::vector<std::string> counting = person_.roles;
  person_.roles.insert(person_.roles.end(), resting_.begin(), resting_.end());
  Opinion opinion = ask_policies(action, own);
  person_.roles = counting;
  return opinion;
}

// Where a role that rests would have opened it, the phase is the reason: tried, not guessed.
void Question::say_resting_roles(const App& app, bool own) {
  if (resting_.empty() || !ask_with_all_roles(ask_.action, own).permit) return;
  const Mission& mission = *world_.mission(app.mission);
  std::vector<std::string> phases;
  for (const std::string& role : resting_) {
    const auto& some = mission.roles.find(role)->second;
    phases.insert(phases.end(), some.begin(), some.end());
  }
  std::sort(phases.begin(), phases.end());
  phases.erase(std::unique(phases.begin(), phases.end()), phases.end());
  Reason reason{Layer::structure, "role-rests", "", "", ""};
  reason.text = fmt::format("Your role ({}) does not count while {} is in phase {}.",
                            fmt::join(resting_, ", "), mission.name, mission.phase);
  if (!phases.empty()) reason.change = fmt::format("It counts in phase {}.", fmt::join(phases, ", "));
  reason.who_decides = named(mission.lead.empty() ? world_.self() : mission.lead);
  reasons_.insert(reasons_.begin(), std::move(reason));
}

// The words for what a person may not know of: nothing in them depends on the target.
void Question::hide() {
  for (Reason& reason : reasons_) {
    reason.text = "There is no such app for you here.";
    reason.change = "If you expected one, ask your own nation's mission staff.";
    reason.who_decides = named(ask_.who.partner);
  }
  credential_dead_ = false;
}

namespace {

// Who asks is the same in request after request: all that policies read of them is made once by a thread.
policy::Entity known_person_entity(policy::EntityUid uid, const PersonView& view) {
  struct Known {
    PersonView view;
    policy::Entity entity;
  };
  thread_local Memo<std::string, Known> kept;  // by the person's id
  const Known* known = kept.find(uid.id);
  if (known != nullptr && known->entity.uid == uid && known->view == view) return known->entity;
  policy::Entity out = person_entity(std::move(uid), view);
  constexpr size_t kKeptNamesMax = 64;
  if (view.roles.size() + view.missions.size() <= kKeptNamesMax) kept.put(out.uid.id, {view, out});
  return out;
}

}  // namespace

Opinion Question::ask_policies(Action action, bool own_target) {
  known_[0] = known_person_entity(entity_of(ask_.who), person_);
  const bool of_object = std::holds_alternative<ObjectRef>(ask_.target);
  const Established known{.world = world_,
                          .ask = ask_,
                          .overlay = policy::Overlay(known_).first(of_object ? 2 : 1),
                          .risk = risk_,
                          .network = network_,
                          .own_target = own_target,
                          .own_person = ask_.who.partner == world_.self(),
                          .grant = grant_,
                          .delegation = delegation_,
                          .release = release_};
  return ask_layers(known, action, notes_);
}

void Question::answer_person(const AppRef& ref) {
  check_vouching_partner();
  if (reasons_.empty()) check_identity();
  if (reasons_.empty()) check_signed_in_since_resumed(ask_.who.partner);
  check_context();
  if (!reasons_.empty()) return;

  if (is_withdrawn(ref)) return;
  const App* app = find_app(ref);
  if (app == nullptr) return hide();
  check_owner(*app);
  check_mission(*app);
  if (ask_.bytes && !app->carries_bytes) {
    notes_.request_read();
    refuse("bytes-not-carried", "This app is reached by single requests only.", "", named(app->ref.owner));
  }
  if (reasons_.empty()) check_signed_in_since_resumed(app->ref.owner);
  const bool own = ref.owner == world_.self();
  const bool asked = reasons_.empty();
  if (asked) {
    grant_ = own ? find_grant(*app) : nullptr;
    Opinion opinion = ask_policies(ask_.action, own);
    if (opinion.permit && grant_ != nullptr) rest_on_grant(opinion, own);
    take(std::move(opinion));
    if (permit_) return;
    hidden_ = ask_.action == Action::view;
  }
  // A refusal says why only to those whom policies would let know of the app.
  hidden_ = hidden_ || !in_mission_ || !ask_with_all_roles(Action::view, own).permit;
  if (hidden_) return hide();
  if (asked) say_resting_roles(*app, own);
  if (asked && own) say_terms(own);
}

void Question::answer_operator() {
  const std::string& id = ask_.who.id.text();
  const PartnerCode& self = world_.self();
  notes_.read([&] { return entity_of(ask_.who); });
  const bool form = ask_.who.partner == self && id.starts_with(kOperatorPrefix);
  const Operator* person =
      form ? world_.operator_named(OperatorName(id.substr(kOperatorPrefix.size()))) : nullptr;
  if (person == nullptr) {
    refuse("operator-unknown", "You are not an operator of this node.",
           "A security officer can name you as one.", named(self));
  } else if (!notes_.before(person->end)) {
    credential_dead_ = true;
    refuse("operator-ended", "Your time as operator of this node has ended.",
           "A security officer can renew it.", named(self));
  }
  const auto* app = std::get_if<AppRef>(&ask_.target);
  const auto* node = std::get_if<NodeRef>(&ask_.target);
  if (person != nullptr &&
      ((app != nullptr && app->owner != self) || (node != nullptr && node->partner != self))) {
    refuse("not-ours", fmt::format("This belongs to {}.", named(app != nullptr ? app->owner : node->partner)),
           "Ask its own operators.", named(app != nullptr ? app->owner : node->partner));
  }
  check_context();
  const bool releases = ask_.action == Action::release;
  if (releases && !ask_.request)
    refuse("no-request", "There is nothing to release.", "Name the object and to whom.", named(self));
  if (reasons_.empty() && (ask_.action == Action::approve || releases) && ask_.request) {
    check_not_twice(ask_.who.id.text());
    check_not_twice(person->person.text());
    check_not_own(person->person);
    const bool may_be_own = ask_.request->partner == self || ask_.request->approvals_needed > 1;
    if (person->person.empty() && may_be_own) {
      refuse("operator-not-named",
             "It cannot be told whether you are the one who asked for this, or approved it before.",
             "A security officer can write into your operator's record who you are where people sign in.",
             named(self));
    }
  }
  if (!reasons_.empty()) return;

  notes_.read([&] { return entity_of(ask_.target); });
  person_.partner = self;
  person_.is_operator = true;
  person_.roles = person->roles;
  person_.assurance = number(ask_.who.facts, "assurance", 1, kAssuranceMax).value_or(0);
  Opinion opinion = ask_policies(ask_.action, true);
  if (releases && opinion.permit) terms_ = opinion.terms;
  take(std::move(opinion));
}

void Question::take(Opinion opinion) {
  permit_ = opinion.permit;
  reasons_ = std::move(opinion.reasons);
  obligations_ = std::move(opinion.obligations);
  errors_.insert(errors_.end(), opinion.errors.begin(), opinion.errors.end());
}

Verdict Question::finish() {
  Verdict verdict;
  verdict.id = ask_.id;
  verdict.permit = permit_;
  verdict.refusal = permit_ ? Refusal::none : credential_dead_ ? Refusal::credential_dead : Refusal::denied;
  verdict.reasons = std::move(reasons_);
  verdict.obligations = std::move(obligations_);
  verdict.hidden = hidden_;
  verdict.revision = world_.revision();
  verdict.valid_until = notes_.valid_until();
  verdict.reach = notes_.take_reach();
  verdict.any_request = notes_.any_request();
  verdict.release_sought = release_sought_;
  verdict.errors = std::move(errors_);
  if (permit_ && grant_ != nullptr) verdict.grant = grant_->id;
  if (permit_ && release_ != nullptr) verdict.grant = release_->id;
  if (permit_ && delegation_ != nullptr) verdict.authority = delegation_->from;
  verdict.terms = terms_;
  return verdict;
}

Verdict decide(const World& world, const Ask& ask) {
  return Question(world, ask).answer();
}

Verdict decide_without_reach(const World& world, const Ask& ask) {
  return Question(world, ask, nullptr, Question::Reach::left_out).answer();
}

Verdict decide_as_if(const World& world, const Ask& ask, const Grant& supposed) {
  return Question(world, ask, &supposed).answer();
}

}  // namespace entente::coalition
