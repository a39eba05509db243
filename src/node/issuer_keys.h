// Keys of the identity providers whose access tokens are taken here: found by discovery, fetched when they
// are needed, kept for an hour and good for no longer. Lives on the control loop. Errors: "node.issuer-keys".
#pragma once

#include "base/time.h"
#include "crypto/jose.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/tls.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace entente::node {

class IssuerKeys {
 public:
  static constexpr Seconds kAge{3600};
  static constexpr Seconds kPause{60};  // between two fetches for a key that is not there
  static constexpr Seconds kRetry{2};   // after a fetch that failed; twice as long each time, up to kPause
  static constexpr size_t kIssuersMax = 64;

  using Fetch = std::function<net::Task<Result<Json>>(std::string url)>;
  IssuerKeys(net::Loop& loop, const Clock& clock, Fetch fetch)
      : loop_(loop), clock_(clock), fetch_(std::move(fetch)) {}
  // Over HTTPS.
  IssuerKeys(net::Loop& loop, const Clock& clock, const net::TlsClient& tls, net::Resolver& resolver);

  // `kid`: of the token at hand; when it is not among the keys they are fetched again, now and then.
  [[nodiscard]] net::Task<Result<crypto::KeySet>> of(std::string issuer, std::string kid,
                                                     crypto::SignatureAlg alg);

 private:
  struct Known {
    crypto::KeySet keys;
    std::optional<Tick> read;   // when they were
    std::optional<Tick> asked;  // when they were last asked for
    Seconds pause{0};           // after that, until they may be asked for again
    Seconds retry{0};           // the last one after a failure; none since they were read
    bool coming = false;
  };
  [[nodiscard]] bool has(const Known& known, std::string_view kid, Tick now) const;
  net::Task<Result<crypto::KeySet>> fetch_keys(std::string issuer, crypto::SignatureAlg alg);

  net::Loop& loop_;
  const Clock& clock_;
  Fetch fetch_;
  std::map<std::string, Known> known_;
};

}  // namespace entente::node
