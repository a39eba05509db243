// Label policies, labels and markings written by others, when $ENTENTE_CONFORMANCE (or ../shared/conformance)
// has them: a test set of SPIFs with expectations, and marking lines of a public grammar.
#include "label/dominance.h"
#include "label/label_xml.h"
#include "label/marking.h"
#include "label/policies_for_test.h"
#include "label/xml.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;

namespace {

std::filesystem::path conformance() {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  return given != nullptr ? given : "../shared/conformance";
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

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
      if (policy == nullptr) return fail("label.policy", "unknown policy");
    } else if (part.name() == "classification") {
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

Result<Label> read_any(const LabelPolicies& policies, const std::filesystem::path& path) {
  const std::string text = file_text(path);
  if (path.extension() == ".nato") {
    TRY(const RoledLabel read, read_label_xml(text));
    return read.label;
  }
  TRY(const Plain plain, read_plain(policies, text));
  Label out;
  out.policy_id = plain.policy_id;
  out.classification = plain.classes.empty() ? "" : plain.classes.front();
  out.categories = plain.categories;
  return normalised(std::move(out));
}

}  // namespace

TEST_CASE("SPIFs and labels of another implementation's test set: validity and markings as it expects") {
  const auto folder = conformance() / "data/spif/test-data";
  if (!std::filesystem::exists(folder / "tests.xml")) {
    MESSAGE("skipped: no SPIF test set in " << folder.string());
    return;
  }
  const std::string tests = file_text(folder / "tests.xml");
  const XmlDocument document = XmlDocument::parse(tests, 1 << 20).value();
  int judged = 0;
  int marked = 0;
  const auto sequences = document.root().children().value();
  for (const XmlElement& sequence : sequences) {
    LabelPolicies policies;
    const auto steps = sequence.children().value();
    for (const XmlElement& step : steps) {
      if (step.name() == "policy") {
        const std::string spif = step.attribute_or("spif", "");
        INFO(spif);
        const auto policy = LabelPolicy::from_spif(file_text(folder / spif));
        // Two of these close an element with another's name, which no XML parser may read.
        const bool broken = spif == "food-policy.xml" || spif == "food-policy-borked.xml";
        CHECK_MESSAGE(policy.has_value() == !broken, (policy ? "" : policy.error().text()));
        if (broken && !policy) {
          std::string mended = file_text(folder / spif);
          const size_t at = mended.find("</securityCategiryTagSet>");
          if (at != std::string::npos) {
            mended.replace(at, 25, "</securityCategoryTagSet>");
            mended.replace(mended.find("<SPIF>"), 6,
                           "<SPIF xmlns='http://www.xmlspif.org/spif' schemaVersion='2.1'>");
            auto again = LabelPolicy::from_spif(mended);
            REQUIRE_MESSAGE(again.has_value(), again.error().text());
            REQUIRE(policies.add(std::make_shared<LabelPolicy>(*std::move(again))));
          }
        } else if (policy) {
          REQUIRE(policies.add(std::make_shared<LabelPolicy>(*policy)));
        }
        continue;
      }
      const std::string name = step.attribute_or("label", "");
      INFO(name);
      if (name.ends_with(".ber") || policies.all().empty()) continue;
      const auto label = read_any(policies, folder / name);
      REQUIRE_MESSAGE(label.has_value(), label.error().text());
      const LabelPolicy* policy = policies.of(*label).value();
      const auto checked = policy->check(*label, Use::read, time_for_test());
      if (const auto valid = step.attribute("valid")) {
        CHECK_MESSAGE(checked.has_value() == (*valid == "true"), (checked ? "" : checked.error().text()));
        ++judged;
      }
      if (const auto marking = step.attribute("label-marking"); marking && checked) {
        const MarkingGrammar grammar(*policy, {false, step.language()});
        CHECK(grammar.print(*checked, time_for_test()).value() == *marking);
        ++marked;
      }
      if (const auto expected = step.attribute("acdf-result"); expected && !step.attribute("encrypt")) {
        const auto plain = read_plain(policies, file_text(folder / step.attribute_or("clearance", "")));
        Clearance clearance;
        clearance.policy_id = plain->policy_id;
        clearance.policy = policy->name();
        clearance.classifications = plain->classes;
        clearance.categories = plain->categories;
        const Clearance ready = spelled(*policy, clearance).value();
        CHECK(dominates(*policy, ready, *checked, time_for_test()).holds == (*expected == "1"));
      }
    }
  }
  MESSAGE(judged << " labels judged, " << marked << " markings printed");
}
