// Grants and who may give them.
#include "coalition/question.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace entente::coalition {

// The grant that speaks for this ask, if any. What else a session was admitted by is left alone while it is
// good.
const Grant* Question::find_grant(const App& app) {
  notes_.read([&] { return entity_of(ask_.who); });
  if (supposed_ != nullptr) return supposed_;
  const Partner& partner = *world_.partner(ask_.who.partner);
  const Grant* found = nullptr;
  for (const Grant* grant : world_.grants(ask_.who, app.ref.app)) {
    if (!notes_.reached(grant->start) || !notes_.before(grant->end)) continue;
    // Lifting a suspension restores nothing by itself.
    if (partner.resumed_at && grant->start <= *partner.resumed_at) continue;
    const bool counted = grant->id == ask_.entered_by;
    if (!counted && (ask_.inside || grant->used >= grant->count)) continue;
    if (!grant->scope.whole()) {
      notes_.request_read();
      if (ask_.bytes) continue;
      if (ask_.http && !grant->scope.covers(ask_.http->method, ask_.http->path, ask_.http->upgrade)) continue;
    }
    if (counted) return grant;
    if (found == nullptr || grant->end > found->end) found = grant;
  }
  return found;
}

// Permitted, with a grant at hand: what is permitted without it uses none up.
void Question::rest_on_grant(Opinion& opinion, bool own) {
  if (ask_.http) return;  // inside a session: counted when it was admitted
  if (supposed_ != nullptr) terms_ = opinion.terms;
  const Grant* grant = std::exchange(grant_, nullptr);
  if (Opinion without = ask_policies(ask_.action, own); without.permit) {
    opinion = std::move(without);
  } else {
    grant_ = grant;
  }
}

// Refused, though they may know of it: whether a grant would change that, and on which terms. It is tried,
// not guessed.
void Question::say_terms(bool own) {
  if (ask_.action != Action::open || ask_.http || grant_ != nullptr) return;
  Grant supposed;
  supposed.purpose = ask_.purpose;
  supposed.end = ask_.now + std::chrono::hours(1);
  grant_ = &supposed;
  const Opinion opinion = ask_policies(ask_.action, own);
  grant_ = nullptr;
  if (!opinion.permit) return;
  terms_ = opinion.terms;
  // What the grant is for, and who gives it: the rule that came nearest without one is of other people.
  std::vector<Reason> by_grant;
  for (const Reason& reason : opinion.reasons)
    if (reason.layer == Layer::host && !reason.text.empty()) by_grant.push_back(reason);
  if (by_grant.empty()) return;
  std::erase_if(reasons_, [](const Reason& reason) { return reason.layer == Layer::host; });
  reasons_.insert(reasons_.end(), by_grant.begin(), by_grant.end());
}

void Question::check_not_own(const PersonId& person) {
  if (ask_.request && ask_.request->partner == world_.self() && ask_.request->person == person) {
    refuse("own-request", "Nobody approves what they asked for themselves.", "Somebody else can answer it.",
           named(world_.self()));
  }
}

void Question::check_not_twice(std::string_view who) {
  const auto& before = ask_.request->approved_by;
  if (!who.empty() && std::find(before.begin(), before.end(), who) != before.end()) {
    refuse("approved-already", "You have approved this already, or somebody has in the same name.",
           "Somebody else can approve it as well.", named(world_.self()));
  }
}

// Of a lender: in their own name.
bool Question::permits(const Ask& ask) {
  Question lender(world_, ask, nullptr, notes_.keeps_reach() ? Reach::kept : Reach::left_out);
  lender.own_name_ = true;
  Verdict verdict = lender.answer();
  for (policy::EntityUid& uid : verdict.reach.entities) notes_.read([&] { return std::move(uid); });
  [[maybe_unused]] const bool later = notes_.before(verdict.valid_until);
  return verdict.permit;
}

// Whether whoever lends it could approve this themselves now, by what is known of them.
bool Question::could_approve(const Delegation& delegation) {
  Ask ask = ask_;
  ask.who = {delegation.from, world_.self(), delegation.facts};
  notes_.read([&] { return entity_of(ask.who); });
  const std::optional<Instant> until = lender_known_until(delegation, ask_.now);
  const bool known = until && notes_.before(*until);
  if (known)
    for (auto& [name, fact] : ask.who.facts) fact.end = std::max(fact.end, *until);
  if (permits(ask)) return true;
  // An operator's right is the world's own record.
  const Operator* record = world_.operator_by_person(delegation.from);
  if (record != nullptr) {
    ask.who = operator_person(world_, record->name);
    ask.who.facts = delegation.facts;
    if (permits(ask)) return true;
  }
  if (known || record != nullptr) {
    lender_gone_ = Reason{Layer::structure, "lender-without-right",
                          "Whoever lets you answer in their name could not approve this themselves now.",
                          "Somebody else can answer it.", named(world_.self())};
  } else {
    lender_gone_ = Reason{Layer::structure, "lender-not-known",
                          "Whoever lets you answer in their name has not signed in here for three days: what "
                          "was known of them is too old.",
                          "They sign in again, or somebody else answers it.", named(world_.self())};
  }
  return false;
}

// A delegation for this app in whose name nobody has approved yet.
void Question::find_delegation(const AppId& app) {
  const auto& before = ask_.request->approved_by;
  for (const Delegation* delegation : world_.delegations(app, ask_.who.id)) {
    if (!notes_.reached(delegation->start) || !notes_.before(delegation->end)) continue;
    if (std::find(before.begin(), before.end(), delegation->from.text()) != before.end()) continue;
    // In the name of the one who asks, nobody approves.
    if (ask_.request->partner == world_.self() && ask_.request->person == delegation->from) continue;
    if (!could_approve(*delegation)) continue;
    delegation_ = delegation;
    return;
  }
}

// A person of this nation answers what somebody asks for.
void Question::answer_approver(const AppRef& ref) {
  const PartnerCode& self = world_.self();
  check_vouching_partner();
  if (reasons_.empty()) check_identity();
  if (reasons_.empty()) check_signed_in_since_resumed(ask_.who.partner);
  check_context();
  if (ask_.who.partner != self || ref.owner != self) {
    refuse("not-ours", fmt::format("This belongs to {}.", named(ref.owner)), "Ask its own people.",
           named(ref.owner));
  }
  if (!ask_.request) {
    refuse("no-request", "There is nothing to approve.", "Name the request.", named(self));
  }
  if (!reasons_.empty()) return;
  check_not_own(ask_.who.id);
  check_not_twice(ask_.who.id.text());
  if (!reasons_.empty()) return;
  const App* app = find_app(ref);
  if (app == nullptr) return hide();
  check_owner(*app);
  check_mission(*app);
  if (!reasons_.empty()) return;
  take(ask_policies(ask_.action, true));
  if (permit_ || own_name_) return;
  find_delegation(ref.app);
  if (delegation_ != nullptr) {
    take(ask_policies(ask_.action, true));
  } else if (lender_gone_) {
    reasons_.insert(reasons_.begin(), *lender_gone_);
  }
}

}  // namespace entente::coalition
