// What is sealed must open: the sealer keeps to the limits of the reader.
#include "data/seal.h"

#include "data/object_for_test.h"

#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
using crypto::PrivateKey;

namespace {

class SealedLength final : public Sink {
 public:
  Result<void> write(ByteView bytes) override {
    size += bytes.size();
    return {};
  }
  uint64_t size = 0;
};

// How many segments of one byte it takes before it says no; `size_max` where it never does.
struct Filled {
  size_t taken = 0;
  std::string code = "ok";
};
Filled fill(const SealPlan& plan, size_t size_max) {
  SealedLength nowhere;
  Sealer sealer = Sealer::begin(nowhere, plan, std::nullopt).value();
  Filled out;
  const Bytes one(1);
  for (; out.taken < size_max; ++out.taken) {
    if (const auto wrote = sealer.write(one); !wrote) {
      out.code = wrote.error().code();
      break;
    }
  }
  return out;
}

SealPlan tiny_segments(const PrivateKey& key, ObjectVersion version, size_t assertions) {
  SealPlan plan = plan_for_test(key);
  plan.segment_bytes = 1;
  plan.version = version;
  for (size_t i = 0; i < assertions; ++i)
    plan.assertions.push_back({.id = fmt::format("a{}", i), .value = "EXERCISE"});
  return plan;
}

}  // namespace

TEST_CASE("attack: an object that its reader would refuse is refused while it is sealed") {
  const PrivateKey key = key_for_test();
  for (const Json& odd : {Json(int64_t{1} << 53), Json(std::string(128 * 1024, 'x')), Json()}) {
    SealPlan plan = plan_for_test(key);
    plan.assertions.push_back({.id = "odd", .value = odd});
    SealedLength nowhere;
    const auto begun = Sealer::begin(nowhere, std::move(plan), std::nullopt);
    REQUIRE_FALSE(begun);
    CHECK(begun.error().code() == "data.assertion");
    CHECK(nowhere.size == 0);
  }
  const PrivateKey aldoria = key_for_test();
  for (const ObjectVersion version : {ObjectVersion::v4_3_0, ObjectVersion::v4_2_2}) {
    // Every assertion is bound by all of the segments' hashes: many of them fill a manifest soon.
    SealPlan plan = tiny_segments(key, version, 50);
    plan.originator = OriginatorKey{"XAA", aldoria};
    const Filled filled = fill(plan, 10000);
    REQUIRE(filled.code == "data.seal");
    CHECK(filled.taken > 1000);  // near what a reader takes
    const Bytes plain(filled.taken, 'x');
    CHECK(open_for_test(seal_for_test(plan, plain), {key}).value() == plain);
    // Where the size is known, nothing is written.
    MemorySink sink;
    const auto begun = Sealer::begin(sink, plan, filled.taken + 1);
    REQUIRE_FALSE(begun.has_value());
    CHECK(begun.error().code() == "data.seal");
    CHECK(sink.bytes.empty());
  }
}

TEST_CASE("attack: hashes in hexadecimal fill a manifest before there are too many segments") {
  const SealPlan plan = tiny_segments(key_for_test(), ObjectVersion::v4_2_2, 0);
  const Filled filled = fill(plan, kSegmentsMax + 1);
  CHECK(filled.code == "data.seal");
  CHECK(filled.taken < 240000);
  CHECK(filled.taken > 180000);
}

TEST_CASE("segments grow where the size is known and the usual ones would be too many") {
  const PrivateKey key = key_for_test();
  SealPlan plan = plan_for_test(key);
  plan.assertions = tiny_segments(key, ObjectVersion::v4_3_0, 40).assertions;
  SealedLength nowhere;
  CHECK(Sealer::begin(nowhere, plan, uint64_t{20} << 30));
  const auto begun = Sealer::begin(nowhere, plan, UINT64_MAX);
  REQUIRE_FALSE(begun.has_value());
  CHECK(begun.error().code() == "data.seal");
}

TEST_CASE("what no reader takes is refused before a byte of it is written") {
  const PrivateKey key = key_for_test();
  const auto code = [&](const std::function<void(SealPlan&)>& change) {
    SealPlan plan = plan_for_test(key);
    change(plan);
    MemorySink sink;
    const auto begun = Sealer::begin(sink, plan, 1);
    if (!begun) CHECK(sink.bytes.empty());
    return begun ? "ok" : begun.error().code();
  };
  CHECK(code([](SealPlan&) {}) == "ok");
  CHECK(code([](SealPlan& p) { p.mime_type = std::string(300, 'x'); }) == "data.manifest");
  CHECK(code([](SealPlan& p) { p.assertions = {{.id = "a", .value = "x"}, {.id = "a", .value = "y"}}; }) ==
        "data.manifest");
  CHECK(code([](SealPlan& p) { p.shares[0][0].kid = std::string(300, 'k'); }) == "data.key-access");
  CHECK(code([](SealPlan& p) { p.policy.dissem.resize(kDissemMax + 1, "ana"); }) == "data.policy");
  CHECK(code([](SealPlan& p) {
          for (int i = 0; i < 40; ++i)
            p.assertions.push_back({.id = fmt::format("a{}", i), .value = std::string(120000, 'x')});
        }) == "data.manifest");
}
