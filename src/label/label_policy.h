// A label policy as data: classifications, tag sets, the rules that labels must keep, and how they are
// marked. Read from a SPIF (XML SPIF 2.1; 1.0 and 2.0 too; 3.0 as far as it says what 2.1 can say: any other
// element is refused by its name, since it could be a rule). Immutable once read; safe to share between
// threads.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "label/label.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace entente::label {

inline constexpr size_t kSpifBytesMax = 4U << 20U;
inline constexpr size_t kClassificationsMax = 64;
inline constexpr size_t kTagSetsMax = 128;
inline constexpr size_t kTagValuesMax = 8192;  // of one policy

// Where and how a phrase shows (SPIF markingCode). Codes that only name a place of a page count as none.
enum MarkingCode : uint32_t {
  kNoNameDisplay = 1U << 0U,
  kNoMarkingDisplay = 1U << 1U,
  kSuppressClassName = 1U << 2U,
  kReplacePolicy = 1U << 3U,
  kPortionMarking = 1U << 4U,
};

struct Phrase {
  std::optional<std::string> text;  // none: the codes speak of the name itself
  std::string language;             // "fr"; empty is the policy's own
  uint32_t codes = 0;
};
struct Qualifier {
  enum class Part : uint8_t { prefix, suffix, separator } part = Part::prefix;
  std::string text;
  std::string language;
  bool portion = false;  // for portions only
};

// One value, or any value of that type under that tag when `value` is empty.
struct CategoryRef {
  std::string tag;
  CategoryType type = CategoryType::restrictive;
  std::string value;
  bool operator==(const CategoryRef&) const = default;
};
struct Requirement {
  enum class Operation : uint8_t { all, one_or_more, only_one } operation = Operation::all;
  std::vector<CategoryRef> of;
};

// How the SPIF says that a name means one of another policy; crosswalk.h makes mappings of it.
struct Equivalent {
  std::string policy;  // name of the other policy
  std::string tag_id;  // its tag set's id; empty for classifications
  CategoryType type = CategoryType::restrictive;
  bool enumerated = false;
  std::string lacv;
  bool encrypt = false;  // from this policy to the other
  bool decrypt = false;  // from the other to this one
  bool discard = false;
  struct Added {
    std::string tag;  // name of the other policy's tag set
    CategoryType type = CategoryType::restrictive;
    bool enumerated = false;
    std::string lacv;
  };
  std::vector<Added> adds;
};

struct Classification {
  std::string name;
  std::string lacv;
  int64_t hierarchy = 0;  // higher is more sensitive
  bool obsolete = false;
  std::vector<Phrase> phrases;
  std::vector<Requirement> required;
  std::vector<Equivalent> equivalents;
};

struct TagValue {
  enum class Open : uint8_t { no, text, integer, date };
  std::string name;
  std::string lacv;
  bool obsolete = false;
  Open open = Open::no;  // stands for any text of that kind
  std::optional<Instant> not_before, not_after;
  std::vector<Phrase> phrases;
  std::vector<std::string> excluded_classes;
  std::string required_class;
  std::vector<Requirement> required;
  std::vector<CategoryRef> excluded;
  std::vector<Equivalent> equivalents;
};

struct Tag {
  std::string name;
  CategoryType type = CategoryType::restrictive;
  bool enumerated = false;
  size_t selection_min = 0;
  size_t selection_max = kValuesMax;
  std::vector<Qualifier> qualifiers;
  std::vector<TagValue> values;
};

struct TagSet {
  std::string name;
  std::string id;
  std::vector<Tag> tags;
  std::vector<Qualifier> qualifiers;  // the separator between its tags
};

struct OtherPolicy {
  std::string name;
  std::string id;
  std::vector<Equivalent::Added> adds;
  bool by_tag_set = false;  // has rules for whole tag sets, which mappings do not know
};

struct PolicyData {
  std::string name;
  std::string id;
  std::string version;
  std::optional<Instant> not_before, not_after;
  std::vector<Classification> classifications;  // lowest first
  std::vector<TagSet> tag_sets;
  std::vector<Phrase> phrases;
  std::vector<Qualifier> qualifiers;
  std::vector<OtherPolicy> others;
};

enum class Use : uint8_t {
  create,  // obsolete names are refused
  read,    // a label made while they were not is still good
  join,    // made of labels that were read: each was good at its own time, and no other is looked at
};

class LabelPolicy {
 public:
  // Errors: "label.xml", "label.doctype", "label.format" (shape), "label.spif" (it contradicts itself).
  [[nodiscard]] static Result<LabelPolicy> from_spif(std::string_view xml);
  [[nodiscard]] static Result<LabelPolicy> from_data(PolicyData data);  // "label.spif"

  [[nodiscard]] const PolicyData& data() const { return *data_; }
  [[nodiscard]] const std::string& name() const { return data_->name; }
  // By name, without regard to case; nullptr when not there.
  [[nodiscard]] const Classification* classification(std::string_view name) const;
  struct Found {
    const TagSet* set = nullptr;
    const Tag* tag = nullptr;
    const TagValue* value = nullptr;
  };
  [[nodiscard]] Found find(std::string_view tag, CategoryType type, std::string_view value) const;
  // Whether it, or any name in it, is in use for some time only: else no check depends on when it is made.
  [[nodiscard]] bool is_dated() const { return dated_; }
  [[nodiscard]] bool is_for(const Label& label) const;  // by name, or by id with or without "urn:oid:"

  // The label in this policy's own spelling, in normal form, and known to keep its rules. Errors:
  // "label.policy" (of another policy), "label.unknown" (a name it does not have), "label.time" (policy or
  // name not in use then: at `created`, else at `now`), "label.rule". `now` matters only for these times.
  [[nodiscard]] Result<Label> check(Label label, Use use, Instant now) const;

 private:
  LabelPolicy() = default;
  [[nodiscard]] Result<void> index();
  [[nodiscard]] Result<Label> spell(Label label) const;
  [[nodiscard]] Result<void> check_times(const Label& label, Use use, Instant now) const;
  [[nodiscard]] Result<void> check_value(const Label& label, const TagValue& value,
                                         const CategoryRef& self) const;
  [[nodiscard]] Result<void> check_selections(const Label& label) const;

  std::shared_ptr<const PolicyData> data_;
  std::unordered_map<std::string, const Classification*> classes_;
  std::unordered_map<std::string, Found> values_;  // by tag, type and value, folded
  std::unordered_map<std::string, Found> open_;    // by tag and type: where any text is a value
  std::unordered_map<std::string, std::string> tags_;
  bool dated_ = false;
};

// The policies one knows, by name and by id.
class LabelPolicies {
 public:
  // Error "label.policy" when one of that name or id is there.
  [[nodiscard]] Result<void> add(std::shared_ptr<const LabelPolicy> policy);
  [[nodiscard]] const LabelPolicy* find(std::string_view name_or_id) const;
  // The label's own; error "label.policy" when unknown, or when name and id are those of two policies.
  [[nodiscard]] Result<const LabelPolicy*> of(const Label& label) const;
  [[nodiscard]] const std::vector<std::shared_ptr<const LabelPolicy>>& all() const { return all_; }

 private:
  std::vector<std::shared_ptr<const LabelPolicy>> all_;
};

[[nodiscard]] std::string_view plain_id(std::string_view id);  // without "urn:oid:"
[[nodiscard]] bool matches(const Label& label, const CategoryRef& ref);
void add_value(Label& label, const CategoryRef& ref);  // to its category, or one of its own

}  // namespace entente::label
