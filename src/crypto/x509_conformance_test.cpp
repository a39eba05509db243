// x509-limbo's certificate paths, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them. What is
// refused there is refused here; what verify_chain does not offer (CRLs, a depth of the caller's, names other
// than DNS) is counted, not run.
#include "base/conformance_for_test.h"
#include "base/json.h"
#include "crypto/x509.h"

using namespace entente;
using namespace entente::crypto;

namespace {

struct Paths {
  std::vector<Certificate> anchors;
  std::vector<Certificate> intermediates;
  std::vector<Certificate> leaf;
};

Result<void> read_into(std::vector<Certificate>& out, const Json* list) {
  if (list == nullptr || !list->is_array()) return {};
  for (const Json& pem : list->items()) {
    REQUIRE(pem.is_string());
    TRY(Certificate one, Certificate::from_pem(pem.string()));
    out.push_back(std::move(one));
  }
  return {};
}

bool lists(const Json& test, std::string_view member) {
  const Json* list = test.find(member);
  return list != nullptr && list->is_array() && !list->items().empty();
}

// Why a case asks for what verify_chain does not do; empty when it does not.
std::string_view beyond(const Json& test) {
  const Json* depth = test.find("max_chain_depth");
  const Json* name = test.find("expected_peer_name");
  if (lists(test, "crls")) return "CRLs";
  if (depth != nullptr && !depth->is_null()) return "a depth of the caller's";
  if (lists(test, "expected_peer_names")) return "several names";
  if (name != nullptr && name->is_object() && name->text_or("kind", "") != "DNS")
    return "names that are not DNS";
  return {};
}

// Rules of the CA/Browser Forum for public authorities, and of those who read RFC 5280 to the letter: whoever
// chose an anchor of ours answers for it. Accepted ones are listed.
bool is_of_a_profile(const Json& test) {
  const Json* features = test.find("features");
  const bool pedantic =
      features != nullptr && features->is_array() &&
      std::ranges::find(features->items(), Json("pedantic-rfc5280")) != features->items().end();
  return pedantic || test.text_or("id", "").starts_with("webpki::");
}

Result<void> verified(const Json& test) {
  Paths paths;
  TRY_VOID(read_into(paths.anchors, test.find("trusted_certs")));
  TRY_VOID(read_into(paths.intermediates, test.find("untrusted_intermediates")));
  TRY(const Certificate leaf, Certificate::from_pem(test.text_or("peer_certificate", "")));
  const bool client = test.text_or("validation_kind", "") == "CLIENT";
  ChainExpect expect{.use = client ? CertificateUse::client : CertificateUse::server,
                     .now = system_clock().now(),
                     .host = {}};
  std::string at(test.text_or("validation_time", ""));
  if (at.ends_with("+00:00")) at.replace(at.size() - 6, 6, "Z");
  if (!at.empty()) {
    const auto read = parse_rfc3339(at);
    REQUIRE_MESSAGE(read.has_value(), at);
    expect.now = *read;
  }
  if (const Json* name = test.find("expected_peer_name"))
    if (name->is_object()) expect.host = std::string(name->text_or("value", ""));
  return verify_chain(leaf, paths.intermediates, paths.anchors, expect);
}

}  // namespace

TEST_CASE("x509-limbo: what it refuses is refused") {
  for (const auto& path : conformance_files(conformance("identity/x509-limbo"), ".json")) {
    const auto json = Json::parse(conformance_text(path), {.bytes_max = 64 << 20, .depth_max = 32});
    REQUIRE_MESSAGE(json.has_value(), json.error().text());
    const Json* tests = json->find("testcases");
    if (tests == nullptr || !tests->is_array()) continue;
    size_t refused = 0;
    size_t accepted = 0;
    size_t others = 0;
    std::string stricter;
    std::string milder;
    for (const Json& test : tests->items()) {
      INFO(test.text_or("id", ""));
      if (!beyond(test).empty()) {
        ++others;
        continue;
      }
      const auto found = verified(test);
      ++(found ? accepted : refused);
      const bool wanted = test.text_or("expected_result", "") == "SUCCESS";
      if (!wanted && !is_of_a_profile(test)) CHECK_FALSE(found.has_value());
      if (!wanted && found) milder += "\n  " + std::string(test.text_or("id", ""));
      if (wanted && !found)
        stricter += "\n  " + std::string(test.text_or("id", "")) + ": " + found.error().text();
    }
    MESSAGE(path.filename().string()
            << ": " << refused << " paths refused, " << accepted << " accepted, " << others
            << " about CRLs, depths or names that are not offered; accepted against the web's baseline:"
            << milder << "\nstricter here than there:" << stricter);
  }
}
