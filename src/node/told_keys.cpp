#include "node/told_keys.h"

#include "base/fields.h"
#include "data/kas_keys.h"

#include <algorithm>
#include <set>

namespace entente::node {
namespace {

constexpr size_t kPemMax = 2048;
constexpr size_t kAlgorithmMax = 32;

std::string record_of(const PartnerCode& nation) {
  return "key-service/" + nation.text();
}

Result<Json> read_key(Fields& fields) {
  const std::string kid = fields.text("kid", data::kKidMax);
  const std::string algorithm = fields.text("algorithm", kAlgorithmMax);
  const std::string pem = fields.text("pem", kPemMax);
  TRY_VOID(fields.done());
  TRY(const crypto::PublicKey key, crypto::PublicKey::from_pem(pem));
  if (!data::is_kid(kid) || algorithm.empty() || data::algorithm_of(key) != algorithm)
    return fail("offers.keys", "this is no key of a key service", fields.path());
  return Json::object({{"kid", kid}, {"algorithm", algorithm}, {"pem", key.pem()}});
}

}  // namespace

Json told_keys(const coalition::World& world, const Json& keys) {
  const coalition::KeyService* own = world.key_service(world.self());
  if (own == nullptr) return {};
  std::vector<Json> out;
  std::set<std::string_view> algorithms;
  for (auto key = keys.items().rbegin(); key != keys.items().rend(); ++key) {
    const coalition::Recall* recall = world.recall("key", key->text_or("kid", ""));
    if (recall != nullptr && recall->partners.empty()) continue;
    if (algorithms.insert(key->text_or("algorithm", "")).second) out.push_back(*key);
  }
  std::reverse(out.begin(), out.end());
  Json list = Json::array();
  for (Json& key : out) list.push(std::move(key));
  return Json::object({{"url", own->url}, {"keys", std::move(list)}});
}

Result<std::optional<coalition::Record>> hear_keys(const coalition::World& world, const PartnerCode& from,
                                                   const Json& said, Instant issued) {
  const coalition::KeyService* service = world.key_service(from);
  const Json* known = world.raw(record_of(from));
  if (service == nullptr || known == nullptr) return std::nullopt;
  Fields fields(said, "key_service");
  const std::string url = fields.text("url");
  Json keys = Json::array();
  std::set<std::string> kids, algorithms;
  for (Fields& one : fields.objects("keys", data::kKasKeysMax)) {
    TRY(Json key, read_key(one));
    kids.emplace(key.text_or("kid", ""));
    algorithms.emplace(key.text_or("algorithm", ""));
    keys.push(std::move(key));
  }
  TRY_VOID(fields.done());
  if (url != service->url)
    return fail("offers.authority", "a partner may tell the keys of its own key service only", from.text());
  if (kids.size() != keys.items().size() || algorithms.size() != keys.items().size())
    return fail("offers.keys", "a name or an algorithm of a key stands there twice", from.text());
  const Json* before = known->find("keys");
  if (before != nullptr && before->canonical() == keys.canonical()) return std::nullopt;
  // As it stands on the disk: a list from before these keys were told puts none of the older ones back,
  // whatever this node was told since it began.
  if (issued <= service->told)
    return fail("offers.old", "newer keys of this partner's were heard already", from.text());
  Json changed = *known;
  changed.set("keys", std::move(keys)).set("told", rfc3339(issued));
  return coalition::Record{record_of(from), std::move(changed)};
}

const Json* told_key(const Json& service, std::string_view algorithm) {
  const Json* keys = service.find("keys");
  if (keys == nullptr || !keys->is_array()) return nullptr;
  const Json* newest = nullptr;
  for (const Json& key : keys->items()) {
    if (key.text_or("algorithm", "") == algorithm) newest = &key;
  }
  return newest;
}

}  // namespace entente::node
