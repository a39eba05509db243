#include "label/label.h"

#include "label/label_json.h"
#include "label/label_xml.h"
#include "label/policies_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;

namespace {

constexpr auto kPermissive = CategoryType::permissive;
constexpr auto kRestrictive = CategoryType::restrictive;
constexpr auto kInformative = CategoryType::informative;

Label full() {
  Label out = label_for_test("SECRET", {{"Releasable To", kPermissive, {"XBB", "XAA"}},
                                        {"Caveats", kRestrictive, {"ORCON"}},
                                        {"Handling", kInformative, {"STAFF"}}});
  out.policy_id = "2.999.1.1";
  out.privacy_mark = "none & all";
  out.originator = {"planner@xaa.example", "user&<\"Principal'>"};
  out.created = time_for_test("2026-11-01T10:00:00.125Z");
  out.review = time_for_test("2027-11-01T10:00:00Z");
  out.succeeded = time_for_test("2028-01-01T00:00:00Z");
  out.successor.push_back(label_for_test("UNCLASSIFIED"));
  return out;
}

std::string code_of(const auto& result) {
  return result ? "" : result.error().code();
}

// A 4774 label around what the test wants to say.
std::string around(std::string_view inside) {
  return "<originatorConfidentialityLabel xmlns='urn:nato:stanag:4774:confidentialitymetadatalabel:1:0'>"
         "<ConfidentialityInformation>" +
         std::string(inside) + "</ConfidentialityInformation></originatorConfidentialityLabel>";
}
constexpr std::string_view kHead =
    "<PolicyIdentifier>XAA</PolicyIdentifier><Classification>SECRET</Classification>";

}  // namespace

TEST_CASE("equal labels have one normal form, one canonical text and one digest") {
  const Label a = label_for_test(" SECRET ", {{"Releasable To", kPermissive, {"XBB", "XAA", "XBB"}},
                                              {"Releasable  To", kPermissive, {" XCC"}}});
  const Label b = label_for_test("SECRET", {{"Releasable To", kPermissive, {"XAA", "XBB", "XCC"}}});
  CHECK(a == b);
  CHECK(canonical(a) == canonical(b));
  CHECK(digest(a) == digest(b));
  CHECK(a.releasable_to() == std::vector<std::string>{"XAA", "XBB", "XCC"});
  CHECK(a.caveats().empty());
  CHECK(digest(a) != digest(label_for_test("SECRET")));
  CHECK(digest(label_for_test("SECRET", {{"Caveats", kRestrictive, {"ORCON"}}})) !=
        digest(label_for_test("SECRET", {{"Caveats", kInformative, {"ORCON"}}})));
}

TEST_CASE("a label that says nothing, or too much, never becomes a value") {
  Label label;
  CHECK(code_of(normalised(label)) == "label.value");
  label.policy = "XAA";
  CHECK(code_of(normalised(label)) == "label.value");
  label.classification = "SEC\x01RET";
  CHECK(code_of(normalised(label)) == "label.value");
  label.classification = "SECRET";
  CHECK(normalised(label).has_value());
  label.categories = {{"Releasable To", kPermissive, {}}};
  CHECK(code_of(normalised(label)) == "label.value");
  label.categories = {{"Releasable To", kPermissive, {std::string(kTextMax + 1, 'x')}}};
  CHECK(code_of(normalised(label)) == "label.value");
  label.categories.assign(kCategoriesMax + 1, {"Releasable To", kPermissive, {"XAA"}});
  CHECK(code_of(normalised(label)) == "label.value");
}

TEST_CASE("every part of a label goes through JSON and through STANAG 4774 XML and comes back") {
  const Label label = full();
  CHECK(from_json(*Json::parse(to_json(label).dump())).value() == label);
  for (const LabelRole role : {LabelRole::originator, LabelRole::alternative, LabelRole::plain}) {
    const auto read = read_label_xml(write_label_xml(label, role));
    REQUIRE_MESSAGE(read.has_value(), read.error().text());
    CHECK(read->role == role);
    CHECK(read->label == label);
  }
}

TEST_CASE("the successor of a label holds from its time on") {
  const Label label = full();
  CHECK(in_force(label, time_for_test()).classification == "SECRET");
  CHECK(in_force(label, *label.succeeded).classification == "UNCLASSIFIED");
}

TEST_CASE("attack: a label names its policy twice, and readers differ in which") {
  const auto read = read_label_xml(R"(<l:originatorConfidentialityLabel
      xmlns:l="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"><l:ConfidentialityInformation>
        <l:PolicyIdentifier URI="urn:oid:2.999.1.1" URL="urn:oid:2.999.2.1">XAA</l:PolicyIdentifier>
        <l:Classification>SECRET</l:Classification>
      </l:ConfidentialityInformation></l:originatorConfidentialityLabel>)");
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().what() == "URI and URL both stand here");
}

TEST_CASE("labels are read as others write them: capital letters, URL, other time zones, no date") {
  const auto read = read_label_xml(R"(<?xml version="1.0" encoding="utf-8"?>
    <l:OriginatorConfidentialityLabel xmlns:l="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">
      <!-- between elements a comment is harmless -->
      <l:ConfidentialityInformation>
        <l:PolicyIdentifier URL="urn:oid:2.999.1.1">XAA</l:PolicyIdentifier>
        <l:Classification>TOP
           SECRET</l:Classification>
        <l:Category TagName="Releasable To" Type="permissive"><l:GenericValue>XAA</l:GenericValue></l:Category>
      </l:ConfidentialityInformation>
      <l:CreationDateTime>2026-11-01T10:00:00.1234567+02:00</l:CreationDateTime>
    </l:OriginatorConfidentialityLabel>)");
  REQUIRE_MESSAGE(read.has_value(), read.error().text());
  CHECK(read->label.policy_id == "2.999.1.1");
  CHECK(read->label.classification == "TOP SECRET");
  CHECK(read->label.created == time_for_test("2026-11-01T08:00:00.123Z"));
}

TEST_CASE("a label file may begin with a byte order mark, in each form") {
  const Label label = label_for_test("SECRET", {{"Caveats", kRestrictive, {"ORCON"}}});
  for (const std::string& text :
       {write_label_xml(label), to_json(label).dump(), write_label_json(label)->dump()}) {
    for (const char* before : {"", " \n", "\xef\xbb\xbf", "\xef\xbb\xbf\n"}) {
      INFO(before << text);
      CHECK(may_be_label_text(before + text));
      const auto read = read_label_text(before + text);
      REQUIRE_MESSAGE(read.has_value(), read.error().text());
      CHECK(read->categories == label.categories);
    }
  }
  CHECK_FALSE(
      may_be_label_text("\xef\xbb\xbf"
                        "EXERCISE SECRET"));
  CHECK_FALSE(read_label_text("\xef\xbb\xbf\xef\xbb\xbf{}").has_value());
}

TEST_CASE("document types and entities are refused before anything is read") {
  for (const char* attack : {
           "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
           "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'http://127.0.0.1/'>]><x>&e;</x>",
           "<x><![CDATA[<!ENTITY]]></x>",
       }) {
    const auto read = read_label_xml(attack);
    CHECK(code_of(read) == "label.doctype");
    CHECK(read.error().where().starts_with("line "));
  }
  CHECK(code_of(read_label_xml("<x>&undefined;</x>")) == "label.xml");
}

TEST_CASE("another encoding can't hide a document type") {
  std::string wide;
  for (const char c : std::string("<!DOCTYPE x><x/>")) wide += {'\0', c};
  CHECK(code_of(read_label_xml(wide)) == "label.xml");
  CHECK(code_of(read_label_xml("\xfe\xff" + wide)) == "label.xml");
  CHECK(code_of(read_label_xml("<?xml version='1.0' encoding='UTF-7'?><x/>")) == "label.xml");
  CHECK(code_of(read_label_xml("<?xml version='1.0' encoding='EBCDIC-CP-US'?><x/>")) == "label.xml");
}

TEST_CASE("XML is bounded in size and depth") {
  CHECK(code_of(read_label_xml(around(std::string(kLabelBytesMax, ' ')))) == "label.xml");
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  for (int i = 0; i < 40; ++i) deep += "</a>";
  CHECK(code_of(read_label_xml(deep)) == "label.xml");
  std::string abyss(20'000 * 3, ' ');
  for (size_t i = 0; i < 20'000; ++i) abyss.replace(i * 3, 3, "<a>");
  CHECK(code_of(read_label_xml(abyss)) == "label.xml");
}

TEST_CASE("what STANAG 4774 does not know, doubles, or hides in a comment is refused with its line") {
  CHECK(read_label_xml(around(kHead)).has_value());
  for (const std::string& attack : {
           around(std::string(kHead) + "<Classification>UNCLASSIFIED</Classification>"),
           around("<PolicyIdentifier>XAA</PolicyIdentifier><Classification>SEC<!-- -->RET</Classification>"),
           around("<PolicyIdentifier>XAA</PolicyIdentifier><Classification>SECRET<b/></Classification>"),
           around(std::string(kHead) +
                  "<Category TagName='A' Type='MAYBE'><GenericValue>x</GenericValue></Category>"),
           around(std::string(kHead) + "<Category TagName='A' Type='PERMISSIVE'/>"),
           around(std::string(kHead) + "<Category TagName='A' Type='PERMISSIVE'><Value>x</Value></Category>"),
           around(std::string(kHead) + "<Extra/>"),
           around(std::string(kHead) + "loose"),
           around("<Classification>SECRET</Classification>"),
           around("<PolicyIdentifier>XAA</PolicyIdentifier>"),
           std::string("<originatorConfidentialityLabel/>"),
       }) {
    const auto read = read_label_xml(attack);
    INFO(attack);
    CHECK((code_of(read) == "label.format" || code_of(read) == "label.value"));
  }
  const auto text = "<x\n xmlns='urn:nato:stanag:4774:confidentialitymetadatalabel:1:0'>\n<y/></x>";
  CHECK(read_label_xml(text).error().where() == "line 2");
}

TEST_CASE("labels in assertions of real TDF objects are read, as text and as object") {
  const std::string ocl = R"({"context": {"@base": "urn:nato:stanag:5636:A:1:elements:json"},
    "ocl": {"catl": [{"name": "Releasable To", "type": "P", "vals": ["usa"]}],
            "pol": "2ccf11cb-6c9a-4e49-9746-a7f0a295945d", "cls": "SECRET", "dcr": "2024-12-17T13:00:52Z"}})";
  const Label label = read_label_json(*Json::parse(ocl)).value();
  CHECK(label.policy_id == "2ccf11cb-6c9a-4e49-9746-a7f0a295945d");
  CHECK(label.releasable_to() == std::vector<std::string>{"usa"});
  CHECK(label.created == time_for_test("2024-12-17T13:00:52Z"));
  CHECK(read_label_json(Json(ocl)).value() == label);
  CHECK(read_label_json(*write_label_json(label)).value() == label);
  const auto shown = read_label_json(*Json::parse(
      R"({"Xmlns": "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0", "CreationTime": "2015-08-29T16:15:00Z",
          "ConfidentialityInformation": {"PolicyIdentifier": "XAA", "Classification": "SECRET",
            "Category": {"Type": "PERMISSIVE", "TagName": "Releasable To", "GenericValues": ["XAA", "XBB"]}}})"));
  REQUIRE_MESSAGE(shown.has_value(), shown.error().text());
  CHECK(shown->releasable_to().size() == 2);
}

TEST_CASE("an assertion that only looks like a label is refused") {
  for (
      const char* text : {
          R"({"ocl": "2024-10-21T20:47:36Z"})",
          R"({"ocl": {"pol": "XAA"}})",
          R"("\"{}\"")",
          R"([])",
          R"({"ocl": {"pol": "XAA", "cls": "SECRET", "also": 1}})",
          R"({"ocl": {"pol": "XAA", "cls": "SECRET", "catl": [{"type": "X", "name": "a", "vals": ["b"]}]}})",
          R"({"ocl": {"pol": "XAA", "cls": "SECRET", "catl": [{"type": "P", "name": "a", "vals": []}]}})",
          R"({"ocl": {"pol": "XAA", "cls": "SECRET"}, "other": {}})",
          R"({"ConfidentialityInformation": {"PolicyIdentifier": "XAA", "Classification": "SECRET", "Category":
              {"TagName": "Caveats", "Type": "R", "GenericValue": "PROPIN", "GenericValues": ["ORCON"]}}})",
          R"({"ConfidentialityInformation": {"PolicyIdentifier": "XAA", "Classification": "SECRET", "Category": [
              {"TagName": "Caveats", "Type": "R", "GenericValues": ["ORCON"], "GenericValue": "PROPIN"}]}})",
          R"({"ConfidentialityInformation": {"PolicyIdentifier": "XAA", "Classification": "SECRET"},
              "CreationTime": "2026-11-01T00:00:00Z", "CreationDateTime": "2027-11-01T00:00:00Z"})",
      }) {
    INFO(text);
    const auto read = read_label_json(*Json::parse(text));
    CHECK((code_of(read) == "label.format" || code_of(read) == "label.value"));
  }
  CHECK(code_of(write_label_json(full())) == "label.format");
}

TEST_CASE("attack: the label of a label is taken for that of the data") {
  const Label label = label_for_test("SECRET");
  CHECK(code_of(read_label_text(write_label_xml(label, LabelRole::metadata))) == "label.format");
  for (const LabelRole role : {LabelRole::originator, LabelRole::alternative, LabelRole::plain})
    CHECK(read_label_text(write_label_xml(label, role)).has_value());
}

TEST_CASE("between a label's elements a processing instruction is harmless, and in a value it is refused") {
  const auto read = read_label_xml(around("<?app x?>" + std::string(kHead)));
  REQUIRE_MESSAGE(read.has_value(), read.error().text());
  CHECK(read->label.classification == "SECRET");
  CHECK(code_of(read_label_xml(around("<PolicyIdentifier>XAA</PolicyIdentifier>"
                                      "<Classification>SEC<?app x?>RET</Classification>"))) ==
        "label.format");
}

TEST_CASE("attack: an empty element stands before another of its name, and readers differ in which counts") {
  std::string label = around(kHead);
  label.insert(label.rfind("</orig"), "<OriginatorID/><OriginatorID>eve@xaa.example</OriginatorID>");
  CHECK(code_of(read_label_xml(label)) == "label.format");
  CHECK(code_of(read_label_xml(around(std::string(kHead) + "<PrivacyMark/><PrivacyMark>A</PrivacyMark>"))) ==
        "label.format");
}

TEST_CASE("a time's zone lies at most fourteen hours off, and what is said of a time is UTF-8") {
  const auto created = [](const std::string& at) {
    std::string label = around(kHead);
    label.insert(label.rfind("</orig"), "<CreationDateTime>" + at + "</CreationDateTime>");
    return read_label_xml(label);
  };
  CHECK(created("2026-11-01T10:00:00+14:00").has_value());
  CHECK(code_of(created("2026-11-01T10:00:00+14:01")) == "label.format");
  CHECK(code_of(created("2026-11-01T10:00:00-14:30")) == "label.format");
  std::string letters(39, 'x');
  for (int i = 0; i < 10; ++i) letters += "\u00e5";
  CHECK(is_utf8(created(letters).error().text()));
}
