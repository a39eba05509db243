#include "crypto/x509.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::crypto;

namespace {

constexpr int64_t kNow = 1'800'000'000;
Instant at(int64_t seconds) {
  return from_unix_seconds(kNow + seconds);
}

CertificateSpec spec(const std::string& name, CertificateUse use, int64_t days = 30) {
  return {.common_name = name,
          .organization = "Borealis",
          .use = use,
          .begin = at(-3600),
          .end = at(days * 86400)};
}

struct Authority {
  PrivateKey key = PrivateKey::generate(KeyKind::p256);
  Certificate certificate = make_authority(key, spec("XBB root", CertificateUse::authority, 3650)).value();
};
const Authority& authority() {
  static const Authority one;
  return one;
}

Certificate server(const PrivateKey& key,
                   std::vector<std::string> names = {"idp.xbb.localhost", "*.xbb.localhost"}) {
  CertificateSpec wanted = spec("idp", CertificateUse::server);
  wanted.dns_names = std::move(names);
  return issue_certificate(authority().certificate, authority().key, key.public_key(), wanted).value();
}

std::string check(const Certificate& leaf, ChainExpect expect,
                  std::vector<Certificate> anchors = {authority().certificate},
                  std::vector<Certificate> between = {}) {
  if (expect.now == Instant{}) expect.now = at(0);
  const auto result = verify_chain(leaf, between, anchors, expect);
  return result ? "accepted" : result.error().code();
}

}  // namespace

TEST_CASE("a certificate we issue carries what was asked and survives its text forms") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  CertificateSpec wanted = spec("radar-1", CertificateUse::client);
  wanted.uris = {"entente:connector/XAA/radar-1"};
  const Certificate made =
      issue_certificate(authority().certificate, authority().key, key.public_key(), wanted).value();
  CHECK(made.common_name() == "radar-1");
  CHECK(made.subject() == "CN=radar-1,O=Borealis");
  CHECK(made.issuer() == authority().certificate.subject());
  CHECK(made.uris() == wanted.uris);
  CHECK(made.begin() == wanted.begin);
  CHECK(made.end() == wanted.end);
  CHECK(made.public_key() == key.public_key());
  CHECK_FALSE(made.is_authority());
  CHECK(*Certificate::from_pem(made.pem()) == made);
  CHECK(*Certificate::from_der(made.der()) == made);
  CHECK(made.thumbprint() == base64url(sha256(made.der())));
  CHECK(made.thumbprint().size() == 43);
}

TEST_CASE("every kind of key can be an authority and a leaf") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521, KeyKind::ed25519}) {
    const PrivateKey root = PrivateKey::generate(kind);
    const PrivateKey leaf = PrivateKey::generate(kind);
    const Certificate anchor = make_authority(root, spec("root", CertificateUse::authority)).value();
    CertificateSpec wanted = spec("leaf", CertificateUse::server);
    wanted.dns_names = {"a.xbb.localhost"};
    const Certificate made = issue_certificate(anchor, root, leaf.public_key(), wanted).value();
    CHECK(check(made, {.host = "a.xbb.localhost"}, {anchor}) == "accepted");
  }
}

TEST_CASE("a path holds only for its host, its use, its time and its anchors") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  const Certificate leaf = server(key);
  CHECK(check(leaf, {}) == "accepted");
  CHECK(check(leaf, {.host = "idp.xbb.localhost"}) == "accepted");
  CHECK(check(leaf, {.host = "lobby.xbb.localhost"}) == "accepted");
  CHECK(check(leaf, {.host = "a.lobby.xbb.localhost"}) == "x509.host");
  CHECK(check(leaf, {.host = "xbb.localhost"}) == "x509.host");
  CHECK(check(leaf, {.host = "idp.xaa.localhost"}) == "x509.host");
  CHECK(check(leaf, {.host = "idp"}) == "x509.host");  // the common name is no host name
  CHECK(check(leaf, {.use = CertificateUse::client}) == "x509.purpose");
  CHECK(check(leaf, {.use = CertificateUse::authority}) == "x509.purpose");
  CHECK(check(leaf, {.now = at(31 * 86400)}) == "x509.time");
  CHECK(check(leaf, {.now = at(-7200)}) == "x509.time");
  CHECK(check(leaf, {}, {}) == "x509.chain");
  const PrivateKey other = PrivateKey::generate(KeyKind::p256);
  // Same name, another key.
  CHECK(check(leaf, {}, {make_authority(other, spec("XBB root", CertificateUse::authority, 3650)).value()}) ==
        "x509.chain");
}

TEST_CASE("a leaf can't issue, and an authority can't serve") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  const Certificate leaf = server(key);
  CHECK(issue_certificate(leaf, key, key.public_key(), spec("evil", CertificateUse::server)).error().code() ==
        "x509.issue");
  CHECK(check(authority().certificate, {}) == "x509.purpose");
  // A second authority below one whose path length is 0.
  const PrivateKey middle_key = PrivateKey::generate(KeyKind::p256);
  const Certificate middle =
      issue_certificate(authority().certificate, authority().key, middle_key.public_key(),
                        spec("middle", CertificateUse::authority))
          .value();
  CertificateSpec wanted = spec("far", CertificateUse::server, 20);
  const Certificate far = issue_certificate(middle, middle_key, key.public_key(), wanted).value();
  CHECK(check(far, {}, {authority().certificate}, {middle}) == "x509.chain");
  CHECK(check(far, {}, {authority().certificate}) == "x509.chain");
}

TEST_CASE("an authority issues nothing that outlives it, and only with its own key") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  CHECK(issue_certificate(authority().certificate, authority().key, key.public_key(),
                          spec("long", CertificateUse::server, 4000))
            .error()
            .code() == "x509.issue");
  CHECK(issue_certificate(authority().certificate, key, key.public_key(), spec("x", CertificateUse::server))
            .error()
            .code() == "x509.issue");
  CertificateSpec backwards = spec("x", CertificateUse::server);
  std::swap(backwards.begin, backwards.end);
  CHECK(issue_certificate(authority().certificate, authority().key, key.public_key(), backwards)
            .error()
            .code() == "x509.issue");
}

TEST_CASE("names that others would read differently are not signed") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  for (const char* host :
       {"", "a,DNS:evil.localhost", "UPPER.localhost", "a..b", "-a.localhost", "*.*.localhost", "a b", "*"}) {
    CertificateSpec wanted = spec("x", CertificateUse::server);
    wanted.dns_names = {host};
    CAPTURE(host);
    CHECK(make_self_signed(key, wanted).error().code() == "x509.issue");
  }
  CHECK(make_self_signed(key, spec("", CertificateUse::server)).error().code() == "x509.issue");
  CHECK(make_self_signed(key, spec("x", CertificateUse::authority)).error().code() == "x509.issue");
}

TEST_CASE("a request proves that its sender holds the key") {
  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  const std::string pem =
      make_request(key, "radar-1", {"radar-1.xaa.localhost"}, {"entente:connector/radar-1"}).value();
  const CertificateRequest request = parse_request(pem).value();
  CHECK(request.key == key.public_key());
  CHECK(request.common_name == "radar-1");
  CHECK(request.dns_names == std::vector<std::string>{"radar-1.xaa.localhost"});
  CHECK(request.uris == std::vector<std::string>{"entente:connector/radar-1"});

  // One octet of the signature changed.
  const size_t end = pem.find("-----END") - 6;
  std::string forged = pem;
  forged[end] = forged[end] == 'A' ? 'B' : 'A';
  CHECK(parse_request(forged).error().code() == "x509.request");
  CHECK(parse_request("hello").error().code() == "x509.request");
}

TEST_CASE("text that is no certificate is refused calmly") {
  CHECK(Certificate::from_pem("").error().code() == "x509.parse");
  CHECK(Certificate::from_der({}).error().code() == "x509.parse");
  const std::string pem = authority().certificate.pem();
  CHECK(Certificate::from_pem(pem + pem).error().code() == "x509.parse");
  CHECK(Certificate::chain_from_pem(pem + pem)->size() == 2);
  CHECK(Certificate::from_pem(pem.substr(0, pem.size() / 2)).error().code() == "x509.parse");
  Bytes trailing = authority().certificate.der();
  trailing.push_back(0);
  CHECK(Certificate::from_der(trailing).error().code() == "x509.parse");
}
