#include "identity/dpop.h"

#include "base/json.h"
#include "base/memo.h"
#include "identity/person.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::identity {
namespace {

constexpr size_t kProofHeaderMax = 4096;
constexpr size_t kJtiBytesMax = 128;
constexpr size_t kNonceBytesMax = 128;

Failure no_proof(std::string what) {
  return fail("dpop.proof", std::move(what), {}, "RFC 9449 section 4.2 says what a proof is.");
}
Failure another_request(std::string what) {
  return fail("dpop.request", std::move(what), {}, "Make a new proof for each request.");
}

Result<Json> proof_json(std::string_view text) {
  const auto bytes = from_base64url(text);
  if (!bytes) return no_proof("The proof is not base64url.");
  auto json = Json::parse(as_text(*bytes), {.bytes_max = kProofHeaderMax, .depth_max = 4});
  if (!json || !json->is_object()) return no_proof("The proof is not made of JSON objects.");
  return *std::move(json);
}

struct ProofParts {
  std::string_view covered;
  std::string_view header;
  Json claims;
  Bytes signature;
};

Result<ProofParts> split_proof(std::string_view proof) {
  if (proof.size() > kDpopBytesMax) return no_proof("The proof is too long.");
  const size_t first = proof.find('.');
  const size_t second = first == std::string_view::npos ? first : proof.find('.', first + 1);
  if (second == std::string_view::npos || proof.find('.', second + 1) != std::string_view::npos) {
    return no_proof("The proof is no compact JWS.");
  }
  ProofParts out;
  out.covered = proof.substr(0, second);
  out.header = proof.substr(0, first);
  TRY(out.claims, proof_json(proof.substr(first + 1, second - first - 1)));
  const auto signature = from_base64url(proof.substr(second + 1));
  if (!signature) return no_proof("The proof is not base64url.");
  out.signature = *signature;
  return out;
}

struct ProvingKey {
  crypto::PublicKey key;
  crypto::SignatureAlg alg;
};

Result<ProvingKey> read_header(std::string_view text) {
  TRY(const Json header, proof_json(text));
  for (const auto& [name, value] : header.members()) {
    if (name != "typ" && name != "alg" && name != "jwk" && name != "kid") {
      return no_proof(fmt::format("The proof's header has \"{}\", which is never accepted.", name));
    }
  }
  if (header.text_or("typ", "") != "dpop+jwt") return no_proof("The proof's \"typ\" is not dpop+jwt.");
  const Json* jwk = header.find("jwk");
  if (jwk == nullptr) return no_proof("The proof has no key.");
  auto key = crypto::PublicKey::from_jwk(*jwk);
  if (!key) return no_proof("The proof's key is none that is accepted: " + key.error().what());
  const auto alg = crypto::signature_alg(header.text_or("alg", ""));
  if (!alg || !crypto::fits(*alg, key->kind()))
    return no_proof("The proof's algorithm does not fit its key.");
  return ProvingKey{*std::move(key), *alg};
}

// A device's proofs all begin with the same header: a thread keeps what it read in one.
Result<ProvingKey> named_key(std::string_view header) {
  constexpr size_t kKeptBytesMax = 2048;
  thread_local Memo<std::string, ProvingKey> kept;
  if (const ProvingKey* known = kept.find(header)) return *known;
  TRY(ProvingKey read, read_header(header));
  if (header.size() <= kKeptBytesMax) kept.put(std::string(header), read);
  return read;
}

// The one place where a key named inside a token is used: RFC 9449 puts it there, and the access token says
// whether it is the right one.
Result<crypto::PublicKey> proving_key(const ProofParts& parts) {
  TRY(ProvingKey named, named_key(parts.header));
  if (!named.key.verify(named.alg, as_bytes(parts.covered), parts.signature))
    return no_proof("The proof is not signed by its key.");
  return std::move(named.key);
}

Result<std::string> proof_text(const Json& claims, std::string_view name, size_t bytes_max) {
  const Json* value = claims.find(name);
  if (value == nullptr || !value->is_string() || value->string().empty() ||
      value->string().size() > bytes_max) {
    return no_proof(fmt::format("The proof's \"{}\" cannot be read.", name));
  }
  return value->string();
}

// The scheme's own port may be left out or not (RFC 9449 section 4.3, RFC 3986 section 6.2.3).
std::string plain_address(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  constexpr std::string_view kOwnPort = ":443";
  if (!url.starts_with(kScheme)) return std::string(url);
  const size_t path = std::min(url.find('/', kScheme.size()), url.size());
  std::string_view authority = url.substr(0, path);
  if (authority.ends_with(kOwnPort)) authority.remove_suffix(kOwnPort.size());
  return std::string(authority).append(url.substr(path));
}

// RFC 9449 section 4.3: without query and fragment.
bool names_request(std::string_view htu, const DpopExpect& expect) {
  htu = htu.substr(0, htu.find_first_of("?#"));
  if (htu.starts_with(expect.origin) && htu.substr(expect.origin.size()) == expect.path) return true;
  if (plain_address(htu) == plain_address(expect.origin + expect.path)) return true;
  return expect.lenient.path_only && htu == expect.path;
}

Result<void> check_claims(const Json& claims, const DpopExpect& expect, DpopProof& out) {
  TRY(out.id, proof_text(claims, "jti", kJtiBytesMax));
  TRY(const std::string htm, proof_text(claims, "htm", 16));
  TRY(const std::string htu, proof_text(claims, "htu", 2048));
  if (htm != expect.method) return another_request("The proof is for another method.");
  if (!names_request(htu, expect)) return another_request("The proof is for another address.");
  const Json* iat = claims.find("iat");
  if (iat == nullptr || !iat->is_int()) return no_proof("The proof's \"iat\" cannot be read.");
  constexpr int64_t kLatest = 253402300799;
  if (iat->integer() < 0 || iat->integer() > kLatest) return no_proof("The proof's \"iat\" cannot be read.");
  out.issued = from_unix_seconds(iat->integer());
  if (out.issued > expect.now + kDpopSkew) return another_request("The proof is from the future.");
  if (out.issued + kDpopAge + kDpopSkew <= expect.now) return another_request("The proof is too old.");
  if (const Json* nonce = claims.find("nonce")) {
    if (!nonce->is_string() || nonce->string().size() > kNonceBytesMax) {
      return no_proof("The proof's \"nonce\" cannot be read.");
    }
    out.nonce = nonce->string();
  }
  const Json* ath = claims.find("ath");
  if (ath == nullptr && expect.lenient.no_token_hash) return {};
  const std::string hash = base64url(expect.access_token);
  if (ath == nullptr || !ath->is_string() || !crypto::equal_constant_time(ath->string(), hash)) {
    return another_request("The proof is for another access token.");
  }
  return {};
}

}  // namespace

Result<DpopProof> check_dpop(std::string_view proof, const DpopExpect& expect) {
  TRY(const ProofParts parts, split_proof(proof));
  TRY(crypto::PublicKey key, proving_key(parts));
  DpopProof out{.key = key, .thumbprint = key.thumbprint(), .id = {}, .nonce = {}, .issued = {}};
  TRY_VOID(check_claims(parts.claims, expect, out));
  return out;
}

Result<void> DpopReplays::use(const DpopProof& proof, const std::string& who, Instant now) {
  // Its key stands beside it: nobody can use another's number up. For as long as it could pass again.
  const crypto::Digest name = crypto::sha256(framed({proof.thumbprint, proof.id}));
  switch (used_.use(name, who, proof.issued + kDpopAge + kDpopSkew, now)) {
    case UsedOnce::Use::first:
      return {};
    case UsedOnce::Use::again:
      return fail("dpop.replayed", "The proof was used before.");
    case UsedOnce::Use::full:
      break;
  }
  return fail("dpop.replayed", "More proofs are live than can be told apart.", {}, "Try again in a minute.");
}

std::string DpopNonces::of(int64_t period) const {
  const crypto::Digest code =
      crypto::hmac_sha256(secret_.bytes(), framed({"entente.dpop-nonce/1", std::to_string(period)}));
  return base64url(ByteView(code).first(18));
}

std::string DpopNonces::current(Instant now) const {
  return of(unix_seconds(now) / kPeriod.count());
}

bool DpopNonces::is_ours(std::string_view nonce, Instant now) const {
  const int64_t period = unix_seconds(now) / kPeriod.count();
  const bool now_good = crypto::equal_constant_time(nonce, of(period));
  const bool last_good = crypto::equal_constant_time(nonce, of(period - 1));
  return now_good || last_good;
}

}  // namespace entente::identity
