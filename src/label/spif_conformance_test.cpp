// Label policies and labels written by others, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them:
// a test set of SPIFs with what another implementation says about them.
#include "base/conformance_for_test.h"
#include "label/crosswalk.h"
#include "label/dominance.h"
#include "label/label_xml.h"
#include "label/marking_shape.h"
#include "label/policies_for_test.h"
#include "label/xml.h"

using namespace entente;
using namespace entente::label;

namespace {

std::string lacv_of(const XmlElement& at) {
  std::string out = at.attribute_or("lacv", "");
  while (out.size() > 1 && out.starts_with('0')) out.erase(0, 1);
  return out;
}

// The set's own plain form: values by tag set id, kind and lacv.
std::optional<Category> category_of(const LabelPolicy& policy, const XmlElement& tag) {
  const std::string kind = tag.attribute_or("type", "");
  const bool enumerated = kind.starts_with("enumerated");
  const CategoryType type = kind == "informative" ? CategoryType::informative
                            : kind == "restrictive" || kind == "enumeratedRestrictive"
                                ? CategoryType::restrictive
                                : CategoryType::permissive;
  for (const TagSet& set : policy.data().tag_sets) {
    if (set.id != tag.attribute_or("id", "")) continue;
    for (const Tag& one : set.tags)
      for (const TagValue& value : one.values)
        if (one.type == type && value.lacv == lacv_of(tag) &&
            (type == CategoryType::informative || one.enumerated == enumerated))
          return Category{set.name, type, {value.name}};
  }
  return std::nullopt;
}

struct Plain {
  std::string policy_id;
  std::vector<std::string> classes;
  std::vector<Category> categories;
};

Result<Plain> read_plain(const LabelPolicies& policies, const std::string& xml) {
  TRY(const XmlDocument document, XmlDocument::parse(xml, 1 << 20));
  TRY(const auto parts, document.root().children());
  Plain out;
  const LabelPolicy* policy = nullptr;
  for (const XmlElement& part : parts) {
    if (part.name() == "policy") {
      out.policy_id = part.attribute_or("id", "");
      policy = policies.find(out.policy_id);
    }
    if (policy == nullptr) return fail("label.policy", "unknown policy");
    if (part.name() == "policy") continue;
    if (part.name() == "classification") {
      for (const Classification& one : policy->data().classifications)
        if (one.lacv == lacv_of(part)) out.classes.push_back(one.name);
    } else if (auto category = category_of(*policy, part)) {
      out.categories.push_back(*std::move(category));
    } else {
      return fail("label.unknown", "unknown tag");
    }
  }
  return out;
}

// What is no XML is taken for STANAG 4774 and refused as that: ASN.1 labels are not offered.
Result<Label> read_any(const LabelPolicies& policies, const std::filesystem::path& path) {
  const std::string text = conformance_text(path);
  auto bound = read_label_xml(text);
  if (bound) return bound->label;
  if (path.extension() != ".xml") return std::unexpected(bound.error());
  TRY(const Plain plain, read_plain(policies, text));
  Label out;
  out.policy_id = plain.policy_id;
  out.classification = plain.classes.empty() ? "" : plain.classes.front();
  out.categories = plain.categories;
  return normalised(std::move(out));
}

// Some of the set's files close an element with another's name, which no XML parser may read, and have no
// namespace: mended, they are SPIFs.
std::string mended(std::string text) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  };
  replace("</securityCategiryTagSet>", "</securityCategoryTagSet>");
  replace("<SPIF>", "<SPIF xmlns='http://www.xmlspif.org/spif' schemaVersion='2.1'>");
  return text;
}

// As the set writes a clearance: a label's line without the policy, of all that is held, and with every
// classification.
std::string line_of(const LabelPolicy& policy, const Clearance& clearance, const MarkingStyle& style) {
  MarkingShape shape = shape_of(policy, style);
  shape.policy_text.clear();
  for (TagShape& tag : shape.tags) {
    for (Shown& value : tag.values) {
      value.policy_text.reset();
      value.suppresses_class = false;
    }
  }
  std::string classes;
  for (const Classification& one : policy.data().classifications)
    if (std::ranges::find(clearance.classifications, one.name) != clearance.classifications.end())
      classes += (classes.empty() ? "{" : "|") + one.name;
  Label held;
  held.policy = policy.name();
  held.classification = policy.data().classifications.front().name;
  held.categories = clearance.categories;
  shape.classes.front() = {classes + "}", std::nullopt, false};
  return lay_out(policy, shape, style, normalised(std::move(held)).value());
}

// One sequence: its policies, then what is said about labels under them.
class Sequence {
 public:
  explicit Sequence(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void step(const XmlElement& step) {
    if (step.name() == "policy") return add(step);
    const std::string name = step.attribute_or("label", "");
    INFO(name);
    const auto not_run = [&](const std::string& why) {
      others += "\n  " + name + ": " + why;
      ++unread;
    };
    if (policies_->all().empty() && !step.attribute("exception"))
      return not_run("its policy was to be refused");
    const auto label = read_any(*policies_, folder_ / name);
    if (step.attribute("exception")) {
      CHECK_FALSE(label.has_value());
      ++judged;
      return;
    }
    if (!label && !name.ends_with(".xml") && !name.ends_with(".nato")) return not_run(label.error().text());
    REQUIRE_MESSAGE(label.has_value(), label.error().text());
    const auto policy = policies_->of(*label);
    if (!policy && refused_) return not_run(policy.error().text());
    REQUIRE_MESSAGE(policy.has_value(), policy.error().text());
    ++labels;
    const auto valid = (*policy)->check(*label, Use::read, time_for_test());
    if (const auto wanted = step.attribute("valid")) {
      CHECK_MESSAGE(valid.has_value() == (*wanted == "true"), (valid ? "" : valid.error().text()));
      ++judged;
    }
    if (valid) return judge(step, **policy, *valid);
    for (const char* said : {"label-marking", "encrypt", "acdf-result"}) CHECK_FALSE(step.attribute(said));
  }

  int policies = 0;
  int labels = 0;
  int judged = 0;
  int marked = 0;
  int decided = 0;
  int translated = 0;
  int unread = 0;
  std::string others;  // what is not run, and why

 private:
  void add(const XmlElement& step) {
    const std::string spif = step.attribute_or("spif", "");
    INFO(spif);
    auto policy = LabelPolicy::from_spif(mended(conformance_text(folder_ / spif)));
    if (step.attribute("exception")) {
      CHECK_FALSE(policy.has_value());
      refused_ = true;
      return;
    }
    REQUIRE_MESSAGE(policy.has_value(), policy.error().text());
    REQUIRE(policies_->add(std::make_shared<LabelPolicy>(*std::move(policy))));
    ++policies;
  }

  // With "encrypt" the rest is about the label's equivalent in that policy.
  void judge(const XmlElement& step, const LabelPolicy& policy, const Label& label) {
    if (const auto marking = step.attribute("label-marking")) {
      const MarkingGrammar grammar(policy, {false, step.language()});
      CHECK(grammar.print(label, time_for_test()).value() == *marking);
      ++marked;
    }
    const auto to = step.attribute("encrypt");
    if (!to) return decide(step, policy, label);
    const LabelPolicy* other = policies_->find(*to);
    REQUIRE(other != nullptr);
    const auto there = translate(label, policy, *other);
    if (!there && !step.attribute("encrypt-marking") && !step.attribute("acdf-result")) {
      others += "\n  " + policy.name() + " to " + other->name() + ": " + there.error().text();
      return;
    }
    REQUIRE_MESSAGE(there.has_value(), there.error().text());
    ++translated;
    const MarkingGrammar grammar(*other, {false, step.language()});
    if (const auto marking = step.attribute("encrypt-marking"))
      CHECK(grammar.print(there->label, time_for_test()).value() == *marking);
    decide(step, *other, there->label);
  }

  Result<Translation> translate(const Label& label, const LabelPolicy& from, const LabelPolicy& to) {
    const Instant now = time_for_test();
    TRY(Mapping mapping, mapping_of_spifs(from, to, "test", now - Seconds(1), now + Seconds(1)));
    TRY(const Crosswalk crosswalk, Crosswalk::make(policies_, {std::move(mapping)}, now));
    return crosswalk.translate(label, to.name(), now);
  }

  void decide(const XmlElement& step, const LabelPolicy& policy, const Label& label) {
    const auto wanted = step.attribute("acdf-result");
    const auto marking = step.attribute("clearance-marking");
    if (!wanted && !marking) return;
    const auto plain = read_plain(*policies_, conformance_text(folder_ / step.attribute_or("clearance", "")));
    REQUIRE_MESSAGE(plain.has_value(), plain.error().text());
    Clearance clearance;
    clearance.policy_id = plain->policy_id;
    clearance.policy = policy.name();
    clearance.classifications = plain->classes;
    clearance.categories = plain->categories;
    const Clearance ready = spelled(policy, clearance).value();
    if (marking) {
      CHECK(line_of(policy, ready, {false, step.language()}) == *marking);
      ++marked;
    }
    if (!wanted) return;
    CHECK(dominates(policy, ready, label, time_for_test()).holds == (*wanted == "1"));
    ++decided;
  }

  std::filesystem::path folder_;
  bool refused_ = false;  // one of its policies was, as it should be
  std::shared_ptr<LabelPolicies> policies_ = std::make_shared<LabelPolicies>();
};

void run_set(const std::filesystem::path& tests) {
  const std::string text = conformance_text(tests);
  const XmlDocument document = XmlDocument::parse(text, 1 << 20).value();
  const auto sequences = document.root().children().value();
  for (const XmlElement& one : sequences) {
    Sequence sequence(tests.parent_path());
    const auto steps = one.children().value();
    for (const XmlElement& step : steps) sequence.step(step);
    const auto said = std::ranges::count_if(
        steps, [](const XmlElement& step) { return step.name() == "test" && !step.attribute("exception"); });
    CHECK(sequence.labels + sequence.unread == said);
    MESSAGE(sequence.policies << " policies: " << sequence.judged << " labels judged, " << sequence.marked
                              << " markings printed, " << sequence.decided << " clearances compared, "
                              << sequence.translated << " labels translated; not run:" << sequence.others);
  }
}

}  // namespace

TEST_CASE("SPIFs and labels of another implementation's test set: validity and markings as it expects") {
  for (const auto& tests : conformance_files(conformance("data/spif"), "tests.xml")) run_set(tests);
}

// Those that no test names, too: each is read or refused with a reason, and what is read prints its labels.
TEST_CASE("every SPIF of a conformance folder is read, or refused with its reason") {
  int read = 0;
  std::string refused;
  for (const auto& path : conformance_files(conformance("data/spif"), ".xml")) {
    const std::string text = mended(conformance_text(path));
    const auto document = XmlDocument::parse(text, 4 << 20);
    if (!document || document->root().name() != "SPIF") continue;
    const auto policy = LabelPolicy::from_spif(text);
    if (!policy) refused += "\n  " + path.filename().string() + ": " + policy.error().text();
    if (!policy) continue;
    ++read;
    const MarkingGrammar grammar(*policy, {});
    for (const Classification& one : policy->data().classifications) {
      Label label;
      label.policy_id = policy->data().id;
      label.policy = policy->name();
      label.classification = one.name;
      const auto line = grammar.print(label, time_for_test());
      if (!line) continue;  // it asks for categories
      INFO(path.string() << ": " << *line);
      const auto back = grammar.parse(*line, time_for_test());
      if (!back) CHECK_MESSAGE(back.error().code() == "label.ambiguous", back.error().text());
    }
  }
  if (read > 0 || !refused.empty()) MESSAGE(read << " SPIFs read; refused:" << refused);
}
