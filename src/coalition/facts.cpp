#include "coalition/facts.h"

#include "base/fields.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kTextBytesMax = 1024;

Json value_to_json(const FactValue& value) {
  if (const auto* set = std::get_if<std::vector<std::string>>(&value)) {
    Json items = Json::array();
    for (const std::string& item : *set) items.push(item);
    return items;
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  return std::get<bool>(value);
}

FactValue read_value(Fields& fields) {
  const Json& value = fields.value("value");
  if (value.is_bool()) return value.boolean();
  if (value.is_int()) return value.integer();
  if (value.is_string()) {
    if (value.string().size() > kTextBytesMax) {
      fields.wrong("value", fmt::format("this text has more than {} bytes", kTextBytesMax));
    }
    return value.string();
  }
  if (!value.is_array()) {
    fields.wrong("value", "this is no value of a fact", "write true, a whole number, a text or texts");
    return false;
  }
  std::vector<std::string> set = fields.texts("value", kFactSetMax);
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

}  // namespace

Facts calm_moment(std::string_view network, std::string_view source, Instant end) {
  Facts facts;
  facts.emplace("risk", Fact{int64_t{0}, std::string(source), end});
  facts.emplace("network", Fact{std::string(network), std::string(source), end});
  return facts;
}

Json facts_to_json(const Facts& facts) {
  Json out = Json::object();
  // What does not end is written as the last instant that the text form has.
  const Instant latest = from_unix_seconds(253402300799);
  for (const auto& [name, fact] : facts) {
    out.set(name, Json::object({{"value", value_to_json(fact.value)},
                                {"source", fact.source},
                                {"end", rfc3339(std::min(fact.end, latest))}}));
  }
  return out;
}

Result<Facts> facts_from_json(const Json& json) {
  Fields fields(json, "");
  TRY_VOID(fields.done_open());
  if (json.members().size() > kFactsMax) {
    return fail("coalition.facts", fmt::format("there are more than {} facts", kFactsMax));
  }
  Facts facts;
  for (const Json::Member& member : json.members()) {
    if (member.first.empty() || member.first.size() > kNameBytesMax) {
      return fail("coalition.facts", fmt::format("a fact's name has 1 to {} bytes", kNameBytesMax));
    }
    Fields one = fields.object(member.first);
    Fact fact;
    fact.value = read_value(one);
    fact.source = one.text("source", 256);
    fact.end = one.instant("end");
    TRY_VOID(one.done());
    facts.emplace(member.first, std::move(fact));
  }
  TRY_VOID(fields.done());
  return facts;
}

}  // namespace entente::coalition
