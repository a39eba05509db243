#include "data/exposure_for_test.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace entente;
using namespace entente::data;
using namespace entente::data::exposure_test;

TEST_CASE("exposure counts releases, and nothing else that anybody can cause") {
  Exposure exposure{PartnerCode("XAA")};
  add(exposure, leaf("key.attempt", "ingrid", "a"));
  add(exposure, leaf("key.refusal", "ingrid", "a"));
  add(exposure, leaf("key.release", "ingrid", "a"));
  add(exposure, leaf("key.release", "ingrid", "a", Millis(5)));
  add(exposure, leaf("key.release", "ingrid", "b"));
  add(exposure, leaf("key.release", "olav", "a"));
  add(exposure, leaf("key.release", "olav", "c"));
  add(exposure, leaf("key.withheld", "olav", "c"));
  const coalition::World world = example::world(example::records("XAA"));
  const Json all = report_of(exposure, {}, world);
  CHECK(number(all, "releases") == 4);
  CHECK(number(all, "readers") == 2);
  CHECK(number(all, "objects") == 2);
  CHECK(number(all, "openable") == 4);  // keys, as they were released
  const Json one =
      report_of(exposure, {.partner = "XBB", .person = "XBB/ingrid", .object = "a", .device = {}}, world);
  REQUIRE(one.find("rows")->items().size() == 1);
  CHECK(one.find("rows")->items()[0].find("count")->integer() == 2);
  CHECK(number(report_of(exposure, {.partner = "XCC", .person = {}, .object = {}, .device = {}}, world),
               "releases") == 0);
}

TEST_CASE("what was recalled, or whose nation was suspended, can be opened no more") {
  Exposure exposure{PartnerCode("XAA")};
  add(exposure, leaf("key.release", "ingrid", "a"));
  add(exposure, leaf("key.release", "ingrid", "b"));
  example::Records records = example::records("XAA");
  records["recall/policy/a"] =
      Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
  const Json recalled = report_of(exposure, {}, example::world(records));
  CHECK(number(recalled, "openable") == 1);
  records["partner/XBB"].set("state", "suspended");
  const Json suspended = report_of(exposure, {}, example::world(records));
  CHECK(number(suspended, "openable") == 0);
  CHECK(suspended.find("rows")->items()[0].text_or("why", "") == "partner-suspended");
}

TEST_CASE("attack: of two objects that look alike one is released, the other was taken back") {
  const auto orcon = [](const char* person, const char* object) {
    ledger::Record out = leaf("key.release", person, object);
    out.fields[0].second = "XCC";
    out.fields[7].second =
        Json::array({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                     example::fqn("handling", "orcon")});
    return out;
  };
  Exposure exposure{PartnerCode("XAA")};
  add(exposure, orcon("ana", "a"));
  add(exposure, orcon("ana", "b"));
  add(exposure, orcon("bo", "b"));
  add(exposure, orcon("ana", "c"));
  coalition::Release release;
  release.partner = PartnerCode("XCC");
  release.attributes = {example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                        example::fqn("handling", "orcon")};
  release.purpose = "EXERCISE: berths";
  release.minutes = 60;
  release.by = "operator/asha.lind";
  release.asked = example::kNow - std::chrono::minutes(1);
  release.end = example::kNow + std::chrono::hours(1);
  release.state = coalition::RequestState::granted;
  release.approvals.push_back({"operator/asha.lind", "", release.asked, VerdictId("v")});
  release.start = release.asked;
  release.until = release.end - std::chrono::minutes(5);
  example::Records records = example::records("XAA");
  const auto give = [&](const char* id, const char* object, const char* person, const char* right) {
    release.id = RequestId(id);
    release.object = object;
    release.person = PersonId(person);
    release.rights = {right};
    records[record_key(release)] = to_json(release);
  };
  give("r1", "b", "bo", "open");
  give("r2", "c", "", "edit");
  const Json report = report_of(exposure, {}, example::world(records));
  std::map<std::string, std::string> why;
  for (const Json& row : report.find("rows")->items())
    why[fmt::format("{} {}", row.text_or("person", ""), row.text_or("object", ""))] =
        row.text_or("why", "openable");
  CHECK(why["ana a"] == "object-not-released");
  CHECK(why["ana b"] == "object-not-released");
  CHECK(why["bo b"] == "openable");
  CHECK(why["ana c"] == "openable");
  CHECK(number(report, "openable") == 2);
}

TEST_CASE("attack: one reader opens so much that nobody else's releases would be shown") {
  Exposure exposure(PartnerCode("XAA"), 64 << 10);
  for (int i = 0; i < 10'000; ++i) add(exposure, leaf("key.release", "ingrid", fmt::format("object-{}", i)));
  add(exposure, leaf("key.release", "olav", "plan"));
  const coalition::World world = example::world(example::records("XAA"));
  const Json report = report_of(exposure, {}, world);
  CHECK(number(report, "releases") + number(report, "incomplete") == 10'001);
  CHECK(number(report, "incomplete") > 9'000);
  CHECK(exposure.bytes() <= 64 << 10);
  const Json olav =
      report_of(exposure, {.partner = {}, .person = "XBB/olav", .object = {}, .device = {}}, world);
  CHECK(number(olav, "releases") == 1);
}

TEST_CASE("attack: one nation's readers leave room for the others'") {
  Exposure exposure(PartnerCode("XAA"), 64 << 10);
  for (int i = 0; i < 1'000; ++i) add(exposure, leaf("key.release", fmt::format("made-up-{}", i), "plan"));
  ledger::Record own = leaf("key.release", "konrad", "plan");
  own.fields[0].second = "XAA";
  add(exposure, own);
  const coalition::World world = example::world(example::records("XAA"));
  const Json report =
      report_of(exposure, {.partner = "XAA", .person = {}, .object = {}, .device = {}}, world);
  CHECK(number(report, "releases") == 1);
  CHECK(number(report, "incomplete") == 0);
  CHECK(number(report_of(exposure, {}, world), "incomplete") > 0);
}

TEST_CASE("while there is room it is for whoever comes, also for one reader alone") {
  constexpr size_t kRoom = 4 << 20;
  Exposure exposure(PartnerCode("XAA"), kRoom);
  size_t releases = 0;
  for (; exposure.bytes() < kRoom / 2; ++releases) {
    ledger::Record of =
        leaf("key.release", "ingrid", fmt::format("5e0f3a52-0000-4000-8000-{:012}", releases));
    of.fields[4].second = fmt::format("{:043}", releases);  // as long as a digest
    add(exposure, of);
  }
  CHECK(exposure.incomplete() == 0);
  // So a million releases have room, each of an object of its own.
  CHECK(exposure.bytes() / releases < kExposureBytesMax / 4 * 3 / 1'000'000);
}

TEST_CASE("attack: what was released to one nation is hidden behind as much as there is no room for") {
  constexpr size_t kRoom = 24 << 10;  // for one nation's, and not for both
  std::vector<ledger::Record> all;
  for (int i = 0; i < 60; ++i) {
    all.push_back(leaf("key.release", fmt::format("reader-{}", i % 6), fmt::format("object-{}", i)));
    if (i % 20 == 0) all.back().fields[2].second = "device-2";
    all.push_back(leaf("key.release", fmt::format("ana-{}", i % 6), fmt::format("other-{}", i)));
    all.back().fields[0].second = "XCC";
  }
  const auto kept = [&](const ExposureFilter& filter, size_t room) {
    Exposure out(PartnerCode("XAA"), filter, room);
    for (uint64_t i = 0; i < all.size(); ++i) out.add(all[i], i);
    return out;
  };
  const Exposure exposure = kept({}, kRoom);
  const coalition::World world = example::world(example::records("XAA"));
  // Each report says what it is missing itself, or may be missing where that is not known apart.
  const auto missing = [&](const ExposureFilter& filter) {
    return number(report_of(exposure, filter, world), "incomplete");
  };
  const int64_t of_xbb = missing({.partner = "XBB"});
  CHECK(of_xbb > 0);
  CHECK(missing({.person = "XBB/reader-1"}) == of_xbb);
  CHECK(missing({.object = "object-1"}) == missing({}));
  CHECK(missing({}) == of_xbb + missing({.partner = "XCC"}));
  CHECK(missing({.partner = "XDD"}) == 0);
  // Read again for them alone, all of it is there.
  const Exposure whole = kept({}, 100 * kRoom);
  for (const ExposureFilter& filter :
       {ExposureFilter{.partner = "XBB"}, ExposureFilter{.partner = "XCC", .object = "other-1"},
        ExposureFilter{.person = "XBB/reader-1"}, ExposureFilter{.object = "object-59"},
        ExposureFilter{.person = "XBB/nobody"}, ExposureFilter{.object = "digest-1", .device = "device-2"}}) {
    CAPTURE(filter.partner);
    CAPTURE(filter.person);
    CAPTURE(filter.object);
    const Exposure own = kept(filter, kRoom);
    CHECK(own.incomplete() == 0);
    CHECK(own.bytes() <= kRoom);
    CHECK(report_of(own, filter, world).dump() == report_of(whole, filter, world).dump());
  }
  // One reader of the nation that is asked about leaves room for its others, and bounds hold.
  Exposure own(PartnerCode("XAA"), ExposureFilter{.partner = "XBB"}, kRoom);
  for (uint64_t i = 0; i < 1'000; ++i) own.add(leaf("key.release", "ingrid", fmt::format("o-{}", i)), i);
  own.add(leaf("key.release", "olav", "plan"), 1'000);
  CHECK(own.incomplete() > 500);
  CHECK(own.bytes() <= kRoom);
  CHECK(number(report_of(own, {.person = "XBB/olav"}, world), "releases") == 1);
}

TEST_CASE("all rows are reached, a page after the other, and each once") {
  Exposure exposure{PartnerCode("XAA")};
  constexpr uint64_t kRows = 2 * kExposureShownMax + 7;
  for (uint64_t i = 0; i < kRows; ++i)
    exposure.add(leaf("key.release", i % 2 == 0 ? "ingrid" : "olav", fmt::format("object-{}", i)), 10 + i);
  exposure.add(leaf("key.release", "ingrid", "object-0"), 10 + kRows);  // the oldest is the newest again
  const coalition::World world = example::world(example::records("XAA"));
  std::set<std::string> seen;
  ExposureFilter filter{.partner = "XBB"};
  int64_t last = INT64_MAX;
  for (const int64_t left : {int64_t{kRows - kExposureShownMax}, int64_t{7}, int64_t{0}}) {
    const Json page = report_of(exposure, filter, world);
    CHECK(number(page, "releases") == kRows + 1);
    CHECK(number(page, "objects") == kRows);
    CHECK(number(page, "more") == left);
    for (const Json& row : page.find("rows")->items()) {
      CHECK(seen.emplace(row.text_or("object", "")).second);
      CHECK(number(row, "last_entry") < last);
      last = number(row, "last_entry");
    }
    REQUIRE((page.find("next") != nullptr) == (left > 0));
    if (left > 0) filter.before = static_cast<uint64_t>(number(page, "next"));
  }
  CHECK(seen.size() == kRows);
}

TEST_CASE("each kind of recall shuts what it names, and nothing beside it") {
  Exposure exposure{PartnerCode("XAA")};
  add(exposure, leaf("key.release", "ingrid", "a"));
  ledger::Record other = leaf("key.release", "olav", "b");
  other.fields[2].second = "device-2";
  other.fields[4].second = "digest-2";
  other.fields[5].second = "key-2";
  add(exposure, other);
  ledger::Record passed = leaf("key.passed", "olav", "c");  // another nation's service, and its own kids
  passed.fields[2].second = "device-2";
  passed.fields[4].second = "digest-3";
  add(exposure, passed);
  struct Case {
    const char* recall;
    int64_t openable;
    int64_t elsewhere;  // as far as is known here
  };
  for (const auto& [recall, openable, elsewhere] : std::initializer_list<Case>{{"policy/a", 1, 1},
                                                                               {"policy/c", 2, 0},
                                                                               {"object/digest-1", 1, 1},
                                                                               {"person/XBB/ingrid", 1, 1},
                                                                               {"device/device-1", 1, 1},
                                                                               {"device/device-2", 1, 0},
                                                                               {"key/key-1", 1, 1},
                                                                               {"partner/XBB", 0, 0},
                                                                               {"policy/none", 2, 1}}) {
    CAPTURE(recall);
    example::Records records = example::records("XAA");
    records[fmt::format("recall/{}", recall)] =
        Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
    const Json report = report_of(exposure, {}, example::world(records));
    CHECK(number(report, "openable") == openable);
    CHECK(number(report, "elsewhere") == elsewhere);
  }
}

TEST_CASE("attack: what another nation's service released, and has taken back since, is said to open still") {
  const coalition::World world = example::world(example::records("XBB"));
  Exposure exposure{PartnerCode("XBB")};
  const auto of = [](const char* kind, const char* digest) {
    ledger::Record out = leaf(kind, "ingrid", "joint");
    out.fields[4].second = digest;
    out.fields[7].second =
        Json::array({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                     example::fqn("originator", "xbb")});
    return out;
  };
  ledger::Record theirs = of("key.passed", "digest-2");
  theirs.fields.emplace_back("service", "XAA");
  add(exposure, of("key.release", "digest-1"));
  add(exposure, theirs);
  add(exposure, theirs);
  const auto rows = [&](const coalition::World& under, int64_t openable, int64_t elsewhere) {
    const Json report = report_of(exposure, {}, under);
    CHECK(number(report, "releases") == 3);
    CHECK(number(report, "openable") == openable);
    CHECK(number(report, "elsewhere") == elsewhere);
    std::map<bool, Json> out;
    for (const Json& row : report.find("rows")->items()) out.emplace(row.find("passed")->boolean(), row);
    REQUIRE(out.size() == 2);
    return out;
  };
  // This node knows nothing of what Aldoria recalled: of its share it says neither that it opens nor that
  // not.
  std::map<bool, Json> said = rows(world, 1, 2);
  CHECK(said[true].text_or("service", "") == "XAA");
  CHECK(said[true].find("openable") == nullptr);
  CHECK(said[true].find("why") == nullptr);
  CHECK(said[false].find("service") == nullptr);
  CHECK(said[false].find("openable")->boolean());
  // What it does know counts: it lets nobody ask there any more.
  example::Records records = example::records("XBB");
  records["recall/policy/joint"] =
      Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
  said = rows(example::world(records), 0, 0);
  CHECK_FALSE(said[true].find("openable")->boolean());
  CHECK(said[true].text_or("why", "") == "object-recalled");
}

TEST_CASE(
    "attack: what another nation's service says of a key changes what is said of this node's own release") {
  ledger::Record like = leaf("key.release", "ingrid", "plan");
  const Json own = field_of(like, "attributes");
  const Json made_up = Json::array({example::fqn("classification", "unclassified")});
  // An object's id and its wrapped key are anybody's to copy, beside attributes and a kid of their choice.
  const auto of = [](const char* kind, const char* verdict, const char* kid, const Json& attributes) {
    ledger::Record out = leaf(kind, "ingrid", "plan");
    field_of(out, "verdict") = verdict;
    field_of(out, "kid") = kid;
    field_of(out, "attributes") = attributes;
    return out;
  };
  const auto passed = [&](const char* verdict, const char* service, const char* kid, const Json& attributes) {
    ledger::Record out = of("key.passed", verdict, kid, attributes);
    out.fields.emplace_back("service", service);
    return out;
  };
  std::vector<ledger::Record> all{
      of("key.release", "own", "key-1", own),         passed("their kid", "XCC", "key-9", own),
      passed("their service", "XCC", "key-1", own),   passed("another one's", "XDD", "key-1", own),
      passed("made up", "XCC", "key-1", made_up),     of("key.release", "own, other", "key-1", made_up),
      of("key.release", "own, new key", "key-2", own)};
  const coalition::World world = example::world(example::records("XAA"));
  const auto rows = [&](const Exposure& exposure) {
    std::map<std::string, Json> out;
    const Json report = report_of(exposure, {}, world);
    for (const Json& row : report.find("rows")->items()) out.emplace(row.text_or("verdict", ""), row);
    return out;
  };
  for (size_t turn = 0; turn < all.size(); ++turn) {  // whichever comes first
    Exposure exposure{PartnerCode("XAA")};
    for (const ledger::Record& record : all) add(exposure, record);
    std::map<std::string, Json> said = rows(exposure);
    REQUIRE(said.size() == all.size());
    CHECK_FALSE(said["own"].find("passed")->boolean());
    CHECK(said["own"].find("service") == nullptr);
    CHECK(said["own"].text_or("kid", "") == "key-1");
    CHECK(said["their kid"].text_or("kid", "") == "key-9");
    CHECK(said["their kid"].text_or("service", "") == "XCC");
    CHECK(said["another one's"].text_or("service", "") == "XDD");
    // Each is taken back from its own row: a withheld one bears no attributes, and its release's verdict.
    for (const ledger::Record& record : all) {
      ledger::Record withheld = record;
      withheld.event_class = "key.withheld";
      std::erase_if(withheld.fields, [](const Json::Member& one) { return one.first == "attributes"; });
      add(exposure, withheld);
      CHECK(said.erase(field_of(withheld, "verdict").string()) == 1);
      CHECK(rows(exposure).size() == said.size());
      for (const auto& [verdict, row] : said) CHECK(rows(exposure)[verdict].dump() == row.dump());
    }
    std::rotate(all.begin(), all.begin() + 1, all.end());
  }
}

TEST_CASE("attack: made-up kids and attributes take more memory than there is room for") {
  Exposure exposure(PartnerCode("XAA"), 64 << 10);
  constexpr int kReleases = 1'000;
  for (int i = 0; i < kReleases; ++i) {
    ledger::Record passed = leaf("key.passed", "ingrid", "plan");
    field_of(passed, "kid") = fmt::format("{:0250}", i);
    field_of(passed, "attributes") = Json::array({fmt::format("{:0250}", i)});
    add(exposure, passed);
    REQUIRE(exposure.bytes() <= 64 << 10);
  }
  const auto kept = static_cast<size_t>(kReleases) - exposure.incomplete();
  CHECK(kept > 10);
  CHECK(exposure.bytes() > kept * 500);
}

namespace {

void replace_in_files(const std::filesystem::path& folder, const std::string& from, const std::string& to) {
  size_t found = 0;  // in the attempt and in the release
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
      file.seekp(static_cast<std::streamoff>(at));
      file.write(to.data(), static_cast<std::streamsize>(to.size()));
      ++found;
    }
  }
  REQUIRE(found == 2);
}

}  // namespace

TEST_CASE("what its author took back can be opened no more, and another policy around the same key can") {
  Exposure exposure{PartnerCode("XAA")};
  const auto of_text = [](const char* kind, const char* text) {
    ledger::Record out = leaf(kind, "ingrid", "a");
    out.fields.emplace_back("policy", text);
    return out;
  };
  add(exposure, of_text("key.release", "text-1"));
  add(exposure, of_text("key.release", "text-2"));
  add(exposure, of_text("key.release", "text-2"));
  add(exposure, leaf("key.release", "ingrid", "a"));  // of before there were authors
  example::Records records = example::records("XAA");
  CHECK(number(report_of(exposure, {}, example::world(records)), "openable") == 4);
  records["recall/author/text-1"] =
      Json::object({{"reason", "EXERCISE"}, {"by", "p-1"}, {"at", rfc3339(example::kNow)}, {"object", "a"}});
  const coalition::World world = example::world(records);
  const Json said = report_of(exposure, {}, world);
  CHECK(number(said, "releases") == 4);
  CHECK(number(said, "openable") == 3);
  for (const Json& row : said.find("rows")->items())
    if (const std::string why(row.text_or("why", "")); !why.empty()) {
      CHECK(why == "object-recalled");
      CHECK(row.find("count")->integer() == 1);
    }
  // Taken back from the row that it was counted in.
  add(exposure, of_text("key.withheld", "text-1"));
  CHECK(number(report_of(exposure, {}, world), "releases") == 3);
  CHECK(number(report_of(exposure, {}, world), "openable") == 3);
}

TEST_CASE("what a recall names is known here, or not, or it is not known whether") {
  Exposure exposure(PartnerCode("XAA"), 64 << 10);
  add(exposure, leaf("key.attempt", "olav", "b"));
  CHECK(exposure.knows("person", "XBB/olav") == false);
  add(exposure, leaf("key.release", "ingrid", "a"));
  CHECK(exposure.knows("person", "XBB/ingrid") == true);
  CHECK(exposure.knows("person", "XBB/ingri") == false);
  CHECK(exposure.knows("policy", "a") == true);
  CHECK(exposure.knows("policy", "A") == false);
  CHECK(exposure.knows("object", "digest-1") == true);
  CHECK(exposure.knows("device", "device-2") == false);
  CHECK_FALSE(exposure.knows("label", "high").has_value());
  // A name without a row may be one that had no room.
  for (int i = 0; i < 1'000; ++i) add(exposure, leaf("key.release", "ingrid", fmt::format("object-{}", i)));
  REQUIRE(exposure.incomplete() > 0);
  CHECK(exposure.knows("policy", "a") == true);
  CHECK_FALSE(exposure.knows("policy", "object-999").has_value());
  CHECK_FALSE(exposure.knows("person", "XBB/nobody").has_value());
  CHECK(exposure.knows("person", "XCC/nobody") == false);
}

TEST_CASE("attack: an entry of the ledger that cannot be read is not left out") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("entente-exposure-{}", ::getpid());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  ledger::Options options{.folder = folder,
                          .origin = "entente.xaa/ledger",
                          .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519),
                          .segment_bytes = 1 << 20,
                          .reserve_bytes = 64 << 10};
  auto ledger = ledger::Ledger::open(std::move(options)).value();
  for (const char* object : {"first", "second", "third"})
    REQUIRE(ledger->append_and_wait(
        {leaf("key.attempt", "ingrid", object), leaf("key.release", "ingrid", object)}));
  Exposure exposure{PartnerCode("XAA")};
  replace_in_files(folder, "second", "sec0nd");
  auto read = exposure.read_on(*ledger, ledger->size(), 100);
  REQUIRE_FALSE(read);
  CHECK(exposure.read() == 2);
  CHECK(exposure.releases() == 1);
  CHECK_FALSE(exposure.read_on(*ledger, ledger->size(), 100));
  CHECK(exposure.releases() == 1);
  replace_in_files(folder, "sec0nd", "second");
  read = exposure.read_on(*ledger, ledger->size(), 1);
  REQUIRE(read);
  CHECK(*read);  // there is more, for another turn
  read = exposure.read_on(*ledger, ledger->size(), 100);
  REQUIRE(read);
  CHECK_FALSE(*read);
  CHECK(exposure.releases() == 3);
  // Each row says where in the ledger it stands.
  const Json report = report_of(exposure, {}, example::world(example::records("XAA")));
  CHECK(number(report, "read") == static_cast<int64_t>(ledger->size()));
  for (const Json& row : report.find("rows")->items()) {
    const auto entry = ledger->record(static_cast<uint64_t>(row.find("last_entry")->integer()));
    REQUIRE(entry);
    CHECK(entry->event_class == "key.release");
    CHECK(std::ranges::any_of(entry->fields, [&](const auto& field) {
      return field.first == "object" && field.second.string() == row.text_or("object", "");
    }));
  }
  ledger.reset();
  std::filesystem::remove_all(folder);
}
