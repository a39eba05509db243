// The key service's own keys: read again without a restart.
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/key_desk.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

bool holds(const data::KasKeys& keys, const data::KasKey& key) {
  const data::KasKey* found = keys.find(key.kid);
  return found != nullptr && found->key.public_key().thumbprint() == key.key.public_key().thumbprint();
}

// By name: those of `keys` that `others` lack, or have as another key.
Json beyond_keys(const data::KasKeys& keys, const data::KasKeys& others) {
  Json out = Json::array();
  for (const data::KasKey& key : keys.keys())
    if (!holds(others, key)) out.push(key.kid);
  return out;
}

struct KeyServiceCalls {
  ApiCore& api;
  Records& records;
  KeyDesk& keys;
  const Clock& clock;
  PartnerCode self;

  net::Task<Answer> reload(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> keys_routes(ApiCore& api, const Api::Parts& parts) {
  return routes_of(KeyServiceCalls{api, parts.records, parts.keys, parts.clock, parts.self},
                   {
                       {"POST", "/v1/key-service/reload", &KeyServiceCalls::reload},
                   });
}

// Recorded before the new ones are used. What cannot be read changes nothing.
net::Task<Answer> KeyServiceCalls::reload(ApiRequest request) {
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  coalition::Verdict verdict;
  if (auto no =
          api.refused(request, coalition::Action::administer, coalition::NodeRef{self}, *reason, verdict))
    co_return *no;
  Result<data::KasKeys> read = keys.read_keys();
  if (!read) co_return refusal(409, read.error());
  const Json added = beyond_keys(*read, keys.keys());
  const Json gone = beyond_keys(keys.keys(), *read);
  ledger::Record leaf{.event_class = "key-service.keys", .time = clock.now(), .fields = {}};
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  leaf.fields.emplace_back("added", added);
  leaf.fields.emplace_back("gone", gone);
  const Result<void> durable = co_await api.record(std::move(leaf));
  if (!durable) co_return refusal(status_of(durable.error()), durable.error());
  keys.use_keys(*std::move(read));
  Json list = Json::array();
  std::string given;
  for (const data::KasKey& key : keys.keys().keys()) {
    const std::string algorithm = data::algorithm_of(key.key.public_key());
    const bool out = keys.given_out(algorithm) == &key;
    if (out) given += (given.empty() ? "" : ", ") + key.kid;
    list.push(Json::object({{"kid", key.kid},
                            {"algorithm", algorithm},
                            {"given_out", out},
                            {"recalled", records.world().recall("key", key.kid) != nullptr}}));
  }
  Json body = Json::object({{"text", fmt::format("{} keys open what is sealed here; given out: {}",
                                                 list.items().size(), given.empty() ? "none" : given)},
                            {"verdict", verdict.id.text()},
                            {"added", added},
                            {"gone", gone},
                            {"keys", std::move(list)}});
  co_return Answer{200, std::move(body)};
}

}  // namespace entente::node
