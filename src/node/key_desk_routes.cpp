// What clients of the key service ask for over HTTP.
#include "base/log.h"
#include "data/kas_client.h"
#include "identity/oidc.h"
#include "net/url.h"
#include "node/key_desk.h"
#include "node/told_keys.h"

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

// "rsa:2048" as attribute answers name it; in the order in which they are offered to whoever asks for none.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kAlgorithms{
    {{kDefaultAlgorithm, "ALGORITHM_RSA_2048"},
     {"ec:secp256r1", "ALGORITHM_EC_P256"},
     {"rsa:4096", "ALGORITHM_RSA_4096"},
     {"ec:secp384r1", "ALGORITHM_EC_P384"},
     {"ec:secp521r1", "ALGORITHM_EC_P521"}}};

std::string_view algorithm_enum(std::string_view algorithm) {
  for (const auto& [name, value] : kAlgorithms) {
    if (name == algorithm) return value;
  }
  return "ALGORITHM_UNSPECIFIED";
}

std::string_view rule_enum(std::string_view rule) {
  if (rule == "all_of") return "ATTRIBUTE_RULE_TYPE_ENUM_ALL_OF";
  if (rule == "hierarchy") return "ATTRIBUTE_RULE_TYPE_ENUM_HIERARCHY";
  return "ATTRIBUTE_RULE_TYPE_ENUM_ANY_OF";
}

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
  static constexpr std::array<Route, 11> kRoutes{
      {{"POST", "/wellknownconfiguration.WellKnownService/GetWellKnownConfiguration", &KeyDesk::well_known},
       {"POST", "/kas.AccessService/PublicKey", &KeyDesk::public_key},
       {"POST", "/kas.AccessService/Rewrap", &KeyDesk::rewrap},
       {"POST", data::kAuthorPath, &KeyDesk::author},
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

net::Task<void> KeyDesk::handle(net::HttpCall& call, net::NormalTarget target, PartnerCode of) {
  use_own_url();
  const net::RequestHead& head = call.head();
  // Some clients are told an address that ends in /kas, and ask below it.
  constexpr std::string_view kBelow = "/kas/";
  std::string_view path = target.path;
  if (path.starts_with(kBelow)) path.remove_prefix(kBelow.size() - 1);
  const Route* route = nullptr;
  for (const Route& one : routes()) {
    if (one.path == path && one.method == head.method) route = &one;
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
  asked.of = of.text().empty() ? parts_.self : std::move(of);
  asked.legacy = route->legacy;
  const bool doubled = head.headers.count("Authorization") > 1 || head.headers.count("DPoP") > 1;
  const bool rewraps = route->handler == &KeyDesk::rewrap;
  if (doubled) answer = data::connect_error("invalid_argument", "A header stands there twice.");
  // A large body is read for those alone whom a token of ours names, for so many at once, and not for long.
  std::optional<Room<std::string>::Place> reading;
  net::Timer in_time;
  if (rewraps && answer.body.is_null()) {
    const std::optional<data::Kas::Issuer> issuer = co_await token_issuers_.of(asked.request);
    Result<std::string> known = data::Kas::admits(asked.request, issuer ? &*issuer : nullptr, at());
    if (known) reading = reading_.take(*known);
    if (!known) {
      answer = kas_.unproved(known.error(), at());
    } else if (!reading) {
      answer = data::connect_error("unavailable", "This key service has more to do than it can; try again.");
    } else {
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

// What is wrapped for at that nation's service: our own by what it holds, another's by what its node told.
// A name that leads here from within this nation must not be answered with our own key: what is sealed for
// it would open at neither.
Json KeyDesk::key_of(const PartnerCode& nation, std::string_view algorithm) const {
  if (nation == parts_.self) {
    const data::KasKey* own = given_out(algorithm);
    if (own == nullptr) return {};
    return Json::object({{"algorithm", algorithm}, {"kid", own->kid}, {"pem", own->key.public_key().pem()}});
  }
  const Json* service = parts_.records.world().raw("key-service/" + nation.text());
  const Json* told = service == nullptr ? nullptr : told_key(*service, algorithm);
  return told == nullptr ? Json() : *told;
}

Json KeyDesk::first_key_of(const PartnerCode& nation) const {
  for (const auto& [algorithm, name] : kAlgorithms) {
    Json key = key_of(nation, algorithm);
    if (!key.is_null()) return key;
  }
  return {};
}

net::Task<data::KasAnswer> KeyDesk::well_known(Asked asked) {
  data::KasAnswer out;
  Json configuration = Json::object();
  const coalition::KeyService* service = parts_.records.world().key_service(asked.of);
  Json base = first_key_of(asked.of);
  if (service != nullptr && !base.is_null()) {
    configuration.set("base_key", Json::object({{"kas_uri", service->url},
                                                {"kas_id", asked.of.text()},
                                                {"public_key", std::move(base)}}));
  }
  if (service != nullptr && !service->originator_keys.empty()) {
    Json keys = Json::array();
    for (const std::string& pem : service->originator_keys) keys.push(pem);
    configuration.set("originator_keys", std::move(keys));
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
  const Json key = key_of(asked.of, algorithm);
  if (key.is_null()) co_return data::connect_error("not_found", "There is no key of this algorithm here.");
  data::KasAnswer out;
  const std::string_view pem = key.text_or("pem", "");
  if (asked.legacy && version != "2") {
    out.body = Json(pem);
  } else {
    out.body = Json::object({{"publicKey", pem}, {"kid", key.text_or("kid", "")}});
  }
  co_return out;
}

net::Task<std::optional<data::KasAnswer>> KeyDesk::stranger(data::KasRequest request) {
  const std::optional<data::Kas::Issuer> issuer = co_await token_issuers_.of(request);
  const Result<data::KasCaller> who = kas_.who(request, issuer ? &*issuer : nullptr, at());
  if (who) co_return std::nullopt;
  co_return kas_.unproved(who.error(), at());
}

// Null where nothing can be sealed under it now: a nation of origin whose key is not known. Clients pass a
// value without a key over in silence, and the others would open what that nation has to decide on.
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
  if (attribute.meaning == coalition::Meaning::originator) {
    const PartnerCode nation(value.means);
    const coalition::KeyService* service = parts_.records.world().key_service(nation);
    const Json key = service == nullptr ? Json() : first_key_of(nation);
    if (key.is_null()) return {};
    keys.push(
        Json::object({{"kasId", nation.text()},
                      {"kasUri", service->url},
                      {"publicKey", Json::object({{"algorithm", algorithm_enum(key.text_or("algorithm", ""))},
                                                  {"kid", key.text_or("kid", "")},
                                                  {"pem", key.text_or("pem", "")}})}}));
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
    const Result<data::AttributeName> name = data::parse_attribute(fqn);
    const coalition::Attribute* attribute =
        name ? parts_.records.world().attribute(name->attribute()) : nullptr;
    const auto* value = attribute == nullptr ? nullptr : attribute->find(name->value());
    if (value == nullptr) {
      co_return data::connect_error("not_found", "One of these attributes is not known here.");
    }
    Json said = value_json(*attribute, *value);
    if (said.is_null()) {
      co_return data::connect_error(
          "unavailable",
          fmt::format("No key of {}'s key service is known here now: nothing can be sealed for it.",
                      value->means));
    }
    found.set(fqn, std::move(said));
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
  const std::optional<data::Kas::Issuer> issuer = co_await token_issuers_.of(asked.request);
  data::Kas::Step step = kas_.take(asked.request, issuer ? &*issuer : nullptr, parts_.records.world(), at());
  data::KasAnswer answer = co_await walk(std::move(step));
  co_return answer;
}

// Who seals names themselves by this, so that nobody else learns who it was, and their own node does.
net::Task<data::KasAnswer> KeyDesk::author(Asked asked) {
  const std::optional<data::Kas::Issuer> issuer = co_await token_issuers_.of(asked.request);
  const Result<data::KasCaller> who = kas_.who(asked.request, issuer ? &*issuer : nullptr, at());
  data::KasAnswer out;
  if (!who) {
    out = kas_.unproved(who.error(), at());
  } else if (asked.of != parts_.self) {
    out = data::connect_error("not_found", "An author is known to their own nation's key service alone.");
  } else {
    out.body = Json::object({{"author", parts_.author(who->person.id)}});
  }
  co_return out;
}

}  // namespace entente::node
