// The key service's own keys: read again without a restart.
#include "node/api.h"
#include "node/api_answers.h"
#include "node/key_desk.h"
#include "node/operators.h"

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

}  // namespace

// Recorded before the new ones are used. What cannot be read changes nothing.
net::Task<Api::Answer> Api::reload_keys(Request request) {
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  coalition::Verdict verdict;
  if (auto no =
          refused(request, coalition::Action::administer, coalition::NodeRef{parts_.self}, *reason, verdict))
    co_return *no;
  Result<data::KasKeys> read = parts_.keys.read_keys();
  if (!read) co_return refusal(409, read.error());
  const Json added = beyond_keys(*read, parts_.keys.keys());
  const Json gone = beyond_keys(parts_.keys.keys(), *read);
  ledger::Record leaf{.event_class = "key-service.keys", .time = parts_.clock.now(), .fields = {}};
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  leaf.fields.emplace_back("added", added);
  leaf.fields.emplace_back("gone", gone);
  const Result<void> durable = co_await record(std::move(leaf));
  if (!durable) co_return refusal(status_of(durable.error()), durable.error());
  parts_.keys.use_keys(*std::move(read));
  Json list = Json::array();
  std::string given;
  for (const data::KasKey& key : parts_.keys.keys().keys()) {
    const std::string algorithm = data::algorithm_of(key.key.public_key());
    const bool out = parts_.keys.given_out(algorithm) == &key;
    if (out) given += (given.empty() ? "" : ", ") + key.kid;
    list.push(Json::object({{"kid", key.kid},
                            {"algorithm", algorithm},
                            {"given_out", out},
                            {"recalled", parts_.records.world().recall("key", key.kid) != nullptr}}));
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
