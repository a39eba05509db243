// What a path is refused for where OpenSSL is milder, on certificates that our own authority would never
// issue (RFC 5280 sections 4.1.2.2, 4.1.2.5, 4.2.1.6, 4.2.1.10 to 4.2.1.12).
#include "crypto/openssl.h"
#include "crypto/x509.h"

#include <utility>

#include <doctest/doctest.h>
#include <openssl/x509v3.h>

using namespace entente;
using namespace entente::crypto;

namespace {

constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kEnd = kNow + 86'400;

using Extensions =
    std::vector<std::pair<const char*, const char*>>;  // as OpenSSL's configuration writes them

const Extensions kAuthority = {{"basicConstraints", "critical,CA:TRUE"},
                               {"keyUsage", "critical,keyCertSign"},
                               {"subjectKeyIdentifier", "hash"}};
const Extensions kServer = {
    {"basicConstraints", "critical,CA:FALSE"}, {"keyUsage", "critical,digitalSignature"},
    {"extendedKeyUsage", "serverAuth"},        {"subjectKeyIdentifier", "hash"},
    {"authorityKeyIdentifier", "keyid"},       {"subjectAltName", "DNS:idp.xbb.localhost"}};

Extensions with(Extensions all, const char* name, const char* value) {
  for (auto& each : all) {
    if (std::string_view(each.first) != name) continue;
    each.second = value;
    return all;
  }
  all.emplace_back(name, value);
  return all;
}

Extensions without(Extensions all, std::string_view name) {
  std::erase_if(all, [&](const auto& each) { return name == each.first; });
  return all;
}

struct Issuer {
  const char* name;
  PKey key;
  X509* certificate;  // nullptr: signs itself
};

struct Wanted {
  const char* name;
  Extensions extensions;
  const char* serial = "07";  // hex
  int64_t end = kEnd;
};

PKey new_key() {
  return PKey(EVP_EC_gen("P-256"));
}

Certificate sign(const Wanted& wanted, EVP_PKEY* key, const Issuer& issuer) {
  const std::unique_ptr<X509, Freed<X509_free>> made(X509_new());
  REQUIRE(X509_set_version(made.get(), X509_VERSION_3) == 1);
  BIGNUM* number = nullptr;
  REQUIRE(BN_hex2bn(&number, wanted.serial) > 0);
  const BigNumber serial(number);
  REQUIRE(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) != nullptr);
  const auto named = [](X509_NAME* into, const char* text) {
    REQUIRE(X509_NAME_add_entry_by_txt(into, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text),
                                       -1, -1, 0) == 1);
  };
  named(X509_get_subject_name(made.get()), wanted.name);
  named(X509_get_issuer_name(made.get()), issuer.name);
  ASN1_TIME_set(X509_getm_notBefore(made.get()), kNow - 3600);
  ASN1_TIME_set(X509_getm_notAfter(made.get()), wanted.end);
  REQUIRE(X509_set_pubkey(made.get(), key) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.certificate != nullptr ? issuer.certificate : made.get(), made.get(),
                 nullptr, nullptr, 0);
  for (const auto& [name, value] : wanted.extensions) {
    const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
        X509V3_EXT_nconf(nullptr, &context, name, value));
    REQUIRE_MESSAGE(extension != nullptr, name << "=" << value);
    REQUIRE(X509_add_ext(made.get(), extension.get(), -1) == 1);
  }
  REQUIRE(X509_sign(made.get(), issuer.key.get(), EVP_sha256()) > 0);
  uint8_t* der = nullptr;
  const int size = i2d_X509(made.get(), &der);
  REQUIRE(size > 0);
  const Result<Certificate> read = Certificate::from_der({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  REQUIRE_MESSAGE(read.has_value(), read.error().text());
  return *read;
}

// One authority and one leaf, which differ from good ones by what a case says.
struct Path {
  Wanted authority{.name = "XBB root", .extensions = kAuthority};
  Wanted leaf{.name = "idp", .extensions = kServer};
  std::string host = "idp.xbb.localhost";
  int64_t now = kNow;

  [[nodiscard]] std::string check() const {
    Issuer issuer{.name = authority.name, .key = new_key(), .certificate = nullptr};
    const Certificate root = sign(authority, issuer.key.get(), issuer);
    issuer.certificate = root.native();
    const PKey key = new_key();
    const Certificate shown = sign(leaf, key.get(), issuer);
    const auto result =
        verify_chain(shown, {}, std::vector{root}, {.now = from_unix_seconds(now), .host = host});
    return result ? "accepted" : result.error().code();
  }
};

}  // namespace

TEST_CASE("a good path of one authority and one server is accepted") {
  CHECK(Path{}.check() == "accepted");
}

TEST_CASE("constraints count when they are marked as critical, and are refused when they are not") {
  Path path;
  path.authority.extensions = with(kAuthority, "nameConstraints", "critical,permitted;DNS:xbb.localhost");
  CHECK(path.check() == "accepted");
  path.authority.extensions = with(kAuthority, "nameConstraints", "critical,permitted;DNS:xcc.localhost");
  CHECK(path.check() == "x509.chain");
  path.authority.extensions = with(kAuthority, "nameConstraints", "permitted;DNS:xbb.localhost");
  CHECK(path.check() == "x509.chain");
  path.authority.extensions = with(kAuthority, "policyConstraints", "inhibitPolicyMapping:0");
  CHECK(path.check() == "x509.chain");
  path.authority.extensions = with(kAuthority, "policyConstraints", "critical,inhibitPolicyMapping:0");
  CHECK(path.check() == "accepted");
}

TEST_CASE("a wildcard below name constraints is refused: it could name what they exclude") {
  Path path;
  path.leaf.extensions = with(kServer, "subjectAltName", "DNS:*.xbb.localhost");
  CHECK(path.check() == "accepted");
  path.authority.extensions = with(kAuthority, "nameConstraints", "critical,excluded;DNS:idp.xbb.localhost");
  CHECK(path.check() == "x509.chain");
}

TEST_CASE("serial numbers are positive and of at most twenty octets") {
  for (const char* serial : {"00", "-07", "7F00000000000000000000000000000000000000FF"}) {
    CAPTURE(serial);
    Path path;
    path.leaf.serial = serial;
    CHECK(path.check() == "x509.chain");
  }
  Path old_root;
  old_root.authority.serial = "00";
  CHECK(old_root.check() == "accepted");
}

TEST_CASE("names and constraints that are no host names are refused") {
  for (const char* name : {"DNS:idp.xbb.localhost,DNS:a..localhost", "DNS:idp.xbb.localhost,DNS:-.localhost",
                           "DNS:idp.xbb.localhost,DNS:*"}) {
    CAPTURE(name);
    Path path;
    path.leaf.extensions = with(kServer, "subjectAltName", name);
    CHECK(path.check() == "x509.chain");
  }
  Path path;
  path.authority.extensions = with(kAuthority, "nameConstraints", "critical,excluded;DNS:a..localhost");
  CHECK(path.check() == "x509.chain");
}

TEST_CASE("a server's certificate says that it is one, and signs nothing") {
  Path path;
  for (const Extensions& extensions :
       {without(kServer, "extendedKeyUsage"), with(kServer, "extendedKeyUsage", "anyExtendedKeyUsage"),
        with(kServer, "extendedKeyUsage", "serverAuth,anyExtendedKeyUsage"),
        with(kServer, "extendedKeyUsage", "clientAuth"),
        with(with(kServer, "basicConstraints", "critical,CA:TRUE"), "keyUsage",
             "critical,keyCertSign,digitalSignature")}) {
    path.leaf.extensions = extensions;
    CHECK(path.check() == "x509.purpose");
  }
}

TEST_CASE("a certificate's last second belongs to its life") {
  Path path;
  path.now = kEnd;
  CHECK(path.check() == "accepted");
  path.now = kEnd + 1;
  CHECK(path.check() == "x509.time");
}

// Else a root's constraints would end where its own authority is trusted beside it.
TEST_CASE("a path leads to an authority that signs itself") {
  Issuer root{.name = "XBB root", .key = new_key(), .certificate = nullptr};
  const Certificate top =
      sign({.name = root.name,
            .extensions = with(kAuthority, "nameConstraints", "critical,permitted;DNS:xcc.localhost")},
           root.key.get(), root);
  root.certificate = top.native();
  Issuer middle{.name = "XBB middle", .key = new_key(), .certificate = nullptr};
  const Certificate between =
      sign({.name = middle.name, .extensions = with(kAuthority, "authorityKeyIdentifier", "keyid")},
           middle.key.get(), root);
  middle.certificate = between.native();
  const PKey key = new_key();
  const Certificate leaf = sign({.name = "idp", .extensions = kServer}, key.get(), middle);
  const ChainExpect expect{.now = from_unix_seconds(kNow), .host = "idp.xbb.localhost"};
  CHECK_FALSE(verify_chain(leaf, {}, std::vector{between}, expect));
  CHECK_FALSE(verify_chain(leaf, {}, std::vector{top, between}, expect));
}

TEST_CASE("an address is checked against addresses, a name against names") {
  Path path;
  path.leaf.extensions = with(kServer, "subjectAltName", "IP:127.0.0.1,DNS:idp.xbb.localhost");
  for (const auto& [host, result] : {std::pair{"127.0.0.1", "accepted"},
                                     {"127.0.0.2", "x509.host"},
                                     {"::1", "x509.host"},
                                     {"idp.xbb.localhost", "accepted"}}) {
    CAPTURE(host);
    path.host = host;
    CHECK(path.check() == result);
  }
  path.leaf.extensions = with(kServer, "subjectAltName", "DNS:127.0.0.1");
  path.host = "127.0.0.1";
  CHECK(path.check() == "x509.host");
}
