#include "node/issuer_keys.h"

#include "net/http_client.h"
#include "net/url.h"

namespace entente::node {

net::Task<Result<Json>> IssuerKeys::fetch(std::string url) {
  net::FetchRequest request;
  request.url = std::move(url);
  request.body_max = crypto::kKeySetBytesMax;
  request.headers.add("Accept", "application/json");
  Result<net::FetchResponse> fetched = co_await net::fetch(loop_, std::move(request), tls_, &resolver_);
  if (!fetched) co_return Failure(fetched.error());
  if (fetched->status != 200) co_return fail("node.issuer-keys", "the provider does not give its keys");
  co_return Json::parse(fetched->body);
}

net::Task<Result<crypto::KeySet>> IssuerKeys::of(std::string issuer, std::string kid,
                                                 crypto::SignatureAlg alg) {
  constexpr Millis kTurn{50};
  constexpr int kTurnsMax = 200;
  if (!known_.contains(issuer) && known_.size() >= kIssuersMax) {
    co_return fail("node.issuer-keys", "more providers are named than can be kept");
  }
  for (int turn = 0; turn < kTurnsMax && known_[issuer].coming; ++turn) co_await loop_.sleep(kTurn);
  const Tick now = clock_.tick();
  {
    Known& known = known_[issuer];
    const bool fresh = known.read && now - *known.read < kAge;
    const bool there = kid.empty() ? !known.keys.keys().empty() : known.keys.find(kid) != nullptr;
    const bool waits = known.coming || (known.asked && now - *known.asked < kPause);
    if (fresh && (there || waits)) co_return known.keys;
    // Old keys are good for nothing: one of them may have been withdrawn since.
    if (waits) co_return fail("node.issuer-keys", "the provider's keys are not to be had now", issuer);
    known.asked = now;
    known.coming = true;
  }
  std::string whose = issuer;
  Result<crypto::KeySet> read = co_await fetch_keys(std::move(whose), alg);
  Known& known = known_[issuer];
  known.coming = false;
  if (!read) co_return Failure(read.error());
  known.keys = *read;
  known.read = clock_.tick();
  co_return std::move(*read);
}

net::Task<Result<crypto::KeySet>> IssuerKeys::fetch_keys(std::string issuer, crypto::SignatureAlg alg) {
  std::string discovery = issuer + "/.well-known/openid-configuration";
  Result<Json> document = co_await fetch(std::move(discovery));
  if (!document) co_return Failure(document.error());
  if (document->text_or("issuer", "") != issuer) {
    co_return fail("node.issuer-keys", "the provider calls itself by another name", issuer);
  }
  const auto at = net::parse_url(document->text_or("jwks_uri", ""));
  const auto home = net::parse_url(issuer);
  if (!at || !home || at->origin() != home->origin()) {
    co_return fail("node.issuer-keys", "the provider's keys are somewhere else than the provider", issuer);
  }
  std::string key_address = at->text();
  Result<Json> keys = co_await fetch(std::move(key_address));
  if (!keys) co_return Failure(keys.error());
  co_return crypto::KeySet::from_json(*keys, alg);
}

}  // namespace entente::node
