#include "data/object_for_test.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::data;

namespace {

// By how many KiB a child's memory peaks above what it began with, while it reads this manifest.
long peak_of_reading(const std::string& text, std::string& code) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto peak = [] {
      rusage usage{};
      ::getrusage(RUSAGE_SELF, &usage);
      return usage.ru_maxrss;
    };
    const long before = peak();
    const auto read = read_manifest(text);
    const std::string said =
        std::to_string(peak() - before) + " " + (read ? std::string("ok") : read.error().code());
    const bool told = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said(128, '\0');
  const ssize_t length = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(length > 0);
  said.resize(static_cast<size_t>(length));
  code = said.substr(said.find(' ') + 1);
  return std::stol(said);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  REQUIRE_MESSAGE(at != std::string::npos, what);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("attack: a manifest of a million values is refused in little memory") {
  const Bytes object = seal_for_test(plan_for_test(key_for_test()), to_bytes("EXERCISE"));
  const std::string good = manifest_text_of(object);
  std::string code;
  peak_of_reading(good, code);
  CHECK(code == "ok");
  const auto with = [&](std::string_view one) {
    std::string out = good.substr(0, good.size() - 1) + R"(,"assertions":[{"id":"a","value":[)";
    while (out.size() < kFrameBytesMax - 100) out += one;
    return out + "0]}]}";
  };
  for (const std::string_view one : {"0,", "{},", "[],", "\"\",", "{\"\":0},"}) {
    const std::string text = with(one);
    const long peak = peak_of_reading(text, code);
    INFO(one);
    CHECK(code == "data.manifest");
    CHECK(peak < 32 * 1024);
  }
}

TEST_CASE("brackets and commas within texts count for nothing") {
  const Bytes object = seal_for_test(plan_for_test(key_for_test()), to_bytes("EXERCISE"));
  const std::string good = manifest_text_of(object);
  const std::string commas(kFrameValuesMax * 2, ',');
  const std::string text =
      good.substr(0, good.size() - 1) + R"(,"assertions":[{"id":"\"[[[)" + commas + R"("}]})";
  CHECK(read_manifest(text));
}

TEST_CASE("a manifest is read as others write it: null for none, zipstream, any default size") {
  const crypto::PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(plan_for_test(key), to_bytes("EXERCISE: ten tents"));
  const std::string good = manifest_text_of(object);
  const auto opened = [&](const std::string& text) {
    return code_of(open_for_test(with_manifest(object, text), {key}));
  };
  const std::string defaults = R"("segmentSizeDefault":2097152,"encryptedSegmentSizeDefault":2097180)";
  const std::string sizes = R"("segmentSize":19,"encryptedSegmentSize":47)";
  for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
           {R"("protocol":"zip",)", R"("protocol":"zipstream",)"},
           {R"("mimeType":"application/octet-stream")", R"("mimeType":null)"},
           {R"("schemaVersion":"4.3.0")", R"("schemaVersion":null,"tdf_spec_version":null)"},
           {R"("segmentHashAlg":"GMAC")", R"("segmentHashAlg":null)"},
           {defaults, R"("segmentSizeDefault":104857600,"encryptedSegmentSizeDefault":104857628)"},
           {R"("protocol":"kas",)", R"("protocol":null,)"}})
    CHECK_MESSAGE(opened(replaced(good, what, with)) == "ok", with);
  // Sizes that a segment leaves to the default are that segment's, limit and all.
  const std::string bare = replaced(good, "," + sizes, R"(,"segmentSize":null)");
  const auto both = [](int64_t bytes) {
    return R"("segmentSizeDefault":)" + std::to_string(bytes) + R"(,"encryptedSegmentSizeDefault":)" +
           std::to_string(bytes + 28);
  };
  CHECK(opened(replaced(bare, defaults, both(19))) == "ok");
  CHECK(opened(replaced(bare, defaults, both(104857600))) == "data.manifest");
  CHECK(opened(replaced(good, sizes, R"("segmentSize":104857600,"encryptedSegmentSize":104857628)")) ==
        "data.manifest");
  CHECK(opened(replaced(good, R"("protocol":"zip",)", R"("protocol":"tar",)")) == "data.manifest");
}

TEST_CASE("a share wrapped in a way we do not know is passed over beside one of the same share alone") {
  const crypto::PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(plan_for_test(key), to_bytes("EXERCISE: ten tents"));
  const std::string good = manifest_text_of(object);
  const auto with = [&](const std::string& foreign) {
    return code_of(open_for_test(
        with_manifest(object, replaced(good, R"("keyAccess":[)", R"("keyAccess":[)" + foreign)), {key}));
  };
  CHECK(with(R"({"type":"hybrid-wrapped","url":"https://kas.xbb.localhost","sid":""},)") == "ok");
  CHECK(with(R"({"type":"hybrid-wrapped","url":"https://kas.xbb.localhost"},)") == "ok");
  const auto read = read_manifest(
      replaced(good, R"("keyAccess":[)", R"("keyAccess":[{"type":"hybrid-wrapped","url":"x"},)"));
  REQUIRE(read);
  CHECK(read->key_access.size() == 1);
  CHECK(read->passed_over == std::vector<std::string>{"hybrid-wrapped"});
  // Of another share it is needed, and one of a kind we know is read to the letter.
  CHECK(with(R"({"type":"hybrid-wrapped","url":"https://kas.xbb.localhost","sid":"2"},)") ==
        "data.key-access");
  CHECK(with(R"({"type":"wrapped","url":"https://kas.xbb.localhost"},)") == "data.key-access");
  CHECK(with(R"({"url":"https://kas.xbb.localhost"},)") == "data.key-access");
}
