// Recalls of sealed objects, and what was released of them.
#include "base/fields.h"
#include "net/url.h"
#include "node/api.h"
#include "node/api_answers.h"
#include "node/operators.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kWhatMax = 256;
constexpr size_t kReadAtOnce = 2'000;  // records of the ledger, between two turns of the loop

Json recall_json(const coalition::Recall& recall) {
  Json out = Json::object({{"recall", recall.key.substr(std::string_view("recall/").size())},
                           {"reason", recall.reason},
                           {"by", recall.by},
                           {"at", rfc3339(recall.at)}});
  if (!recall.partner.empty()) out.set("partner", recall.partner.text());
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

}  // namespace

// A recall by label that names what no object bears would be acknowledged and recall nothing.
Result<void> Api::recalls_something(const Json& record) const {
  if (records_.world().recalls("label").size() >= coalition::kLabelRecallsMax) {
    return fail("field.value", fmt::format("there are {} recalls by label already", coalition::kLabelRecallsMax),
                "kind", "lift one that is no longer needed, or recall by policy, key or mission");
  }
  const Json* attributes = record.find("attributes");
  if (attributes == nullptr || !attributes->is_array()) return {};
  constexpr std::string_view kValuePart = "/value/";
  for (const Json& item : attributes->items()) {
    const std::string fqn = item.is_string() ? item.string() : std::string();
    const size_t part = fqn.rfind(kValuePart);
    const coalition::Attribute* attribute =
        part == std::string::npos ? nullptr : records_.world().attribute(fqn.substr(0, part));
    if (attribute == nullptr || attribute->find(fqn.substr(part + kValuePart.size())) == nullptr) {
      return fail("field.value", "no object here can bear this attribute: " + fqn, "attributes",
                  "write a value of the vocabulary, in lower case, as objects have it");
    }
  }
  return {};
}

net::Task<Api::Answer> Api::list_recalls(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::view, coalition::NodeRef{self_}, "list recalls", verdict))
    co_return *no;
  Json recalls = Json::array();
  for (const coalition::Recall* recall : records_.world().recalls("")) recalls.push(recall_json(*recall));
  co_return Answer{200, Json::object({{"recalls", std::move(recalls)}})};
}

// Acts with the call, whatever the disk says; no key is released against it from then on.
net::Task<Api::Answer> Api::recall_object(Request request) {
  Fields fields(request.body, "");
  const std::string kind = fields.text("kind", 16);
  const std::string what = fields.text("what", kWhatMax);
  const std::string reason = fields.text("reason", 1000);
  Json record =
      Json::object({{"reason", reason}, {"by", request.by.who.id.text()}, {"at", rfc3339(clock_.now())}});
  for (const char* name : {"partner", "classification", "attributes"}) {
    if (const Json* value = fields.value_if(name)) record.set(name, *value);
  }
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{self_}, reason, verdict))
    co_return *no;
  if (kind == "label") {
    if (const Result<void> good = recalls_something(record); !good) co_return refusal(400, good.error());
  }
  const Instant now = clock_.now();
  const std::string key = fmt::format("recall/{}/{}", kind, what);
  Change change;
  change.records = {{key, std::move(record)}};
  change.leaves = {recall_leaf("object.recall", key, request.by.who, reason, verdict, now)};
  change.author = request.by.who.id.text();
  change.narrowing = true;
  Words said;
  said.what = key;
  said.done = fmt::format("{} {} is recalled", kind, what);
  said.verdict = verdict.id;
  said.decided = now;
  Answer answer = co_await this->change(std::move(change), std::move(said));
  co_return answer;
}

net::Task<Api::Answer> Api::lift_recall(Request request) {
  Fields fields(request.body, "");
  const std::string kind = fields.text("kind", 16);
  const std::string what = fields.text("what", kWhatMax);
  const std::string reason = fields.text("reason", 1000);
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, coalition::NodeRef{self_}, reason, verdict))
    co_return *no;
  if (records_.world().recall(kind, what) == nullptr) co_return not_found("there is no such recall");
  const Instant now = clock_.now();
  const std::string key = fmt::format("recall/{}/{}", kind, what);
  Change change;
  change.records = {{key, std::nullopt}};
  change.leaves = {recall_leaf("object.recall-lifted", key, request.by.who, reason, verdict, now)};
  change.author = request.by.who.id.text();
  Words said;
  said.what = key;
  said.done = fmt::format("the recall of {} {} is lifted", kind, what);
  said.verdict = verdict.id;
  said.decided = now;
  Answer answer = co_await this->change(std::move(change), std::move(said));
  co_return answer;
}

net::Task<Api::Answer> Api::show_exposure(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::view, coalition::NodeRef{self_}, "exposure", verdict))
    co_return *no;
  const Result<net::Pairs> query = net::parse_form(request.query);
  if (!query) co_return refusal(400, query.error());
  const auto asked = [&](std::string_view name) {
    const std::string* text = net::find_pair(*query, name);
    return text == nullptr ? std::string() : *text;
  };
  data::ExposureFilter filter;
  filter.partner = asked("partner");
  filter.person = asked("person");
  filter.object = asked("object");
  filter.device = asked("device");
  // What the ledger has got since it was last asked; the loop goes on in between.
  while (exposure_read_ < records_.ledger().size()) {
    const uint64_t end = std::min<uint64_t>(records_.ledger().size(), exposure_read_ + kReadAtOnce);
    for (; exposure_read_ < end; ++exposure_read_) {
      const Result<ledger::Record> record = records_.ledger().record(exposure_read_);
      if (record) exposure_.add(*record);
    }
    co_await switchboard_.loop().sleep(Millis(0));
  }
  co_return Answer{200, exposure_.report(filter, records_.world(), clock_.now())};
}

}  // namespace entente::node
