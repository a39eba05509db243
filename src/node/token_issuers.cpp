#include "node/token_issuers.h"

#include "base/log.h"

namespace entente::node {

net::Task<std::optional<data::Kas::Issuer>> TokenIssuers::of(const data::KasRequest& request) {
  const std::string_view token = data::Kas::token_of(request);
  const auto claimed = identity::unverified_issuer(token);
  if (!claimed) co_return std::nullopt;
  std::optional<data::Kas::Issuer> first;  // says what is wrong with the token
  // More than one record may be of one issuer, for programs of several kinds: the one that takes the token. A
  // single one need not be asked: whoever asked for it looks whether the token is good.
  const auto is_its = [&](const std::string& name) {
    const Json* record = world_().raw(name);
    return record != nullptr && record->text_or("issuer", "") == *claimed;
  };
  std::vector<std::string> names = world_().keys("token-issuer/");
  std::erase_if(names, [&](const std::string& name) { return !is_its(name); });
  for (const std::string& name : names) {
    if (!is_its(name)) continue;
    const Json* record = world_().raw(name);
    auto settings = identity::token_issuer_from_json(*record, name);
    if (!settings) {
      log(LogLevel::warning, "node", "a token issuer cannot be used", {{"why", settings.error().text()}});
      continue;
    }
    std::string kid = crypto::unverified_kid(token).value_or("");
    std::string issuer = settings->issuer;
    Result<crypto::KeySet> keys = co_await keys_.of(std::move(issuer), std::move(kid), settings->alg);
    if (!keys) {
      log(LogLevel::warning, "node", "a token issuer's keys are not to be had",
          {{"why", keys.error().text()}});
      continue;
    }
    // Fetching may have taken a while: a record that is another one by now, or gone, vouches for nothing.
    const Json* newest = world_().raw(name);
    auto again = newest == nullptr ? Result<identity::TokenIssuer>(fail("node.issuer-keys", "withdrawn"))
                                   : identity::token_issuer_from_json(*newest, name);
    if (!again || again->issuer != settings->issuer) continue;
    data::Kas::Issuer found{*std::move(again), *std::move(keys)};
    if (names.size() == 1 || data::Kas::admits(request, &found, {clock_.now(), clock_.tick()}))
      co_return found;
    if (!first) first = std::move(found);
  }
  co_return first;
}

}  // namespace entente::node
