// What clients of the key service ask for over HTTP.
#include "base/log.h"
#include "identity/oidc.h"
#include "net/url.h"
#include "node/key_desk.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kSmallBodyMax = 64 * 1024;
constexpr size_t kFqnsMax = 250;
constexpr std::string_view kDefaultAlgorithm = "rsa:2048";
constexpr std::string_view kValuePart = "/value/";

std::string query_text(const std::string& query, std::string_view name) {
  const auto pairs = net::parse_form(query);
  const std::string* found = pairs ? net::find_pair(*pairs, name) : nullptr;
  return found == nullptr ? std::string() : *found;
}

// "rsa:2048" as attribute answers name it.
std::string_view algorithm_enum(std::string_view algorithm) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames{
      {{"rsa:2048", "ALGORITHM_RSA_2048"},
       {"rsa:4096", "ALGORITHM_RSA_4096"},
       {"ec:secp256r1", "ALGORITHM_EC_P256"},
       {"ec:secp384r1", "ALGORITHM_EC_P384"},
       {"ec:secp521r1", "ALGORITHM_EC_P521"}}};
  for (const auto& [name, value] : kNames) {
    if (name == algorithm) return value;
  }
  return "ALGORITHM_UNSPECIFIED";
}

std::string_view rule_enum(std::string_view rule) {
  if (rule == "all_of") return "ATTRIBUTE_RULE_TYPE_ENUM_ALL_OF";
  if (rule == "hierarchy") return "ATTRIBUTE_RULE_TYPE_ENUM_HIERARCHY";
  return "ATTRIBUTE_RULE_TYPE_ENUM_ANY_OF";
}

// A body that is being read: counted for as long as it lives, however that ends.
struct Reading {
  Reading(size_t& all_of, std::map<std::string, size_t>& of_each, std::string reader)
      : all(all_of), each(of_each), who(std::move(reader)) {
    ++all;
    ++each[who];
  }
  ~Reading() {
    --all;
    const auto one = each.find(who);
    if (--one->second == 0) each.erase(one);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  size_t& all;
  std::map<std::string, size_t>& each;
  std::string who;
};

net::ResponseHead head_of(const data::KasAnswer& answer) {
  net::ResponseHead head;
  head.status = answer.status;
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : answer.headers) head.headers.add(name, value);
  return head;
}

}  // namespace

struct KeyDesk::Route {
  std::string_view method;
  std::string_view path;
  Handler handler;
  bool legacy = false;
};

std::span<const KeyDesk::Route> KeyDesk::routes() {
  static constexpr std::array<Route, 10> kRoutes{
      {{"POST", "/wellknownconfiguration.WellKnownService/GetWellKnownConfiguration", &KeyDesk::well_known},
       {"POST", "/kas.AccessService/PublicKey", &KeyDesk::public_key},
       {"POST", "/kas.AccessService/Rewrap", &KeyDesk::rewrap},
       {"POST", "/policy.attributes.AttributesService/GetAttributeValuesByFqns", &KeyDesk::attribute_values},
       {"POST", "/policy.kasregistry.KeyAccessServerRegistryService/ListKeyAccessServers",
        &KeyDesk::key_services},
       {"GET", "/kas_public_key", &KeyDesk::public_key, true},
       {"GET", "/v2/kas_public_key", &KeyDesk::public_key, true},
       {"POST", "/v2/rewrap", &KeyDesk::rewrap, true},
       {"GET", "/key-access-servers", &KeyDesk::key_services, true},
       {"GET", "/.well-known/opentdf-configuration", &KeyDesk::well_known, true}}};
  return kRoutes;
}

net::Task<void> KeyDesk::handle(net::HttpCall& call, net::NormalTarget target) {
  use_own_url();
  const net::RequestHead& head = call.head();
  const Route* route = nullptr;
  for (const Route& one : routes()) {
    if (one.path == target.path && one.method == head.method) route = &one;
  }
  data::KasAnswer answer;
  if (kas_.url().empty() || route == nullptr) {
    answer = data::connect_error("not_found", "There is nothing here.");
    [[maybe_unused]] const Result<void> none = co_await call.answer(head_of(answer), answer.body.dump());
    co_return;
  }
  Asked asked;
  asked.request.method = head.method;
  asked.request.path = target.path;
  asked.request.origin = "https://" + head.authority;
  asked.request.authorization = head.headers.get("Authorization");
  asked.request.dpop = head.headers.get("DPoP");
  asked.request.client_key = head.headers.get("X-VirtruPubKey");
  asked.query = target.query;
  asked.legacy = route->legacy;
  const bool doubled = head.headers.count("Authorization") > 1 || head.headers.count("DPoP") > 1;
  const bool rewraps = route->handler == &KeyDesk::rewrap;
  if (doubled) answer = data::connect_error("invalid_argument", "A header stands there twice.");
  // A large body is read for those alone whom a token of ours names, for so many at once, and not for long.
  std::optional<Reading> reading;
  net::Timer in_time;
  if (rewraps && answer.body.is_null()) {
    const std::optional<data::Kas::Issuer> issuer = co_await issuer_of(asked.request);
    Result<std::string> known = data::Kas::admits(asked.request, issuer ? &*issuer : nullptr, at());
    const auto mine = known ? reading_of_.find(*known) : reading_of_.end();
    if (!known) {
      answer = kas_.unproved(known.error(), at());
    } else if (reading_ >= kReadingMax || (mine != reading_of_.end() && mine->second >= kReadingOfOneMax)) {
      answer = data::connect_error("unavailable", "This key service has more to do than it can; try again.");
    } else {
      reading.emplace(reading_, reading_of_, *std::move(known));
      in_time = parts_.loop.after(kReadingTime, [&call] { call.abort(); });
    }
  }
  if (head.method == "POST" && answer.body.is_null()) {
    const bool json = head.headers.get("Content-Type").starts_with("application/json");
    Result<std::string> text = co_await call.read_all(rewraps ? data::kRewrapBytesMax : kSmallBodyMax);
    reading.reset();
    in_time.cancel();
    // The key service reads a rewrap's body by itself.
    Result<Json> body = Json::object();
    if (!text) {
      body = Failure(text.error());
    } else if (!rewraps) {
      body = Json::parse(*text, {.bytes_max = kSmallBodyMax, .depth_max = 8});
    }
    if (!json || !body || !body->is_object()) {
      answer = data::connect_error("invalid_argument", "The body is no JSON object of application/json.");
    } else {
      asked.request.body = std::move(*text);
      asked.body = std::move(*body);
    }
  }
  if (answer.body.is_null()) answer = co_await (this->*route->handler)(std::move(asked));
  if (answer.stranger) parts_.stranger_refused();
  if (!answer.leaves.empty()) record_later(std::move(answer.leaves));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(head_of(answer), answer.body.dump());
}

net::Task<data::KasAnswer> KeyDesk::well_known(Asked) {
  data::KasAnswer out;
  Json configuration = Json::object();
  if (const data::KasKey* base = given_out(kDefaultAlgorithm)) {
    const Json key = Json::object(
        {{"algorithm", kDefaultAlgorithm}, {"kid", base->kid}, {"pem", base->key.public_key().pem()}});
    configuration.set(
        "base_key",
        Json::object({{"kas_uri", kas_.url()}, {"kas_id", parts_.self.text()}, {"public_key", key}}));
  }
  if (const Json* issuer = parts_.records.world().raw("token-issuer/main")) {
    configuration.set("platform_issuer", issuer->text_or("issuer", ""));
  }
  out.body = Json::object({{"configuration", std::move(configuration)}});
  co_return out;
}

net::Task<data::KasAnswer> KeyDesk::public_key(Asked asked) {
  std::string algorithm =
      asked.legacy ? query_text(asked.query, "algorithm") : std::string(asked.body.text_or("algorithm", ""));
  const std::string version =
      asked.legacy ? query_text(asked.query, "v") : std::string(asked.body.text_or("v", "2"));
  if (algorithm.empty()) algorithm = kDefaultAlgorithm;
  const data::KasKey* key = given_out(algorithm);
  if (key == nullptr) co_return data::connect_error("not_found", "There is no key of this algorithm here.");
  data::KasAnswer out;
  if (asked.legacy && version != "2") {
    out.body = Json(key->key.public_key().pem());
  } else {
    out.body = Json::object({{"publicKey", key->key.public_key().pem()}, {"kid", key->kid}});
  }
  co_return out;
}

net::Task<std::optional<data::Kas::Issuer>> KeyDesk::issuer_of(const data::KasRequest& request) {
  const std::string token = data::Kas::token_of(request);
  const auto claimed = identity::unverified_issuer(token);
  if (!claimed) co_return std::nullopt;
  std::optional<data::Kas::Issuer> first;  // says what is wrong with the token
  // More than one record may be of one issuer, for programs of several kinds: the one that takes the token. A
  // single one need not be asked: whoever asked for it looks whether the token is good.
  const auto is_its = [&](const std::string& name) {
    const Json* record = parts_.records.world().raw(name);
    return record != nullptr && record->text_or("issuer", "") == *claimed;
  };
  std::vector<std::string> names = parts_.records.world().keys("token-issuer/");
  std::erase_if(names, [&](const std::string& name) { return !is_its(name); });
  for (const std::string& name : names) {
    if (!is_its(name)) continue;
    const Json* record = parts_.records.world().raw(name);
    auto settings = identity::token_issuer_from_json(*record, name);
    if (!settings) {
      log(LogLevel::warning, "node", "a token issuer cannot be used", {{"why", settings.error().text()}});
      continue;
    }
    std::string kid = crypto::unverified_kid(token).value_or("");
    std::string issuer = settings->issuer;
    Result<crypto::KeySet> keys =
        co_await parts_.issuers.of(std::move(issuer), std::move(kid), settings->alg);
    if (!keys) {
      log(LogLevel::warning, "node", "a token issuer's keys are not to be had",
          {{"why", keys.error().text()}});
      continue;
    }
    // Fetching may have taken a while: a record that is another one by now, or gone, vouches for nothing.
    const Json* newest = parts_.records.world().raw(name);
    auto again = newest == nullptr ? Result<identity::TokenIssuer>(fail("node.issuer-keys", "withdrawn"))
                                   : identity::token_issuer_from_json(*newest, name);
    if (!again || again->issuer != settings->issuer) continue;
    data::Kas::Issuer found{*std::move(again), *std::move(keys)};
    if (names.size() == 1 || data::Kas::admits(request, &found, at())) co_return found;
    if (!first) first = std::move(found);
  }
  co_return first;
}

net::Task<std::optional<data::KasAnswer>> KeyDesk::stranger(data::KasRequest request) {
  const std::optional<data::Kas::Issuer> issuer = co_await issuer_of(request);
  const Result<data::KasCaller> who = kas_.who(request, issuer ? &*issuer : nullptr, at());
  if (who) co_return std::nullopt;
  co_return kas_.unproved(who.error(), at());
}

Json KeyDesk::value_json(const coalition::Attribute& attribute,
                         const coalition::Attribute::Value& value) const {
  const std::string fqn = fmt::format("{}{}{}", attribute.fqn, kValuePart, value.value);
  const size_t part = attribute.fqn.find("/attr/");
  Json definition = Json::object(
      {{"id", attribute.name},
       {"name", attribute.fqn.substr(part + 6)},
       {"fqn", attribute.fqn},
       {"rule", rule_enum(attribute.rule)},
       {"namespace", Json::object({{"id", attribute.name}, {"fqn", attribute.fqn.substr(0, part)}})},
       {"kasKeys", Json::array()},
       {"grants", Json::array()}});
  // One share for each nation of origin, wrapped for its own key service.
  Json keys = Json::array();
  const std::string& nation = value.means;
  const Json* service = attribute.meaning == coalition::Meaning::originator
                            ? parts_.records.world().raw("key-service/" + nation)
                            : nullptr;
  const auto name_key = [&](std::string_view kid, std::string_view pem) {
    keys = Json::array({Json::object(
        {{"kasId", nation},
         {"kasUri", service->text_or("url", "")},
         {"publicKey",
          Json::object({{"algorithm", algorithm_enum(kDefaultAlgorithm)}, {"kid", kid}, {"pem", pem}})}})});
  };
  const Json* held = service == nullptr ? nullptr : service->find("keys");
  if (service != nullptr && nation == parts_.self.text()) {
    const data::KasKey* own = given_out(kDefaultAlgorithm);
    if (own != nullptr) name_key(own->kid, own->key.public_key().pem());
  } else if (held != nullptr && held->is_array()) {
    for (const Json& key : held->items()) {
      if (key.text_or("algorithm", "") == kDefaultAlgorithm)
        name_key(key.text_or("kid", ""), key.text_or("pem", ""));
    }
  }
  Json out = Json::object({{"attribute", definition}});
  out.set("value", Json::object({{"id", fqn},
                                 {"value", value.value},
                                 {"fqn", fqn},
                                 {"attribute", std::move(definition)},
                                 {"kasKeys", std::move(keys)},
                                 {"grants", Json::array()}}));
  return out;
}

net::Task<data::KasAnswer> KeyDesk::attribute_values(Asked asked) {
  std::optional<data::KasAnswer> no = co_await stranger(asked.request);
  if (no) co_return std::move(*no);
  const Json* fqns = asked.body.find("fqns");
  if (fqns == nullptr || !fqns->is_array() || fqns->items().size() > kFqnsMax) {
    co_return data::connect_error("invalid_argument",
                                  fmt::format("\"fqns\" lists at most {} values", kFqnsMax));
  }
  Json found = Json::object();
  for (const Json& item : fqns->items()) {
    const std::string fqn = item.is_string() ? item.string() : std::string();
    const size_t part = fqn.rfind(kValuePart);
    const coalition::Attribute* attribute =
        part == std::string::npos ? nullptr : parts_.records.world().attribute(fqn.substr(0, part));
    const auto* value =
        attribute == nullptr ? nullptr : attribute->find(fqn.substr(part + kValuePart.size()));
    if (value == nullptr) {
      co_return data::connect_error("not_found", "One of these attributes is not known here.");
    }
    found.set(fqn, value_json(*attribute, *value));
  }
  data::KasAnswer out;
  out.body = Json::object({{"fqnAttributeValues", std::move(found)}});
  co_return out;
}

net::Task<data::KasAnswer> KeyDesk::key_services(Asked asked) {
  std::optional<data::KasAnswer> no = co_await stranger(asked.request);
  if (no) co_return std::move(*no);
  Json list = Json::array();
  for (const coalition::KeyService* service : parts_.records.world().key_services()) {
    list.push(Json::object({{"id", service->partner.text()}, {"uri", service->url}}));
  }
  data::KasAnswer out;
  out.body = Json::object({{"keyAccessServers", std::move(list)}, {"pagination", Json::object()}});
  co_return out;
}

net::Task<data::KasAnswer> KeyDesk::rewrap(Asked asked) {
  const std::optional<data::Kas::Issuer> issuer = co_await issuer_of(asked.request);
  data::Kas::Step step = kas_.take(asked.request, issuer ? &*issuer : nullptr, parts_.records.world(), at());
  data::KasAnswer answer = co_await walk(std::move(step));
  co_return answer;
}

}  // namespace entente::node
