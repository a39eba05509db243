#include "node/preview.h"

#include "coalition/barred.h"
#include "coalition/decide.h"
#include "coalition/releases.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {

using coalition::AccessRequest;
using coalition::Grant;
using coalition::Release;
using coalition::RequestState;

namespace {

bool has(const std::vector<PartnerCode>& codes, const PartnerCode& code) {
  return std::ranges::find(codes, code) != codes.end();
}

bool is_open(const coalition::World& world, const PartnerCode& code) {
  const coalition::Partner* partner = world.partner(code);
  return partner != nullptr && partner->is_open();
}

coalition::Action right_of(const std::string& name) {
  using coalition::Action;
  for (const Action action : {Action::open, Action::view, Action::edit, Action::forward, Action::relabel})
    if (coalition::action_name(action) == name) return action;
  return Action::open;
}

}  // namespace

Preview::Preview(Ways ways, Stands stands, coalition::World before, coalition::World after, Instant now)
    : ways_(std::move(ways)),
      before_{before, exchange::rules_of(before)},
      after_{after, exchange::rules_of(after)},
      now_(now) {
  for (SessionId& id : stands.sessions) all_.emplace_back(std::move(id));
  for (std::string& id : stands.views) all_.emplace_back(std::move(id));
  for (const AccessRequest* one : before_.world.requests()) all_.emplace_back(one);
  for (const AccessRequest* one : before_.world.asked()) all_.emplace_back(one);
  for (const Grant* one : before_.world.grants()) all_.emplace_back(one);
  for (const Release* one : before_.world.releases()) all_.emplace_back(one);
  for (const coalition::Delegation* one : before_.world.delegations())
    if (one->end > now_ && after_.world.raw(record_key(*one)) == nullptr) ++counted_.delegations;
  count_connectors(stands.connectors);
}

void Preview::count_connectors(const std::vector<exchange::ConnectorRoster::Entry>& connectors) {
  for (const exchange::ConnectorRoster::Entry& one : connectors) {
    const std::vector<AppId> was = before_.rules->connector_apps(one.id, one.thumbprint, now_);
    const std::vector<AppId> then = after_.rules->connector_apps(one.id, one.thumbprint, now_);
    before_.served.insert(was.begin(), was.end());
    after_.served.insert(then.begin(), then.end());
    if (!was.empty() && then.empty()) ++counted_.connectors;
  }
}

bool Preview::step(size_t count) {
  for (size_t asked = 0; asked < count && next_ < all_.size(); ++asked)
    std::visit([this](const auto& one) { ask(one); }, all_[next_++]);
  return next_ < all_.size();
}

void Preview::ask(const SessionId& id) {
  const exchange::Session* session = ways_.session(id);
  if (session == nullptr) return;
  const PartnerCode& nation = session->who.partner;
  if (ways_.goes_on(*session, *after_.rules)) {
    const bool here = session->side != exchange::Side::home;
    const AppId& app = session->app.app;
    if (here && before_.served.contains(app) && !after_.served.contains(app)) counted_.unserved.add(nation);
    return;
  }
  if (!ways_.goes_on(*session, *before_.rules)) return;
  (session->stage == exchange::Stage::live ? counted_.sessions : counted_.admissions).add(nation);
}

bool Preview::shows(const data::View& view, const Under& under) const {
  if (!view.there.empty() && !is_open(under.world, view.service)) return false;
  coalition::Ask again = view.ask;
  again.now = now_;
  return coalition::decide(under.world, again).permit;
}

void Preview::ask(const std::string& id) {
  const data::View* view = ways_.view(id);
  if (view == nullptr || shows(*view, after_) || !shows(*view, before_)) return;
  counted_.views.add(view->ask.who.partner);
}

// What holds of everybody of that nation, where nothing is known of the person.
bool Preview::offers(const Under& under, const coalition::AppRef& ref, const PartnerCode& nation) const {
  const coalition::App* app = under.world.app(ref);
  if (app == nullptr || app->end <= now_) return false;
  if (!is_open(under.world, ref.owner) || !is_open(under.world, nation)) return false;
  if (nation != ref.owner && !has(app->offered_to, nation)) return false;
  const coalition::Mission* mission = under.world.mission(app->mission);
  return mission != nullptr && mission->end > now_ && has(mission->partners, nation);
}

bool Preview::is_still(const std::string& key, RequestState state) const {
  const Json* then = after_.world.raw(key);
  return then != nullptr && then->text_or("state", "") == coalition::state_name(state);
}

void Preview::ask(const AccessRequest* request) {
  request->owner == before_.world.self() ? ask_of_own(*request) : ask_of_partner(*request);
}

void Preview::ask_of_own(const AccessRequest& request) {
  if (request.state != RequestState::open || request.end <= now_) return;
  const bool waits = is_still(record_key(request, before_.world.self()), RequestState::open);
  if (!waits || (ways_.opens(request, before_.world) && !ways_.opens(request, after_.world)))
    return counted_.requests.add(request.partner);
  const size_t counted = ways_.approvals(request, before_.world);
  counted_.approvals +=
      static_cast<int64_t>(counted - std::min(counted, ways_.approvals(request, after_.world)));
}

// Its owner decides: here is known how the owner stands, and what was said to it.
void Preview::ask_of_partner(const AccessRequest& request) {
  const bool waits = request.state == RequestState::open && request.end > now_;
  const bool given = request.state == RequestState::granted && request.granted_until > now_;
  if (!waits && !given) return;
  const coalition::AppRef app{request.owner, request.app};
  const bool still = is_still(record_key(request, before_.world.self()), request.state);
  if (still && (offers(after_, app, request.partner) || !offers(before_, app, request.partner))) return;
  (waits ? counted_.requests : counted_.grants).add(request.partner);
}

void Preview::ask(const Grant* grant) {
  if (grant->end <= now_ || grant->used >= grant->count) return;
  const auto opens = [&](const Under& under) {
    const AccessRequest* asked = before_.world.request(grant->id);
    if (asked != nullptr) return ways_.opens(*asked, under.world);
    return offers(under, {under.world.self(), grant->app}, grant->partner);
  };
  const bool still = after_.world.raw(record_key(*grant)) != nullptr;
  if (!still || (opens(before_) && !opens(after_))) counted_.grants.add(grant->partner);
}

// To anybody of those whom it is for, with any of its rights: as if it were given, of one that waits.
bool Preview::releases(const Under& under, const Release& release) const {
  Grant supposed;
  supposed.purpose = release.purpose;
  supposed.end = now_ + std::chrono::minutes(release.minutes);
  coalition::Ask ask;
  ask.who.partner = release.partner;
  ask.who.id = release.person;
  ask.target = coalition::ObjectRef{release.object};
  ask.now = now_;
  ask.object.emplace().attributes = release.attributes;
  return std::ranges::any_of(release.rights, [&](const std::string& right) {
    ask.action = right_of(right);
    return !barred(under.world, ask, release.start ? nullptr : &supposed).has_value();
  });
}

void Preview::ask(const Release* release) {
  if (coalition::is_over(*release, now_)) return;
  const bool still = is_still(record_key(*release), release->state);
  if (still && (releases(after_, *release) || !releases(before_, *release))) return;
  (release->state == RequestState::granted ? counted_.releases : counted_.requests).add(release->partner);
}

namespace {

std::string number_of(int64_t number, std::string_view one, std::string_view many = {}) {
  if (number == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", number, one) : fmt::format("{} {}", number, many);
}

// "3 sessions (XAA 1, XBB 2)"; nothing of none.
void say(std::vector<std::string>& out, const Tally& tally, std::string_view one,
         std::string_view many = {}) {
  if (tally.all == 0) return;
  std::vector<std::string> nations;
  for (const auto& [code, number] : tally.of) nations.push_back(fmt::format("{} {}", code.text(), number));
  out.push_back(fmt::format("{} ({})", number_of(tally.all, one, many), fmt::join(nations, ", ")));
}

void set(Json& out, const std::string& name, const Tally& tally) {
  Json of = Json::object();
  for (const auto& [code, number] : tally.of) of.set(code.text(), number);
  out.set(name, tally.all);
  out.set(name + "_of", std::move(of));
}

}  // namespace

std::string foreseen_text(const Foreseen& counted) {
  std::vector<std::string> end, open, come, sentences;
  say(end, counted.sessions, "session");
  say(end, counted.admissions, "admission under way", "admissions under way");
  say(end, counted.views, "open view of an object", "open views of objects");
  if (counted.delegations > 0) end.push_back(number_of(counted.delegations, "delegation"));
  say(open, counted.grants, "grant");
  say(open, counted.releases, "release of an object", "releases of objects");
  say(come, counted.requests, "request that waits", "requests that wait");
  const auto sentence = [&](std::string_view verb, const std::vector<std::string>& what) {
    if (!what.empty()) sentences.push_back(fmt::format("{}: {}.", verb, fmt::join(what, ", ")));
  };
  sentence("Would end now", end);
  sentence("Would open nothing any more", open);
  sentence("Would come to nothing", come);
  if (counted.approvals > 0)
    sentences.push_back(fmt::format("{} of requests that wait would count no more.",
                                    number_of(counted.approvals, "approval")));
  if (counted.connectors > 0)
    sentences.push_back(fmt::format("{} would be disconnected, and what is under way there breaks off.",
                                    number_of(counted.connectors, "connector")));
  std::vector<std::string> unserved;
  say(unserved, counted.unserved, "session");
  if (!unserved.empty())
    sentences.push_back(fmt::format("{} would find no connector of the app.", unserved.front()));
  if (sentences.empty()) sentences.emplace_back("Nothing that is open, given or waiting now would end.");
  return fmt::format("{} Nothing was changed.", fmt::join(sentences, " "));
}

Json foreseen_json(const Foreseen& counted) {
  Json out = Json::object();
  set(out, "sessions", counted.sessions);
  set(out, "admissions", counted.admissions);
  set(out, "views", counted.views);
  set(out, "grants", counted.grants);
  set(out, "releases", counted.releases);
  set(out, "requests", counted.requests);
  set(out, "unserved", counted.unserved);
  out.set("approvals", counted.approvals);
  out.set("delegations", counted.delegations);
  out.set("connectors", counted.connectors);
  out.set("text", foreseen_text(counted));
  return out;
}

}  // namespace entente::node
