#include "node/config.h"

#include "crypto/x509.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kNow = from_unix_seconds(1'790'000'000);

// A folder with the files a node's configuration names; gone with the object.
class Folder {
 public:
  explicit Folder(Instant certificate_end)
      : path_(std::filesystem::temp_directory_path() / fmt::format("entente-config-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
    const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
    crypto::CertificateSpec spec;
    spec.common_name = "door";
    spec.dns_names = {"*.xaa.localhost"};
    spec.begin = kNow - std::chrono::hours(48);
    spec.end = certificate_end;
    REQUIRE(write_file(path_ / "door.pem", crypto::make_self_signed(key, spec)->pem()));
    REQUIRE(crypto::save_private_key((path_ / "door.key").string(), key));
    REQUIRE(write_file(path_ / "nation.pub", key.public_key().pem()));
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] Result<NodeConfig> read(std::string_view text) const {
    return parse_node_config(text, path_ / "node.json", kNow);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string good() {
  return R"({
  "partner": "XAA",
  "data": "data",
  "genesis_key": "nation.pub",
  "trust": "door.pem",
  "operators_socket": "operators.sock",
  "door": {"port": 8441, "name": "xaa.localhost", "certificate": "door.pem", "key": "door.key"}
})";
}

std::string with(std::string from, const std::string& to) {
  std::string text = good();
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a configuration that is right is read, its paths beside the file") {
  const Folder folder(kNow + std::chrono::hours(24));
  const auto config = folder.read(good());
  REQUIRE_MESSAGE(config, config.error().text());
  CHECK(config->data == folder.path() / "data");
  CHECK(config->door_port == 8441);
}

TEST_CASE("what is wrong in a configuration is said with file, line, column and what would be right") {
  const Folder folder(kNow + std::chrono::hours(24));
  const std::string file = (folder.path() / "node.json").string();
  struct Row {
    std::string text, code, where, hint;
  };
  for (const Row& row :
       {Row{with("\"data\": \"data\",", "\"data\": \"data\", \"colour\": 1,"), "field.unknown", ":3:29",
            "known here: partner"},
        Row{with("8441", "\"8441\""), "field.value", ":7:20", "write a whole number from 0 to 65535"},
        Row{with("8441", "70000"), "field.value", ":7:20", "write a whole number from 0 to 65535"},
        Row{with("\"XAA\"", "\"xaa\""), "field.value", ":2:14", "three capital letters"},
        Row{with("\"key\": \"door.key\"", "\"key\": \"no.key\""), "field.value",
            ":7:", "name a file that exists"},
        Row{with("\"data\": \"data\",", "\"data\": \"data\""), "json.parse", ":4:3", ""}}) {
    CAPTURE(row.text);
    const auto config = folder.read(row.text);
    REQUIRE_FALSE(config);
    CHECK(config.error().code() == row.code);
    CHECK(config.error().where().starts_with(file + row.where));
    CHECK(config.error().hint().find(row.hint) != std::string::npos);
  }
}

TEST_CASE("a certificate that has ended or a key that others can read starts nothing") {
  {
    const Folder folder(kNow - std::chrono::hours(1));
    const auto config = folder.read(good());
    REQUIRE_FALSE(config);
    CHECK(config.error().what().find("ended at") != std::string::npos);
  }
  const Folder folder(kNow + std::chrono::hours(24));
  REQUIRE(::chmod((folder.path() / "door.key").c_str(), 0644) == 0);
  const auto config = folder.read(good());
  REQUIRE_FALSE(config);
  CHECK(config.error().hint().starts_with("chmod 600"));
}
