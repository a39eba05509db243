#include "label/label.h"

#include "base/fields.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::label {
namespace {

constexpr std::string_view kFormat = "entente.label/1";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Trims and joins runs of spaces; line breaks and tabs of wrapped XML count as spaces. Most texts are clean.
Result<std::string> clean(std::string text, std::string_view what, bool may_be_empty) {
  if (is_clean(text)) return text;
  std::string out;
  out.reserve(text.size());
  bool space = false;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      space = !out.empty();
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return fail("label.value", fmt::format("{} holds a control character", what), {}, "remove it");
    if (space) out += ' ';
    space = false;
    out += c;
  }
  if (out.empty() && !may_be_empty)
    return fail("label.value", fmt::format("{} is empty", what), {}, "write it, or leave it out whole");
  if (out.size() > kTextMax)
    return fail("label.value", fmt::format("{} is longer than {} bytes", what, kTextMax), {}, "shorten it");
  return out;
}

Result<void> clean_all(std::vector<std::string>& values, const std::string& tag) {
  for (std::string& value : values) {
    if (is_clean(value)) continue;
    TRY(value, clean(std::move(value), fmt::format("a value of {}", tag), false));
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.empty())
    return fail("label.value", fmt::format("the category {} has no value", tag), {},
                "name a value, or leave the category out");
  if (values.size() > kValuesMax)
    return fail("label.value", fmt::format("the category {} has more than {} values", tag, kValuesMax), {},
                "use a value that stands for several");
  return {};
}

Result<void> merge_categories(std::vector<Category>& categories) {
  if (categories.size() > kCategoriesMax)
    return fail("label.value", fmt::format("a label has at most {} categories", kCategoriesMax), {},
                "join those of one tag and type");
  for (Category& category : categories) {
    TRY(category.tag, clean(std::move(category.tag), "a category's tag", false));
  }
  std::sort(categories.begin(), categories.end(), [](const Category& a, const Category& b) {
    return std::tie(a.tag, a.type) < std::tie(b.tag, b.type);
  });
  std::vector<Category> out;
  for (Category& category : categories) {
    if (!out.empty() && out.back().tag == category.tag && out.back().type == category.type) {
      auto& values = out.back().values;
      values.insert(values.end(), category.values.begin(), category.values.end());
    } else {
      out.push_back(std::move(category));
    }
  }
  for (Category& category : out) TRY_VOID(clean_all(category.values, category.tag));
  categories = std::move(out);
  return {};
}

std::optional<Instant> instant_if(Fields& fields, std::string_view key) {
  if (!fields.has(key)) return std::nullopt;
  return fields.instant(key);
}

Label read_plain(Fields& fields) {
  Label label;
  label.policy = fields.text_or("policy", "", kTextMax);
  label.policy_id = fields.text_or("policy_id", "", kTextMax);
  label.classification = fields.text("classification", kTextMax);
  label.privacy_mark = fields.text_or("privacy_mark", "", kTextMax);
  if (fields.has("categories")) {
    for (Fields& one : fields.objects("categories", kCategoriesMax)) {
      Category category;
      category.tag = one.text("tag", kTextMax);
      const std::string type = one.text("type", 16);
      category.values = one.texts("values", kValuesMax);
      if (const auto known = category_type(type)) {
        category.type = *known;
      } else {
        one.wrong("type", fmt::format("{} is no type of category", type),
                  "RESTRICTIVE, PERMISSIVE or INFORMATIVE");
      }
      if (const auto done = one.done(); !done) break;  // `fields` keeps the fault
      label.categories.push_back(std::move(category));
    }
  }
  if (fields.has("originator")) {
    Fields who = fields.object("originator");
    label.originator = {who.text("id", kTextMax), who.text_or("id_type", "", kTextMax)};
    (void)who.done();
  }
  label.created = instant_if(fields, "created");
  label.review = instant_if(fields, "review");
  return label;
}

}  // namespace

bool is_clean(std::string_view text) {
  if (text.empty() || text.size() > kTextMax || text.back() == ' ') return false;
  char before = ' ';
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || (c == ' ' && before == ' ')) return false;
    before = c;
  }
  return true;
}

std::string_view name(CategoryType type) {
  switch (type) {
    case CategoryType::restrictive:
      return "RESTRICTIVE";
    case CategoryType::permissive:
      return "PERMISSIVE";
    default:
      return "INFORMATIVE";
  }
}

std::optional<CategoryType> category_type(std::string_view text) {
  for (const auto type : {CategoryType::restrictive, CategoryType::permissive, CategoryType::informative})
    if (same_name(text, name(type))) return type;
  return std::nullopt;
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string folded_name(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

const Category* Label::find(std::string_view tag, CategoryType type) const {
  for (const Category& category : categories)
    if (category.type == type && category.tag == tag) return &category;
  return nullptr;
}

const std::vector<std::string>& Label::releasable_to() const {
  static const std::vector<std::string> none;
  const Category* found = find(kReleasableTo, CategoryType::permissive);
  return found != nullptr ? found->values : none;
}

const std::vector<std::string>& Label::caveats() const {
  static const std::vector<std::string> none;
  const Category* found = find(kCaveats, CategoryType::restrictive);
  return found != nullptr ? found->values : none;
}

Result<Label> normalised(Label label) {
  TRY(label.policy, clean(std::move(label.policy), "the policy's name", true));
  TRY(label.policy_id, clean(std::move(label.policy_id), "the policy's id", true));
  if (label.policy.empty() && label.policy_id.empty())
    return fail("label.value", "the label names no policy", {}, "say whose rules it follows");
  TRY(label.classification, clean(std::move(label.classification), "the classification", false));
  TRY(label.privacy_mark, clean(std::move(label.privacy_mark), "the privacy mark", true));
  TRY(label.originator.id, clean(std::move(label.originator.id), "the originator", true));
  TRY(label.originator.id_type, clean(std::move(label.originator.id_type), "the originator's kind", true));
  TRY_VOID(merge_categories(label.categories));
  if (label.successor.size() > 1 || label.successor.size() != (label.succeeded ? 1U : 0U))
    return fail("label.value", "a succession is one time and one label", {}, "give both or neither");
  if (!label.successor.empty()) {
    if (!label.successor.front().successor.empty())
      return fail("label.value", "a successor has a successor itself", {}, "one step is enough");
    TRY(label.successor.front(), normalised(std::move(label.successor.front())));
  }
  return label;
}

const Label& in_force(const Label& label, Instant now) {
  return label.succeeded && now >= *label.succeeded && !label.successor.empty() ? label.successor.front()
                                                                                : label;
}

Json to_json(const Label& label) {
  Json out = Json::object({{"format", kFormat}, {"classification", label.classification}});
  const auto add = [&](const char* key, const std::string& text) {
    if (!text.empty()) out.set(key, text);
  };
  add("policy", label.policy);
  add("policy_id", label.policy_id);
  add("privacy_mark", label.privacy_mark);
  Json categories = Json::array();
  for (const Category& category : label.categories) {
    Json values = Json::array();
    for (const std::string& value : category.values) values.push(value);
    categories.push(
        Json::object({{"tag", category.tag}, {"type", name(category.type)}, {"values", std::move(values)}}));
  }
  if (!label.categories.empty()) out.set("categories", std::move(categories));
  if (!label.originator.id.empty()) {
    Json who = Json::object({{"id", label.originator.id}});
    if (!label.originator.id_type.empty()) who.set("id_type", label.originator.id_type);
    out.set("originator", std::move(who));
  }
  if (label.created) out.set("created", rfc3339(*label.created));
  if (label.review) out.set("review", rfc3339(*label.review));
  if (label.succeeded && !label.successor.empty()) {
    out.set("succession",
            Json::object({{"at", rfc3339(*label.succeeded)}, {"label", to_json(label.successor.front())}}));
  }
  return out;
}

Result<Label> from_json(const Json& json) {
  Fields fields(json, "");
  if (fields.text("format", 64) != kFormat)
    fields.wrong("format", "this is not a label's format", std::string(kFormat));
  Label label = read_plain(fields);
  if (fields.has("succession")) {
    Fields succession = fields.object("succession");
    label.succeeded = succession.instant("at");
    Fields next = succession.object("label");
    if (next.text("format", 64) != kFormat) next.wrong("format", "this is not a label's format");
    label.successor.push_back(read_plain(next));
    TRY_VOID(next.done());
    TRY_VOID(succession.done());
  }
  TRY_VOID(fields.done());
  return normalised(std::move(label));
}

std::string canonical(const Label& label) {
  return to_json(label).canonical();
}

crypto::Digest digest(const Label& label) {
  return crypto::sha256(canonical(label));
}

}  // namespace entente::label
