// Reads an XML SPIF. Names of elements and attributes: XML SPIF 2.1 schema.
#include "label/label_policy.h"
#include "label/spif_values.h"
#include "label/xml.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace entente::label {
namespace {

// A category as the SPIF points at it, before names are known.
struct Pointer {
  std::string tag_set;
  CategoryType type = CategoryType::restrictive;
  bool enumerated = false;
  bool either = false;  // enumerated, and it does not say of which type
  std::optional<std::string> lacv;
  std::string where;
};

struct RawRequirement {
  Requirement::Operation operation;
  std::vector<Pointer> of;
};

// What an element may say of labels in attributes, by the schema. Elements that only say how something is
// printed or by whom the file is are not among them; nor are attributes of other namespaces, which the schema
// leaves to anybody.
struct Known {
  std::string_view element;
  std::array<std::string_view, 11> attributes;
};
constexpr Known kKnown[] = {
    {"SPIF",
     {"schemaVersion", "version", "creationDate", "originatorDN", "keyIdentifier", "privilegeId", "rbacId",
      "userRefURI", "docRefURI", "notBefore", "notAfter"}},
    {"securityPolicyId", {"name", "id"}},
    {"securityClassifications", {"name"}},
    {"securityClassification", {"name", "color", "lacv", "hierarchy", "obsolete"}},
    {"equivalentClassification", {"policyRef", "lacv", "applied", "action"}},
    {"equivalentPolicies", {}},
    {"equivalentPolicy", {"name", "id", "userRefURI", "docRefURI"}},
    {"requiredCategory", {"operation"}},
    {"categoryGroup", {"tagSetRef", "tagType", "enumType", "lacv", "all"}},
    {"excludedCategory", {"tagSetRef", "tagType", "enumType", "lacv", "all"}},
    {"excludedClass", {}},
    {"securityCategoryTagSets", {}},
    {"securityCategoryTagSet", {"name", "id"}},
    {"equivalentSecurityCategoryTagSet", {"policyRef", "name", "id"}},
    {"securityCategoryTag",
     {"name", "tagType", "enumType", "tag7Encoding", "singleSelection", "maxSelection", "minSelection"}},
    {"tagCategory",
     {"name", "lacv", "userInput", "requiredClass", "obsolete", "dateFormat", "notBefore", "notAfter"}},
    {"equivalentSecCategoryTag",
     {"policyRef", "tagSetId", "tagType", "enumType", "lacv", "applied", "action"}}};

Result<void> check_attributes(const XmlElement& at) {
  const auto* known = std::ranges::find(kKnown, at.name(), &Known::element);
  if (known == std::end(kKnown)) return {};
  for (const std::string_view name : at.attribute_names())
    if (std::ranges::find(known->attributes, name) == known->attributes.end())
      return misshapen(at, fmt::format("the attribute {} of {} is not known", name, at.name()),
                       "XML SPIF 2.1 has no such rule, and leaving it out could widen");
  return {};
}

Result<std::vector<XmlElement>> parts_of(const XmlElement& at) {
  TRY_VOID(check_attributes(at));
  return at.children();
}

struct Kind {
  CategoryType type = CategoryType::restrictive;
  bool enumerated = false;
};

Result<Kind> kind_of(const XmlElement& at) {
  const std::string tag = at.attribute_or("tagType", "");
  if (tag == "restrictive") return Kind{CategoryType::restrictive, false};
  if (tag == "permissive") return Kind{CategoryType::permissive, false};
  if (tag == "tagType7") return Kind{CategoryType::informative, false};
  const std::string inside = at.attribute_or("enumType", "");
  if (tag == "enumerated" && inside == "restrictive") return Kind{CategoryType::restrictive, true};
  if (tag == "enumerated" && inside == "permissive") return Kind{CategoryType::permissive, true};
  return misshapen(at, fmt::format("the tag type {} {} is not known", tag, inside),
                   "restrictive, permissive, tagType7, or enumerated with its enumType");
}

Result<Pointer> pointer(const XmlElement& at) {
  Pointer out;
  TRY_VOID(check_attributes(at));
  TRY(out.tag_set, need_name(at, "tagSetRef"));
  out.either = at.attribute_or("tagType", "") == "enumerated" && !at.attribute("enumType");
  if (!out.either) {
    TRY(const Kind kind, kind_of(at));
    out.type = kind.type;
    out.enumerated = kind.enumerated;
  }
  out.where = at.where();
  TRY(const bool all, flag(at, "all"));
  if (auto lacv = at.attribute("lacv"); lacv && !all) out.lacv = plain_lacv(*std::move(lacv));
  return out;
}

Failure unknown(const XmlElement& at, const XmlElement& inside) {
  return misshapen(at, fmt::format("{} in {} is not known", at.name(), inside.name()),
                   "XML SPIF 2.1 has no such rule, and leaving it out could widen");
}

Result<uint32_t> read_code(const XmlElement& at) {
  TRY(const std::string text, at.text());
  if (text == "noNameDisplay") return kNoNameDisplay;
  if (text == "noMarkingDisplay") return kNoMarkingDisplay;
  if (text == "suppressClassName") return kSuppressClassName;
  if (text == "replacePolicy") return kReplacePolicy;
  if (text == "portionMarking") return kPortionMarking;
  return 0U;
}

Result<Phrase> read_phrase(const XmlElement& at) {
  Phrase out{at.attribute("phrase"), at.language(), 0};
  if (out.text && out.text->size() > kTextMax) return misshapen(at, "this phrase is too long");
  TRY(const auto inside, parts_of(at));
  for (const XmlElement& one : inside) {
    if (one.name() != "code") return unknown(one, at);
    TRY(const uint32_t code, read_code(one));
    out.codes |= code;
  }
  return out;
}

Result<void> read_qualifier(const XmlElement& at, std::vector<Qualifier>& into) {
  const std::string code = at.attribute_or("markingCode", at.attribute_or("code", ""));
  TRY(const auto inside, parts_of(at));
  for (const XmlElement& one : inside) {
    if (one.name() != "qualifier") return unknown(one, at);
    Qualifier out;
    out.text = one.attribute_or("markingQualifier", "");
    out.language = one.language();
    out.portion = code == "portionMarking";
    if (out.text.size() > kTextMax) return misshapen(one, "this qualifier is too long");
    TRY(const std::string part, need(one, "qualifierCode"));
    if (part == "prefix") {
      out.part = Qualifier::Part::prefix;
    } else if (part == "suffix") {
      out.part = Qualifier::Part::suffix;
    } else if (part == "separator") {
      out.part = Qualifier::Part::separator;
    } else {
      return misshapen(one, fmt::format("the qualifier code {} is not known", part),
                       "prefix, suffix or separator");
    }
    into.push_back(std::move(out));
  }
  return {};
}

Result<RawRequirement> read_requirement(const XmlElement& at) {
  RawRequirement out{};
  const std::string operation = at.attribute_or("operation", "all");
  if (operation == "all") {
    out.operation = Requirement::Operation::all;
  } else if (operation == "oneOrMore") {
    out.operation = Requirement::Operation::one_or_more;
  } else if (operation == "onlyOne") {
    out.operation = Requirement::Operation::only_one;
  } else {
    return misshapen(at, fmt::format("the operation {} is not known", operation), "all, oneOrMore, onlyOne");
  }
  TRY(const auto inside, parts_of(at));
  for (const XmlElement& one : inside) {
    if (one.name() != "categoryGroup") return unknown(one, at);
    TRY(Pointer to, pointer(one));
    out.of.push_back(std::move(to));
  }
  if (out.of.empty()) return misshapen(at, "requiredCategory requires nothing");
  return out;
}

// What the other policy's label gets besides; written with the same element, so `all` must be plain.
Result<void> read_added(const XmlElement& at, std::vector<Equivalent::Added>& into) {
  TRY(const RawRequirement rule, read_requirement(at));
  for (const Pointer& one : rule.of) {
    if (rule.operation != Requirement::Operation::all || !one.lacv || one.either)
      return misshapen(at, "an equivalence adds something that is not exactly said",
                       "operation all, with the lacv of each value");
    into.push_back({one.tag_set, one.type, one.enumerated, *one.lacv});
  }
  return {};
}

Result<Equivalent> read_equivalent(const XmlElement& at, bool category) {
  Equivalent out;
  TRY(out.policy, need_name(at, "policyRef"));
  TRY(const std::string applied, need(at, "applied"));
  out.encrypt = applied == "encrypt" || applied == "both";
  out.decrypt = applied == "decrypt" || applied == "both";
  if (!out.encrypt && !out.decrypt)
    return misshapen(at, fmt::format("applied {} is not known", applied), "encrypt, decrypt or both");
  const std::string action = at.attribute_or("action", "");
  if (!action.empty() && action != "discard")
    return misshapen(at, fmt::format("the action {} is not known", action), "discard");
  out.discard = action == "discard";
  if (category) {
    TRY(const Kind kind, kind_of(at));
    out.type = kind.type;
    out.enumerated = kind.enumerated;
    TRY(out.tag_id, need_name(at, "tagSetId"));
  }
  if (!out.discard) {
    TRY(out.lacv, need(at, "lacv"));
    out.lacv = plain_lacv(std::move(out.lacv));
  } else if (category) {
    out.lacv = plain_lacv(at.attribute_or("lacv", ""));  // may say whose value is discarded
  }
  TRY(const auto inside, parts_of(at));
  for (const XmlElement& one : inside) {
    if (one.name() != "requiredCategory") return unknown(one, at);
    TRY_VOID(read_added(one, out.adds));
  }
  return out;
}

class SpifReader {
 public:
  Result<PolicyData> read(const XmlElement& root) {
    if (!root.is(kSpifSpace, "SPIF"))
      return misshapen(root, fmt::format("{} is no SPIF", root.name()),
                       fmt::format("SPIF in the namespace {}", kSpifSpace));
    const std::string version = root.attribute_or("schemaVersion", "");
    if (version != "1.0" && version != "2.0" && version != "2.1" && version != "3.0")
      return misshapen(root, fmt::format("the schema version {} is not read", version),
                       "1.0, 2.0, 2.1 or 3.0");
    data_.version = root.attribute_or("version", "1");
    TRY(data_.not_before, time_if(root, "notBefore"));
    TRY(data_.not_after, time_if(root, "notAfter"));
    TRY(const auto parts, parts_of(root));
    for (const XmlElement& part : parts) TRY_VOID(read_part(part, root));
    TRY_VOID(resolve());
    return std::move(data_);
  }

 private:
  Result<void> read_part(const XmlElement& part, const XmlElement& root) {
    const std::string_view name = part.name();
    if (part.space() == kSignatureSpace || name == "extensions" || name == "updateInfo" ||
        name == "privacyMarks" || name == "defaultSecurityPolicyId")
      return {};
    if (!part.space().empty() && part.space() != kSpifSpace) return unknown(part, root);
    if (name == "securityPolicyId") {
      TRY(data_.name, need_name(part, "name"));
      TRY(data_.id, need_name(part, "id"));
      return read_marks(part, data_.phrases, data_.qualifiers);
    }
    if (name == "securityClassifications") return read_classifications(part);
    if (name == "securityCategoryTagSets") return read_tag_sets(part);
    if (name == "equivalentPolicies") return read_others(part);
    if (name == "markingQualifier") return read_qualifier(part, data_.qualifiers);
    if (name == "markingData") {
      TRY(Phrase phrase, read_phrase(part));
      data_.phrases.push_back(std::move(phrase));
      return {};
    }
    return unknown(part, root);
  }

  static Result<void> read_marks(const XmlElement& at, std::vector<Phrase>& phrases,
                                 std::vector<Qualifier>& qualifiers) {
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) {
      if (one.name() == "markingData") {
        TRY(Phrase phrase, read_phrase(one));
        phrases.push_back(std::move(phrase));
      } else if (one.name() == "markingQualifier") {
        TRY_VOID(read_qualifier(one, qualifiers));
      } else {
        return unknown(one, at);
      }
    }
    return {};
  }

  Result<void> read_classifications(const XmlElement& at) {
    TRY(const auto inside, parts_of(at));
    std::vector<Qualifier> ignored;
    for (const XmlElement& one : inside) {
      if (one.name() == "markingData" || one.name() == "markingQualifier") continue;
      if (one.name() != "securityClassification") return unknown(one, at);
      if (data_.classifications.size() >= kClassificationsMax)
        return misshapen(one, "the policy has too many classifications");
      TRY_VOID(read_classification(one));
    }
    return {};
  }

  Result<void> read_classification(const XmlElement& at) {
    Classification out;
    TRY(out.name, need_name(at, "name"));
    TRY(out.lacv, need(at, "lacv"));
    out.lacv = plain_lacv(std::move(out.lacv));
    TRY(out.hierarchy, integer(at, "hierarchy"));
    TRY(out.obsolete, flag(at, "obsolete"));
    std::vector<RawRequirement> required;
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) {
      if (one.name() == "equivalentClassification") {
        TRY(Equivalent equivalent, read_equivalent(one, false));
        out.equivalents.push_back(std::move(equivalent));
      } else if (one.name() == "markingData") {
        TRY(Phrase phrase, read_phrase(one));
        out.phrases.push_back(std::move(phrase));
      } else if (one.name() == "requiredCategory") {
        TRY(RawRequirement rule, read_requirement(one));
        required.push_back(std::move(rule));
      } else if (one.name() != "markingQualifier") {
        return unknown(one, at);
      }
    }
    if (!class_lacvs_.insert(out.lacv).second)
      return misshapen(at, fmt::format("the lacv {} stands twice", out.lacv));
    class_rules_.push_back(std::move(required));
    data_.classifications.push_back(std::move(out));
    return {};
  }

  Result<void> read_tag_sets(const XmlElement& at) {
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) {
      if (one.name() != "securityCategoryTagSet") return unknown(one, at);
      if (data_.tag_sets.size() >= kTagSetsMax) return misshapen(one, "the policy has too many tag sets");
      TagSet set;
      TRY(set.name, need_name(one, "name"));
      TRY(set.id, need_name(one, "id"));
      if (!tag_set_ids_.insert(set.id).second)
        return misshapen(one, fmt::format("the id {} stands twice", set.id));
      TRY(const auto tags, parts_of(one));
      for (const XmlElement& tag : tags) {
        if (tag.name() == "securityCategoryTag") {
          TRY_VOID(read_tag(tag, set));
        } else if (tag.name() == "markingQualifier") {
          TRY_VOID(read_qualifier(tag, set.qualifiers));
        } else if (tag.name() == "equivalentSecurityCategoryTagSet") {
          TRY_VOID(check_attributes(tag));
          by_tag_set_.insert(folded_name(single_spaced(tag.attribute_or("policyRef", ""))));
        } else {
          return unknown(tag, one);
        }
      }
      data_.tag_sets.push_back(std::move(set));
    }
    return {};
  }

  static Result<size_t> selection(const XmlElement& at, std::string_view name, size_t otherwise) {
    const auto text = at.attribute(name);
    if (!text || *text == "unbounded") return otherwise;
    TRY(const int64_t number, integer(at, name));
    if (number < 0 || number > static_cast<int64_t>(kValuesMax))
      return misshapen(at, fmt::format("{} is out of bounds", name));
    return static_cast<size_t>(number);
  }

  Result<void> read_tag(const XmlElement& at, TagSet& set) {
    Tag tag;
    tag.name = at.attribute_or("name", "");
    TRY(const Kind kind, kind_of(at));
    tag.type = kind.type;
    tag.enumerated = kind.enumerated;
    TRY(const bool single, flag(at, "singleSelection"));
    TRY(tag.selection_max, selection(at, "maxSelection", kValuesMax));
    if (single) tag.selection_max = std::min<size_t>(tag.selection_max, 1);
    TRY(tag.selection_min, selection(at, "minSelection", 0));
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) {
      if (one.name() == "tagCategory") {
        TRY_VOID(read_value(one, tag, set));
      } else if (one.name() == "markingQualifier") {
        TRY_VOID(read_qualifier(one, tag.qualifiers));
      } else {
        return unknown(one, at);
      }
    }
    set.tags.push_back(std::move(tag));
    return {};
  }

  static Result<TagValue::Open> open_kind(const XmlElement& at) {
    const std::string text = at.attribute_or("userInput", "");
    if (text.empty()) return TagValue::Open::no;
    if (text == "string") return TagValue::Open::text;
    if (text == "integer") return TagValue::Open::integer;
    if (text == "date") return TagValue::Open::date;
    return misshapen(at, fmt::format("the input {} is not known", text), "string, integer or date");
  }

  Result<void> read_value(const XmlElement& at, Tag& tag, const TagSet& set) {
    TagValue out;
    TRY(out.name, need_name(at, "name"));
    TRY(out.lacv, need(at, "lacv"));
    out.lacv = plain_lacv(std::move(out.lacv));
    TRY(out.obsolete, flag(at, "obsolete"));
    TRY(out.open, open_kind(at));
    out.required_class = single_spaced(at.attribute_or("requiredClass", ""));
    TRY(out.not_before, time_if(at, "notBefore"));
    TRY(out.not_after, time_if(at, "notAfter"));
    RawRules rules;
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) TRY_VOID(read_value_part(one, at, out, rules));
    const auto key = pointer_key(set.name, tag.type, tag.enumerated, out.lacv);
    if (!by_lacv_.emplace(key, out.name).second)
      return misshapen(at, fmt::format("the lacv {} stands twice in {}", out.lacv, set.name));
    value_rules_.push_back(std::move(rules));
    tag.values.push_back(std::move(out));
    return {};
  }

  struct RawRules {
    std::vector<RawRequirement> required;
    std::vector<Pointer> excluded;
  };

  static Result<void> read_value_part(const XmlElement& one, const XmlElement& at, TagValue& out,
                                      RawRules& rules) {
    const std::string_view name = one.name();
    if (name == "markingData") {
      TRY(Phrase phrase, read_phrase(one));
      out.phrases.push_back(std::move(phrase));
    } else if (name == "excludedClass") {
      TRY_VOID(check_attributes(one));
      TRY(const std::string text, one.text());
      out.excluded_classes.push_back(single_spaced(text));
    } else if (name == "requiredCategory") {
      TRY(RawRequirement rule, read_requirement(one));
      rules.required.push_back(std::move(rule));
    } else if (name == "excludedCategory") {
      TRY(Pointer to, pointer(one));
      rules.excluded.push_back(std::move(to));
    } else if (name == "equivalentSecCategoryTag") {
      TRY(Equivalent equivalent, read_equivalent(one, true));
      out.equivalents.push_back(std::move(equivalent));
    } else if (name != "markingQualifier") {
      return unknown(one, at);
    }
    return {};
  }

  Result<void> read_others(const XmlElement& at) {
    TRY(const auto inside, parts_of(at));
    for (const XmlElement& one : inside) {
      if (one.name() != "equivalentPolicy") return unknown(one, at);
      OtherPolicy other;
      TRY(other.name, need_name(one, "name"));
      TRY(other.id, need_name(one, "id"));
      TRY(const auto added, parts_of(one));
      for (const XmlElement& rule : added) {
        if (rule.name() != "requiredCategory") return unknown(rule, one);
        TRY_VOID(read_added(rule, other.adds));
      }
      data_.others.push_back(std::move(other));
    }
    return {};
  }

  static std::string pointer_key(std::string_view set, CategoryType type, bool enumerated,
                                 std::string_view lacv) {
    return fmt::format("{}\x1f{}{}\x1f{}", folded_name(set), static_cast<int>(type), enumerated ? 'e' : 'b',
                       lacv);
  }

  // The enumerated type that a pointer without one means: the only one with what it points at.
  Result<CategoryRef> resolve_either(const Pointer& to) const {
    std::optional<CategoryRef> out;
    Pointer typed = to;
    typed.either = false;
    typed.enumerated = true;
    for (const CategoryType type : {CategoryType::restrictive, CategoryType::permissive}) {
      const bool there = std::ranges::any_of(data_.tag_sets, [&](const TagSet& set) {
        return same_name(set.name, to.tag_set) && std::ranges::any_of(set.tags, [&](const Tag& tag) {
                 return tag.enumerated && tag.type == type;
               });
      });
      typed.type = type;
      auto found = resolve(typed);
      if (!there || !found) continue;
      if (out)
        return fail("label.spif",
                    fmt::format("a rule names values in {} of both enumerated types", to.tag_set), to.where,
                    "give it an enumType");
      out = *std::move(found);
    }
    if (out) return *out;
    return fail("label.spif",
                fmt::format("a rule names an enumerated value in {} that is not there", to.tag_set), to.where,
                "correct its tagSetRef or lacv");
  }

  // Turns pointers by lacv into names; a pointer to nothing would be a rule that never holds.
  Result<CategoryRef> resolve(const Pointer& to) const {
    if (to.either) return resolve_either(to);
    const auto set = std::find_if(data_.tag_sets.begin(), data_.tag_sets.end(),
                                  [&](const TagSet& one) { return same_name(one.name, to.tag_set); });
    if (set == data_.tag_sets.end())
      return fail("label.spif", fmt::format("a rule names the tag set {}, which is not there", to.tag_set),
                  to.where, "correct its tagSetRef");
    CategoryRef out{set->name, to.type, {}};
    if (!to.lacv) {
      const bool there = std::ranges::any_of(
          set->tags, [&](const Tag& tag) { return tag.type == to.type && !tag.values.empty(); });
      if (there) return out;
      return fail("label.spif",
                  fmt::format("a rule names all {} values of {}, which has none", folded_name(name(to.type)),
                              set->name),
                  to.where, "correct its tagType");
    }
    const auto value = by_lacv_.find(pointer_key(to.tag_set, to.type, to.enumerated, *to.lacv));
    if (value == by_lacv_.end())
      return fail("label.spif",
                  fmt::format("a rule names the lacv {} in {}, which is not there", *to.lacv, to.tag_set),
                  to.where, "correct lacv, tagType or enumType");
    out.value = value->second;
    return out;
  }

  Result<std::vector<Requirement>> resolve(const std::vector<RawRequirement>& rules) const {
    std::vector<Requirement> out;
    for (const RawRequirement& rule : rules) {
      Requirement made{rule.operation, {}};
      for (const Pointer& to : rule.of) {
        TRY(CategoryRef ref, resolve(to));
        made.of.push_back(std::move(ref));
      }
      out.push_back(std::move(made));
    }
    return out;
  }

  Result<void> resolve() {
    for (size_t i = 0; i < class_rules_.size(); ++i) {
      TRY(data_.classifications[i].required, resolve(class_rules_[i]));
    }
    size_t at = 0;
    for (TagSet& set : data_.tag_sets) {
      for (Tag& tag : set.tags) {
        for (TagValue& value : tag.values) {
          const RawRules& rules = value_rules_[at++];
          TRY(value.required, resolve(rules.required));
          for (const Pointer& to : rules.excluded) {
            TRY(CategoryRef ref, resolve(to));
            value.excluded.push_back(std::move(ref));
          }
        }
      }
    }
    for (OtherPolicy& other : data_.others) other.by_tag_set = by_tag_set_.contains(folded_name(other.name));
    return {};
  }

  PolicyData data_;
  std::set<std::string> class_lacvs_, tag_set_ids_, by_tag_set_;
  std::vector<std::vector<RawRequirement>> class_rules_;
  std::vector<RawRules> value_rules_;
  std::map<std::string, std::string> by_lacv_;
};

}  // namespace

Result<LabelPolicy> LabelPolicy::from_spif(std::string_view xml) {
  TRY(const XmlDocument document, XmlDocument::parse(xml, kSpifBytesMax));
  TRY(PolicyData data, SpifReader().read(document.root()));
  return from_data(std::move(data));
}

}  // namespace entente::label
