#include "label/label_json.h"

#include "label/label_policy.h"
#include "label/label_xml.h"
#include "label/xml.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::label {
namespace {

Failure wrong(std::string what, std::string where, std::string hint = {}) {
  return fail("label.format", std::move(what), std::move(where), std::move(hint));
}

Result<std::string> text(const Json& in, std::string_view key, bool needed) {
  const Json* found = in.find(key);
  if (found == nullptr && !needed) return std::string();
  if (found == nullptr || !found->is_string())
    return wrong(fmt::format("{} is missing or no text", key), fmt::format("/{}", key));
  return found->string();
}

Result<void> only(const Json& in, std::initializer_list<std::string_view> known, std::string_view where) {
  if (!in.is_object()) return wrong("an object belongs here", std::string(where));
  for (const auto& [key, value] : in.members())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return wrong(fmt::format("the member {} is not known", key), std::string(where),
                   "it could restrict, so it is not left out");
  return {};
}

// Two names of one thing: a reader that takes one of them would pass the other over.
Result<void> not_both(const Json& in, std::string_view a, std::string_view b, std::string_view where) {
  if (in.find(a) == nullptr || in.find(b) == nullptr) return {};
  return wrong(fmt::format("{} and {} both stand here", a, b), std::string(where), "write one of them");
}

// An id or a name: one member holds either. What is surely an id (OID, UUID, URN, URL) is taken for that; all
// else for a name, which LabelPolicy::is_for() holds against ids, too.
void name_policy(Label& label, std::string named) {
  const bool oid =
      named.find_first_not_of("0123456789.") == std::string::npos && named.find('.') != std::string::npos;
  const bool uuid =
      named.size() == 36 && named.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
  const bool uri = same_name(named.substr(0, 4), "urn:") || named.find("://") != std::string::npos;
  named = std::string(plain_id(named));
  (oid || uuid || uri ? label.policy_id : label.policy) = std::move(named);
}

Result<std::vector<std::string>> values(const Json* in, std::string_view where) {
  std::vector<std::string> out;
  if (in != nullptr && in->is_string()) return std::vector<std::string>{in->string()};
  if (in == nullptr || !in->is_array() || in->items().size() > kValuesMax)
    return wrong("a list of values belongs here", std::string(where));
  for (const Json& one : in->items()) {
    if (!one.is_string()) return wrong("a value is no text", std::string(where));
    out.push_back(one.string());
  }
  return out;
}

Result<std::optional<Instant>> time(const std::string& written, std::string_view where) {
  if (written.empty()) return std::optional<Instant>{};
  const auto read = parse_xml_time(written);
  if (!read) return wrong(read.error().what(), std::string(where), read.error().hint());
  return std::optional<Instant>(*read);
}

Result<CategoryType> type_of(const std::string& written) {
  for (const auto type : {CategoryType::restrictive, CategoryType::permissive, CategoryType::informative})
    if (same_name(written, name(type)) || same_name(written, name(type).substr(0, 1))) return type;
  return wrong(fmt::format("{} is no type of category", written), "/catl", "R, P or I");
}

Result<Label> read_ocl(const Json& ocl) {
  TRY_VOID(only(ocl, {"pol", "cls", "catl", "dcr"}, "/ocl"));
  Label label;
  TRY(std::string policy, text(ocl, "pol", true));
  name_policy(label, std::move(policy));
  TRY(label.classification, text(ocl, "cls", true));
  TRY(const std::string created, text(ocl, "dcr", false));
  TRY(label.created, time(created, "/ocl/dcr"));
  const Json* list = ocl.find("catl");
  if (list != nullptr) {
    if (!list->is_array() || list->items().size() > kCategoriesMax)
      return wrong("a list of categories belongs here", "/ocl/catl");
    for (const Json& one : list->items()) {
      TRY_VOID(only(one, {"type", "name", "vals"}, "/ocl/catl"));
      Category category;
      TRY(category.tag, text(one, "name", true));
      TRY(const std::string type, text(one, "type", true));
      TRY(category.type, type_of(type));
      TRY(category.values, values(one.find("vals"), "/ocl/catl"));
      label.categories.push_back(std::move(category));
    }
  }
  return label;
}

Result<void> add_4774(Label& label, const Json& one) {
  constexpr std::string_view where = "/ConfidentialityInformation/Category";
  TRY_VOID(only(one, {"Type", "TagName", "GenericValue", "GenericValues"}, where));
  Category category;
  TRY(category.tag, text(one, "TagName", true));
  TRY(const std::string type, text(one, "Type", true));
  TRY(category.type, type_of(type));
  TRY_VOID(not_both(one, "GenericValue", "GenericValues", where));
  const Json* single = one.find("GenericValue");
  TRY(category.values, values(single != nullptr ? single : one.find("GenericValues"), where));
  label.categories.push_back(std::move(category));
  return {};
}

Result<Label> read_4774(const Json& in) {
  TRY_VOID(only(in, {"Xmlns", "CreationTime", "CreationDateTime", "ConfidentialityInformation"}, "/"));
  TRY(const std::string space, text(in, "Xmlns", false));
  if (!space.empty() && space != kLabelSpace) return wrong("this is another namespace", "/Xmlns");
  const Json& info = *in.find("ConfidentialityInformation");
  TRY_VOID(only(info, {"PolicyIdentifier", "Classification", "Category"}, "/ConfidentialityInformation"));
  Label label;
  TRY(std::string policy, text(info, "PolicyIdentifier", true));
  name_policy(label, std::move(policy));
  TRY(label.classification, text(info, "Classification", true));
  TRY_VOID(not_both(in, "CreationTime", "CreationDateTime", "/"));
  const char* member = in.find("CreationTime") != nullptr ? "CreationTime" : "CreationDateTime";
  TRY(const std::string created, text(in, member, false));
  TRY(label.created, time(created, "/CreationTime"));
  const Json* categories = info.find("Category");
  if (categories == nullptr) return label;
  if (!categories->is_array()) {
    TRY_VOID(add_4774(label, *categories));
    return label;
  }
  if (categories->items().size() > kCategoriesMax) return wrong("too many categories", "/Category");
  for (const Json& one : categories->items()) TRY_VOID(add_4774(label, one));
  return label;
}

}  // namespace

Result<Label> read_label_json(const Json& statement) {
  if (statement.is_string()) {
    TRY(const Json inside, Json::parse(statement.string(), {kLabelBytesMax, 16}));
    if (inside.is_string()) return wrong("this text holds a text, not a label", "");
    return read_label_json(inside);
  }
  Label label;
  if (const Json* ocl = statement.find("ocl")) {
    TRY_VOID(only(statement, {"ocl", "context", "@context"}, "/"));
    TRY(label, read_ocl(*ocl));
  } else if (statement.find("ConfidentialityInformation") != nullptr) {
    TRY(label, read_4774(statement));
  } else {
    return wrong("this is no label that is known here", "/",
                 "an object with ocl, or with ConfidentialityInformation");
  }
  return normalised(std::move(label));
}

Result<Json> write_label_json(const Label& label) {
  if (!label.privacy_mark.empty() || !label.originator.id.empty() || label.review || !label.successor.empty())
    return wrong("this label says what the ocl form can't", "", "write it as STANAG 4774 XML");
  Json ocl = Json::object(
      {{"pol", label.policy_id.empty() ? label.policy : label.policy_id}, {"cls", label.classification}});
  Json list = Json::array();
  for (const Category& category : label.categories) {
    Json vals = Json::array();
    for (const std::string& value : category.values) vals.push(value);
    list.push(Json::object(
        {{"type", name(category.type).substr(0, 1)}, {"name", category.tag}, {"vals", std::move(vals)}}));
  }
  if (!label.categories.empty()) ocl.set("catl", std::move(list));
  if (label.created) ocl.set("dcr", rfc3339(*label.created));
  return Json::object({{"ocl", std::move(ocl)}});
}

namespace {

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

char first_sign(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? ' ' : text[first];
}

}  // namespace

bool may_be_label_text(std::string_view text) {
  const char first = first_sign(without_mark(text));
  return first == '<' || first == '{';
}

Result<Label> read_label_text(std::string_view text) {
  text = without_mark(text);
  if (first_sign(text) == '<') {
    TRY(RoledLabel read, read_label_xml(text));
    if (read.role == LabelRole::metadata)
      return wrong("this is the label of a label, not of data", "",
                   "give the originator's label of the data");
    return std::move(read.label);
  }
  TRY(const Json json, Json::parse(text));
  return json.find("format") != nullptr ? from_json(json) : read_label_json(json);
}

}  // namespace entente::label
