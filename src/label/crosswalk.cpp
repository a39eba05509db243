#include "label/crosswalk.h"

#include "base/fields.h"
#include "label/prover.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace entente::label {
namespace {

Failure wrong_mapping(const Mapping& mapping, std::string what, std::string hint = {}) {
  return fail("label.mapping", std::move(what),
              fmt::format("{} to {}, agreement {}", mapping.from, mapping.to, mapping.agreement),
              std::move(hint));
}

Result<CategoryRef> spell(const Mapping& mapping, const LabelPolicy& policy, CategoryRef ref) {
  const LabelPolicy::Found found = policy.find(ref.tag, ref.type, ref.value);
  if (found.value == nullptr || found.value->open != TagValue::Open::no)
    return wrong_mapping(mapping,
                         fmt::format("{} knows no value {} under {}", policy.name(), ref.value, ref.tag),
                         "use values that the policies list");
  return CategoryRef{found.set->name, ref.type, found.value->name};
}

Result<void> spell_adds(const Mapping& mapping, const LabelPolicy& to, std::vector<CategoryRef>& adds) {
  for (CategoryRef& ref : adds) {
    TRY(ref, spell(mapping, to, std::move(ref)));
    if (ref.type == CategoryType::permissive)
      return wrong_mapping(mapping, fmt::format("it adds the permissive value {}", ref.value),
                           "what is added must restrict or inform");
  }
  return {};
}

Result<void> check_classes(Mapping& mapping, const LabelPolicy& from, const LabelPolicy& to) {
  std::map<int64_t, const Classification*> by_height;
  for (Mapping::ClassRule& rule : mapping.classifications) {
    const Classification* source = from.classification(rule.from);
    const Classification* target = to.classification(rule.to);
    if (source == nullptr || target == nullptr)
      return wrong_mapping(mapping, fmt::format("{} or {} is no classification there", rule.from, rule.to),
                           "use those that the policies list");
    rule.from = source->name;
    rule.to = target->name;
    if (!by_height.emplace(source->hierarchy, target).second)
      return wrong_mapping(mapping, fmt::format("{} is mapped twice", rule.from), "keep one rule");
    TRY_VOID(spell_adds(mapping, to, rule.adds));
  }
  const Classification* below = nullptr;
  for (const auto& [height, target] : by_height) {
    if (below != nullptr && below->hierarchy > target->hierarchy)
      return wrong_mapping(
          mapping,
          fmt::format("{} lies below {} though it stands for something higher", target->name, below->name),
          "a mapping keeps the order");
    below = target;
  }
  return {};
}

Result<void> check_values(Mapping& mapping, const LabelPolicy& from, const LabelPolicy& to) {
  std::set<std::string> seen;
  std::map<std::string, std::string> permissive;  // target tag to the tag it comes from
  for (Mapping::ValueRule& rule : mapping.values) {
    TRY(rule.from, spell(mapping, from, std::move(rule.from)));
    const auto& source = rule.from;
    if (!seen.insert(fmt::format("{}\x1f{}\x1f{}", source.tag, name(source.type), source.value)).second)
      return wrong_mapping(mapping, fmt::format("{} ({}) is mapped twice", source.value, source.tag),
                           "keep one rule");
    if (rule.to.empty() && source.type == CategoryType::restrictive)
      return wrong_mapping(mapping, fmt::format("it leaves out the restriction {}", source.value),
                           "name what it becomes, or leave the rule out: then it has no equivalent");
    for (CategoryRef& ref : rule.to) {
      TRY(ref, spell(mapping, to, std::move(ref)));
      if (ref.type != source.type)
        return wrong_mapping(
            mapping, fmt::format("{} changes from {} to {}", source.value, name(source.type), name(ref.type)),
            "a value keeps its type");
      if (ref.type != CategoryType::permissive) continue;
      const auto [at, fresh] = permissive.emplace(ref.tag, source.tag);
      if (!fresh && at->second != source.tag)
        return wrong_mapping(mapping,
                             fmt::format("{} and {} both become {}: one held value would then do for both",
                                         at->second, source.tag, ref.tag),
                             "keep permissive categories apart");
    }
  }
  return {};
}

// ---- From SPIFs ----

struct Side {
  const LabelPolicy& policy;

  [[nodiscard]] const Classification* by_lacv(std::string_view lacv) const {
    for (const Classification& one : policy.data().classifications)
      if (one.lacv == lacv) return &one;
    return nullptr;
  }

  [[nodiscard]] std::optional<CategoryRef> value(const std::string& tag_id, const std::string& tag_name,
                                                 CategoryType type, bool enumerated,
                                                 std::string_view lacv) const {
    for (const TagSet& set : policy.data().tag_sets) {
      if (tag_id.empty() ? !same_name(set.name, tag_name) : set.id != tag_id) continue;
      for (const Tag& tag : set.tags) {
        if (tag.type != type || (type != CategoryType::informative && tag.enumerated != enumerated)) continue;
        for (const TagValue& one : tag.values)
          if (one.lacv == lacv) return CategoryRef{set.name, type, one.name};
      }
    }
    return std::nullopt;
  }
};

class SpifMapping {
 public:
  SpifMapping(const LabelPolicy& from, const LabelPolicy& to, Mapping mapping)
      : from_(from), to_(to), out_(std::move(mapping)) {}

  Result<Mapping> make() {
    TRY_VOID(same_ids(from_, to_));
    TRY_VOID(same_ids(to_, from_));
    for (const OtherPolicy& other : from_.data().others) {
      if (!is_that(other, to_)) continue;
      if (other.by_tag_set)
        return wrong_mapping(out_, "its SPIF has equivalences of whole tag sets", "name the values instead");
      TRY(const auto adds, added(other.adds));
      join(out_.adds, adds);
    }
    for (const Classification& own : from_.data().classifications) TRY_VOID(encrypt(own));
    for (const Classification& own : to_.data().classifications) TRY_VOID(decrypt(own));
    for (const TagSet& set : from_.data().tag_sets)
      for (const Tag& tag : set.tags)
        for (const TagValue& value : tag.values) TRY_VOID(encrypt({set.name, tag.type, value.name}, value));
    for (const TagSet& set : to_.data().tag_sets)
      for (const Tag& tag : set.tags)
        for (const TagValue& value : tag.values) TRY_VOID(decrypt({set.name, tag.type, value.name}, value));
    TRY_VOID(agree_on_values());
    return checked(std::move(out_), from_, to_);
  }

 private:
  // A SPIF's name for another policy is its own: the id says which it is, and the name only without ids.
  static bool is_that(const OtherPolicy& other, const LabelPolicy& policy) {
    if (other.id.empty() && policy.data().id.empty()) return same_name(other.name, policy.name());
    return plain_id(other.id) == plain_id(policy.data().id);
  }

  Result<void> same_ids(const LabelPolicy& of, const LabelPolicy& policy) const {
    const OtherPolicy* namesake = nullptr;
    for (const OtherPolicy& other : of.data().others) {
      if (is_that(other, policy)) return {};
      if (same_name(other.name, policy.name())) namesake = &other;
    }
    if (namesake == nullptr) return {};
    return wrong_mapping(
        out_, fmt::format("the SPIF of {} means another {}: {}", of.name(), namesake->name, namesake->id));
  }

  // Whether an equivalence in the SPIF `of` is one to `policy`.
  Result<bool> means(const LabelPolicy& of, const Equivalent& equivalent, const LabelPolicy& policy) const {
    bool listed = false;
    bool that = false;
    for (const OtherPolicy& other : of.data().others) {
      if (!same_name(other.name, equivalent.policy)) continue;
      if (listed && that != is_that(other, policy))
        return wrong_mapping(out_, fmt::format("the SPIF of {} has two ids of {}", of.name(), other.name));
      listed = true;
      that = is_that(other, policy);
    }
    if (listed) return that;
    if (!same_name(equivalent.policy, policy.name())) return false;
    if (policy.data().id.empty()) return true;
    return wrong_mapping(out_,
                         fmt::format("the SPIF of {} doesn't say the id of {}", of.name(), policy.name()),
                         "it belongs into equivalentPolicies");
  }

  Failure missing(const Equivalent& equivalent) const {
    return wrong_mapping(out_, fmt::format("its SPIF names the lacv {}, which {} does not have",
                                           equivalent.lacv, equivalent.policy));
  }

  Result<std::vector<CategoryRef>> added(const std::vector<Equivalent::Added>& adds) const {
    std::vector<CategoryRef> out;
    for (const Equivalent::Added& one : adds) {
      auto ref = Side{to_}.value("", one.tag, one.type, one.enumerated, one.lacv);
      if (!ref)
        return wrong_mapping(
            out_, fmt::format("its SPIF adds the lacv {} of {}, which is not there", one.lacv, one.tag));
      out.push_back(*std::move(ref));
    }
    return out;
  }

  static void join(std::vector<CategoryRef>& adds, const std::vector<CategoryRef>& more) {
    for (const CategoryRef& one : more)
      if (std::ranges::find(adds, one) == adds.end()) adds.push_back(one);
  }

  Result<void> add(Mapping::ClassRule rule) {
    for (Mapping::ClassRule& before : out_.classifications) {
      if (before.from != rule.from) continue;
      if (before.to != rule.to)
        return wrong_mapping(out_,
                             fmt::format("the SPIFs disagree: {} is {} or {}", rule.from, before.to, rule.to),
                             "both nations must agree");
      join(before.adds, rule.adds);
      return {};
    }
    out_.classifications.push_back(std::move(rule));
    return {};
  }

  Result<void> encrypt(const Classification& own) {
    for (const Equivalent& one : own.equivalents) {
      TRY(const bool meant, means(from_, one, to_));
      if (!one.encrypt || !meant) continue;
      const Classification* target = Side{to_}.by_lacv(one.lacv);
      if (target == nullptr) return missing(one);
      TRY(auto adds, added(one.adds));
      TRY_VOID(add({own.name, target->name, std::move(adds)}));
    }
    return {};
  }

  Result<void> decrypt(const Classification& own) {
    for (const Equivalent& one : own.equivalents) {
      TRY(const bool meant, means(to_, one, from_));
      if (!one.decrypt || !meant) continue;
      const Classification* source = Side{from_}.by_lacv(one.lacv);
      if (source == nullptr) return missing(one);
      if (!one.adds.empty()) return wrong_mapping(out_, "an equivalence at decrypt adds values");
      TRY_VOID(add({source->name, own.name, {}}));
    }
    return {};
  }

  // A mapping's rule of a value has no place for them, and leaving them out would widen.
  [[nodiscard]] Result<void> adds_nothing(const Equivalent& equivalent, std::string_view value) const {
    if (equivalent.adds.empty()) return {};
    return wrong_mapping(out_, fmt::format("its SPIF adds values to the equivalence of {}", value),
                         "name them in the mapping itself");
  }

  static Mapping::ValueRule& rule_for(const CategoryRef& from, std::vector<Mapping::ValueRule>& among) {
    for (Mapping::ValueRule& rule : among)
      if (rule.from == from) return rule;
    among.push_back({from, {}});
    return among.back();
  }

  Result<void> encrypt(const CategoryRef& own, const TagValue& value) {
    for (const Equivalent& one : value.equivalents) {
      TRY(const bool meant, means(from_, one, to_));
      if (!one.encrypt || !meant) continue;
      TRY_VOID(adds_nothing(one, value.name));
      Mapping::ValueRule& rule = rule_for(own, out_.values);
      if (one.discard) continue;
      auto target = Side{to_}.value(one.tag_id, "", one.type, one.enumerated, one.lacv);
      if (!target) return missing(one);
      join(rule.to, {*std::move(target)});
    }
    return {};
  }

  Result<void> decrypt(const CategoryRef& own, const TagValue& value) {
    for (const Equivalent& one : value.equivalents) {
      TRY(const bool meant, means(to_, one, from_));
      if (!one.decrypt || !meant) continue;
      TRY_VOID(adds_nothing(one, value.name));
      const auto source = Side{from_}.value(one.tag_id, "", one.type, one.enumerated, one.lacv);
      if (!source && one.discard) continue;
      if (!source) return missing(one);
      Mapping::ValueRule& rule = rule_for(*source, decrypted_);
      if (one.discard) continue;
      join(rule.to, {own});
    }
    return {};
  }

  // Of two statements about a value the wider must not hold: what it becomes is the same in both SPIFs, or
  // one value where the target's alone speaks of it.
  Result<void> agree_on_values() {
    for (Mapping::ValueRule& rule : decrypted_) {
      const Mapping::ValueRule* said = out_.rule(rule.from);
      if (said == nullptr ? rule.to.size() > 1 : !std::ranges::is_permutation(said->to, rule.to))
        return wrong_mapping(out_, fmt::format("the SPIFs disagree about {}", rule.from.value),
                             "both nations must agree");
      if (said == nullptr && !rule.to.empty()) out_.values.push_back(std::move(rule));
    }
    return {};
  }

  const LabelPolicy& from_;
  const LabelPolicy& to_;
  Mapping out_;
  std::vector<Mapping::ValueRule> decrypted_;  // what the target's SPIF says
};

// ---- Translation ----

Failure no_equivalent(const Mapping& mapping, std::string what) {
  return fail("label.no-equivalent", std::move(what),
              fmt::format("{} to {}, agreement {}", mapping.from, mapping.to, mapping.agreement),
              "ask the originator for a label in that policy");
}

Result<void> translate_category(const Mapping& mapping, const Category& category, Label& out,
                                std::vector<std::string>& left_out) {
  size_t kept = 0;
  for (const std::string& value : category.values) {
    const Mapping::ValueRule* rule = mapping.rule(CategoryRef{category.tag, category.type, value});
    if (rule == nullptr || rule->to.empty()) {
      if (category.type == CategoryType::restrictive)
        return no_equivalent(mapping,
                             fmt::format("the restriction {} ({}) has no equivalent", value, category.tag));
      left_out.push_back(fmt::format("{} ({})", value, category.tag));
      continue;
    }
    ++kept;
    for (const CategoryRef& to : rule->to) add_value(out, to);
  }
  if (kept == 0 && category.type == CategoryType::permissive)
    return no_equivalent(mapping, fmt::format("no value of {} has an equivalent, and without any it would be "
                                              "open to more",
                                              category.tag));
  return {};
}

std::vector<CategoryRef> read_refs(Fields& fields, std::string_view key) {
  std::vector<CategoryRef> out;
  if (!fields.has(key)) return out;
  for (Fields& one : fields.objects(key, kValuesMax)) {
    CategoryRef ref{one.text("tag", kTextMax), {}, {}};
    const auto type = category_type(one.text("type", 16));
    if (!type) one.wrong("type", "this is no type of category", "RESTRICTIVE, PERMISSIVE or INFORMATIVE");
    ref.type = type.value_or(CategoryType::informative);
    ref.value = one.text("value", kTextMax);
    (void)one.done();
    out.push_back(std::move(ref));
  }
  return out;
}

}  // namespace

const Mapping::ClassRule* Mapping::rule(std::string_view classification) const {
  for (const ClassRule& one : classifications)
    if (one.from == classification) return &one;
  return nullptr;
}

const Mapping::ValueRule* Mapping::rule(const CategoryRef& value) const {
  for (const ValueRule& one : values)
    if (one.from == value) return &one;
  return nullptr;
}

Result<Mapping> checked(Mapping mapping, const LabelPolicy& from, const LabelPolicy& to) {
  if (&from == &to || same_name(from.name(), to.name()))
    return wrong_mapping(mapping, "it maps a policy to itself", "name two policies");
  if (mapping.agreement.empty())
    return wrong_mapping(mapping, "no agreement allows it", "name the agreement");
  if (mapping.valid_from >= mapping.valid_until || mapping.valid_until == kNever)
    return wrong_mapping(mapping, "it has no end, or ends before it begins", "give it an end");
  mapping.from = from.name();
  mapping.to = to.name();
  TRY_VOID(check_classes(mapping, from, to));
  TRY_VOID(check_values(mapping, from, to));
  TRY_VOID(spell_adds(mapping, to, mapping.adds));
  return mapping;
}

Result<Mapping> mapping_from_json(const Json& json) {
  Fields fields(json, "");
  Mapping out;
  out.agreement = fields.text("agreement", kTextMax);
  out.from = fields.text("from", kTextMax);
  out.to = fields.text("to", kTextMax);
  Fields valid = fields.object("valid");
  out.valid_from = valid.instant("from");
  out.valid_until = valid.instant("until");
  TRY_VOID(valid.done());
  for (Fields& one : fields.objects("classifications", kClassificationsMax)) {
    Mapping::ClassRule rule{one.text("from", kTextMax), one.text("to", kTextMax), read_refs(one, "adds")};
    TRY_VOID(one.done());
    out.classifications.push_back(std::move(rule));
  }
  if (fields.has("values")) {
    for (Fields& one : fields.objects("values", kTagValuesMax)) {
      CategoryRef from{one.text("tag", kTextMax), {}, {}};
      const auto type = category_type(one.text("type", 16));
      if (!type) one.wrong("type", "this is no type of category", "RESTRICTIVE, PERMISSIVE or INFORMATIVE");
      from.type = type.value_or(CategoryType::informative);
      from.value = one.text("value", kTextMax);
      Mapping::ValueRule rule{std::move(from), read_refs(one, "to")};
      TRY_VOID(one.done());
      out.values.push_back(std::move(rule));
    }
  }
  out.adds = read_refs(fields, "adds");
  TRY_VOID(fields.done());
  return out;
}

Result<Mapping> mapping_of_spifs(const LabelPolicy& from, const LabelPolicy& to, std::string agreement,
                                 Instant valid_from, Instant valid_until) {
  Mapping mapping;
  mapping.agreement = std::move(agreement);
  mapping.from = from.name();
  mapping.to = to.name();
  mapping.valid_from = valid_from;
  mapping.valid_until = valid_until;
  return SpifMapping(from, to, std::move(mapping)).make();
}

Result<Crosswalk> Crosswalk::make(std::shared_ptr<const LabelPolicies> policies,
                                  std::vector<Mapping> mappings, Instant now) {
  if (mappings.size() > kMappingsMax)
    return fail("label.mapping", "there are too many mappings", {}, "one for each pair and agreement");
  for (Mapping& mapping : mappings) {
    const LabelPolicy* from = policies->find(mapping.from);
    const LabelPolicy* to = policies->find(mapping.to);
    if (from == nullptr || to == nullptr)
      return fail("label.policy",
                  fmt::format("the policy {} is not known here", from == nullptr ? mapping.from : mapping.to),
                  {}, "load its SPIF");
    TRY(mapping, checked(std::move(mapping), *from, *to));
  }
  TRY(const Proof proof, prove(*policies, mappings, now));
  if (proof.chain)
    return fail("label.crosswalk", proof.chain->text(), {}, "change one of the agreements in this chain");
  Crosswalk out;
  out.policies_ = std::move(policies);
  out.mappings_ = std::move(mappings);
  return out;
}

Result<Translation> Crosswalk::translate(const Label& label, std::string_view to, Instant now) const {
  TRY(const LabelPolicy* source, policies_->of(in_force(label, now)));
  const LabelPolicy* target = policies_->find(to);
  if (target == nullptr)
    return fail("label.policy", fmt::format("the policy {} is not known here", to), {}, "load its SPIF");
  TRY(const Label checked_label, source->check(in_force(label, now), Use::read, now));
  const auto at = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& one) {
    return one.from == source->name() && one.to == target->name() && one.in_force(now);
  });
  if (at == mappings_.end())
    return fail("label.no-equivalent",
                fmt::format("no mapping of {} to {} is in force", source->name(), target->name()), {},
                "an agreement must allow it; the opposite direction does not");
  const Mapping::ClassRule* rule = at->rule(checked_label.classification);
  if (rule == nullptr)
    return no_equivalent(*at, fmt::format("{} has no equivalent", checked_label.classification));
  Translation out{checked_label, at->agreement, {}};
  out.label.policy = target->name();
  out.label.policy_id = target->data().id;
  out.label.classification = rule->to;
  out.label.categories.clear();
  for (const Category& category : checked_label.categories)
    TRY_VOID(translate_category(*at, category, out.label, out.left_out));
  for (const auto* adds : {&at->adds, &rule->adds})
    for (const CategoryRef& one : *adds) add_value(out.label, one);
  out.label.succeeded.reset();  // a successor could be lower, and is not translated
  out.label.successor.clear();
  Result<Label> made = target->check(std::move(out.label), Use::read, now);
  if (!made) return no_equivalent(*at, fmt::format("the result is not right there: {}", made.error().what()));
  out.label = *std::move(made);
  return out;
}

}  // namespace entente::label
