#include "base/scratch_for_test.h"
#include "cli/cli_for_test.h"
#include "crypto/key.h"
#include "label/label.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace entente;
using namespace entente::cli;
using crypto::KeyKind;
using crypto::PrivateKey;

namespace {

class ObjectFolder : public Scratch {
 public:
  ObjectFolder() {
    for (const char* who : {"xaa", "xbb", "xcc"}) {
      const PrivateKey key = PrivateKey::generate(KeyKind::p256);
      REQUIRE(crypto::save_private_key(file(std::string(who) + ".key"), key));
      put(std::string(who) + ".pub", key.public_key().pem());
    }
    put("plain.txt", text_);
  }

  [[nodiscard]] bool has(const std::string& name) const { return std::filesystem::exists(path() / name); }
  [[nodiscard]] size_t count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path()), {}));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  // entente WORDS..., run in this folder
  [[nodiscard]] Told run(std::vector<std::string> words) const {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(path());
    Told told = told_by(std::move(words));
    std::filesystem::current_path(before);
    return told;
  }

 private:
  std::string text_ = "EXERCISE: ten tents, two doctors\n";
};

}  // namespace

TEST_CASE("seal, inspect, open: with keys in files, and nothing of a refused object is left behind") {
  const ObjectFolder at;
  const Told sealed = at.run({"seal", "plain.txt", "--to", "xaa.pub", "--to", "xbb.pub", "--attribute",
                              "https://xaa.example/attr/releasable/value/xbb", "-o", "o.tdf"});
  REQUIRE_MESSAGE(sealed.exit == kExitOk, sealed.out);
  CHECK(at.run({"open", "o.tdf", "--key", "xbb.key", "-o", "xbb.txt"}).exit == kExitOk);
  CHECK(at.get("xbb.txt") == at.text());

  const size_t files = at.count();
  const Told stranger = at.run({"open", "o.tdf", "--key", "xcc.key", "-o", "xcc.txt"});
  CHECK(stranger.exit == kExitRefused);
  CHECK(stranger.out.find("[data.unwrap]") != std::string::npos);
  std::string changed = at.get("o.tdf");
  changed[60] = static_cast<char>(changed[60] ^ 1);  // in the payload
  at.put("changed.tdf", changed);
  const Told damaged = at.run({"open", "changed.tdf", "--key", "xbb.key", "-o", "changed.txt"});
  CHECK(damaged.exit == kExitUntrue);
  CHECK(damaged.out.find("[data.segment]") != std::string::npos);
  CHECK(at.count() == files + 1);  // changed.tdf: no output and nothing temporary

  const Told looked = at.run({"inspect", "o.tdf"});
  CHECK(looked.exit == kExitOk);
  CHECK(looked.out.find("releasable/value/xbb") != std::string::npos);
  CHECK(looked.out.find("payload: no") != std::string::npos);
  const Told verified = at.run({"inspect", "o.tdf", "--key", "xaa.key"});
  CHECK(verified.out.find("every segment") != std::string::npos);
  CHECK(at.run({"inspect", "changed.tdf", "--key", "xaa.key"}).exit == kExitUntrue);
}

TEST_CASE("what an object says of itself never steers the terminal it is shown on") {
  const ObjectFolder at;
  const std::string person =
      "c\xc2\x9b"
      "d\xe2\x80\xae"
      "e";
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xbb.pub", "--type", "a\x1b[2Jb", "--person", person, "-o",
                  "o.tdf"})
              .exit == kExitOk);
  const std::string out = at.run({"inspect", "o.tdf"}).out;
  CHECK(out.find("a?[2Jb") != std::string::npos);
  CHECK(out.find("c?d?e") != std::string::npos);
  CHECK(out.find('\x1b') == std::string::npos);
  CHECK(printable("plain text, \xc3\xa9") == "plain text, \xc3\xa9");
}

TEST_CASE("an object split per recipient needs every recipient's key") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--to", "xbb.pub", "--split-per-recipient",
                  "--person", "ana@xbb.example", "-o", "o.tdf"})
              .exit == kExitOk);
  CHECK(at.run({"open", "o.tdf", "--key", "xaa.key", "-o", "a.txt"}).exit == kExitRefused);
  CHECK_FALSE(at.has("a.txt"));
  CHECK(at.run({"open", "o.tdf", "--key", "xaa.key", "--key", "xbb.key", "-o", "a.txt"}).exit == kExitOk);
  CHECK(at.get("a.txt") == at.text());
}

TEST_CASE("a label and an originator's signature travel with the object and are told apart from claims") {
  const ObjectFolder at;
  label::Label label;
  label.policy = "EXERCISE";
  label.classification = "RESTRICTED";
  at.put("label.json", label::to_json(label).dump());
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xbb.pub", "--label", "label.json", "--as", "XAA", "--sign",
                  "xaa.key", "-o", "o.tdf"})
              .exit == kExitOk);
  const Told claimed = at.run({"inspect", "o.tdf"});
  CHECK(claimed.out.find("EXERCISE RESTRICTED (not verified)") != std::string::npos);
  CHECK(claimed.out.find("says that XAA signed it: not verified") != std::string::npos);
  const Told known = at.run({"inspect", "o.tdf", "--originator", "XAA=xaa.pub"});
  CHECK(known.out.find("EXERCISE RESTRICTED (signed by XAA)") != std::string::npos);
  CHECK(at.run({"open", "o.tdf", "--key", "xbb.key", "--originator", "XAA=xaa.pub", "-o", "p.txt"}).exit ==
        kExitOk);
  CHECK(at.run({"open", "o.tdf", "--key", "xbb.key", "--originator", "XAA=xcc.pub", "-o", "q.txt"}).exit ==
        kExitUntrue);
  CHECK_FALSE(at.has("q.txt"));
  // The label stands under the key shares too, so it changes together with them.
  label.classification = "CONFIDENTIAL";
  at.put("higher.json", label::to_json(label).dump());
  CHECK(at.run({"reseal", "o.tdf", "--key", "xbb.key", "--label", "higher.json", "-o", "h.tdf"}).exit ==
        kExitUsage);
  CHECK(at.run({"reseal", "o.tdf", "--key", "xbb.key", "--label", "higher.json", "--to", "xbb.pub", "-o",
                "h.tdf"})
            .exit == kExitOk);
  CHECK(at.run({"inspect", "h.tdf", "--key", "xbb.key"}).out.find("EXERCISE CONFIDENTIAL") !=
        std::string::npos);
}

TEST_CASE("attack: a reader cannot make an object that its originator is said to have signed") {
  const ObjectFolder at;
  const std::string of_xaa = "https://xaa.example/attr/originator/value/xaa";
  const auto seal = [&](const char* code, const char* key, const char* out) {
    REQUIRE(at.run({"seal", "plain.txt", "--to", "xbb.pub", "--attribute", of_xaa, "--as", code, "--sign",
                    key, "-o", out})
                .exit == kExitOk);
  };
  const auto opened = [&](const char* file) {
    return at.run({"open", file, "--key", "xbb.key", "--known-originator", "XAA=xaa.pub",
                   "--known-originator", "XBB=xbb.pub", "-o", std::string(file) + ".txt"});
  };
  const auto says = [](const Told& told, std::string_view words) {
    return told.out.find(words) != std::string::npos;
  };
  const std::string_view unsigned_words = "not signed by its originator";
  seal("XAA", "xaa.key", "o.tdf");
  const Told good = opened("o.tdf");
  CHECK(good.exit == kExitOk);
  CHECK(says(good, "signed by XAA's originator key"));
  CHECK_FALSE(says(good, unsigned_words));
  // Taken off: it opens, and is told as what it is; who insists on a signature does not get it.
  REQUIRE(
      at.run({"reseal", "o.tdf", "--key", "xbb.key", "--to", "xbb.pub", "--person", "ana", "-o", "bare.tdf"})
          .exit == kExitOk);
  CHECK(says(opened("bare.tdf"), unsigned_words));
  CHECK(at.run({"open", "bare.tdf", "--key", "xbb.key", "--originator", "XAA=xaa.pub", "-o", "b.txt"}).exit ==
        kExitUntrue);
  // By a key of their own: under the originator's name it is refused, under their own it is not its
  // originator's.
  seal("XAA", "xbb.key", "forged.tdf");
  CHECK(opened("forged.tdf").exit == kExitUntrue);
  CHECK_FALSE(at.has("forged.tdf.txt"));
  seal("XBB", "xbb.key", "other.tdf");
  const Told other = opened("other.tdf");
  CHECK(other.exit == kExitOk);
  CHECK(says(other, "not signed by its originator: signed by XBB's key"));
  const Told told = at.run({"open", "other.tdf", "--key", "xbb.key", "--known-originator", "XBB=xbb.pub",
                            "--json", "-o", "j.txt"});
  CHECK(Json::parse(told.out)->find("originator")->is_null());
  const auto signature = [&](const char* file) {
    const Told said = at.run({"open", file, "--key", "xbb.key", "--known-originator", "XAA=xaa.pub",
                              "--known-originator", "XBB=xbb.pub", "--json", "-o", "j.txt"});
    const Json json = Json::parse(said.out).value();
    return std::string(json.find("signature")->text_or("state", "?"));
  };
  CHECK(signature("o.tdf") == "signed");
  CHECK(signature("other.tdf") == "stranger");
  CHECK(signature("bare.tdf") == "unsigned");
  const Told taken = at.run({"reseal", "other.tdf", "--key", "xbb.key", "--originator", "XBB=xbb.pub", "--as",
                             "XAA", "--sign", "xaa.key", "-o", "taken.tdf"});
  CHECK(taken.exit == kExitOk);
  CHECK(says(taken, "(\"XBB\"): \"XAA\" signs now"));
  CHECK(says(at.run({"inspect", "other.tdf", "--known-originator", "XBB=xbb.pub"}), unsigned_words));
  // Of somebody whose key is not known here nothing is believed, and nothing held against it.
  seal("XDD", "xbb.key", "far.tdf");
  CHECK(says(opened("far.tdf"), "says that XDD signed it: not verified"));
  CHECK(signature("far.tdf") == "unknown");
}

TEST_CASE(
    "who signs is a nation by its code, with a key that can; a key that changed is told from a forgery") {
  const ObjectFolder at;
  REQUIRE(crypto::save_private_key(at.file("rsa.key"), PrivateKey::generate(KeyKind::rsa, 2048)));
  const auto seal = [&](const char* code, const char* key) {
    return at.run({"seal", "plain.txt", "--to", "xbb.pub", "--as", code, "--sign", key, "-o", "o.tdf"});
  };
  for (const char* code : {"xaa", "Aldoria", "XAAA"}) CHECK(seal(code, "xaa.key").exit == kExitUsage);
  const Told unfit = seal("XAA", "rsa.key");
  CHECK(unfit.exit == kExitUsage);
  CHECK(unfit.out.find("Use P-256.") != std::string::npos);
  CHECK_FALSE(at.has("o.tdf"));
  REQUIRE(seal("XAA", "xaa.key").exit == kExitOk);
  const Told changed = at.run({"reseal", "o.tdf", "--key", "xbb.key", "--to", "xbb.pub", "--as", "XAA",
                               "--sign", "xbb.key", "-o", "n.tdf"});
  CHECK(changed.exit == kExitUntrue);
  CHECK(changed.out.find("--known-originator says which it was") != std::string::npos);
}

TEST_CASE("what was to be verified and is not ends with a failure") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--to", "xbb.pub", "--split-per-recipient", "-o",
                  "o.tdf"})
              .exit == kExitOk);
  const Told one = at.run({"inspect", "o.tdf", "--key", "xaa.key"});
  CHECK(one.exit == kExitRefused);
  CHECK(one.out.find("share 2 of 2, and all are needed") != std::string::npos);
  CHECK(at.run({"inspect", "o.tdf", "--key", "xaa.key", "--key", "xbb.key"}).exit == kExitOk);
  CHECK(at.run({"inspect", "o.tdf", "--pin", "label=xaa.pub"}).exit == kExitUsage);
  CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--attribute", "bogus", "-o", "b.tdf"}).exit ==
        kExitUsage);
}

TEST_CASE("an object sealed anew opens for others, keeps its id, and its payload is the same bytes") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--attribute",
                  "https://xaa.example/attr/rel/value/xaa", "-o", "o.tdf"})
              .exit == kExitOk);
  CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "-o", "n.tdf"}).exit == kExitUsage);
  CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--person", "ana", "-o", "n.tdf"}).exit == kExitUsage);
  CHECK(at.run({"reseal", "o.tdf", "--key", "xbb.key", "--to", "xbb.pub", "-o", "n.tdf"}).exit ==
        kExitRefused);
  CHECK_FALSE(at.has("n.tdf"));
  // Who signs what nobody signed says that they vouch for it.
  std::vector<std::string> sign{"reseal", "o.tdf", "--key",  "xaa.key", "--to", "xbb.pub",
                                "--as",   "XAA",   "--sign", "xaa.key", "-o",   "n.tdf"};
  const Told alone = at.run(sign);
  CHECK(alone.exit == kExitUntrue);
  CHECK(alone.out.find("--vouch") != std::string::npos);
  CHECK_FALSE(at.has("n.tdf"));
  CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub", "--vouch", "-o", "n.tdf"}).exit ==
        kExitUsage);
  sign.emplace_back("--vouch");
  REQUIRE(at.run(sign).exit == kExitOk);
  CHECK(at.run({"open", "n.tdf", "--key", "xaa.key", "-o", "a.txt"}).exit == kExitRefused);
  CHECK(at.run({"open", "n.tdf", "--key", "xbb.key", "--originator", "XAA=xaa.pub", "-o", "b.txt"}).exit ==
        kExitOk);
  CHECK(at.get("b.txt") == at.text());
  const auto id = [&](const char* file) {
    return std::string(
        Json::parse(at.run({"inspect", file, "--json"}).out)->find("policy")->text_or("uuid", "?"));
  };
  CHECK(id("o.tdf") == id("n.tdf"));
  CHECK(at.get("o.tdf").substr(0, 80) == at.get("n.tdf").substr(0, 80));
}

namespace {

const std::string kReleasable = "https://xaa.example/attr/rel/value/xaa";
const std::string kSecret = "https://xaa.example/attr/classification/value/secret";

bool has(const Told& told, std::string_view text) {
  return told.out.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("attack: what is not given anew stays in the policy, and what is dropped is said") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--attribute", kReleasable, "--attribute", kSecret,
                  "--person", "ana@xaa.example", "-o", "o.tdf"})
              .exit == kExitOk);
  const Told attribute = at.run(
      {"reseal", "o.tdf", "--key", "xaa.key", "--to", "xaa.pub", "--attribute", kSecret, "-o", "a.tdf"});
  REQUIRE_MESSAGE(attribute.exit == kExitOk, attribute.out);
  CHECK(has(attribute, "dropped: attribute \"" + kReleasable + "\""));
  CHECK(has(at.run({"inspect", "a.tdf"}), "ana@xaa.example"));
  const Told person = at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xaa.pub", "--person",
                              "ben@xaa.example", "-o", "p.tdf"});
  REQUIRE(person.exit == kExitOk);
  CHECK(has(person, "dropped: person \"ana@xaa.example\""));
  CHECK_FALSE(has(person, "dropped: attribute"));
  const Told looked = at.run({"inspect", "p.tdf"});
  CHECK(has(looked, kReleasable));
  CHECK(has(looked, kSecret));
  CHECK(has(looked, "ben@xaa.example"));
  CHECK_FALSE(has(looked, "ana@xaa.example"));
}

TEST_CASE(
    "attack: what takes the consent of several does not come to be opened by one, unless that is said") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--to", "xbb.pub", "--split-per-recipient",
                  "--person", "ana", "-o", "o.tdf"})
              .exit == kExitOk);
  const std::vector<std::string> any{"reseal", "o.tdf",   "--key", "xaa.key", "--key", "xbb.key",
                                     "--to",   "xaa.pub", "--to",  "xbb.pub", "-o",    "n.tdf"};
  const Told refused = at.run(any);
  CHECK(refused.exit == kExitUsage);
  CHECK(has(refused, "--any-of"));
  CHECK_FALSE(at.has("n.tdf"));
  auto said = any;
  said.emplace_back("--any-of");
  const Told allowed = at.run(said);
  CHECK(allowed.exit == kExitOk);
  CHECK(has(allowed, "dropped: 1 of 2 key shares"));
  said.emplace_back("--split-per-recipient");
  CHECK(at.run(said).exit == kExitUsage);
  auto split = any;
  split.emplace_back("--split-per-recipient");
  CHECK(at.run(split).exit == kExitOk);

  // Two originators: none of them alone.
  const std::string of = "https://xaa.example/attr/originator/value/";
  std::vector<std::string> seal{"seal",    "plain.txt",   "--to",     "xaa.pub", "--to",
                                "xbb.pub", "--attribute", of + "xaa", "-o",      "two.tdf"};
  CHECK(at.run(seal).exit == kExitOk);
  seal.insert(seal.end(), {"--attribute", of + "xbb"});
  CHECK(at.run(seal).exit == kExitUsage);
  seal.emplace_back("--split-per-recipient");
  CHECK(at.run(seal).exit == kExitOk);
  auto twice = seal;  // two shares, and one of them holds both
  *std::ranges::find(twice, "xbb.pub") = "xaa.pub";
  CHECK(at.run(twice).exit == kExitUsage);
  auto services = seal;
  *std::ranges::find(services, "xaa.pub") = "https://kas.xaa.localhost=xaa.pub";
  CHECK(at.run(services).exit == kExitOk);
  services.back() = "--any-of";
  CHECK(has(at.run(services), "no key service opens alone"));
  seal.back() = "--any-of";
  CHECK(at.run(seal).exit == kExitOk);
  // Nor by adding an originator to what one alone opens.
  CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--key", "xbb.key", "--to", "xaa.pub", "--attribute",
                of + "xaa", "--attribute", of + "xbb", "-o", "m.tdf"})
            .exit == kExitUsage);
}

TEST_CASE("what no key service will ever open is said when it is sealed") {
  const ObjectFolder at;
  const std::string service = "https://kas.xaa.localhost=xaa.pub";
  constexpr std::string_view said = "names nobody and no attribute";
  const Told shut = at.run({"seal", "plain.txt", "--to", service, "-o", "shut.tdf"});
  CHECK(shut.exit == kExitOk);
  CHECK(has(shut, said));
  CHECK_FALSE(has(at.run({"seal", "plain.txt", "--to", service, "--person", "ana", "-o", "o.tdf"}), said));
  CHECK_FALSE(
      has(at.run({"seal", "plain.txt", "--to", service, "--attribute", kSecret, "-o", "o.tdf"}), said));
  CHECK_FALSE(has(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}), said));
  CHECK(has(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", service, "-o", "shut.tdf"}), said));
}

TEST_CASE("attack: a signature that goes with a change is missed aloud") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--attribute", kSecret, "--as", "XAA", "--sign",
                  "xaa.key", "-o", "o.tdf"})
              .exit == kExitOk);
  const Told changed = at.run(
      {"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub", "--attribute", kReleasable, "-o", "n.tdf"});
  CHECK(changed.exit == kExitOk);
  CHECK(has(changed, "dropped: the originator's signature (\"XAA\")"));
  // By whose word the new one says what it was made of; the one that stays signed says nothing of it.
  const Json before = Json::parse(at.run({"inspect", "o.tdf", "--json"}).out).value();
  const std::string was(before.find("keyAccess")->items().at(0).text_or("digest", ""));
  REQUIRE(was.size() == 43);
  CHECK(at.run({"inspect", "o.tdf"}).out.find("digest    " + was) != std::string::npos);
  CHECK(at.run({"inspect", "n.tdf"}).out.find("made of     " + was + " (not verified)") != std::string::npos);
  CHECK(at.run({"inspect", "n.tdf", "--key", "xbb.key"})
            .out.find("original    " + was + " (bound with the object's key: any reader") !=
        std::string::npos);
  const Told kept = at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub", "-o", "k.tdf"});
  CHECK(kept.exit == kExitOk);
  CHECK_FALSE(has(kept, "dropped"));
  CHECK(at.run({"inspect", "k.tdf"}).out.find("made of") == std::string::npos);
  CHECK(at.run({"open", "k.tdf", "--key", "xbb.key", "--originator", "XAA=xaa.pub", "-o", "k.txt"}).exit ==
        kExitOk);
}

TEST_CASE("attack: an object is not sealed anew over itself") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitOk);
  const std::string before = at.get("o.tdf");
  CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub", "-o", "o.tdf"}).exit == kExitUsage);
  CHECK(at.get("o.tdf") == before);
  CHECK(has(at.run({"inspect", "o.tdf"}), "in 1 segment\n"));
}

TEST_CASE("attack: what a command line reads is written over by what it makes") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitOk);
  for (const char* name : {"token", "trust.pem", "label.json", "with=in.pub"}) at.put(name, "as it was");
  std::filesystem::create_symlink("xaa.key", at.path() / "link.key");
  std::filesystem::create_hard_link(at.path() / "xcc.pub", at.path() / "again.pub");
  const auto refused = [&](std::vector<std::string> words, const std::string& out) {
    CAPTURE(out);
    const std::string before = at.get(out);
    words.insert(words.end(), {"-o", out});
    const Told told = at.run(words);
    CHECK(told.exit == kExitUsage);
    CHECK(has(told, "the output is "));
    CHECK(at.get(out) == before);
  };
  const std::vector<std::string> seal{"seal", "plain.txt"}, open{"open", "o.tdf"};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  refused(with(seal, {"--to", "xaa.pub"}), "xaa.pub");
  refused(with(seal, {"--to", "with=in.pub"}), "with=in.pub");
  refused(with(seal, {"--to", "https://kas.example=xaa.pub"}), "xaa.pub");
  refused(with(seal, {"--to", "xbb.pub", "--to", "https://kas.example=xaa.pub#k1"}), "xaa.pub");
  refused(with(seal, {"--to", "xbb.pub", "--as", "XAA", "--sign", "xaa.key"}), "xaa.key");
  refused(with(seal, {"--to", "xbb.pub", "--label", "label.json"}), "label.json");
  refused(with(seal, {"--to", "https://kas.example", "--trust", "trust.pem"}), "trust.pem");
  refused(with(seal, {"--to", "again.pub"}), "xcc.pub");
  refused(with(open, {"--key", "xaa.key"}), "xaa.key");
  refused(with(open, {"--key", "xaa.key"}), "link.key");
  refused(with(open, {"--key", "link.key"}), "xaa.key");
  refused(with(open, {"--token", "token", "--proof", "xaa.key"}), "token");
  refused(with(open, {"--token", "token", "--proof", "xaa.key"}), "xaa.key");
  for (const char* option : {"--originator", "--known-originator", "--pin"})
    refused(with(open, {"--key", "xaa.key", option, "XBB=xbb.pub"}), "xbb.pub");
  refused({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub"}, "xbb.pub");
}

TEST_CASE("attack: what is named after -o is no plain file, and would be one afterwards") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitOk);
  std::filesystem::create_directory(at.path() / "folder");
  REQUIRE(::mkfifo(at.file("pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("pipe", at.path() / "to-pipe");
  std::filesystem::create_symlink("nothing", at.path() / "to-nothing");
  const size_t files = at.count();
  for (const char* out : {"folder", "pipe", "to-pipe", "to-nothing", "-"}) {
    CAPTURE(out);
    const int exit = std::string_view(out) == "-" ? kExitUsage : kExitRefused;
    CHECK(at.run({"open", "o.tdf", "--key", "xaa.key", "-o", out}).exit == exit);
    CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", out}).exit == exit);
    CHECK(at.run({"reseal", "o.tdf", "--key", "xaa.key", "--to", "xbb.pub", "-o", out}).exit == exit);
  }
  CHECK(std::filesystem::is_fifo(at.path() / "pipe"));
  CHECK(std::filesystem::is_directory(at.path() / "folder"));
  CHECK(std::filesystem::is_symlink(at.path() / "to-nothing"));
  CHECK(at.count() == files);
}

TEST_CASE("attack: a log that standard output is appended to is replaced by what -o /dev/stdout makes") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitOk);
  at.put("log", "yesterday\n");
  const int log = ::open(at.file("log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  std::array<int, 2> pipe{};
  REQUIRE((log >= 0 && ::pipe2(pipe.data(), O_CLOEXEC) == 0));
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(log), at.path() / "to-log");
  std::filesystem::create_symlink("to-log", at.path() / "to-it");
  const size_t files = at.count();
  std::vector<std::string> outs{"/dev/stdout", "/dev/stderr", "to-log", "to-it"};
  for (const int fd : {log, pipe[1]}) {
    outs.push_back("/dev/fd/" + std::to_string(fd));
    outs.push_back("/proc/self/fd/" + std::to_string(fd));
    outs.push_back("/proc/thread-self/fd/" + std::to_string(fd));
    outs.push_back("/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd));
  }
  for (const std::string& out : outs) {
    CAPTURE(out);
    const Told told = at.run({"open", "o.tdf", "--key", "xaa.key", "-o", out});
    CHECK(told.exit == kExitRefused);
    CHECK(has(told, "what a process has open"));
    CHECK(has(told, "nothing is put out before all of it is there and verified"));
    CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", out}).exit == kExitRefused);
  }
  CHECK(at.get("log") == "yesterday\n");
  CHECK(at.count() == files);
  for (const int fd : {log, pipe[0], pipe[1]}) ::close(fd);
}

TEST_CASE("what is named after -o is a link to a file: that file is written, and the link stays") {
  const ObjectFolder at;
  REQUIRE(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitOk);
  std::filesystem::create_directory(at.path() / "folder");
  at.put("folder/there.txt", "before");
  std::filesystem::create_symlink("folder/there.txt", at.path() / "link");
  CHECK(at.run({"open", "o.tdf", "--key", "xaa.key", "-o", "link"}).exit == kExitOk);
  CHECK(at.get("folder/there.txt") == at.text());
  CHECK(std::filesystem::is_symlink(at.path() / "link"));
}

TEST_CASE("command lines of sealed objects that make no sense are refused with what is missing") {
  const ObjectFolder at;
  CHECK(at.run({"seal", "plain.txt", "-o", "o.tdf"}).exit == kExitUsage);
  CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub"}).exit == kExitUsage);
  CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub", "-o", "plain.txt"}).exit == kExitUsage);
  CHECK(at.run({"seal", "plain.txt", "--to", "xaa.pub", "--sign", "xaa.key", "-o", "o.tdf"}).exit ==
        kExitUsage);
  CHECK(at.run({"seal", "plain.txt", "--to", "plain.txt", "-o", "o.tdf"}).exit == kExitRefused);
  CHECK(at.run({"seal", "missing", "--to", "xaa.pub", "-o", "o.tdf"}).exit == kExitRefused);
  CHECK(at.run({"open", "plain.txt", "--key", "xaa.key", "-o", "o"}).exit == kExitUntrue);
  CHECK(at.run({"open", "plain.txt", "-o", "o"}).exit == kExitUsage);
  CHECK_FALSE(at.has("o.tdf"));
  CHECK(at.get("plain.txt") == at.text());
}
