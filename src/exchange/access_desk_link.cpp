// What the desks of two nodes tell each other: a request and its withdrawal one way, how it stands the other.
// Nothing here is believed for more than it is: a home speaks for its own people, an owner for its own apps.
#include "base/fields.h"
#include "base/text.h"
#include "exchange/access_desk.h"
#include "exchange/access_pages.h"
#include "exchange/host_names.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {

using coalition::AccessRequest;
using coalition::AppRef;
using coalition::RequestState;

namespace {

constexpr Millis kRetellAfter{5'000};
constexpr Millis kLookAgainAfter{30'000};
constexpr size_t kTidiedAtOnce = 64;
constexpr size_t kLooksAtOnce = 64;

Json state_json(const AccessRequest& request) {
  Json out = Json::object({{"state", coalition::state_name(request.state)},
                           {"minutes", request.minutes},
                           {"approvals", std::ssize(request.approvals)},
                           {"approvals_needed", request.approvals_needed}});
  if (!request.answer.empty()) out.set("answer", request.answer);
  if (request.granted_until) out.set("granted_until", rfc3339(*request.granted_until));
  return out;
}

}  // namespace

void AccessDesk::heard(const Heard& heard) {
  if (heard.way == Way::asking) return take_state(heard);
  const std::string& topic = heard.told.topic;
  if (topic == "request" && heard.vouched) return take_request(heard);
  // Without a statement nothing new is learned of a person: only what is known already is looked at.
  const std::optional<Request> known = find_here(heard.told.id);
  const bool theirs = known && known->partner == heard.partner;
  if (topic == "withdraw" && theirs) return take_withdrawal(heard.partner, *known);
  if (topic == "look" || topic == "withdraw") {
    Json body = theirs ? state_json(*known) : Json::object({{"state", "unknown"}});
    parts_.switchboard.tell(heard.partner, Way::serving, {"state", heard.told.id, std::move(body), {}});
  }
}

namespace {

bool read_wish(const Json& body, AccessRequest& request) {
  Fields fields(body, "");
  request.purpose = fields.text("purpose", coalition::kPurposeBytesMax);
  request.minutes = fields.integer("minutes", 1, coalition::kGrantLifeMax / std::chrono::minutes(1));
  request.scope = coalition::read_scope(fields);
  return fields.done() && is_line(request.purpose) && !is_blank(request.purpose);
}

// What the asker and their nation have here already.
struct Load {
  size_t open_of_person = 0;
  size_t open_of_partner = 0;
  size_t of_partner = 0;
  std::vector<AccessRequest> of_person{};
};

Load load_of(const AccessDesk& desk, const coalition::World& world, const AccessRequest& request,
             Instant now) {
  Load load{.open_of_partner = world.open_requests(request.partner, now),
            .of_partner = world.count(fmt::format("request/{}/", request.partner.text()))};
  for (const AccessRequest* other : world.requests(request.partner, request.person)) {
    load.of_person.push_back(*other);
    if (other->state == RequestState::open && !desk.out_of_time(*other)) ++load.open_of_person;
  }
  return load;
}

// Whether it waits for an answer at all, and on which terms.
void judge_new(AccessRequest& request, bool readable, const Load& load, const coalition::Verdict& verdict) {
  if (!readable) {
    request.state = RequestState::denied;
    request.answer = "The request could not be read.";
  } else if (load.open_of_person >= AccessDesk::kOpenPerPersonMax ||
             load.open_of_partner >= AccessDesk::kOpenPerPartnerMax ||
             load.of_partner >= AccessDesk::kKeptPerPartnerMax) {
    request.state = RequestState::denied;
    request.answer = "Too many requests wait for an answer. Try again later.";
  } else if (verdict.permit) {
    request.state = RequestState::withdrawn;
    request.answer = "It is open already: open it from the lobby.";
  } else if (!verdict.terms) {
    const coalition::Verdict seen = shown(verdict);
    request.state = RequestState::denied;
    request.answer = seen.reasons.empty() ? "No rule permits this." : seen.reasons.front().text;
  } else {
    request.approvals_needed = verdict.terms->approvals;
    request.minutes = std::min(request.minutes, verdict.terms->minutes);
  }
}

}  // namespace

// A partner's person asks for one of our apps.
void AccessDesk::take_request(const Heard& heard) {
  const Vouched& vouched = *heard.vouched;
  Acting asker{vouched.who, vouched.context};
  Request request;
  request.id = heard.told.id;
  request.partner = heard.partner;
  request.person = vouched.who.id;
  request.owner = parts_.world().self();
  request.app = vouched.app;
  request.facts = vouched.who.facts;
  request.asked = parts_.switchboard.now();
  request.end = request.asked + kRequestLife;
  const bool readable = read_wish(heard.told.body, request);
  std::vector<coalition::Record> ops;
  if (vouched.remember) ops.push_back(*vouched.remember);
  const std::optional<Request> known = find_here(request.id);
  if (!known && coming_.contains(request.id)) return;  // told twice; it is told again if need be
  coalition::Ask ask = question(asker, coalition::Action::open, {request.owner, request.app});
  ask.purpose = request.purpose;
  const coalition::Verdict verdict = decide(parts_.world(), ask);
  std::optional<Leaf> renewed;
  std::vector<std::string> unchanged;
  if (known) {  // told again: with what their nation says of them now
    if (known->partner == request.partner && known->person == request.person) {
      request = *known;
      if (busy_.contains(request.id)) return;  // it is told once more
      renewed = renew(request, vouched.who.facts);
    }
    if (renewed) {
      unchanged.push_back(record_key(request, request.owner));
      ops.push_back({unchanged.front(), to_json(request)});
    }
  } else {
    Load load = load_of(*this, parts_.world(), request, parts_.switchboard.now());
    judge_new(request, readable, load, verdict);
    if (request.state == RequestState::open) {
      for (coalition::Record& old : beyond(std::move(load.of_person), kKeptPerPersonMax - 1))
        ops.push_back(std::move(old));
      ops.push_back({record_key(request, request.owner), to_json(request)});
    }
  }
  // A name that stands for somebody else's request tells nothing of it.
  const bool strange = known && (known->person != request.person || known->partner != request.partner);
  std::optional<Leaf> leaf = renewed;
  if (!known) {
    leaf = leaf_of(request.state == RequestState::open ? "request" : "request.refused", request);
    leaf->fields.emplace_back("verdict", verdict.to_json());
  }
  if (ops.empty() && !leaf) return strange ? void() : tell_home(request);
  coming_.insert(request.id);
  // Told again, it is the same: nobody's page need know.
  const bool news = (!known && request.state == RequestState::open) || renewed;
  Archive::Write write{std::move(ops), std::move(leaf), false, std::move(unchanged)};
  parts_.archive.commit(std::move(write), [this, request, strange, news](const Result<void>& done) {
    coming_.erase(request.id);
    if (!done || strange) return;
    if (news) {
      changed(request);
    } else {
      tell_home(request);
    }
  });
}

// What is said of somebody, but for who says it; `picture`: and but for when, so that another sign-in of the
// same person is the same.
bool AccessDesk::same_facts(const coalition::Facts& one, const coalition::Facts& other, bool picture) {
  return std::ranges::equal(one, other, [&](const auto& a, const auto& b) {
    if (a.first != b.first) return false;
    if (picture) return a.first == "signed_in_at" || a.second.value == b.second.value;
    return a.second.value == b.second.value && a.second.end == b.second.end;
  });
}

// Approvers of somebody who is said to be another now have to look again.
std::optional<Leaf> AccessDesk::renew(Request& request, const coalition::Facts& said) const {
  if (request.state != RequestState::open || out_of_time(request) || same_facts(request.facts, said, false))
    return std::nullopt;
  std::vector<std::string> lapsed;
  if (!same_facts(request.facts, said, true)) {
    for (const coalition::Approval& approval : request.approvals) lapsed.push_back(approval.by);
    request.approvals.clear();
  }
  request.facts = said;
  Leaf leaf = leaf_of("request.facts", request);
  leaf.fields.emplace_back("facts", coalition::facts_to_json(said));
  if (!lapsed.empty()) leaf.fields.emplace_back("lapsed", fmt::format("{}", fmt::join(lapsed, " ")));
  return leaf;
}

void AccessDesk::renew_own(const Request& known, const coalition::Facts& said) {
  Request request = known;
  std::optional<Leaf> leaf = renew(request, said);
  if (!leaf || busy_.contains(request.id)) return;
  const std::string key = record_key(request, request.owner);
  Archive::Write write{{{key, to_json(request)}}, std::move(leaf), false, {key}};
  parts_.archive.commit(std::move(write), [this, request](const Result<void>& done) {
    if (done) changed(request);
  });
}

void AccessDesk::signed_in(const Acting& person) {
  for (const Request& request : asked_by(person.who.id)) {
    if (request.state != RequestState::open || out_of_time(request)) continue;
    if (request.owner == parts_.world().self()) {
      renew_own(request, person.who.facts);
    } else {
      untold_[request.id] = {person, {}};
      tell_owner(request);
    }
  }
}

void AccessDesk::take_withdrawal(const PartnerCode& from, const Request& known) {
  Request request = known;
  if (request.state != RequestState::open && request.state != RequestState::granted) {
    parts_.switchboard.tell(from, Way::serving, {"state", request.id, state_json(request), {}});
    return;
  }
  std::vector<coalition::Record> ops;
  std::vector<std::string> unchanged;
  const std::string key = record_key(request, request.owner);
  if (const auto grant = find_grant(request.id)) ops.push_back({record_key(*grant), std::nullopt});
  const bool narrowing = !ops.empty();
  if (!narrowing) unchanged.push_back(key);  // somebody may be answering it: then it is told again
  request.state = RequestState::withdrawn;
  request.granted_until.reset();
  // What nobody has answered leaves nothing: else asking and withdrawing in turn would fill the world.
  std::optional<Json> left;
  if (!request.approvals.empty()) left = to_json(request);
  ops.push_back({key, std::move(left)});
  Archive::Write write{std::move(ops), leaf_of("request.withdrawn", request), narrowing,
                       std::move(unchanged)};
  parts_.archive.commit(std::move(write), [this, request](const Result<void>& done) {
    if (done) changed(request);
  });
}

void AccessDesk::tell_home(const Request& request) {
  if (request.partner == parts_.world().self()) return;
  parts_.switchboard.tell(request.partner, Way::serving, {"state", request.id, state_json(request), {}});
}

// At the owner: how a request stands now.
void AccessDesk::changed(const Request& request) {
  const AppRef app{request.owner, request.app};
  announcements_.announce({.kind = "answer", .app = app});
  if (request.partner != parts_.world().self()) return tell_home(request);
  announcements_.announce(
      {.kind = "request",
       .person = request.person,
       .app = app,
       .data = Json::object({{"id", request.id.text()}, {"state", coalition::state_name(request.state)}})});
}

// At the home: what the owner says of a request of ours.
void AccessDesk::take_state(const Heard& heard) {
  std::optional<Request> found = find_asked(heard.told.id);
  if (heard.told.topic != "state" || !found || found->owner != heard.partner) return;
  confirmed_[found->id] = parts_.clock.tick();
  Request request = *found;
  Fields fields(heard.told.body, "");
  const std::string state = fields.text("state", 16);
  if (state == "unknown") {
    if (const auto at = untold_.find(request.id); at != untold_.end()) {
      if (parts_.clock.tick() - at->second.tried >= kRetellAfter) tell_owner(request);
      return;
    }
    if (request.state != RequestState::open) return;
    request.state = RequestState::denied;
    request.answer = "The request was lost on its way. Ask again.";
  } else {
    // Withdrawn here, and the owner has not heard of it: nothing it says opens it again.
    if (request.state == RequestState::withdrawn) {
      if (state != "withdrawn" && state != "denied" && state != "revoked") tell_owner(request);
      return;
    }
    if (request.state == RequestState::denied || request.state == RequestState::revoked)
      return;  // that is final
    for (const RequestState one : {RequestState::open, RequestState::granted, RequestState::denied,
                                   RequestState::withdrawn, RequestState::revoked}) {
      if (state == coalition::state_name(one)) request.state = one;
    }
    request.minutes = fields.integer("minutes", 1, coalition::kGrantLifeMax / std::chrono::minutes(1));
    request.approvals_needed = fields.integer("approvals_needed", 1, coalition::kApprovalsMax);
    [[maybe_unused]] const int64_t approvals = fields.integer("approvals", 0, coalition::kApprovalsMax);
    request.answer = fields.text_or("answer", "", 1'000);
    request.granted_until.reset();
    if (fields.has("granted_until")) request.granted_until = fields.instant("granted_until");
    if (!fields.done()) return;
  }
  untold_.erase(request.id);
  const Json next = to_json(request);
  if (next == to_json(*found)) return;
  std::vector<coalition::Record> ops;
  ops.push_back({record_key(request, parts_.world().self()), next});
  Leaf leaf = leaf_of("request.state", request);
  leaf.fields.emplace_back("state", coalition::state_name(request.state));
  Archive::Write write{std::move(ops), std::move(leaf), false, {record_key(request, parts_.world().self())}};
  parts_.archive.commit(std::move(write), [this, request](const Result<void>& done) {
    if (!done) {
      confirmed_.erase(request.id);  // it is asked for again
      return;
    }
    announcements_.announce(
        {.kind = "request",
         .person = request.person,
         .app = AppRef{request.owner, request.app},
         .data = Json::object({{"id", request.id.text()}, {"state", coalition::state_name(request.state)}})});
  });
}

void AccessDesk::tell_owner(const Request& request) {
  link::Told told{"look", request.id, Json::object(), {}};
  if (request.state == RequestState::withdrawn) {
    told.topic = "withdraw";
  } else if (const auto at = untold_.find(request.id); at != untold_.end()) {
    at->second.tried = parts_.clock.tick();
    told.topic = "request";
    told.body = Json::object({{"purpose", request.purpose}, {"minutes", request.minutes}});
    if (!request.scope.whole()) told.body.set("scope", to_json(request.scope));
    const Exchange::About about{
        {request.owner, request.app}, at->second.person.who, at->second.person.context};
    parts_.switchboard.tell(request.owner, Way::asking, std::move(told), &about);
    return;
  }
  parts_.switchboard.tell(request.owner, Way::asking, std::move(told));
}

void AccessDesk::reached(const PartnerCode& owner) {
  const coalition::World world = parts_.world();  // what it lists lives as long as it does
  tell_owners(world.asked(owner), true);
}

// What is due to be told again; to an owner who was just reached, everything.
void AccessDesk::tell_owners(const std::vector<const Request*>& asked, bool reached) {
  const Instant now = parts_.switchboard.now();
  const Tick tick = parts_.clock.tick();
  size_t looks = 0;
  for (const Request* request : asked) {
    const auto sure = confirmed_.find(request->id);
    const bool unsure = sure == confirmed_.end();
    const bool waits = request->state == RequestState::open && !out_of_time(*request);
    const bool given =
        request->state == RequestState::granted && request->granted_until && *request->granted_until > now;
    const bool withdrawn = request->state == RequestState::withdrawn && request->end > now && unsure;
    if (!waits && !given && !withdrawn) continue;
    const auto untold = untold_.find(request->id);
    const bool word = untold != untold_.end();
    const bool again = reached || (word ? tick - untold->second.tried >= kRetellAfter
                                        : unsure || tick - sure->second >= kLookAgainAfter);
    // A look may wait for the next sweep: the owner has one budget for looks and for people who come in.
    if (again && (word || looks++ < kLooksAtOnce)) tell_owner(*request);
  }
}

void AccessDesk::sweep() {
  const coalition::World world = parts_.world();
  const auto requests = world.some<Request>("request/", swept_.requests, kSweptAtOnce);
  const auto asked = world.some<Request>("asked/", swept_.asked, kSweptAtOnce);
  tell_owners(asked, false);
  remind(requests);
  tidy_up();
  tidy(requests, asked);
}

void AccessDesk::remind(const std::vector<const Request*>& requests) {
  const Instant now = parts_.switchboard.now();
  for (const Request* request : requests) {
    if (request->state != RequestState::open || out_of_time(*request)) continue;
    if (now - request->asked < (request->end - request->asked) / 2) continue;
    if (!reminded_.insert(request->id).second) continue;
    const AppRef ref{request->owner, request->app};
    const coalition::App* app = parts_.world().app(ref);
    announcements_.announce({.kind = "reminder",
                             .app = ref,
                             .data = Json::object({{"app", app == nullptr ? request->app.text() : app->name},
                                                   {"since", time_text(request->asked)}})});
  }
}

// What is kept beside requests goes with them, however they went.
void AccessDesk::tidy_up() {
  const coalition::World& world = parts_.world();
  if (std::max(untold_.size(), confirmed_.size()) > world.count("asked/")) {
    const auto gone = [&](const auto& one) { return world.asked(one.first) == nullptr; };
    std::erase_if(untold_, gone);
    std::erase_if(confirmed_, gone);
  }
  if (reminded_.size() > world.count("request/"))
    std::erase_if(reminded_, [&](const RequestId& one) { return world.request(one) == nullptr; });
}

// What is long over goes; the ledger keeps what happened.
void AccessDesk::tidy(const std::vector<const Request*>& requests, const std::vector<const Request*>& asked) {
  const Instant before = parts_.switchboard.now() - kKeptAfterEnd;
  const coalition::World world = parts_.world();
  std::vector<coalition::Record> gone;
  const auto drop = [&](std::string key) {
    if (gone.size() < kTidiedAtOnce) gone.push_back({std::move(key), std::nullopt});
  };
  for (const auto* list : {&requests, &asked}) {
    for (const Request* request : *list) {
      if (request->end >= before || (request->granted_until && *request->granted_until >= before)) continue;
      drop(record_key(*request, world.self()));
      untold_.erase(request->id);
      confirmed_.erase(request->id);
      reminded_.erase(request->id);
    }
  }
  for (const auto* grant : world.some<coalition::Grant>("grant/", swept_.grants, kSweptAtOnce))
    if (grant->end < before) drop(record_key(*grant));
  for (const auto* one : world.some<coalition::Delegation>("delegation/", swept_.delegations, kSweptAtOnce))
    if (one->end < before) drop(record_key(*one));
  if (gone.empty()) return;
  Leaf leaf{"access.tidied", {{"records", std::ssize(gone)}}};
  Archive::Write write{std::move(gone), std::move(leaf)};
  parts_.archive.commit(std::move(write), [](const Result<void>&) {});
}

}  // namespace entente::exchange
