#include "node/recall_order.h"

#include "coalition/example_test.h"
#include "data/policy_id.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;

namespace {

struct Node {
  example::Records records = example::records("XAA");

  // As the operators' API does it: what was ordered stands from then on.
  std::string order(const std::string& kind, const std::string& written, const std::string& partner = {},
                    const std::string& classification = {}) {
    const std::string what = recall_name(kind, written);
    Json record = Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
    if (!partner.empty()) record.set("partner", partner);
    if (!classification.empty()) record.set("classification", classification);
    const RecallFacts facts{
        [](std::string_view kid) { return kid == "2026-11-01-rsa"; },
        [](const PartnerCode&, const PersonId& person) { return person.text() == "ingrid-at-cop"; }};
    auto made = recall_record(example::world(records), kind, what, record, facts);
    if (!made) return made.error().code();
    records["recall/" + kind + "/" + what] = *std::move(made);
    return "";
  }
  [[nodiscard]] bool opens_for(const std::string& partner, const std::string& post) const {
    const coalition::Ask ask =
        example::ask_object(example::person(partner, post), coalition::Action::open,
                            {example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                             example::fqn("releasable-to", "xbb")});
    return coalition::decide(example::world(records), ask).permit;
  }
};

constexpr const char* kObject = "object-1";  // example::ask_object's

}  // namespace

TEST_CASE("attack: a second recall lifts nothing of the first") {
  Node node;
  REQUIRE(node.opens_for("XAA", "officer"));
  CHECK(node.order("policy", kObject) == "");
  CHECK(node.order("policy", kObject, "XBB") == "recall.stands");
  CHECK_FALSE(node.opens_for("XAA", "officer"));
  CHECK_FALSE(node.opens_for("XBB", "planner"));
}

TEST_CASE("recalls for one nation after another are joined, and one for everybody takes their place") {
  Node node;
  CHECK(node.order("policy", kObject, "XBB") == "");
  CHECK_FALSE(node.opens_for("XBB", "planner"));
  CHECK(node.opens_for("XAA", "officer"));
  CHECK(node.order("policy", kObject, "XAA") == "");
  CHECK_FALSE(node.opens_for("XBB", "planner"));
  CHECK_FALSE(node.opens_for("XAA", "officer"));
  CHECK(node.order("policy", kObject) == "");
  CHECK(node.records[std::string("recall/policy/") + kObject].find("partners") == nullptr);
}

TEST_CASE("a recall by label of a name that stands is that label's again, and no other's") {
  Node node;
  CHECK(node.order("label", "high", "", "SECRET") == "");
  CHECK(node.order("label", "high", "", "CONFIDENTIAL") == "recall.stands");
  CHECK(node.order("label", "high", "", "SECRET") == "");
}

TEST_CASE("a recall that could match nothing is refused") {
  Node node;
  CHECK(node.order("partner", "XBB") == "");
  CHECK(node.order("partner", "XZZ") == "field.value");
  CHECK(node.order("author", std::string(43, 'A')) == "field.value");  // that is an author's own word
  CHECK(node.order("partner", "XBB", "XAA") == "field.value");
  CHECK(node.order("policy", "object-7", "XZZ") == "field.value");
  CHECK(node.order("mission", "harbor-light") == "");
  CHECK(node.order("mission", "harbour-light") == "field.value");
  CHECK(node.order("key", "2026-11-01-rsa") == "");
  CHECK(node.order("key", "2026-11-01") == "field.value");
  CHECK(node.order("person", "XBB/ingrid") == "");
  CHECK(node.order("person", "ingrid") == "field.value");
  CHECK(node.order("person", "XZZ/ingrid") == "field.value");
  const std::string digest(43, 'A');
  CHECK(node.order("object", digest) == "");
  CHECK(node.order("object", digest.substr(1)) == "field.value");
  CHECK(node.order("device", digest) == "");
  CHECK(node.order("device", "laptop") == "field.value");
}

TEST_CASE("attack: a person is recalled by the id that an app knows them by, and goes on opening") {
  Node node;
  CHECK(node.order("person", "XBB/ingrid-at-cop") == "field.value");
  CHECK_FALSE(node.records.contains("recall/person/XBB/ingrid-at-cop"));
  CHECK(node.order("person", "XBB/ingrid-at-kas") == "");
  CHECK(node.order("person", "XAA/ingrid-at-cop") == "");  // own people have one id at their own node
}

TEST_CASE("attack: an object's id in capitals is recalled, and the object goes on opening") {
  Node node;
  const auto asked = [&](const std::string& id) {
    coalition::Ask ask =
        example::ask_object(example::person("XBB", "planner"), coalition::Action::open,
                            {example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                             example::fqn("releasable-to", "xbb")});
    ask.target = coalition::ObjectRef{data::plain_policy_id(id)};  // as a policy is read
    return coalition::decide(example::world(node.records), ask).permit;
  };
  const std::string id = "c2f1de5f-0000-4000-8000-00000000000a";
  const std::string high = "C2F1DE5F-0000-4000-8000-00000000000A";
  REQUIRE(asked(id));
  REQUIRE(asked(high));
  CHECK(node.order("policy", high) == "");
  CHECK_FALSE(asked(id));
  CHECK_FALSE(asked(high));
  // What is no UUID is its sealer's own word, as it stands.
  for (const char* other : {"Object-1", "C2F1DE5F", "C2F1DE5F-0000-4000-8000-00000000000G", ""})
    CHECK(recall_name("policy", other) == other);
  CHECK(recall_name("person", high) == high);
}

TEST_CASE("attack: a question about releases that nothing could answer is no all-clear") {
  const coalition::World world = example::world(example::records("XAA"));
  const auto ask = [&](std::string partner, std::string person, std::string device, std::string object) {
    const data::ExposureFilter filter{.partner = std::move(partner),
                                      .person = std::move(person),
                                      .object = std::move(object),
                                      .device = std::move(device)};
    const auto once = [](std::string_view code) { return code == "XQQ"; };  // gone since
    const auto checked = check_exposure(world, filter, once);
    return checked ? std::string() : checked.error().where();
  };
  CHECK(ask("", "", "", "") == "");
  CHECK(ask("XBB", "", "", "") == "");
  CHECK(ask("XAA", "", "", "") == "");
  CHECK(ask("XQQ", "XQQ/ana", "", "") == "");
  CHECK(ask("xbb", "", "", "") == "partner");
  CHECK(ask("XZZ", "", "", "") == "partner");
  CHECK(ask("", "XBB/ingrid", "", "") == "");
  for (const char* person : {"ingrid", "XBB", "XBB/", "xbb/ingrid", "/ingrid"}) {
    CAPTURE(person);
    CHECK(ask("", person, "", "") == "person");
  }
  CHECK(ask("XAA", "XBB/ingrid", "", "") == "person");
  const std::string digest(43, 'A');
  CHECK(ask("", "", digest, digest) == "");
  CHECK(ask("", "", "browser:one", "object-1") == "");
  CHECK(ask("", "", "laptop", "") == "device");
  CHECK(ask("", "", "", "object\n1") == "object");
  CHECK(ask("", "", "", std::string(5'000, 'a')) == "object");
}
