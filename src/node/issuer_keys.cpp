#include "node/issuer_keys.h"

#include "net/http_client.h"
#include "net/url.h"

#include <algorithm>

namespace entente::node {

namespace {

net::Task<Result<Json>> fetch_json(net::Loop& loop, const net::TlsClient& tls, net::Resolver& resolver,
                                   std::string url) {
  net::FetchRequest request;
  request.url = std::move(url);
  request.body_max = crypto::kKeySetBytesMax;
  request.headers.add("Accept", "application/json");
  Result<net::FetchResponse> fetched = co_await net::fetch(loop, std::move(request), tls, &resolver);
  if (!fetched) co_return Failure(fetched.error());
  if (fetched->status != 200) co_return fail("node.issuer-keys", "the provider does not give its keys");
  co_return Json::parse(fetched->body);
}

}  // namespace

IssuerKeys::IssuerKeys(net::Loop& loop, const Clock& clock, const net::TlsClient& tls,
                       net::Resolver& resolver)
    : IssuerKeys(loop, clock, [&loop, &tls, &resolver](std::string url) {
        return fetch_json(loop, tls, resolver, std::move(url));
      }) {}

bool IssuerKeys::has(const Known& known, std::string_view kid, Tick now) const {
  const bool fresh = known.read && now - *known.read < kAge;
  return fresh && (kid.empty() ? !known.keys.keys().empty() : known.keys.find(kid) != nullptr);
}

net::Task<Result<crypto::KeySet>> IssuerKeys::of(std::string issuer, std::string kid,
                                                 crypto::SignatureAlg alg) {
  constexpr Millis kTurn{50};
  constexpr int kTurnsMax = 200;
  if (!known_.contains(issuer) && known_.size() >= kIssuersMax) {
    co_return fail("node.issuer-keys", "more providers are named than can be kept");
  }
  // Whoever brings a key that is known waits for nobody who brought one that is not.
  if (has(known_[issuer], kid, clock_.tick())) co_return known_[issuer].keys;
  for (int turn = 0; turn < kTurnsMax && known_[issuer].coming; ++turn) co_await loop_.sleep(kTurn);
  const Tick now = clock_.tick();
  {
    Known& known = known_[issuer];
    if (has(known, kid, now)) co_return known.keys;
    if (known.coming || (known.asked && now - *known.asked < known.pause)) {
      // Old keys are good for nothing: one of them may have been withdrawn since.
      if (known.read && now - *known.read < kAge) co_return known.keys;
      co_return fail("node.issuer-keys", "the provider's keys are not to be had now", issuer);
    }
    known.asked = now;
    known.coming = true;
  }
  std::string whose = issuer;
  Result<crypto::KeySet> read = co_await fetch_keys(std::move(whose), alg);
  Known& known = known_[issuer];
  known.coming = false;
  if (!read) {
    known.retry = std::clamp(2 * known.retry, kRetry, kPause);
    known.pause = known.retry;
    co_return Failure(read.error());
  }
  known.keys = *read;
  known.read = clock_.tick();
  known.pause = kPause;
  known.retry = Seconds(0);
  co_return std::move(*read);
}

net::Task<Result<crypto::KeySet>> IssuerKeys::fetch_keys(std::string issuer, crypto::SignatureAlg alg) {
  std::string discovery = issuer + "/.well-known/openid-configuration";
  Result<Json> document = co_await fetch_(std::move(discovery));
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
  Result<Json> keys = co_await fetch_(std::move(key_address));
  if (!keys) co_return Failure(keys.error());
  co_return crypto::KeySet::from_json(*keys, alg);
}

}  // namespace entente::node
