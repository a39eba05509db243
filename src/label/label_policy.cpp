#include "label/label_policy.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::label {
namespace {

std::string key_of(std::string_view tag, CategoryType type) {
  return folded_name(tag) + '\x1f' + static_cast<char>('0' + static_cast<int>(type));
}

std::string key_of(std::string_view tag, CategoryType type, std::string_view value) {
  return key_of(tag, type) + '\x1f' + folded_name(value);
}

Failure wrong_spif(std::string what, std::string hint = {}) {
  return fail("label.spif", std::move(what), {}, std::move(hint));
}

std::string text_of(const CategoryRef& ref) {
  return ref.value.empty() ? fmt::format("any value of {}", ref.tag)
                           : fmt::format("{} ({})", ref.value, ref.tag);
}

// How many of the label's values `ref` means.
size_t count(const Label& label, const CategoryRef& ref) {
  size_t out = 0;
  for (const Category& category : label.categories) {
    if (category.type != ref.type || category.tag != ref.tag) continue;
    if (ref.value.empty()) {
      out += category.values.size();
    } else if (std::binary_search(category.values.begin(), category.values.end(), ref.value)) {
      ++out;
    }
  }
  return out;
}

Result<void> check_requirement(const Label& label, const Requirement& rule, const std::string& because) {
  size_t groups = 0;
  size_t values = 0;
  std::string wanted;
  for (const CategoryRef& ref : rule.of) {
    const size_t met = count(label, ref);
    groups += met > 0 ? 1 : 0;
    values += met;
    wanted += (wanted.empty() ? "" : ", ") + text_of(ref);
  }
  using Operation = Requirement::Operation;
  if (rule.operation == Operation::all && groups < rule.of.size())
    return fail("label.rule", fmt::format("{} needs all of: {}", because, wanted), {}, "add what is missing");
  if (rule.operation == Operation::one_or_more && groups == 0)
    return fail("label.rule", fmt::format("{} needs at least one of: {}", because, wanted), {}, "add one");
  if (rule.operation == Operation::only_one && values != 1)
    return fail("label.rule", fmt::format("{} needs exactly one of: {}", because, wanted), {},
                fmt::format("it has {}", values));
  return {};
}

// Names are seldom such; what is another policy's name must not be taken for this one's id.
bool may_be_id(std::string_view text) {
  const bool uuid =
      text.size() == 36 && text.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
  return uuid || text.find(':') != std::string_view::npos ||
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Whether some label could mean either of them.
bool clash(const PolicyData& a, const PolicyData& b) {
  for (const std::string* x : {&a.name, &a.id})
    for (const std::string* y : {&b.name, &b.id})
      if (!x->empty() && same_name(plain_id(*x), plain_id(*y))) return true;
  return false;
}

bool plausible(TagValue::Open kind, std::string_view value) {
  if (value.empty() || value.size() > 64) return false;
  if (kind == TagValue::Open::text) return true;
  const std::string_view letters = kind == TagValue::Open::integer ? "0123456789" : "0123456789-";
  return value.find_first_not_of(letters) == std::string_view::npos;
}

}  // namespace

std::string_view plain_id(std::string_view id) {
  constexpr std::string_view kOid = "urn:oid:";  // in any case: RFC 8141, 3.1
  return same_name(id.substr(0, kOid.size()), kOid) ? id.substr(kOid.size()) : id;
}

bool matches(const Label& label, const CategoryRef& ref) {
  return count(label, ref) > 0;
}

void add_value(Label& label, const CategoryRef& ref) {
  for (auto at = label.categories.rbegin(); at != label.categories.rend(); ++at)
    if (at->type == ref.type && at->tag == ref.tag) return at->values.push_back(ref.value);
  label.categories.push_back({ref.tag, ref.type, {ref.value}});
}

Result<LabelPolicy> LabelPolicy::from_data(PolicyData data) {
  if (data.name.empty()) return wrong_spif("the policy has no name");
  if (data.classifications.empty()) return wrong_spif("the policy has no classification");
  data.id = std::string(plain_id(data.id));
  std::sort(data.classifications.begin(), data.classifications.end(),
            [](const Classification& a, const Classification& b) { return a.hierarchy < b.hierarchy; });
  LabelPolicy out;
  out.data_ = std::make_shared<const PolicyData>(std::move(data));
  TRY_VOID(out.index());
  return out;
}

Result<void> LabelPolicy::index() {
  dated_ = data_->not_before || data_->not_after;
  const Classification* before = nullptr;
  for (const Classification& one : data_->classifications) {
    if (!classes_.emplace(folded_name(one.name), &one).second)
      return wrong_spif(fmt::format("the classification {} stands twice", one.name));
    if (before != nullptr && before->hierarchy == one.hierarchy)
      return wrong_spif(fmt::format("{} and {} are equally high", before->name, one.name),
                        "give each classification a hierarchy of its own");
    before = &one;
  }
  size_t values = 0;
  for (const TagSet& set : data_->tag_sets) {
    if (!tags_.emplace(folded_name(set.name), set.name).second)
      return wrong_spif(fmt::format("the tag set {} stands twice", set.name));
    for (const Tag& tag : set.tags) {
      if (tag.selection_min > tag.selection_max)
        return wrong_spif(
            fmt::format("{} takes at least {} values and at most {}", tag.name.empty() ? set.name : tag.name,
                        tag.selection_min, tag.selection_max),
            "correct minSelection, maxSelection or singleSelection");
      for (const TagValue& value : tag.values) {
        if (++values > kTagValuesMax) return wrong_spif("the policy has too many category values");
        const Found found{&set, &tag, &value};
        dated_ = dated_ || value.not_before || value.not_after;
        if (!values_.emplace(key_of(set.name, tag.type, value.name), found).second)
          return wrong_spif(fmt::format("the value {} stands twice in {}", value.name, set.name));
        if (value.open != TagValue::Open::no) open_.emplace(key_of(set.name, tag.type), found);
        std::set<std::string> classes;
        for (const std::string& name : value.excluded_classes) {
          if (classification(name) == nullptr)
            return wrong_spif(fmt::format("{} excludes the unknown classification {}", value.name, name));
          if (!classes.insert(folded_name(name)).second)
            return wrong_spif(fmt::format("{} excludes {} twice", value.name, name));
        }
        if (!value.required_class.empty() && classification(value.required_class) == nullptr)
          return wrong_spif(
              fmt::format("{} requires the unknown classification {}", value.name, value.required_class));
      }
    }
  }
  return {};
}

const Classification* LabelPolicy::classification(std::string_view wanted) const {
  const auto at = classes_.find(folded_name(wanted));
  return at == classes_.end() ? nullptr : at->second;
}

LabelPolicy::Found LabelPolicy::find(std::string_view tag, CategoryType type, std::string_view value) const {
  const auto at = values_.find(key_of(tag, type, value));
  if (at != values_.end()) return at->second;
  const auto any = open_.find(key_of(tag, type));
  return any != open_.end() && plausible(any->second.value->open, value) ? any->second : Found{};
}

bool LabelPolicy::is_for(const Label& label) const {
  if (label.policy.empty() && label.policy_id.empty()) return false;
  // Forms with one place for both put an id there, too.
  const bool by_name = same_name(label.policy, data_->name) ||
                       (may_be_id(label.policy) && plain_id(label.policy) == data_->id);
  const bool by_id = plain_id(label.policy_id) == data_->id;
  return (label.policy.empty() || by_name) && (label.policy_id.empty() || by_id);
}

// `label` is in normal form; what it returns is, too.
Result<Label> LabelPolicy::spell(Label label) const {
  if (!is_for(label))
    return fail("label.policy",
                fmt::format("this label is of the policy {}, not of {}",
                            label.policy.empty() ? label.policy_id : label.policy, data_->name),
                {}, "use its own policy, or translate it first");
  bool normal = is_clean(data_->name) && (data_->id.empty() || is_clean(data_->id));
  label.policy = data_->name;
  label.policy_id = data_->id;
  const auto put = [&](std::string& text, const std::string& spelling) {
    if (text == spelling) return;
    text = spelling;
    normal = false;  // cleaned, sorted, once each
  };
  const Classification* known = classification(label.classification);
  if (known == nullptr)
    return fail("label.unknown",
                fmt::format("{} is no classification of {}", label.classification, data_->name), {},
                "use one that the policy lists");
  put(label.classification, known->name);
  for (Category& category : label.categories) {
    for (std::string& value : category.values) {
      const Found found = find(category.tag, category.type, value);
      if (found.value == nullptr)
        return fail("label.unknown",
                    fmt::format("{} knows no {} value {} under {}", data_->name,
                                folded_name(entente::label::name(category.type)), value, category.tag),
                    {}, "use one that the policy lists");
      if (found.value->open == TagValue::Open::no) put(value, found.value->name);
    }
    put(category.tag, tags_.at(folded_name(category.tag)));
  }
  if (normal) return label;
  return normalised(std::move(label));
}

Result<void> LabelPolicy::check_times(const Label& label, Use use, Instant now) const {
  if (use == Use::join) return {};
  const Instant at = use == Use::read && label.created ? *label.created : now;
  const auto outside = [&](const std::optional<Instant>& from, const std::optional<Instant>& until) {
    return (from && at < *from) || (until && at > *until);
  };
  if (outside(data_->not_before, data_->not_after))
    return fail("label.time", fmt::format("the policy {} is not in use at {}", data_->name, rfc3339(at)), {},
                "use the version that is");
  const Classification* known = classification(label.classification);
  if (use == Use::create && known->obsolete)
    return fail("label.time", fmt::format("{} is obsolete in {}", known->name, data_->name), {},
                "use what replaced it");
  for (const Category& category : label.categories) {
    for (const std::string& value : category.values) {
      const TagValue* found = find(category.tag, category.type, value).value;
      ENTENTE_CHECK(found != nullptr);  // spell() has found it
      if ((use == Use::create && found->obsolete) || outside(found->not_before, found->not_after))
        return fail("label.time", fmt::format("{} ({}) is not in use", value, category.tag), {},
                    "use what replaced it");
    }
  }
  return {};
}

Result<void> LabelPolicy::check_value(const Label& label, const TagValue& value,
                                      const CategoryRef& self) const {
  const std::string because = text_of(self);
  for (const std::string& excluded : value.excluded_classes)
    if (same_name(excluded, label.classification))
      return fail("label.rule", fmt::format("{} can't stand with {}", because, label.classification), {},
                  "change one of the two");
  if (!value.required_class.empty() && !same_name(value.required_class, label.classification))
    return fail("label.rule", fmt::format("{} needs {}", because, value.required_class), {},
                "change one of the two");
  for (const CategoryRef& excluded : value.excluded) {
    const bool own = excluded.tag == self.tag && excluded.type == self.type &&
                     (excluded.value.empty() || excluded.value == self.value);
    if (count(label, excluded) > (own ? 1U : 0U))
      return fail("label.rule", fmt::format("{} can't stand with {}", because, text_of(excluded)), {},
                  "keep one of the two");
  }
  for (const Requirement& rule : value.required) TRY_VOID(check_requirement(label, rule, because));
  return {};
}

Result<void> LabelPolicy::check_selections(const Label& label) const {
  for (const TagSet& set : data_->tag_sets) {
    for (const Tag& tag : set.tags) {
      if (tag.selection_min == 0 && tag.selection_max >= kValuesMax) continue;
      const Category* category = label.find(set.name, tag.type);
      size_t selected = 0;
      if (category != nullptr) {
        for (const std::string& value : category->values)
          selected += find(set.name, tag.type, value).tag == &tag ? 1 : 0;
      }
      if (selected < tag.selection_min || selected > tag.selection_max)
        return fail(
            "label.rule",
            fmt::format("{} takes {} to {} values, and has {}", tag.name.empty() ? set.name : tag.name,
                        tag.selection_min, tag.selection_max, selected),
            {}, "select as many as it takes");
    }
  }
  return {};
}

Result<Label> LabelPolicy::check(Label label, Use use, Instant now) const {
  TRY(Label out, normalised(std::move(label)));
  std::vector<Label> next = std::move(out.successor);
  out.successor.clear();
  const auto succeeded = std::exchange(out.succeeded, std::nullopt);
  TRY(out, spell(std::move(out)));
  TRY_VOID(check_times(out, use, now));
  for (const Requirement& rule : classification(out.classification)->required)
    TRY_VOID(check_requirement(out, rule, out.classification));
  for (const Category& category : out.categories) {
    for (const std::string& value : category.values) {
      const Found found = find(category.tag, category.type, value);
      TRY_VOID(check_value(out, *found.value, {category.tag, category.type, value}));
    }
  }
  TRY_VOID(check_selections(out));
  if (!next.empty()) {
    TRY(Label successor, check(std::move(next.front()), use, now));
    out.succeeded = succeeded;
    out.successor.push_back(std::move(successor));
  }
  return out;
}

Result<void> LabelPolicies::add(std::shared_ptr<const LabelPolicy> policy) {
  if (std::ranges::any_of(all_, [&](const auto& one) { return clash(one->data(), policy->data()); }))
    return fail("label.policy", fmt::format("the policy {} is here already", policy->name()), {},
                "keep one version of each");
  all_.push_back(std::move(policy));
  return {};
}

const LabelPolicy* LabelPolicies::find(std::string_view name_or_id) const {
  if (name_or_id.empty()) return nullptr;
  for (const auto& policy : all_)
    if (same_name(policy->name(), name_or_id) || policy->data().id == plain_id(name_or_id))
      return policy.get();
  return nullptr;
}

Result<const LabelPolicy*> LabelPolicies::of(const Label& label) const {
  for (const auto& policy : all_)
    if (policy->is_for(label)) return policy.get();
  return fail("label.policy", fmt::format("no policy {} {} is known here", label.policy, label.policy_id), {},
              "load its SPIF; its name and its id must both be the label's");
}

}  // namespace entente::label
