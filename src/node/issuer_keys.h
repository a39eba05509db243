// Keys of the identity providers whose access tokens are taken here: found by discovery, fetched when they
// are needed, kept for an hour and good for no longer. Lives on the control loop. Errors: "node.issuer-keys".
#pragma once

#include "base/time.h"
#include "crypto/jose.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/tls.h"

#include <map>
#include <optional>
#include <string>

namespace entente::node {

class IssuerKeys {
 public:
  static constexpr Seconds kAge{3600};
  static constexpr Seconds kPause{60};  // between two fetches for a key that is not there
  static constexpr size_t kIssuersMax = 64;

  IssuerKeys(net::Loop& loop, const Clock& clock, const net::TlsClient& tls, net::Resolver& resolver)
      : loop_(loop), clock_(clock), tls_(tls), resolver_(resolver) {}

  // `kid`: of the token at hand; when it is not among the keys they are fetched again, now and then.
  [[nodiscard]] net::Task<Result<crypto::KeySet>> of(std::string issuer, std::string kid,
                                                     crypto::SignatureAlg alg);

 private:
  struct Known {
    crypto::KeySet keys;
    std::optional<Tick> read;   // when they were
    std::optional<Tick> asked;  // when they were last asked for
    bool coming = false;
  };
  net::Task<Result<crypto::KeySet>> fetch_keys(std::string issuer, crypto::SignatureAlg alg);
  net::Task<Result<Json>> fetch(std::string url);

  net::Loop& loop_;
  const Clock& clock_;
  const net::TlsClient& tls_;
  net::Resolver& resolver_;
  std::map<std::string, Known> known_;
};

}  // namespace entente::node
