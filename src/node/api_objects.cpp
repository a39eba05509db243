// Sealed objects: what was released of them, to whom, and what can still be opened; recalls.
#include "base/fields.h"
#include "data/policy_id.h"
#include "exchange/switchboard.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/exposure_desk.h"
#include "node/key_desk.h"
#include "node/recall_order.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kWhatMax = 256;

Json recall_json(const coalition::Recall& recall) {
  Json out = Json::object({{"recall", recall.key.substr(std::string_view("recall/").size())},
                           {"reason", recall.reason},
                           {"by", recall.by},
                           {"at", rfc3339(recall.at)}});
  if (!recall.partners.empty()) {
    Json partners = Json::array();
    for (const PartnerCode& code : recall.partners) partners.push(code.text());
    out.set("partners", std::move(partners));
  }
  if (!recall.object.empty()) out.set("object", recall.object);
  if (!recall.classification.empty()) out.set("classification", recall.classification);
  if (!recall.attributes.empty()) {
    Json attributes = Json::array();
    for (const std::string& fqn : recall.attributes) attributes.push(fqn);
    out.set("attributes", std::move(attributes));
  }
  return out;
}

ledger::Record recall_leaf(std::string kind, const std::string& key, const coalition::Person& who,
                           const std::string& reason, const coalition::Verdict& verdict, Instant now) {
  ledger::Record out{.event_class = std::move(kind), .time = now, .fields = {}};
  out.fields.emplace_back("recall", key);
  out.fields.emplace_back("operator", who.id.text());
  out.fields.emplace_back("reason", reason);
  out.fields.emplace_back("verdict", verdict.id.text());
  return out;
}

Failure wrong_query(std::string_view where, std::string what, std::string hint) {
  return fail("field.value", std::move(what), std::string(where), std::move(hint));
}

Result<data::ExposureFilter> read_filter(const std::string& query) {
  TRY(const net::Pairs pairs, net::parse_form(query));
  data::ExposureFilter out;
  for (const auto& [name, text] : pairs) {
    if (name == "partner") {
      out.partner = text;
    } else if (name == "person") {
      out.person = text;
    } else if (name == "object") {
      out.object = data::plain_policy_id(text);
    } else if (name == "device") {
      out.device = text;
    } else if (name == "before") {
      const char* const end = text.data() + text.size();
      const auto read = std::from_chars(text.data(), end, out.before);
      if (read.ec != std::errc() || read.ptr != end || out.before == 0)
        return wrong_query("before", "this is no entry of the ledger", "the number that the last page had");
    } else {
      return wrong_query(name, "nothing of what was released has this",
                         "partner, person, object, device, or before");
    }
  }
  return out;
}

struct ObjectCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  KeyDesk& keys;
  const Clock& clock;
  const Clock& decisions;
  PartnerCode self;
  ExposureDesk& released;

  net::Task<Answer> list_recalls(ApiRequest request);
  bool is_in_an_app(const PartnerCode& partner, const PersonId& person) const;
  net::Task<Answer> recall_object(ApiRequest request);
  net::Task<Answer> lift_recall(ApiRequest request);
  net::Task<Answer> show_exposure(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> objects_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(ObjectCalls{api, parts.records, parts.switchboard, parts.keys, parts.clock,
                               parts.decisions, parts.self, parts.released},
                   {
                       {"GET", "/v1/recalls", &ObjectCalls::list_recalls},
                       {"POST", "/v1/recalls", &ObjectCalls::recall_object, preview},
                       {"POST", "/v1/recalls/lift", &ObjectCalls::lift_recall},
                       {"GET", "/v1/exposure", &ObjectCalls::show_exposure},
                   });
}

net::Task<Answer> ObjectCalls::list_recalls(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list recalls")) co_return *no;
  Json recalls = Json::array();
  for (const coalition::Recall* recall : records.world().recalls("")) recalls.push(recall_json(*recall));
  co_return Answer{200, Json::object({{"recalls", std::move(recalls)}})};
}

bool ObjectCalls::is_in_an_app(const PartnerCode& partner, const PersonId& person) const {
  const auto is_theirs = [&](const auto* one) { return one->partner == partner && one->person == person; };
  const auto sessions = switchboard.core().sessions();
  return std::ranges::any_of(sessions,
                             [&](const exchange::Session* one) {
                               return one->who.partner == partner && one->who.id == person;
                             }) ||
         std::ranges::any_of(records.world().requests(), is_theirs) ||
         std::ranges::any_of(records.world().grants(), is_theirs);
}

// Acts with the call, whatever the disk says; no key is released against it from then on.
net::Task<Answer> ObjectCalls::recall_object(ApiRequest request) {
  Fields fields(request.body, "");
  const std::string kind = fields.text("kind", 16);
  const std::string what = recall_name(kind, fields.text("what", kWhatMax));
  const std::string reason = request.preview ? take_reason(fields, true) : fields.text("reason", 1000);
  Json record =
      Json::object({{"reason", reason}, {"by", request.by.who.id.text()}, {"at", rfc3339(clock.now())}});
  for (const char* name : {"partner", "classification", "attributes"}) {
    if (const Json* value = fields.value_if(name)) record.set(name, *value);
  }
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::administer, coalition::NodeRef{self}, reason, verdict))
    co_return *no;
  // Seen in the world that acts, and acting before this turn of the loop is over: nothing comes between.
  const RecallFacts facts{
      [this](std::string_view kid) { return keys.holds(kid); },
      [this](const PartnerCode& partner, const PersonId& person) { return is_in_an_app(partner, person); }};
  Result<Json> ordered = recall_record(records.world(), kind, what, std::move(record), facts);
  if (!ordered) co_return refusal(ordered.error().code() == "recall.stands" ? 409 : 400, ordered.error());
  const Instant now = clock.now();
  const std::string key = fmt::format("recall/{}/{}", kind, what);
  Change change;
  change.leaves = {recall_leaf("object.recall", key, request.by.who, reason, verdict, now)};
  change.leaves.front().fields.emplace_back("recalled", *ordered);
  change.records = {{key, *std::move(ordered)}};
  change.author = request.by.who.id.text();
  change.narrowing = true;
  ApiCore::Words said;
  said.what = key;
  said.done = fmt::format("{} {} is recalled", kind, what);
  said.verdict = verdict.id;
  said.decided = now;
  Answer answer = co_await api.change(request, std::move(change), std::move(said));
  if (answer.status != 200 && answer.status != 507) co_return answer;
  // It acts already: whoever ordered it hears whether it fits anything.
  const std::optional<bool> known = co_await released.released_before(kind, what);
  if (!known) co_return answer;
  answer.body.set("known", *known);
  if (!*known) {
    const std::string_view said_so = answer.body.text_or("text", "");
    answer.body.set("text", fmt::format("{}{} {}", said_so, said_so.ends_with('.') ? " But" : ", but",
                                        fits_nothing_yet(kind, what)));
  }
  co_return answer;
}

net::Task<Answer> ObjectCalls::lift_recall(ApiRequest request) {
  Fields fields(request.body, "");
  const std::string kind = fields.text("kind", 16);
  const std::string written = fields.text("what", kWhatMax);
  const std::string reason = fields.text("reason", 1000);
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::administer, coalition::NodeRef{self}, reason, verdict))
    co_return *no;
  // One that stands as it was written before ids were compared so can be lifted, too.
  const bool stands = records.world().recall(kind, written) != nullptr;
  const std::string what = stands ? written : recall_name(kind, written);
  if (records.world().recall(kind, what) == nullptr)
    co_return not_found("there is no such recall", "recall list");
  const Instant now = clock.now();
  const std::string key = fmt::format("recall/{}/{}", kind, what);
  Change change;
  change.records = {{key, std::nullopt}};
  change.leaves = {recall_leaf("object.recall-lifted", key, request.by.who, reason, verdict, now)};
  change.author = request.by.who.id.text();
  ApiCore::Words said;
  said.what = key;
  said.done = fmt::format("the recall of {} {} is lifted", kind, what);
  said.verdict = verdict.id;
  said.decided = now;
  Answer answer = co_await api.change(request, std::move(change), std::move(said));
  co_return answer;
}

net::Task<Answer> ObjectCalls::show_exposure(ApiRequest request) {
  if (auto no = api.may_not_view(request, "exposure")) co_return *no;
  const Result<data::ExposureFilter> filter = read_filter(request.query);
  if (!filter) co_return refusal(400, filter.error());
  const Result<void> checked = check_exposure(
      records.world(), *filter, [this](std::string_view partner) { return released.names_partner(partner); });
  if (!checked) co_return refusal(400, checked.error());
  Result<Json> said = co_await released.answer(*filter, records.world(), decisions.now());
  if (!said) co_return refusal(said.error().code() == "api.busy" ? 429 : 503, said.error());
  co_return Answer{200, *std::move(said)};
}

}  // namespace entente::node
