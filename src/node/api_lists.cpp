// What operators look at.
#include "coalition/objects.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/operators.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace entente::node {
namespace {

bool is_suspended(const coalition::Partner& partner) {
  return partner.state == coalition::PartnerState::suspended;
}
const char* shut_name(const coalition::Partner& partner) {
  return is_suspended(partner) ? "suspended" : "isolated";
}
const std::string& shut_reason(const coalition::Partner& partner) {
  return is_suspended(partner) ? partner.state_reason : partner.isolated;
}

// What the verdict rests on, a sentence each.
Json reasons_json(const coalition::Verdict& verdict) {
  Json out = Json::array();
  for (const coalition::Reason& reason : verdict.reasons)
    if (!reason.text.empty()) out.push(reason.text);
  return out;
}

}  // namespace

net::Task<Api::Answer> Api::list_partners(Request request) {
  if (auto no = may_not_view(request, "list partners")) co_return *no;
  Json out = Json::array();
  const std::vector<LinkState> links = parts_.links();
  for (const coalition::Partner* partner : parts_.records.world().partners()) {
    int64_t sessions = 0;
    for (const exchange::Session* session : parts_.switchboard.core().sessions()) {
      if (session->partner == partner->code) ++sessions;
    }
    std::string link = partner->code == parts_.self ? "self" : "down";
    for (const LinkState& state : links) {
      if (state.partner != partner->code) continue;
      link = state.asking && state.serving ? "both ways"
             : state.asking                ? "asking"
             : state.serving               ? "serving"
                                           : "down";
    }
    const coalition::Partner* durable = parts_.records.durable_world().partner(partner->code);
    const bool fenced = !partner->is_open() || parts_.switchboard.core().fenced(partner->code);
    const std::optional<std::string> by_them = parts_.switchboard.core().told_shut(partner->code);
    out.push(Json::object({{"code", partner->code.text()},
                           {"name", partner->name},
                           {"state", durable != nullptr && !durable->is_open() ? shut_name(*durable)
                                     : fenced                                  ? "fenced"
                                                                               : "active"},
                           {"reason", partner->is_open() && by_them ? *by_them : shut_reason(*partner)},
                           {"member_until", rfc3339(partner->member_until)},
                           {"link", link},
                           {"sessions", sessions}}));
  }
  co_return Answer{200, Json::object({{"partners", std::move(out)}})};
}

net::Task<Api::Answer> Api::list_apps(Request request) {
  if (auto no = may_not_view(request, "list apps")) co_return *no;
  Json out = Json::array();
  for (const coalition::App* app : parts_.records.world().apps()) {
    Json offered = Json::array();
    for (const PartnerCode& partner : app->offered_to) offered.push(partner.text());
    bool served = false;
    for (const auto& connector : parts_.switchboard.core().connectors()) {
      for (const AppId& id : connector.apps)
        served = served || (app->ref.owner == parts_.self && id == app->ref.app);
    }
    const bool reached =
        served && parts_.switchboard.core().roster().reaches(app->ref.app, parts_.clock.tick());
    out.push(Json::object({{"app", fmt::format("{}/{}", app->ref.owner.text(), app->ref.app.text())},
                           {"name", app->name},
                           {"banner", app->banner},
                           {"mission", app->mission.text()},
                           {"offered_to", std::move(offered)},
                           {"end", rfc3339(app->end)},
                           {"state", app->ref.owner != parts_.self ? "offered to us"
                                     : reached                     ? "served"
                                     : served                      ? "not reached"
                                                                   : "no connector"}}));
  }
  co_return Answer{200, Json::object({{"apps", std::move(out)}})};
}

net::Task<Api::Answer> Api::list_domains(Request request) {
  if (auto no = may_not_view(request, "list domains")) co_return *no;
  Json out = Json::array();
  for (const coalition::Domain* domain : parts_.records.world().domains()) {
    Json partners = Json::array();
    for (const PartnerCode& partner : domain->partners) partners.push(partner.text());
    out.push(Json::object({{"id", domain->id.text()},
                           {"name", domain->name},
                           {"owner", domain->owner.text()},
                           {"mission", domain->mission.text()},
                           {"partners", std::move(partners)},
                           {"highest", domain->highest}}));
  }
  co_return Answer{200, Json::object({{"domains", std::move(out)}})};
}

net::Task<Api::Answer> Api::list_sessions(Request request) {
  if (auto no = may_not_view(request, "list sessions")) co_return *no;
  Json out = Json::array();
  for (const exchange::Session* session : parts_.switchboard.core().sessions()) {
    out.push(Json::object(
        {{"id", session->id.text()},
         {"side", exchange::side_name(session->side)},
         {"person", session->who.id.text()},
         {"partner", session->who.partner.text()},
         {"who", exchange::person_text(parts_.records.world(), session->who.partner, session->who.facts)},
         {"app", fmt::format("{}/{}", session->app.owner.text(), session->app.app.text())},
         {"state", session->open()       ? "live"
                   : session->holds != 0 ? "held"
                                         : exchange::stage_name(session->stage)},
         {"since", rfc3339(session->opened)},
         {"streams", static_cast<int64_t>(session->gate->streams())},
         {"requests", static_cast<int64_t>(session->gate->requests())},
         {"verdict", session->verdict.id.text()},
         {"reasons", reasons_json(session->verdict)},
         {"valid_until", rfc3339(session->verdict.valid_until)}}));
  }
  co_return Answer{200, Json::object({{"sessions", std::move(out)}})};
}

net::Task<Api::Answer> Api::list_connectors(Request request) {
  if (auto no = may_not_view(request, "list connectors")) co_return *no;
  Json out = Json::array();
  const auto up = parts_.switchboard.core().connectors();
  std::vector<Expected> expected = expected_connectors(parts_.records.world(), parts_.decisions.now());
  for (const coalition::Connector* connector : parts_.records.world().connectors()) {
    Json apps = Json::array();
    for (const AppId& app : connector->apps) apps.push(app.text());
    Json row = Json::object({{"id", connector->id.text()},
                             {"apps", std::move(apps)},
                             {"end", rfc3339(connector->end)},
                             {"state", "down"}});
    for (const auto& entry : up) {
      if (entry.id != connector->id) continue;
      row.set("state", entry.failures == 0 ? "up" : "failing");
      row.set("round_trip", round_trip_json(entry.round_trip_us));
    }
    std::erase_if(expected, [&](const Expected& token) {
      if (token.id != connector->id.text()) return false;
      row.set("token_until", rfc3339(token.until));
      return true;
    });
    out.push(std::move(row));
  }
  for (Expected& token : expected) {  // who would be new
    out.push(Json::object({{"id", token.id},
                           {"apps", std::move(token.apps)},
                           {"state", "expected"},
                           {"token_until", rfc3339(token.until)}}));
  }
  co_return Answer{200, Json::object({{"connectors", std::move(out)}})};
}

net::Task<Api::Answer> Api::show_verdict(Request request) {
  if (auto no = may_not_view(request, "read verdict " + request.name)) co_return *no;
  // A search may look through much of the ledger, on the loop that decides: one at a time.
  if (searching_)
    co_return refusal(429,
                      {"api.busy", "another verdict is being looked for now", {}, "ask again in a moment"});
  searching_ = true;
  const uint64_t size = parts_.records.ledger().size();
  std::optional<Json> found;
  TakenBack taken_back;
  for (uint64_t skip = 0; !found && skip < std::min(size, kLookBackMax); skip += kLookBackSlice) {
    found = find_verdict(parts_.records.ledger(), request.name, size, skip, kLookBackSlice, taken_back);
    co_await parts_.switchboard.loop().sleep(Millis(0));
  }
  // What was done under a verdict is recorded after it: it says who did what, the verdict's own entry why.
  if (found && found->find("permit") == nullptr) {
    const uint64_t begin = size - static_cast<uint64_t>(found->find("index")->integer());
    std::optional<Json> why;
    for (uint64_t skip = begin; !why && skip < std::min(size, begin + kLookBackMore);
         skip += kLookBackSlice) {
      why = find_verdict(parts_.records.ledger(), request.name, size, skip, kLookBackSlice, taken_back);
      co_await parts_.switchboard.loop().sleep(Millis(0));
    }
    if (why)
      for (Json::Member& part : why->members())
        if (found->find(part.first) == nullptr) found->set(part.first, std::move(part.second));
  }
  searching_ = false;
  if (!found) co_return not_found("no verdict of that id is in the newest part of the ledger", "ledger show");
  co_return Answer{200, *found};
}

// Durable before anybody sees what is shown: who looked, under which verdict.
ledger::Record Api::disclosure(const coalition::Person& who, const coalition::Verdict& verdict) const {
  ledger::Record leaf{.event_class = "ledger.disclosed", .time = parts_.clock.now(), .fields = {}};
  leaf.fields.emplace_back("who", who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  return leaf;
}

net::Task<Api::Answer> Api::show_ledger(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::view, coalition::NodeRef{parts_.self}, "read the ledger",
                        verdict))
    co_return *no;
  uint64_t last = 20;
  bool disclose = false;
  const Result<net::Pairs> query = net::parse_form(request.query);
  if (query) {
    if (const std::string* text = net::find_pair(*query, "last")) {
      std::from_chars(text->data(), text->data() + text->size(), last);
    }
    const std::string* wanted = net::find_pair(*query, "disclose");
    disclose = wanted != nullptr && *wanted == "1";
  }
  last = std::min(last, disclose ? kDisclosedTailMax : kTailMax);
  if (disclose) {
    ledger::Record leaf = disclosure(request.by.who, verdict);
    leaf.fields.emplace_back("newest", static_cast<int64_t>(last));
    leaf.fields.emplace_back("size", static_cast<int64_t>(parts_.records.ledger().size()));
    const Result<void> recorded = co_await record(std::move(leaf), false);
    if (!recorded) co_return refusal(status_of(recorded.error()), recorded.error());
  }
  co_return Answer{200, ledger_tail(parts_.records.ledger(), last, disclose)};
}

// One entry with all its fields as a disclosure: what is shown can be checked by whoever is shown it.
net::Task<Api::Answer> Api::show_entry(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::view, coalition::NodeRef{parts_.self},
                        "read ledger entry " + request.name, verdict))
    co_return *no;
  uint64_t index = 0;
  const char* const end = request.name.data() + request.name.size();
  const auto read = std::from_chars(request.name.data(), end, index);
  const bool known = read.ec == std::errc() && read.ptr == end && index < parts_.records.ledger().size();
  if (!known) co_return not_found(fmt::format("the ledger has no entry {}", request.name), "ledger show");
  const Result<ledger::Record> found = parts_.records.ledger().record(index);
  if (!found) co_return refusal(503, found.error());
  std::vector<std::string> fields;
  for (const auto& [name, value] : found->fields) fields.push_back(name);
  const Result<ledger::Disclosure> entry = parts_.records.ledger().disclose(index, fields);
  if (!entry) co_return refusal(503, entry.error());
  ledger::Record leaf = disclosure(request.by.who, verdict);
  leaf.fields.emplace_back("index", static_cast<int64_t>(index));
  const Result<void> recorded = co_await record(std::move(leaf), false);
  if (!recorded) co_return refusal(status_of(recorded.error()), recorded.error());
  co_return Answer{200, entry->json()};
}

net::Task<Api::Answer> Api::show_status(Request request) {
  if (auto no = may_not_view(request, "status")) co_return *no;
  Json checks = Json::array();
  const auto check = [&](std::string_view state, std::string_view name, std::string text, std::string hint) {
    checks.push(Json::object(
        {{"state", state}, {"name", name}, {"text", std::move(text)}, {"hint", std::move(hint)}}));
  };
  const coalition::World& world = parts_.records.world();
  check("good", "node", fmt::format("{} since {}", parts_.self.text(), rfc3339(started_)), "");
  const uint64_t revision = parts_.records.durable_world().revision().value;
  check("good", "world", fmt::format("revision {}", revision), "");
  const size_t owed = parts_.records.owed();
  check(owed == 0 ? "good" : "bad", "ledger",
        owed == 0 ? fmt::format("{} entries", parts_.records.ledger().size())
                  : fmt::format("{} entries; {} changes are fenced, not yet durable",
                                parts_.records.ledger().size(), owed),
        owed == 0
            ? ""
            : "make space on the disk of the data folder, or mend it; they are written by themselves then");
  if (const std::optional<Error>& wrong = parts_.records.miscounted())
    check("bad", "counts of requests", wrong->text(), "the node works; entente ledger verify says the same");
  const Millis ahead = parts_.switchboard.ahead();
  check(ahead == Millis(0) ? "good" : "bad", "clock",
        ahead == Millis(0) ? "decisions go by the wall clock"
                           : fmt::format("decisions are {} s ahead of the wall clock, which was set back",
                                         ahead.count() / 1'000),
        ahead == Millis(0) ? ""
                           : "if it was ahead before and is right now: entente clock accept --reason TEXT");
  if (const std::string fault = parts_.provider_fault(); !fault.empty())
    check(
        "bad", "identity provider", fault,
        "nobody can sign in: see that it runs, that the node reaches it, and that `trust` has its authority");
  const std::vector<LinkState> links = parts_.links();
  for (const coalition::Partner* partner : world.partners()) {
    if (partner->code == parts_.self) continue;
    const bool shut = !partner->is_open();
    LinkState state{partner->code, false, false};
    for (const LinkState& link : links) {
      if (link.partner == partner->code) state = link;
    }
    const bool well = state.asking && state.serving;
    const std::optional<std::string> by_them = parts_.switchboard.core().told_shut(partner->code);
    if (!shut && well && by_them) {
      check("bad", fmt::format("link {}", partner->code.text()), *by_them,
            "nothing is wrong with the link: ask their operators");
      continue;
    }
    check(shut || well ? "good" : "bad", fmt::format("link {}", partner->code.text()),
          shut   ? fmt::format("{}: {}", shut_name(*partner), shut_reason(*partner))
          : well ? "open both ways"
                 : fmt::format("asking {}, serving {}", state.asking ? "open" : "down",
                               state.serving ? "open" : "down"),
          shut || well ? ""
                       : "check that the partner's node runs and can be reached, and that both pin each "
                         "other's link certificate");
  }
  const auto up = parts_.switchboard.core().connectors();
  for (const coalition::Connector* connector : world.connectors()) {
    const bool is_up =
        std::any_of(up.begin(), up.end(), [&](const auto& entry) { return entry.id == connector->id; });
    check(is_up ? "good" : "bad", fmt::format("connector {}", connector->id.text()),
          is_up ? "up" : "not connected",
          is_up ? "" : "start it beside its app: entente connector --config FILE");
  }
  for (const auto& connector : up) {
    for (const auto& [app, until] : connector.away) {
      if (!parts_.switchboard.core().roster().doubted(connector.id, app, parts_.clock.tick())) continue;
      check("bad", fmt::format("app {}", app.text()),
            fmt::format("connector {} did not reach it when somebody asked", connector.id.text()),
            "see that the app runs, and listens where that connector's configuration says");
    }
  }
  co_return Answer{
      200, Json::object({{"partner", parts_.self.text()},
                         {"revision", revision},
                         {"sessions", static_cast<int64_t>(parts_.switchboard.core().sessions().size())},
                         {"checks", std::move(checks)}})};
}

}  // namespace entente::node
