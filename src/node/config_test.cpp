#include "node/config.h"

#include "base/file.h"
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
    REQUIRE(crypto::save_private_key((path_ / "other.key").string(),
                                     crypto::PrivateKey::generate(crypto::KeyKind::p256)));
    REQUIRE(write_file(path_ / "empty", "", 0600));
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
        Row{with("\"name\": \"xaa.localhost\"", "\"name\": \"XAA.localhost\""), "field.value",
            ":7:", "lower case"},
        Row{with("\"name\": \"xaa.localhost\"", "\"name\": \"a b\""), "field.value", ":7:", "lower case"},
        Row{with("\"name\": \"xaa.localhost\"", "\"name\": \"other.localhost\""), "field.value",
            ":7:", "*.other.localhost"},
        Row{with("\"key\": \"door.key\"", "\"key\": \"other.key\""), "field.value",
            ":7:", "the certificate's private key"},
        Row{with("\"key\": \"door.key\"", "\"key\": \"empty\""), "field.value",
            ":7:", "the certificate's private key"},
        Row{with("\"trust\": \"door.pem\"", "\"trust\": \"empty\""), "field.value", ":5:12",
            "authorities of identity providers"},
        Row{with("nation.pub", "door.pem"), "field.value", ":4:18", "that signed the genesis"},
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

TEST_CASE("where operators are heard is read, whatever else is wrong in the file") {
  const Folder folder(kNow - std::chrono::hours(1));
  const std::filesystem::path file = folder.path() / "node.json";
  REQUIRE(::chmod((folder.path() / "door.key").c_str(), 0644) == 0);
  REQUIRE(write_file(file, with("\"partner\": \"XAA\"", "\"partner\": 7, \"of a later version\": true")));
  const auto socket = operators_socket_of(file);
  REQUIRE_MESSAGE(socket, socket.error().text());
  CHECK(*socket == folder.path() / "operators.sock");
  REQUIRE(write_file(file, with("\"operators_socket\"", "\"operators\"")));
  const auto none = operators_socket_of(file);
  REQUIRE_FALSE(none);
  CHECK(none.error().where().starts_with(file.string()));
}

TEST_CASE("without a time the files that are named are not looked at") {
  const Folder folder(kNow - std::chrono::hours(1));
  const auto config = parse_node_config(good(), folder.path() / "node.json", std::nullopt);
  REQUIRE_MESSAGE(config, config.error().text());
  CHECK(config->data == folder.path() / "data");
}

TEST_CASE("what is wrong in a connector's configuration is said with its place") {
  const std::string good = R"({
  "id": "cop-1",
  "data": "data",
  "node": {"address": "127.0.0.1:8441", "thumbprint": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
  "targets": [{"app": "cop", "socket": "cop.sock"}]
})";
  REQUIRE(parse_connector_config(good, "connector.json"));
  const auto check = [&](const std::string& from, const std::string& to, const std::string& where,
                         const std::string& hint) {
    std::string text = good;
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    const auto config = parse_connector_config(text.replace(at, from.size(), to), "connector.json");
    CAPTURE(to);
    REQUIRE_FALSE(config);
    CHECK(config.error().where() == "connector.json:" + where);
    CHECK(config.error().hint().find(hint) != std::string::npos);
  };
  check(":8441", "", "4:23", "a host and a port");
  check("47DEQ", "", "4:55", "entente node keys");
  check("\"cop\"", "\"Cop!\"", "5:23", "single hyphens");
  check("}]", "}, {\"app\": \"cop\", \"socket\": \"other\"}]", "5:61", "one target for each app");
  check("{\"app\": \"cop\", \"socket\": \"cop.sock\"}", "", "5:14", "at least one");
}
