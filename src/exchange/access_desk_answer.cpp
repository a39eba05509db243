// Those who answer requests: what they see, approve and deny.
#include "exchange/access_desk_internal.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {

using coalition::AccessRequest;
using coalition::Action;
using coalition::Approval;
using coalition::Grant;
using coalition::RequestState;
using coalition::Verdict;

namespace {

constexpr Millis kLookAhead = std::chrono::hours(1);  // what a preview supposes still to be said of a person

// Refused for what they did, or for what became of whoever lent them the right, not for who they are: they
// may know of it.
bool knows(const Verdict& verdict) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [](const coalition::Reason& reason) {
    return reason.policy == "own-request" || reason.policy == "approved-already" ||
           reason.policy == "operator-not-named" || reason.policy == "lender-not-known" ||
           reason.policy == "lender-without-right";
  });
}

}  // namespace

bool AccessDesk::may_answer(const Acting& approver, const Request& request) const {
  return request.state == RequestState::open && !out_of_time(request) &&
         approval_of(approver, request, true).permit;
}

// An app that they answer for, by what is asked of it in general, takes as many looks as there are; of any
// other some, for a policy may go by who asks.
net::Task<AccessDesk::ToAnswer> AccessDesk::to_answer(Acting approver, size_t looks) const {
  const coalition::World world = parts_.world();  // what it lists lives as long as it does
  const Instant now = parts_.switchboard.now();
  ToAnswer out;
  std::vector<const Request*> open;
  for (const coalition::App* app : world.apps()) {
    if (app->ref.owner != world.self()) continue;
    const bool theirs = may_answer(approver, app->ref.app);
    const auto some = world.waiting(app->ref.app, now, theirs ? looks : std::min(looks, kDecidedAtOnce));
    open.insert(open.end(), some.items.begin(), some.items.end());
    out.more = out.more || (theirs && some.more > 0);
  }
  std::ranges::sort(open, {}, [](const Request* one) { return one->end; });
  for (size_t at = 0; at < open.size(); ++at) {
    if (at == looks || out.requests.size() == kShownMax) {
      out.more = true;
      break;
    }
    if (at % kDecidedAtOnce == kDecidedAtOnce - 1 && at + 1 < looks)
      co_await parts_.switchboard.loop().sleep(Millis(0));
    if (may_answer(approver, *open[at])) out.requests.push_back(*open[at]);
  }
  co_return out;
}

AccessDesk::Preview AccessDesk::preview(const AccessRequest& request, const coalition::World& world) const {
  const Instant now = parts_.switchboard.now();
  // As their nation said last; what it says by then counts when they come.
  Acting asker;
  asker.who.id = request.person;
  asker.who.partner = request.partner;
  asker.who.facts = request.facts;
  for (auto& [name, fact] : asker.who.facts) fact.end = std::max(fact.end, now + kLookAhead);
  asker.context =
      coalition::calm_moment(coalition::kDoorNetwork, "node:" + world.self().text(), now + kLookAhead);
  coalition::Ask ask = question(asker, Action::open, {request.owner, request.app});
  ask.purpose = request.purpose;
  Grant supposed;
  supposed.purpose = request.purpose;
  supposed.scope = request.scope;
  supposed.end = now + std::chrono::minutes(request.minutes);
  const Verdict verdict = decide_as_if(world, ask, supposed);
  Preview out;
  out.opens = verdict.permit && verdict.terms.has_value();
  if (!verdict.permit && !verdict.reasons.empty()) out.why_not = verdict.reasons.front().text;
  if (verdict.permit && verdict.grant.empty()) out.why_not = "It is open to them without a grant.";
  if (verdict.terms) out.terms = *verdict.terms;
  out.until = now + std::chrono::minutes(std::min(request.minutes, out.terms.minutes));
  out.obligations = verdict.obligations;
  return out;
}

Result<AccessRequest> AccessDesk::to_be_answered(const Acting& by, const RequestId& id,
                                                 const Said& said) const {
  std::optional<Request> found = find_here(id);
  if (!found) return unknown();
  if (!may_answer(by, found->app, found->minutes)) {
    const Verdict verdict = approval_of(by, *found, true);
    if (!verdict.permit && !knows(verdict)) return unknown();
  }
  if (found->state != RequestState::open || out_of_time(*found))
    return fail("access.over", "this is answered, withdrawn or out of time");
  if (said.seen != mark_of(parts_.world(), *found))
    return fail("access.changed", "the request is not, or not any more, what was read", {},
                "read it again, and answer what it says then");
  if (busy_.contains(id)) return fail("access.busy", "somebody answers this right now", {}, "look again");
  return *std::move(found);
}

// Whoever has lost the right since did not give it: with what was known of them, under this world.
std::vector<std::string> AccessDesk::drop_lapsed(Request& request, const coalition::World& world) const {
  std::vector<std::string> lapsed;
  std::erase_if(request.approvals, [&](const Approval& approval) {
    Acting giver;
    giver.who.id = PersonId(approval.by);
    giver.who.partner = world.self();
    giver.who.facts = approval.facts;
    giver.context = approval.context;
    // An operator's right is the world's own record; the moment of their call is long over.
    if (coalition::operator_of(world, giver.who) != nullptr) {
      for (auto& [name, fact] : giver.context) fact.end = parts_.switchboard.now() + kLookAhead;
    }
    const Verdict verdict = approval_of(giver, request, false, world);
    // One that was given in another's name must still be theirs to give.
    const bool own = verdict.authority.empty() || verdict.authority.text() == approval.authority;
    const bool stands = verdict.permit && own;
    if (!stands) lapsed.push_back(approval.by);
    return !stands;
  });
  return lapsed;
}

size_t AccessDesk::standing(AccessRequest request, const coalition::World& world) const {
  [[maybe_unused]] const std::vector<std::string> lapsed = drop_lapsed(request, world);
  return request.approvals.size();
}

namespace {

Grant grant_of(const AccessRequest& request, const AccessDesk::Preview& opens, Instant now) {
  Grant grant;
  grant.id = request.id;
  grant.partner = request.partner;
  grant.person = request.person;
  grant.app = request.app;
  grant.purpose = request.purpose;
  grant.start = now;
  grant.end = opens.until;
  grant.count = opens.terms.uses;
  grant.scope = request.scope;
  for (const Approval& one : request.approvals) grant.approved_by.push_back(one.by);
  return grant;
}

}  // namespace

net::Task<Result<AccessRequest>> AccessDesk::approve(Acting approver, RequestId id, Said said) {
  Result<Request> found = to_be_answered(approver, id, said);
  if (!found) co_return Failure(found.error());
  Request request = std::move(*found);
  const std::vector<std::string> lapsed = drop_lapsed(request, parts_.world());
  const Verdict verdict = approval_of(approver, request, true);
  if (!verdict.permit) {
    Leaf leaf = leaf_of("approval.refused", request);
    leaf.fields.emplace_back("by", name_of(approver));
    leaf.fields.emplace_back("verdict", verdict.to_json());
    parts_.archive.append(std::move(leaf), false, [](const Result<void>&) {});
    co_return knows(verdict) ? refusal_error(verdict) : unknown();
  }
  const Preview opens = preview(request);
  if (!opens.opens) {
    co_return fail("access.refused", "a grant would open nothing: " + opens.why_not, {},
                   "deny the request, with a word about why");
  }
  const Instant now = parts_.switchboard.now();
  const coalition::World& world = parts_.world();
  Approval approval{approver.who.id.text(), verdict.authority.text(), now, verdict.id,
                    approver.who.facts,     approver.context};
  if (const coalition::Operator* named = coalition::operator_of(world, approver.who);
      named != nullptr && !named->person.empty())
    approval.authority = named->person.text();
  request.approvals.push_back(std::move(approval));
  request.approvals_needed = opens.terms.approvals;
  if (!said.words.empty()) request.answer = said.words;
  const bool enough = std::ssize(request.approvals) >= request.approvals_needed;
  std::vector<coalition::Record> ops;
  if (enough) {
    const Grant grant = grant_of(request, opens, now);
    request.state = RequestState::granted;
    request.granted_until = grant.end;
    ops.push_back({record_key(grant), to_json(grant)});
  }
  Leaf leaf = leaf_of(enough ? "grant" : "approval", request);
  leaf.fields.emplace_back("by", name_of(approver));
  leaf.fields.emplace_back("verdict", verdict.to_json());
  if (request.granted_until) leaf.fields.emplace_back("until", rfc3339(*request.granted_until));
  if (!lapsed.empty()) leaf.fields.emplace_back("lapsed", fmt::format("{}", fmt::join(lapsed, " ")));
  const Press press(pressing_, approver.who.id, parts_.switchboard.loop());
  Result<Request> answered = co_await write_answer(std::move(request), std::move(ops), std::move(leaf));
  if (press.left) lapse(approver.who.id);
  co_return answered;
}

// Unless somebody else answered or withdrew it since.
net::Task<Result<AccessRequest>> AccessDesk::write_answer(Request request, std::vector<coalition::Record> ops,
                                                          Leaf leaf) {
  const std::string key = record_key(request, parts_.world().self());
  ops.push_back({key, to_json(request)});
  std::vector<std::string> unchanged{key};
  busy_.insert(request.id);
  const Result<void> written = co_await write(std::move(ops), std::move(leaf), false, std::move(unchanged));
  busy_.erase(request.id);
  if (!written) co_return Failure(written.error());
  changed(request);
  co_return request;
}

net::Task<Result<AccessRequest>> AccessDesk::deny(Acting approver, RequestId id, Said said) {
  Result<Request> found = to_be_answered(approver, id, said);
  if (!found) co_return Failure(found.error());
  Request request = std::move(*found);
  const Verdict verdict = approval_of(approver, request, false);
  if (!verdict.permit) co_return knows(verdict) ? refusal_error(verdict) : unknown();
  request.state = RequestState::denied;
  request.answer = std::move(said.words);
  std::vector<coalition::Record> ops;
  Leaf leaf = leaf_of("request.denied", request);
  leaf.fields.emplace_back("by", name_of(approver));
  leaf.fields.emplace_back("verdict", verdict.to_json());
  co_return co_await write_answer(std::move(request), std::move(ops), std::move(leaf));
}

bool AccessDesk::concerns(const Announcement& event, const Acting& person) const {
  if (!event.person.empty()) return event.person == person.who.id;
  return event.app && event.app->owner == parts_.world().self() && may_answer(person, event.app->app);
}

}  // namespace entente::exchange
