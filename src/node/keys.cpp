#include "node/keys.h"

#include "base/file.h"
#include "crypto/jose.h"
#include "ledger/note.h"
#include "node/config.h"
#include "node/records.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace entente::node {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::days kLinkCertificateLife{400};

fs::path key_path(const fs::path& data, std::string_view name) {
  return data / "keys" / fmt::format("{}.pem", name);
}

Result<void> make_key(const fs::path& data, std::string_view name, crypto::KeyKind kind) {
  const fs::path path = key_path(data, name);
  if (fs::exists(path)) return {};
  return crypto::save_private_key(path.string(), crypto::PrivateKey::generate(kind));
}

Json key_set(const crypto::PrivateKey& key) {
  const auto set =
      crypto::KeySet::from_keys({{key_id(key), crypto::default_alg(key.kind()), key.public_key()}});
  ENTENTE_CHECK(set.has_value());
  return set->json();
}

}  // namespace

std::string key_id(const crypto::PrivateKey& key) {
  return key.public_key().thumbprint();
}

Result<Keys> make_keys(const fs::path& data, const PartnerCode& partner, Instant now) {
  std::error_code error;
  fs::create_directories(data / "keys", error);
  if (error || ::chmod((data / "keys").c_str(), 0700) != 0) {
    return fail("node.keys", "cannot make the folder for keys", (data / "keys").string(),
                "check who may write there");
  }
  TRY_VOID(make_key(data, "statement", crypto::KeyKind::p256));
  TRY_VOID(make_key(data, "oidc-client", crypto::KeyKind::p256));
  TRY_VOID(make_key(data, "record", crypto::KeyKind::ed25519));
  TRY_VOID(make_key(data, "ledger", crypto::KeyKind::ed25519));
  TRY_VOID(make_key(data, "link", crypto::KeyKind::p256));
  if (!fs::exists(data / "keys/pairwise.key")) {
    const crypto::Secret secret = crypto::Secret::random(32);
    TRY_VOID(write_file(data / "keys/pairwise.key", base64url(secret.bytes()), 0600));
  }
  if (!fs::exists(data / "keys/link-certificate.pem")) {
    TRY(const crypto::PrivateKey link, crypto::load_private_key(key_path(data, "link").string()));
    crypto::CertificateSpec spec;
    spec.common_name = fmt::format("{} link", partner.text());
    spec.uris = {fmt::format("entente://{}/link", partner.text())};
    spec.use = crypto::CertificateUse::server_and_client;
    spec.begin = now - std::chrono::hours(1);
    spec.end = now + kLinkCertificateLife;
    TRY(const crypto::Certificate certificate, crypto::make_self_signed(link, spec));
    TRY_VOID(write_file(data / "keys/link-certificate.pem", certificate.pem()));
  }
  return load_keys(data, now);
}

Result<Keys> load_keys(const fs::path& data, Instant now) {
  TRY(crypto::PrivateKey statement, crypto::load_private_key(key_path(data, "statement").string()));
  TRY(crypto::PrivateKey oidc_client, crypto::load_private_key(key_path(data, "oidc-client").string()));
  TRY(crypto::PrivateKey record, crypto::load_private_key(key_path(data, "record").string()));
  TRY(crypto::PrivateKey ledger, crypto::load_private_key(key_path(data, "ledger").string()));
  TRY(crypto::PrivateKey link, crypto::load_private_key(key_path(data, "link").string()));
  TRY(const std::string pem, read_file(data / "keys/link-certificate.pem"));
  TRY(crypto::Certificate certificate, crypto::Certificate::from_pem(pem));
  TRY(const std::string pairwise, read_file(data / "keys/pairwise.key"));
  TRY(Bytes secret, from_base64url(pairwise));
  if (certificate.end() <= now) {
    return fail("node.link-certificate",
                fmt::format("the link certificate ended at {}", rfc3339(certificate.end())),
                (data / "keys/link-certificate.pem").string(),
                "remove it, make a new one with `entente node keys`, and give partners its thumbprint");
  }
  if (secret.size() != 32)
    return fail("node.keys", "the pairwise secret has not 32 bytes", (data / "keys/pairwise.key").string());
  return Keys{std::move(statement),
              std::move(oidc_client),
              std::move(record),
              std::move(ledger),
              std::move(link),
              std::move(certificate),
              crypto::Secret(std::move(secret))};
}

Json public_keys(const Keys& keys, const PartnerCode& partner) {
  const Result<ledger::NoteVerifier> log =
      ledger::NoteVerifier::make(ledger_origin(partner), keys.ledger.public_key());
  return Json::object({{"partner", partner.text()},
                       {"statement_keys", key_set(keys.statement)},
                       {"oidc_client_keys", key_set(keys.oidc_client)},
                       {"link_thumbprint", keys.link_certificate.thumbprint()},
                       {"link_certificate", keys.link_certificate.pem()},
                       {"ledger_key", keys.ledger.public_key().pem()},
                       {"ledger_vkey", log ? log->vkey() : std::string()},
                       {"record_key", keys.record.public_key().pem()}});
}

}  // namespace entente::node
