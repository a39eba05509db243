#include "exchange/access_desk.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "exchange/host_names.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace entente::exchange {

using coalition::AccessRequest;
using coalition::Action;
using coalition::AppRef;
using coalition::Approval;
using coalition::Grant;
using coalition::RequestState;
using coalition::Verdict;

namespace {

constexpr Seconds kWriteMax{30};
constexpr Millis kLookAhead = std::chrono::hours(1);  // what a preview supposes still to be said of a person

Failure unknown() {
  return fail("access.unknown", "there is no such request for you", {}, "look at the list again");
}

Failure refusal_error(const Verdict& verdict) {
  const Verdict seen = shown(verdict);
  if (seen.reasons.empty()) return fail("access.refused", "no rule permits this");
  return fail("access.refused", seen.reasons.front().text, {}, seen.reasons.front().change);
}

// Refused for what they did, not for who they are: they may know of it.
bool knows(const Verdict& verdict) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [](const coalition::Reason& reason) {
    return reason.policy == "own-request" || reason.policy == "approved-already" ||
           reason.policy == "operator-not-named";
  });
}

std::string name_of(const Acting& by) {
  return by.who.id.text();
}

std::string fact_text(const coalition::Facts& facts, std::string_view name) {
  const auto found = facts.find(name);
  if (found == facts.end()) return "";
  if (const auto* one = std::get_if<std::string>(&found->second.value)) return *one;
  if (const auto* set = std::get_if<std::vector<std::string>>(&found->second.value))
    return fmt::format("{}", fmt::join(*set, ", "));
  return "";
}

}  // namespace

bool is_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

std::string person_text(const coalition::World& world, const PartnerCode& partner,
                        const coalition::Facts& facts) {
  const coalition::Partner* nation = world.partner(partner);
  return fmt::format("{}, {}, of {} ({})", fact_text(facts, "role"), fact_text(facts, "clearance"),
                     nation == nullptr ? partner.text() : nation->name, partner.text());
}

std::string mark_of(const coalition::World& world, const AccessRequest& request) {
  const Json read =
      Json::array({request.id.text(), request.owner.text(), request.app.text(), request.partner.text(),
                   request.person.text(), person_text(world, request.partner, request.facts), request.purpose,
                   request.minutes, coalition::scope_text(request.scope), rfc3339(request.asked)});
  return base64url(crypto::sha256(read.canonical()));
}

AccessDesk::AccessDesk(Parts parts)
    : parts_(std::move(parts)), announcements_(parts_.switchboard.loop(), parts_.clock.now()) {}

// --- questions

coalition::Ask AccessDesk::question(const Acting& who, Action action, const AppRef& app) const {
  coalition::Ask ask;
  ask.id = VerdictId(crypto::random_token(12));
  ask.action = action;
  ask.who = who.who;
  ask.target = app;
  ask.now = parts_.switchboard.now();
  ask.context = who.context;
  return ask;
}

Verdict AccessDesk::approval_of(const Acting& approver, const Request& request, bool already) const {
  coalition::Ask ask = question(approver, Action::approve, {request.owner, request.app});
  ask.purpose = request.purpose;
  ask.request.emplace();
  ask.request->partner = request.partner;
  ask.request->person = request.person;
  ask.request->minutes = request.minutes;
  ask.request->purpose = request.purpose;
  ask.request->approvals_needed = request.approvals_needed;
  for (const Approval& approval : request.approvals) {
    if (!already) break;
    ask.request->approved_by.push_back(approval.by);
    if (!approval.authority.empty()) ask.request->approved_by.push_back(approval.authority);
  }
  return decide(parts_.world(), ask);
}

bool AccessDesk::may_answer(const Acting& person, const AppId& app, int64_t minutes) const {
  Request some;
  some.partner = some.owner = parts_.world().self();
  some.app = app;
  some.minutes = minutes;
  return approval_of(person, some, false).permit;
}

std::optional<AccessRequest> AccessDesk::find_here(const RequestId& id) const {
  for (const Request* request : parts_.world().requests())
    if (request->id == id) return *request;
  return std::nullopt;
}

std::optional<AccessRequest> AccessDesk::find_asked(const RequestId& id) const {
  for (const Request* request : parts_.world().asked())
    if (request->id == id) return *request;
  return std::nullopt;
}

std::optional<Grant> AccessDesk::find_grant(const RequestId& id) const {
  for (const Grant* grant : parts_.world().grants())
    if (grant->id == id) return *grant;
  return std::nullopt;
}

bool AccessDesk::out_of_time(const AccessRequest& request) const {
  return request.state == RequestState::open && request.end <= parts_.switchboard.now();
}

net::Task<Result<void>> AccessDesk::write(std::vector<coalition::Record> ops, Leaf leaf, bool narrowing,
                                          std::vector<std::string> unchanged) {
  auto done = std::make_shared<net::Event>(parts_.switchboard.loop());
  auto answer = std::make_shared<std::optional<Result<void>>>();
  Archive::Write change{std::move(ops), std::move(leaf), narrowing, std::move(unchanged)};
  parts_.archive.commit(std::move(change), [done, answer](Result<void> result) {
    *answer = std::move(result);
    done->set();
  });
  [[maybe_unused]] const bool heard = co_await done->wait(kWriteMax);
  if (!*answer)
    co_return fail("access.busy", "it is not known yet whether this was written: the disk is slow", {},
                   "look again in a minute; it may be done by then");
  co_return **answer;
}

Leaf AccessDesk::leaf_of(std::string kind, const Request& request) const {
  return {std::move(kind),
          {{"at", rfc3339(parts_.switchboard.now())},
           {"request", request.id.text()},
           {"app", coalition::target_text(AppRef{request.owner, request.app})},
           {"partner", request.partner.text()},
           {"person", request.person.text()},
           {"purpose", request.purpose},
           {"minutes", request.minutes},
           {"scope", coalition::scope_text(request.scope)}}};
}

// --- the person who asks

Result<AccessRequest> AccessDesk::wished(const Acting& person, const Wish& wish) const {
  const coalition::World& world = parts_.world();
  if (wish.purpose.empty() || wish.purpose.size() > coalition::kPurposeBytesMax || !is_line(wish.purpose)) {
    return fail("access.value", "a request says what for, in one line", "purpose",
                fmt::format("at most {} bytes", coalition::kPurposeBytesMax));
  }
  const int64_t most = coalition::kGrantLifeMax / std::chrono::minutes(1);
  if (wish.minutes < 1 || wish.minutes > most) {
    return fail("access.value", "a request says for how long", "minutes",
                fmt::format("1 to {} minutes", most));
  }
  if (!decide(world, question(person, Action::view, wish.app)).permit) return unknown();
  Request request;
  request.owner = wish.app.owner;
  request.app = wish.app.app;
  request.partner = person.who.partner;
  request.person = person.who.id;
  request.purpose = wish.purpose;
  request.minutes = wish.minutes;
  request.scope = wish.scope;
  request.asked = parts_.switchboard.now();
  request.end = request.asked + kRequestLife;
  coalition::Ask open = question(person, Action::open, wish.app);
  open.purpose = wish.purpose;
  const Verdict verdict = decide(world, open);
  if (wish.app.owner == world.self()) {
    if (verdict.permit) return fail("access.not-by-grant", "this is open to you already", {}, "open it");
    if (!verdict.terms) return refusal_error(verdict);
    request.approvals_needed = verdict.terms->approvals;
    request.minutes = std::min(request.minutes, verdict.terms->minutes);
    request.facts = person.who.facts;
  } else if (!verdict.permit) {
    return refusal_error(verdict);  // our own nation's rules: no grant of the owner's changes them
  }
  return request;
}

net::Task<Result<RequestId>> AccessDesk::ask(Acting person, Wish wish) {
  Result<Request> made = wished(person, wish);
  if (!made) co_return Failure(made.error());
  Request request = std::move(*made);
  const auto budget = presses_.try_emplace(person.who.id, kPressesBurst, kPressesPerSecond).first;
  if (!budget->second.take(parts_.clock.tick()))
    co_return fail("access.busy", "you ask faster than this node lets one person", {}, "wait a moment");
  size_t open = 0;
  std::vector<Request> kept = asked_by(person.who.id);
  for (const Request& mine : kept) {
    if (mine.state != RequestState::open || out_of_time(mine)) continue;
    if (mine.owner == request.owner && mine.app == request.app) co_return mine.id;  // pressed twice
    ++open;
  }
  if (open >= kOpenPerPersonMax)
    co_return fail("access.full", "too many of your requests wait for an answer", {}, "withdraw one first");
  const PartnerCode self = parts_.world().self();
  request.id = RequestId(crypto::random_token(16));
  std::vector<coalition::Record> ops = beyond(std::move(kept), kKeptPerPersonMax - 1);
  ops.push_back({record_key(request, self), to_json(request)});
  Leaf leaf = leaf_of("request", request);
  const Result<void> written = co_await write(std::move(ops), std::move(leaf));
  if (!written) co_return Failure(written.error());
  if (request.owner == self) {
    changed(request);
  } else {
    untold_[request.id] = {std::move(person), {}};
    tell_owner(request);
  }
  co_return request.id;
}

net::Task<Result<void>> AccessDesk::withdraw(Acting person, RequestId id) {
  const PartnerCode self = parts_.world().self();
  std::optional<Request> found = find_here(id);
  if (!found) found = find_asked(id);
  if (!found || found->partner != self || found->person != person.who.id) co_return unknown();
  if (found->state != RequestState::open) co_return fail("access.over", "this is answered already");
  Request request = std::move(*found);
  request.state = RequestState::withdrawn;
  std::vector<coalition::Record> ops;
  ops.push_back({record_key(request, self), to_json(request)});
  Leaf leaf = leaf_of("request.withdrawn", request);
  std::vector<std::string> unchanged{record_key(request, self)};
  const Result<void> written = co_await write(std::move(ops), std::move(leaf), false, std::move(unchanged));
  if (!written) co_return Failure(written.error());
  untold_.erase(id);
  confirmed_.erase(id);
  if (request.owner == self) {
    changed(request);
  } else {
    tell_owner(request);
  }
  co_return Result<void>();
}

// The oldest of what is over go, so that no more than `most` are kept.
std::vector<coalition::Record> AccessDesk::beyond(std::vector<Request> kept, size_t most) const {
  std::sort(kept.begin(), kept.end(), [](const Request& a, const Request& b) { return a.asked < b.asked; });
  std::vector<coalition::Record> gone;
  for (const Request& one : kept) {
    if (kept.size() - gone.size() <= most) break;
    const bool given = one.state == RequestState::granted && one.granted_until > parts_.switchboard.now();
    const bool waits = one.state == RequestState::open && !out_of_time(one);
    if (!given && !waits) gone.push_back({record_key(one, parts_.world().self()), std::nullopt});
  }
  return gone;
}

std::vector<AccessRequest> AccessDesk::asked_by(const PersonId& who) const {
  const coalition::World& world = parts_.world();
  std::vector<Request> out;
  for (const auto& list : {world.requests(), world.asked()}) {
    for (const Request* request : list)
      if (request->partner == world.self() && request->person == who) out.push_back(*request);
  }
  std::sort(out.begin(), out.end(), [](const Request& a, const Request& b) { return a.asked > b.asked; });
  return out;
}

// --- those who answer

std::vector<AccessRequest> AccessDesk::to_answer(const Acting& approver) const {
  std::vector<Request> out;
  for (const Request* request : parts_.world().requests()) {
    if (request->state != RequestState::open || out_of_time(*request)) continue;
    if (approval_of(approver, *request, true).permit) out.push_back(*request);
  }
  std::sort(out.begin(), out.end(), [](const Request& a, const Request& b) { return a.asked < b.asked; });
  return out;
}

AccessDesk::Preview AccessDesk::preview(const AccessRequest& request) const {
  const Instant now = parts_.switchboard.now();
  const std::string source = "node:" + parts_.world().self().text();
  // As their nation said last; what it says by then counts when they come.
  Acting asker;
  asker.who.id = request.person;
  asker.who.partner = request.partner;
  asker.who.facts = request.facts;
  for (auto& [name, fact] : asker.who.facts) fact.end = std::max(fact.end, now + kLookAhead);
  asker.context.emplace("risk", coalition::Fact{int64_t{0}, source, now + kLookAhead});
  asker.context.emplace("network", coalition::Fact{std::string("door"), source, now + kLookAhead});
  coalition::Ask ask = question(asker, Action::open, {request.owner, request.app});
  ask.purpose = request.purpose;
  Grant supposed;
  supposed.purpose = request.purpose;
  supposed.scope = request.scope;
  supposed.end = now + std::chrono::minutes(request.minutes);
  const Verdict verdict = decide_as_if(parts_.world(), ask, supposed);
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
std::vector<std::string> AccessDesk::drop_lapsed(Request& request) const {
  const coalition::World& world = parts_.world();
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
    const Verdict verdict = approval_of(giver, request, false);
    // One that was given in another's name must still be theirs to give.
    const bool own = verdict.authority.empty() || verdict.authority.text() == approval.authority;
    const bool stands = verdict.permit && own;
    if (!stands) lapsed.push_back(approval.by);
    return !stands;
  });
  return lapsed;
}

net::Task<Result<AccessRequest>> AccessDesk::approve(Acting approver, RequestId id, Said said) {
  Result<Request> found = to_be_answered(approver, id, said);
  if (!found) co_return Failure(found.error());
  Request request = std::move(*found);
  const std::vector<std::string> lapsed = drop_lapsed(request);
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
    request.state = RequestState::granted;
    request.granted_until = grant.end;
    ops.push_back({record_key(grant), to_json(grant)});
  }
  Leaf leaf = leaf_of(enough ? "grant" : "approval", request);
  leaf.fields.emplace_back("by", name_of(approver));
  leaf.fields.emplace_back("verdict", verdict.to_json());
  if (request.granted_until) leaf.fields.emplace_back("until", rfc3339(*request.granted_until));
  if (!lapsed.empty()) leaf.fields.emplace_back("lapsed", fmt::format("{}", fmt::join(lapsed, " ")));
  co_return co_await write_answer(std::move(request), std::move(ops), std::move(leaf));
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

std::vector<Grant> AccessDesk::grants_for(const Acting& by) const {
  const coalition::World& world = parts_.world();
  std::vector<Grant> out;
  std::map<AppId, bool> known;
  for (const Grant* grant : world.grants()) {
    const bool own = grant->partner == by.who.partner && grant->person == by.who.id;
    auto at = known.find(grant->app);
    if (!own && at == known.end()) at = known.emplace(grant->app, may_answer(by, grant->app)).first;
    if (own || at->second) out.push_back(*grant);
  }
  return out;
}

Result<AccessDesk::Revocation> AccessDesk::revocation(const Acting& by, const RequestId& id,
                                                      const std::string& words) const {
  const std::optional<Grant> grant = find_grant(id);
  const PartnerCode self = parts_.world().self();
  if (!grant) return unknown();
  const AppRef app{self, grant->app};
  const bool own = grant->partner == by.who.partner && grant->person == by.who.id;
  const Verdict verdict = decide(parts_.world(), question(by, Action::administer, app));
  const int64_t minutes = std::chrono::ceil<std::chrono::minutes>(grant->end - grant->start).count();
  if (!own && !verdict.permit && !may_answer(by, grant->app, minutes)) return unknown();
  Revocation out;
  out.grant = *grant;
  out.verdict = verdict.id;
  out.request = find_here(id);
  out.records.push_back({record_key(*grant), std::nullopt});
  if (out.request) {
    out.request->state = RequestState::revoked;
    out.request->answer = words;
    out.request->granted_until.reset();
    out.records.push_back({record_key(*out.request, self), to_json(*out.request)});
  }
  out.leaf = {"grant.revoked",
              {{"at", rfc3339(parts_.switchboard.now())},
               {"grant", id.text()},
               {"app", coalition::target_text(app)},
               {"partner", grant->partner.text()},
               {"person", grant->person.text()},
               {"by", name_of(by)},
               {"why", words}}};
  if (verdict.permit) out.leaf.fields.emplace_back("verdict", verdict.to_json());
  return out;
}

void AccessDesk::revoked(const Revocation& revocation) {
  if (revocation.request) changed(*revocation.request);
}

net::Task<Result<void>> AccessDesk::revoke(Acting by, RequestId id, std::string words) {
  const Result<Revocation> taken = revocation(by, id, words);
  if (!taken) co_return Failure(taken.error());
  std::vector<coalition::Record> ops = taken->records;
  Leaf leaf = taken->leaf;
  const Result<void> written = co_await write(std::move(ops), std::move(leaf), true);
  if (written) revoked(*taken);  // else it acts, and the home hears of it when it looks
  co_return written;
}

AccessDesk::Closing AccessDesk::closing(const MissionId& mission, std::string_view words) const {
  const coalition::World& world = parts_.world();
  const auto of_it = [&](const PartnerCode& owner, const AppId& id) {
    const coalition::App* app = world.app(AppRef{owner, id});
    return app != nullptr && app->mission == mission;
  };
  Closing out;
  const auto over = [&](const Request* found, RequestState open, RequestState granted) {
    if (found->state != RequestState::open && found->state != RequestState::granted) return;
    if (!of_it(found->owner, found->app)) return;
    Request request = *found;
    request.state = found->state == RequestState::open ? open : granted;
    request.answer = std::string(words);
    request.granted_until.reset();
    out.records.push_back({record_key(request, world.self()), to_json(request)});
    out.requests.push_back(std::move(request));
  };
  for (const Request* request : world.requests()) over(request, RequestState::denied, RequestState::revoked);
  for (const Request* request : world.asked())
    over(request, RequestState::withdrawn, RequestState::withdrawn);
  for (const Grant* grant : world.grants())
    if (of_it(world.self(), grant->app)) out.records.push_back({record_key(*grant), std::nullopt});
  for (const coalition::Delegation* one : world.delegations())
    if (of_it(world.self(), one->app)) out.records.push_back({record_key(*one), std::nullopt});
  return out;
}

void AccessDesk::forget(const PersonId& person) {
  std::erase_if(untold_, [&](const auto& one) { return one.second.person.who.id == person; });
  std::vector<coalition::Record> ops;
  for (const Request* found : parts_.world().requests()) {
    if (found->state != RequestState::open) continue;
    Request request = *found;
    for (Approval& approval : request.approvals) {
      if (approval.by != person.text()) continue;
      approval.facts.clear();
      approval.context.clear();
    }
    Json next = to_json(request);
    if (next != to_json(*found)) ops.push_back({record_key(request, request.owner), std::move(next)});
  }
  if (ops.empty()) return;
  Leaf leaf{"approval.lapsed", {{"by", person.text()}, {"requests", std::ssize(ops)}}};
  parts_.archive.commit({std::move(ops), std::move(leaf), true}, [](const Result<void>&) {});
}

void AccessDesk::closed(const Closing& closing) {
  for (const Request& request : closing.requests) {
    if (request.owner == parts_.world().self()) {
      changed(request);
      continue;
    }
    untold_.erase(request.id);
    confirmed_.erase(request.id);
    tell_owner(request);
    announcements_.announce(
        {.kind = "request",
         .person = request.person,
         .app = AppRef{request.owner, request.app},
         .data = Json::object({{"id", request.id.text()}, {"state", coalition::state_name(request.state)}})});
  }
}

net::Task<Result<RequestId>> AccessDesk::delegate(Acting from, AppId app, PersonId to, int64_t minutes) {
  const PartnerCode self = parts_.world().self();
  Request some;
  some.partner = some.owner = self;
  some.app = app;
  const coalition::Operator* named = coalition::operator_of(parts_.world(), from.who);
  if (named != nullptr && named->person.empty())
    co_return fail(
        "access.refused", "It cannot be told in whose name you would let somebody answer.", {},
        "a security officer can write into your operator's record who you are where people sign in");
  const PersonId lender = named == nullptr ? from.who.id : named->person;
  const Verdict verdict = approval_of(from, some, false);
  // Only in one's own name: what somebody else lent is not lent on.
  if (!verdict.permit || !verdict.authority.empty()) co_return unknown();
  if (!coalition::is_person_id(to.text()) || to == lender)
    co_return fail("access.value", "a delegation is to one other person", "to",
                   "their id stands at the end of their page My things");
  if (!presses_.try_emplace(from.who.id, kPressesBurst, kPressesPerSecond)
           .first->second.take(parts_.clock.tick()))
    co_return fail("access.busy", "you ask faster than this node lets one person", {}, "wait a moment");
  const auto lent = std::ranges::count_if(parts_.world().delegations(), [&](const auto* one) {
    return one->from == lender && one->end > parts_.switchboard.now();
  });
  if (std::cmp_greater_equal(lent, kDelegationsPerPersonMax))
    co_return fail("access.full", "too many people answer in your name", {}, "end a delegation first");
  const int64_t most = coalition::kDelegationLifeMax / std::chrono::minutes(1);
  if (minutes < 1 || minutes > most)
    co_return fail("access.value", "a delegation has an end", "minutes",
                   fmt::format("1 to {} minutes", most));
  coalition::Delegation delegation;
  delegation.id = RequestId(crypto::random_token(16));
  delegation.app = app;
  delegation.from = lender;
  delegation.to = to;
  delegation.start = parts_.switchboard.now();
  delegation.end = delegation.start + std::chrono::minutes(minutes);
  std::vector<coalition::Record> ops;
  ops.push_back({record_key(delegation), to_json(delegation)});
  Leaf leaf{"delegation",
            {{"at", rfc3339(delegation.start)},
             {"app", coalition::target_text(AppRef{self, app})},
             {"from", delegation.from.text()},
             {"to", delegation.to.text()},
             {"until", rfc3339(delegation.end)},
             {"by", name_of(from)},
             {"verdict", verdict.to_json()}}};
  const Result<void> written = co_await write(std::move(ops), std::move(leaf));
  if (!written) co_return Failure(written.error());
  announcements_.announce({.kind = "answer", .app = AppRef{self, app}});
  co_return delegation.id;
}

net::Task<Result<void>> AccessDesk::end_delegation(Acting by, RequestId id) {
  const PartnerCode self = parts_.world().self();
  std::optional<coalition::Delegation> found;
  for (const coalition::Delegation* one : parts_.world().delegations())
    if (one->id == id) found = *one;
  if (!found) co_return unknown();
  const coalition::Operator* named = coalition::operator_of(parts_.world(), by.who);
  const PersonId who = named == nullptr || named->person.empty() ? by.who.id : named->person;
  const bool theirs = by.who.partner == self && (who == found->from || who == found->to);
  if (!theirs && !decide(parts_.world(), question(by, Action::administer, {self, found->app})).permit)
    co_return unknown();
  std::vector<coalition::Record> ops;
  ops.push_back({record_key(*found), std::nullopt});
  Leaf leaf{"delegation.ended",
            {{"at", rfc3339(parts_.switchboard.now())},
             {"delegation", id.text()},
             {"from", found->from.text()},
             {"to", found->to.text()},
             {"by", name_of(by)}}};
  co_return co_await write(std::move(ops), std::move(leaf), true);
}

net::Task<void> AccessDesk::arrived(Acting person) {
  // Operators lend by their record, whatever their provider says of them.
  if (parts_.world().operator_by_person(person.who.id) != nullptr) co_return;
  std::vector<RequestId> over;
  for (const coalition::Delegation* one : parts_.world().delegations()) {
    if (one->from != person.who.id || one->end <= parts_.switchboard.now()) continue;
    Request some;
    some.partner = some.owner = parts_.world().self();
    some.app = one->app;
    const Verdict verdict = approval_of(person, some, false);
    if (!verdict.permit || !verdict.authority.empty()) over.push_back(one->id);
  }
  for (const RequestId& id : over) {
    const Result<void> ended = co_await end_delegation(person, id);
    if (!ended)
      log(LogLevel::warning, "exchange", "a delegation stands though it was lent from a right that is gone",
          {{"delegation", id.text()}, {"why", ended.error().text()}});
  }
}

bool AccessDesk::concerns(const Announcement& event, const Acting& person) const {
  if (!event.person.empty()) return event.person == person.who.id;
  return event.app && event.app->owner == parts_.world().self() && may_answer(person, event.app->app);
}

}  // namespace entente::exchange
