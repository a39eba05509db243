// What was granted, and what was delegated: taken back, ended, forgotten with its mission.
#include "base/log.h"
#include "coalition/releases.h"
#include "crypto/digest.h"
#include "exchange/access_desk_internal.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {

using coalition::Action;
using coalition::AppRef;
using coalition::Grant;
using coalition::RequestState;
using coalition::Verdict;

AccessDesk::GrantsFor AccessDesk::grants_for(const Acting& by) const {
  const coalition::World& world = parts_.world();
  const Instant now = parts_.switchboard.now();
  GrantsFor out;
  for (const Grant* grant : world.grants(by.who))
    if (grant->end > now) out.grants.push_back(*grant);
  const size_t own = out.grants.size();
  for (const coalition::App* app : world.apps()) {
    if (app->ref.owner != world.self() || !may_answer(by, app->ref.app)) continue;
    const size_t room = kShownMax - std::min(kShownMax, out.grants.size() - own);
    out.more = out.more || room == 0;
    if (room == 0) break;
    const auto some = world.holding(app->ref.app, now, room);
    for (const Grant* grant : some.items)
      if (grant->partner != by.who.partner || grant->person != by.who.id) out.grants.push_back(*grant);
    out.more = out.more || some.more > 0;
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

namespace {

// What a request comes to that stands no more: words for whoever asked.
void close(AccessDesk::Closing& out, const coalition::AccessRequest& found, const PartnerCode& self,
           RequestState state, std::string_view words) {
  coalition::AccessRequest request = found;
  request.state = state;
  request.answer = std::string(words);
  request.granted_until.reset();
  out.records.push_back({record_key(request, self), to_json(request)});
  out.requests.push_back(std::move(request));
}

void close(AccessDesk::Closing& out, std::vector<coalition::Release> releases) {
  for (const coalition::Release& one : releases) out.records.push_back({record_key(one), to_json(one)});
  out.releases = std::move(releases);
}

}  // namespace

AccessDesk::Closing AccessDesk::closing(const MissionId& mission, std::string_view words) const {
  const coalition::World& world = parts_.world();
  const auto of_it = [&](const PartnerCode& owner, const AppId& id) {
    const coalition::App* app = world.app(AppRef{owner, id});
    return app != nullptr && app->mission == mission;
  };
  Closing out;
  const auto full = [&] { return out.records.size() >= kClosedAtOnce; };
  const auto over = [&](const Request* found, RequestState open, RequestState granted) {
    if (full()) return;
    if (found->state != RequestState::open && found->state != RequestState::granted) return;
    if (!of_it(found->owner, found->app)) return;
    close(out, *found, world.self(), found->state == RequestState::open ? open : granted, words);
  };
  for (const Request* request : world.requests()) over(request, RequestState::denied, RequestState::revoked);
  for (const Request* request : world.asked())
    over(request, RequestState::withdrawn, RequestState::withdrawn);
  for (const Grant* grant : world.grants())
    if (!full() && of_it(world.self(), grant->app)) out.records.push_back({record_key(*grant), std::nullopt});
  for (const coalition::Delegation* one : world.delegations())
    if (!full() && of_it(world.self(), one->app)) out.records.push_back({record_key(*one), std::nullopt});
  if (!full()) close(out, coalition::closed_releases(world, mission, words, parts_.switchboard.now()));
  return out;
}

AccessDesk::Closing AccessDesk::closing(const PartnerCode& partner, std::string_view words) const {
  const coalition::World& world = parts_.world();
  const Instant now = parts_.switchboard.now();
  Closing out;
  for (const Grant* grant : world.grants())
    if (grant->partner == partner && out.records.size() < kClosedAtOnce)
      out.records.push_back({record_key(*grant), std::nullopt});
  for (const Request* request : world.requests())
    if (out.records.size() < kClosedAtOnce && request->partner == partner &&
        request->state == RequestState::granted && request->granted_until > now)
      close(out, *request, world.self(), RequestState::revoked, words);
  close(out, coalition::closed_releases(world, partner, words, now));
  return out;
}

void AccessDesk::closed(const Closing& closing) {
  if (release_closed_)
    for (const coalition::Release& release : closing.releases) release_closed_(release);
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

// What partners gave counts by their clocks: it is not touched.
AccessDesk::Closing AccessDesk::clock_closing(Instant seen, Instant now) const {
  const coalition::World& world = parts_.world();
  const auto over = [&](Instant start, Instant end) { return end <= seen || start > now; };
  Closing out;
  std::set<RequestId> closed;
  for (const Grant* grant : world.grants()) {
    if (!over(grant->start, grant->end)) continue;
    out.records.push_back({record_key(*grant), std::nullopt});
    closed.insert(grant->id);
  }
  for (const coalition::Delegation* one : world.delegations()) {
    std::optional<Json> left;
    if (!over(one->start, one->end)) {
      if (one->facts.empty()) continue;
      coalition::Delegation unknown = *one;  // until whoever lends it signs in again
      unknown.facts.clear();
      left = to_json(unknown);
    }
    out.records.push_back({record_key(*one), std::move(left)});
  }
  std::set<std::string> answered;
  for (const Request* found : world.requests()) {
    const bool open = found->state == RequestState::open && over(found->asked, found->end);
    const bool given =
        found->state == RequestState::granted &&
        (closed.contains(found->id) || (found->granted_until && *found->granted_until <= seen));
    if (!open && !given) continue;
    Request request = *found;
    request.state = open ? RequestState::denied : RequestState::revoked;
    request.answer = "The clock of the app's node was wrong and was put right. Ask again.";
    request.granted_until.reset();
    out.records.push_back({record_key(request, world.self()), to_json(request)});
    answered.insert(out.records.back().key);
    out.requests.push_back(std::move(request));
  }
  for (coalition::Record& record : lapsing(nullptr))
    if (!answered.contains(record.key)) out.records.push_back(std::move(record));
  return out;
}

void AccessDesk::put_right(const Closing& closing) {
  untold_.clear();
  for (Press* press : pressing_) press->left = true;
  closed(closing);
}

net::Task<Result<RequestId>> AccessDesk::delegate(Acting from, AppId app, PersonId to, int64_t minutes) {
  const PartnerCode self = parts_.world().self();
  const coalition::Operator* named = coalition::operator_of(parts_.world(), from.who);
  if (named != nullptr && named->person.empty())
    co_return fail(
        "access.refused", "It cannot be told in whose name you would let somebody answer.", {},
        "a security officer can write into your operator's record who you are where people sign in");
  const PersonId lender = named == nullptr ? from.who.id : named->person;
  const Verdict verdict = right_to_answer(from, app);
  if (!lends(verdict)) co_return unknown();
  if (!coalition::is_person_id(to.text()) || to == lender)
    co_return fail("access.value", "a delegation is to one other person", "to",
                   "their id stands at the end of their page My things");
  if (!presses_.take(from.who.id, parts_.clock.tick()))
    co_return fail("access.busy", "you ask faster than this node lets one person", {}, "wait a moment");
  const auto lent = std::ranges::count_if(parts_.world().delegations(lender), [&](const auto* one) {
    return one->end > parts_.switchboard.now();
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
  delegation.facts = from.who.facts;
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

Result<AccessDesk::DelegationEnd> AccessDesk::delegation_end(const Acting& by, const RequestId& id) const {
  const PartnerCode self = parts_.world().self();
  const coalition::Delegation* found = parts_.world().delegation(id);
  if (found == nullptr) return unknown();
  const coalition::Operator* named = coalition::operator_of(parts_.world(), by.who);
  const PersonId who = named == nullptr || named->person.empty() ? by.who.id : named->person;
  const bool theirs = by.who.partner == self && (who == found->from || who == found->to);
  const Verdict verdict = decide(parts_.world(), question(by, Action::administer, {self, found->app}));
  if (!theirs && !verdict.permit) return unknown();
  DelegationEnd out;
  out.verdict = verdict.id;
  out.records.push_back({record_key(*found), std::nullopt});
  out.leaf = {"delegation.ended",
              {{"at", rfc3339(parts_.switchboard.now())},
               {"delegation", id.text()},
               {"from", found->from.text()},
               {"to", found->to.text()},
               {"by", name_of(by)}}};
  if (verdict.permit) out.leaf.fields.emplace_back("verdict", verdict.to_json());
  return out;
}

net::Task<Result<void>> AccessDesk::end_delegation(Acting by, RequestId id) {
  Result<DelegationEnd> taken = delegation_end(by, id);
  if (!taken) co_return Failure(taken.error());
  const Result<void> written = co_await write(std::move(taken->records), std::move(taken->leaf), true);
  co_return written;
}

net::Task<void> AccessDesk::arrived(Acting person) {
  // Operators lend by their record, whatever their provider says of them: what they lent does not end by
  // that.
  const bool by_record = parts_.world().operator_by_person(person.who.id) != nullptr;
  std::vector<RequestId> over;
  std::vector<coalition::Delegation> kept;
  for (const coalition::Delegation* one : parts_.world().delegations(person.who.id)) {
    if (one->end <= parts_.switchboard.now()) continue;
    Request some;
    some.partner = some.owner = parts_.world().self();
    some.app = one->app;
    if (lends(approval_of(person, some, false))) {
      kept.push_back(*one);
    } else if (!by_record) {
      over.push_back(one->id);
    }
  }
  for (const RequestId& id : over) {
    const Result<void> ended = co_await end_delegation(person, id);
    if (!ended)
      log(LogLevel::warning, "exchange", "a delegation stands though it was lent from a right that is gone",
          {{"delegation", id.text()}, {"why", ended.error().text()}});
  }
  // What they lent is decided by what is known of them now.
  for (coalition::Delegation& one : kept) {
    // Ended meanwhile, or known from a newer sign-in: that stands.
    const Json* there = parts_.world().raw(record_key(one));
    if (there == nullptr || there->canonical() != to_json(one).canonical()) continue;
    one.facts = person.who.facts;
    std::vector<coalition::Record> ops;
    std::vector<std::string> unchanged{record_key(one)};
    ops.push_back({record_key(one), to_json(one)});
    Leaf leaf{"delegation.known", {{"delegation", one.id.text()}, {"from", one.from.text()}}};
    const Result<void> written = co_await write(std::move(ops), std::move(leaf), false, std::move(unchanged));
    if (!written)
      log(LogLevel::warning, "exchange", "a delegation goes by what was known of its lender before",
          {{"delegation", one.id.text()}, {"why", written.error().text()}});
  }
}

}  // namespace entente::exchange
