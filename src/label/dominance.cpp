#include "label/dominance.h"

#include "base/fields.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace entente::label {
namespace {

const Category* find(const std::vector<Category>& categories, const Category& like) {
  for (const Category& one : categories)
    if (one.type == like.type && one.tag == like.tag) return &one;
  return nullptr;
}

// The first of `wanted` that `held` lacks. Both are sorted.
const std::string* first_missing(const std::vector<std::string>& wanted, const Category* held) {
  for (const std::string& value : wanted)
    if (held == nullptr || !std::binary_search(held->values.begin(), held->values.end(), value))
      return &value;
  return nullptr;
}

bool share_one(const std::vector<std::string>& wanted, const Category* held) {
  return held != nullptr && std::any_of(wanted.begin(), wanted.end(), [&](const std::string& value) {
           return std::binary_search(held->values.begin(), held->values.end(), value);
         });
}

Dominance refused(std::string rule, std::string why) {
  return {false, std::move(rule), std::move(why)};
}

Failure no_combination(std::string what, std::string hint) {
  return fail("label.combination", std::move(what), {}, std::move(hint));
}

// Adds a part's category to the whole.
Result<void> join(std::vector<Category>& whole, const Category& part) {
  const auto at = std::find_if(whole.begin(), whole.end(), [&](const Category& one) {
    return one.type == part.type && one.tag == part.tag;
  });
  if (at == whole.end()) {
    whole.push_back(part);
    return {};
  }
  if (part.type != CategoryType::permissive) {
    at->values.insert(at->values.end(), part.values.begin(), part.values.end());
    return {};
  }
  std::vector<std::string> shared;
  std::set_intersection(at->values.begin(), at->values.end(), part.values.begin(), part.values.end(),
                        std::back_inserter(shared));
  if (shared.empty())
    return no_combination(fmt::format("nobody may read these together: they share no value of {}", part.tag),
                          "keep them apart, or ask an originator to widen one");
  at->values = std::move(shared);
  return {};
}

}  // namespace

Result<std::vector<std::string>> up_to(const LabelPolicy& policy, std::string_view name) {
  const Classification* top = policy.classification(name);
  if (top == nullptr)
    return fail("label.unknown", fmt::format("{} is no classification of {}", name, policy.name()), {},
                "use one that the policy lists");
  std::vector<std::string> out;
  for (const Classification& one : policy.data().classifications)
    if (one.hierarchy <= top->hierarchy) out.push_back(one.name);
  return out;
}

Result<Clearance> spelled(const LabelPolicy& policy, Clearance clearance) {
  Label probe;
  probe.policy = clearance.policy;
  probe.policy_id = clearance.policy_id;
  if (!policy.is_for(probe))
    return fail("label.policy", fmt::format("this clearance is not of the policy {}", policy.name()), {},
                "a clearance covers labels of its own policy alone");
  clearance.policy = policy.name();
  clearance.policy_id = policy.data().id;
  for (std::string& name : clearance.classifications) {
    const Classification* known = policy.classification(name);
    if (known == nullptr)
      return fail("label.unknown", fmt::format("{} is no classification of {}", name, policy.name()), {},
                  "use one that the policy lists");
    name = known->name;
  }
  auto& classes = clearance.classifications;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  if (classes.empty()) return clearance;
  for (Category& category : clearance.categories) {
    for (std::string& value : category.values) {
      const LabelPolicy::Found found = policy.find(category.tag, category.type, value);
      if (found.value == nullptr)
        return fail("label.unknown",
                    fmt::format("{} knows no value {} under {}", policy.name(), value, category.tag), {},
                    "use one that the policy lists");
      if (found.value->open == TagValue::Open::no) value = found.value->name;
      category.tag = found.set->name;
    }
  }
  probe.classification = classes.front();
  probe.categories = std::move(clearance.categories);
  TRY(probe, normalised(std::move(probe)));
  clearance.categories = std::move(probe.categories);
  return clearance;
}

Result<Clearance> clearance_from_json(const Json& json) {
  Fields fields(json, "");
  Clearance out;
  out.policy = fields.text_or("policy", "", kTextMax);
  out.policy_id = fields.text_or("policy_id", "", kTextMax);
  out.classifications = fields.texts("classifications", kClassificationsMax);
  if (fields.has("until")) out.until = fields.instant("until");
  if (fields.has("categories")) {
    for (Fields& one : fields.objects("categories", kCategoriesMax)) {
      Category category{one.text("tag", kTextMax), {}, {}};
      const auto type = category_type(one.text("type", 16));
      if (!type) one.wrong("type", "this is no type of category", "RESTRICTIVE, PERMISSIVE or INFORMATIVE");
      category.type = type.value_or(CategoryType::informative);
      category.values = one.texts("values", kValuesMax);
      TRY_VOID(one.done());
      out.categories.push_back(std::move(category));
    }
  }
  TRY_VOID(fields.done());
  return out;
}

Dominance dominates(const LabelPolicy& policy, const Clearance& clearance, const Label& label, Instant now) {
  const Result<Label> checked = policy.check(in_force(label, now), Use::read, now);
  if (!checked) return refused("label", checked.error().text());
  if (clearance.policy != policy.name() || clearance.policy_id != policy.data().id)
    return refused("policy", fmt::format("the clearance is not of the policy {}", policy.name()));
  if (clearance.until && now > *clearance.until)
    return refused("expired", fmt::format("the clearance ended at {}", rfc3339(*clearance.until)));
  const auto& classes = clearance.classifications;
  if (!std::binary_search(classes.begin(), classes.end(), checked->classification))
    return refused("classification", fmt::format("the clearance does not reach {}", checked->classification));
  for (const Category& category : checked->categories) {
    const Category* held = find(clearance.categories, category);
    if (category.type == CategoryType::restrictive) {
      if (const std::string* missing = first_missing(category.values, held))
        return refused("restrictive", fmt::format("{} ({}) is not held", *missing, category.tag));
    } else if (category.type == CategoryType::permissive && !share_one(category.values, held)) {
      return refused("permissive", fmt::format("none of the label's values of {} is held", category.tag));
    }
  }
  return {true, "covered", "the clearance covers the label"};
}

Result<Label> combine(const LabelPolicy& policy, std::span<const Label> parts, Originator originator,
                      Instant now) {
  if (parts.empty()) return no_combination("there is nothing to combine", "give one label at least");
  Label out;
  out.policy = policy.name();
  out.policy_id = policy.data().id;
  out.originator = std::move(originator);
  out.created = now;
  const Classification* top = nullptr;
  for (const Label& part : parts) {
    TRY(const Label checked, policy.check(in_force(part, now), Use::read, now));
    const Classification* its = policy.classification(checked.classification);
    if (top == nullptr || its->hierarchy > top->hierarchy) top = its;
    for (const Category& category : checked.categories) TRY_VOID(join(out.categories, category));
    if (checked.review && (!out.review || *checked.review < *out.review)) out.review = checked.review;
    if (!checked.privacy_mark.empty() && out.privacy_mark.find(checked.privacy_mark) == std::string::npos)
      out.privacy_mark += (out.privacy_mark.empty() ? "" : "; ") + checked.privacy_mark;
  }
  out.classification = top->name;
  Result<Label> checked = policy.check(std::move(out), Use::join, now);
  if (!checked)
    return no_combination(fmt::format("these can't stand in one: {}", checked.error().what()),
                          "keep them apart");
  return checked;
}

}  // namespace entente::label
