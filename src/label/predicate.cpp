#include "label/predicate.h"

#include "base/memo.h"

#include <fmt/format.h>

namespace entente::label {
namespace {

using policy::Record;
using policy::Value;

constexpr std::string_view kCategories = "categories: Set<{tag: String, type: String, values: Set<String>}>";

Failure wrong(std::string_view what) {
  return fail("label.format", fmt::format("this record is no {}", what), {},
              "its members are those of the predicate's types");
}

Result<std::string> text(const Record& record, std::string_view name) {
  const Value* found = record.find(name);
  if (found == nullptr || found->kind() != Value::Kind::string) return wrong("label or clearance");
  return found->string();
}

Result<std::vector<std::string>> texts(const Record& record, std::string_view name) {
  const Value* found = record.find(name);
  if (found == nullptr || found->kind() != Value::Kind::set || found->items().size() > kValuesMax)
    return wrong("label or clearance");
  std::vector<std::string> out;
  for (const Value& item : found->items()) {
    if (item.kind() != Value::Kind::string) return wrong("label or clearance");
    out.push_back(item.string());
  }
  return out;
}

Result<std::vector<Category>> categories(const Record& record) {
  const Value* found = record.find("categories");
  if (found == nullptr || found->kind() != Value::Kind::set || found->items().size() > kCategoriesMax)
    return wrong("label or clearance");
  std::vector<Category> out;
  for (const Value& item : found->items()) {
    if (item.kind() != Value::Kind::record) return wrong("category");
    Category category;
    TRY(category.tag, text(item.record(), "tag"));
    TRY(const std::string type, text(item.record(), "type"));
    const auto known = category_type(type);
    if (!known) return wrong("category");
    category.type = *known;
    TRY(category.values, texts(item.record(), "values"));
    out.push_back(std::move(category));
  }
  return out;
}

Result<Label> read_label(const Value& value) {
  if (value.kind() != Value::Kind::record) return wrong("label");
  Label out;
  TRY(out.policy, text(value.record(), "policy"));
  TRY(out.classification, text(value.record(), "classification"));
  TRY(out.categories, categories(value.record()));
  return out;
}

Result<Clearance> read_clearance(const Value& value) {
  if (value.kind() != Value::Kind::record) return wrong("clearance");
  Clearance out;
  TRY(out.policy, text(value.record(), "policy"));
  TRY(out.classifications, texts(value.record(), "classifications"));
  TRY(out.categories, categories(value.record()));
  return out;
}

Value categories_value(const std::vector<Category>& categories) {
  Value::Items out;
  for (const Category& one : categories)
    out.emplace_back(Record{
        {"tag", Value(one.tag)}, {"type", Value(name(one.type))}, {"values", Value::texts(one.values)}});
  return Value::set(std::move(out));
}

// Objects of one label are opened by many of one clearance: then both records are the very same ones, which
// stay what they are while they are in here. Where no time plays a part, a thread keeps what came out.
struct Compared {
  std::shared_ptr<const LabelPolicies> policies;
  Value clearance, label;

  bool operator==(const Compared& other) const {
    return policies == other.policies && &clearance.record() == &other.clearance.record() &&
           &label.record() == &other.label.record();
  }
};
struct ComparedHash {
  size_t operator()(const Compared& one) const {
    constexpr size_t kLowBits = 6;  // the lowest bits of addresses differ little
    const auto place = [](const Value& of) { return reinterpret_cast<uintptr_t>(&of.record()) >> kLowBits; };
    return place(one.clearance) * 31 + place(one.label);
  }
};

Result<bool> covers(const LabelPolicy* its, const Value& wanted, const Label& label, Instant as_of) {
  TRY(Clearance clearance, read_clearance(wanted));
  if (its == nullptr || !same_name(clearance.policy, its->name())) return false;
  const Result<Clearance> ready = spelled(*its, std::move(clearance));
  return ready.has_value() && dominates(*its, *ready, label, as_of).holds;
}

}  // namespace

policy::NativePredicate dominates_predicate(std::shared_ptr<const LabelPolicies> policies) {
  policy::NativePredicate out;
  out.name = kDominates;
  out.parameters = {fmt::format("{{policy: String, classifications: Set<String>, {}}}", kCategories),
                    fmt::format("{{policy: String, classification: String, {}}}", kCategories), "datetime"};
  out.result = "Bool";
  out.names_nothing = true;
  out.timeless = [policies](std::span<const Value> arguments) {
    if (arguments.size() != 3 || arguments[1].kind() != Value::Kind::record) return false;
    const Value* name = arguments[1].record().find("policy");
    if (name == nullptr || name->kind() != Value::Kind::string) return false;
    const LabelPolicy* its = policies->find(name->string());
    return its != nullptr && !its->is_dated();
  };
  out.function = [policies = std::move(policies)](std::span<const Value> arguments) -> Result<Value> {
    if (arguments.size() != 3 || arguments[2].kind() != Value::Kind::datetime) {
      return wrong("label or clearance");
    }
    const Instant as_of{Millis(arguments[2].datetime().ms)};
    const auto is_record = [](const Value& value) { return value.kind() == Value::Kind::record; };
    if (!is_record(arguments[0])) return wrong("clearance");
    if (!is_record(arguments[1])) return wrong("label");
    thread_local Memo<Compared, bool, 256, ComparedHash> kept;
    Compared both{policies, arguments[0], arguments[1]};
    if (const bool* known = kept.find(both)) return Value(*known);
    TRY(const Label label, read_label(arguments[1]));
    const LabelPolicy* its = policies->find(label.policy);
    TRY(const bool holds, covers(its, arguments[0], label, as_of));
    if (its != nullptr && !its->is_dated()) kept.put(std::move(both), holds);
    return Value(holds);
  };
  return out;
}

Value label_value(const Label& label) {
  return Record{{"policy", Value(label.policy)},
                {"classification", Value(label.classification)},
                {"categories", categories_value(label.categories)}};
}

Value clearance_value(const Clearance& clearance) {
  return Record{{"policy", Value(clearance.policy)},
                {"classifications", Value::texts(clearance.classifications)},
                {"categories", categories_value(clearance.categories)}};
}

}  // namespace entente::label
