// Requests for access: who asks, what is kept of it, and how it is written.
#include "base/text.h"
#include "crypto/digest.h"
#include "exchange/access_desk_internal.h"

#include <algorithm>

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
constexpr Seconds kPressMax{5};  // that a press waits for the one before it

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
  return entente::is_line(text);
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

Verdict AccessDesk::approval_of(const Acting& approver, const Request& request, bool already,
                                const coalition::World& world) const {
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
  return decide(world, ask);
}

Verdict AccessDesk::right_to_answer(const Acting& person, const AppId& app, int64_t minutes) const {
  Request some;
  some.partner = some.owner = parts_.world().self();
  some.app = app;
  some.minutes = minutes;
  return approval_of(person, some, false);
}

bool AccessDesk::may_answer(const Acting& person, const AppId& app, int64_t minutes) const {
  return right_to_answer(person, app, minutes).permit;
}

// Only in one's own name: what somebody else lent is not lent on.
bool AccessDesk::lends(const Verdict& verdict) {
  return verdict.permit && verdict.authority.empty();
}

bool AccessDesk::may_lend(const Acting& person, const AppId& app) const {
  return lends(right_to_answer(person, app));
}

std::optional<AccessRequest> AccessDesk::find_here(const RequestId& id) const {
  const Request* found = parts_.world().request(id);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::optional<AccessRequest> AccessDesk::find_asked(const RequestId& id) const {
  const Request* found = parts_.world().asked(id);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::optional<Grant> AccessDesk::find_grant(const RequestId& id) const {
  const Grant* found = parts_.world().grant(id);
  return found == nullptr ? std::nullopt : std::optional(*found);
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
  if (is_blank(wish.purpose) || wish.purpose.size() > coalition::kPurposeBytesMax || !is_line(wish.purpose)) {
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

net::Task<bool> AccessDesk::alone(PersonId person) {
  const Tick until = parts_.clock.tick() + kPressMax;
  while (true) {
    const auto other = std::ranges::find_if(
        pressing_, [&](const Press* press) { return press->wishes && press->who == person; });
    if (other == pressing_.end()) co_return true;
    const std::shared_ptr<net::Event> over = (*other)->over;
    const Millis left = std::chrono::duration_cast<Millis>(until - parts_.clock.tick());
    if (left <= Millis(0) || !co_await over->wait(left)) co_return false;
  }
}

net::Task<Result<RequestId>> AccessDesk::ask(Acting person, Wish wish) {
  // What they pressed a moment ago counts: pressed twice, it is asked once.
  Press press(pressing_, person.who.id, parts_.switchboard.loop());
  if (!presses_.take(person.who.id, parts_.clock.tick()) || !co_await alone(person.who.id))
    co_return fail("access.busy", "you ask faster than this node lets one person", {}, "wait a moment");
  Result<Request> made = wished(person, wish);
  if (!made) co_return Failure(made.error());
  Request request = std::move(*made);
  size_t open = 0;
  std::vector<Request> kept = asked_by(person.who.id);
  for (const Request& mine : kept) {
    if (mine.state != RequestState::open || out_of_time(mine)) continue;
    ++open;
    if (mine.owner != request.owner || mine.app != request.app) continue;
    if (mine.purpose == request.purpose && mine.scope == request.scope && request.minutes == mine.minutes)
      co_return mine.id;
    co_return fail("access.waits", "you wait for an answer on this already, asked for otherwise",
                   mine.id.text(), "withdraw that one first");
  }
  if (open >= kOpenPerPersonMax)
    co_return fail("access.full", "too many of your requests wait for an answer", {}, "withdraw one first");
  const PartnerCode self = parts_.world().self();
  if (is_crowded(request.owner)) {
    co_return fail("access.crowded",
                   fmt::format("so much is asked of {} that this node keeps no more", request.owner.text()),
                   {}, "ask again later: what is over is forgotten after a week");
  }
  request.id = RequestId(crypto::random_token(16));
  std::vector<coalition::Record> ops = beyond(std::move(kept), kKeptPerPersonMax - 1);
  ops.push_back({record_key(request, self), to_json(request)});
  Leaf leaf = leaf_of("request", request);
  press.wishes = true;
  const Result<void> written = co_await write(std::move(ops), std::move(leaf));
  if (!written) co_return Failure(written.error());
  if (request.owner == self) {
    changed(request);
  } else {
    // Signed out meanwhile, they are vouched for no more: the owner says that it knows of nothing.
    if (!press.left) untold_[request.id] = {std::move(person), {}};
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

// What is being written counts, whomever it is for.
bool AccessDesk::is_crowded(const PartnerCode& owner) const {
  const coalition::World& world = parts_.world();
  const auto coming = std::ranges::count_if(pressing_, [](const Press* press) { return press->wishes; });
  const std::string there = fmt::format("{}/{}/", owner == world.self() ? "request" : "asked", owner.text());
  return world.count(there) + static_cast<size_t>(coming) >= kKeptPerPartnerMax ||
         (owner != world.self() && world.count("asked/") + static_cast<size_t>(coming) >= kAskedMax);
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
  for (const auto& list : {world.requests(world.self(), who), world.asked(who)})
    for (const Request* request : list) out.push_back(*request);
  std::sort(out.begin(), out.end(), [](const Request& a, const Request& b) { return a.asked > b.asked; });
  return out;
}

void AccessDesk::forget(const PersonId& person) {
  std::erase_if(untold_, [&](const auto& one) { return one.second.person.who.id == person; });
  for (Press* press : pressing_)
    if (press->who == person) press->left = true;
  lapse(person);
}

std::vector<coalition::Record> AccessDesk::lapsing(const PersonId* by) const {
  std::vector<coalition::Record> ops;
  const coalition::World& world = parts_.world();
  for (const Request* found : by == nullptr ? world.requests() : world.approved(by->text())) {
    if (found->state != RequestState::open || found->approvals.empty()) continue;
    Request request = *found;
    for (Approval& approval : request.approvals) {
      if (by != nullptr && approval.by != by->text()) continue;
      approval.facts.clear();
      approval.context.clear();
    }
    Json next = to_json(request);
    if (next != to_json(*found)) ops.push_back({record_key(request, request.owner), std::move(next)});
  }
  return ops;
}

void AccessDesk::lapse(const PersonId& by) {
  std::vector<coalition::Record> ops = lapsing(&by);
  if (ops.empty()) return;
  Leaf leaf{"approval.lapsed", {{"by", by.text()}, {"requests", std::ssize(ops)}}};
  parts_.archive.commit({std::move(ops), std::move(leaf), true}, [](const Result<void>&) {});
}

}  // namespace entente::exchange
