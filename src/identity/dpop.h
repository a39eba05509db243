// Demonstrating Proof of Possession (RFC 9449): that whoever brings an access token holds the key it is bound
// to. The key stands in the proof, so it proves nothing by itself: what counts is that the token names its
// thumbprint. Errors: "dpop.proof" (shape, type, algorithm, signature), "dpop.request" (method, address,
// time, token), "dpop.replayed", "dpop.nonce".
#pragma once

#include "base/time.h"
#include "base/used_once.h"
#include "crypto/digest.h"
#include "crypto/key.h"

#include <string>
#include <string_view>
#include <utility>

namespace entente::identity {

inline constexpr size_t kDpopBytesMax = 8192;
inline constexpr Seconds kDpopAge{60};   // how old a proof may be
inline constexpr Seconds kDpopSkew{60};  // how far its clock may be off, either way
inline constexpr size_t kProofsRememberedMax = 300'000;
inline constexpr size_t kProofsOfOneMax = 20'000;  // of whom their tokens are of

// What some clients do and RFC 9449 does not let them; off unless somebody says otherwise.
struct DpopLeniency {
  bool path_only = false;      // `htu` is the path alone
  bool no_token_hash = false;  // no `ath`
};

struct DpopExpect {
  std::string method;
  std::string origin;             // "https://kas.xaa.localhost:8441"
  std::string path;               // "/v2/rewrap": query and fragment are not part of `htu`
  crypto::Digest access_token{};  // SHA-256 of its text
  Instant now = {};
  DpopLeniency lenient = {};
};

struct DpopProof {
  crypto::PublicKey key;
  std::string thumbprint;  // RFC 7638, as `cnf.jkt` has it
  std::string id;          // jti
  std::string nonce;       // may be empty
  Instant issued = {};
};

// Signature and claims; whether it came before and which nonce it should bear is asked of those below.
[[nodiscard]] Result<DpopProof> check_dpop(std::string_view proof, const DpopExpect& expect);

// Each proof counts once. Not thread-safe.
class DpopReplays {
 public:
  explicit DpopReplays(size_t size_max = kProofsRememberedMax, size_t of_one_max = kProofsOfOneMax)
      : used_(size_max, of_one_max) {}
  // `who`: whom the token that came with it is of, as its issuer says.
  [[nodiscard]] Result<void> use(const DpopProof& proof, const std::string& who, Instant now);
  [[nodiscard]] size_t size() const { return used_.size(); }

 private:
  UsedOnce used_;
};

// Nonces that this node gave out (RFC 9449 section 8), known again without being kept: good for this period
// and the one before.
class DpopNonces {
 public:
  static constexpr Seconds kPeriod{150};
  explicit DpopNonces(crypto::Secret secret) : secret_(std::move(secret)) {}
  [[nodiscard]] std::string current(Instant now) const;
  [[nodiscard]] bool is_ours(std::string_view nonce, Instant now) const;

 private:
  [[nodiscard]] std::string of(int64_t period) const;
  crypto::Secret secret_;
};

}  // namespace entente::identity
