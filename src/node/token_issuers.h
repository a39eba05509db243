// Which of the nation's token-issuer/... records vouches for an access token: several may, of one identity
// provider or of others, each with its own programs. Lives on the control loop.
#pragma once

#include "data/kas.h"
#include "node/issuer_keys.h"

#include <functional>
#include <optional>

namespace entente::node {

class TokenIssuers {
 public:
  // `world`: what counts now.
  TokenIssuers(std::function<const coalition::World&()> world, IssuerKeys& keys, const Clock& clock)
      : world_(std::move(world)), keys_(keys), clock_(clock) {}

  // The one that takes the request's token; where none does, or there is but one, one of its issuer: whether
  // it takes it is for whoever asked to look. None: no record is of that issuer, or its keys are not to be
  // had. `request` outlives the task.
  [[nodiscard]] net::Task<std::optional<data::Kas::Issuer>> of(const data::KasRequest& request);

 private:
  std::function<const coalition::World&()> world_;
  IssuerKeys& keys_;
  const Clock& clock_;
};

}  // namespace entente::node
