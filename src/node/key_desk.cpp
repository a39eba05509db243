#include "node/key_desk.h"

#include "base/log.h"
#include "coalition/levels.h"
#include "identity/oidc.h"
#include "net/url.h"
#include "node/key_voucher.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kSmallBodyMax = 64 * 1024;
constexpr size_t kFqnsMax = 250;
constexpr size_t kViewIdMax = 64;
constexpr std::string_view kDefaultAlgorithm = "rsa:2048";
constexpr std::string_view kValuePart = "/value/";
constexpr std::string_view kBrowser = "browser:";  // no thumbprint of a key begins so
constexpr std::string_view kLobbyClient = "lobby";

std::string own_url(const coalition::World& world, const PartnerCode& self) {
  const coalition::KeyService* own = world.key_service(self);
  return own == nullptr ? std::string() : own->url;
}

coalition::Facts moment_of(const PartnerCode& self, Instant end) {
  // No signal sources are connected yet: risk stands at its baseline for as long as the token holds.
  const std::string source = "node:" + self.text();
  coalition::Facts facts;
  facts.emplace("risk", coalition::Fact{int64_t{0}, source, end});
  facts.emplace("network", coalition::Fact{std::string("door"), source, end});
  return facts;
}

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

// A partner needs not know by which sign-in somebody looks: it could tell two of their ids to be one
// person's.
data::KasCaller for_partner(data::KasCaller caller, const PartnerCode& to) {
  if (caller.by.device.starts_with(kBrowser)) {
    caller.by.device =
        std::string(kBrowser) + base64url(crypto::sha256(identity::framed({caller.by.device, to.text()})));
  }
  return caller;
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

Instant to_the_second(Instant at) {
  return from_unix_seconds(unix_seconds(at));
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

Json public_kas_keys(const data::KasKeys& keys) {
  Json out = Json::array();
  for (const data::KasKey& key : keys.keys()) {
    out.push(Json::object({{"kid", key.kid},
                           {"algorithm", data::algorithm_of(key.key.public_key())},
                           {"pem", key.key.public_key().pem()}}));
  }
  return out;
}

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

KeyDesk::KeyDesk(Parts parts)
    : parts_(std::move(parts)),
      started_(to_the_second(parts_.clock.now())),
      kas_(data::Kas::Parts{
          .self = parts_.self,
          .url = own_url(parts_.records.world(), parts_.self),
          .keys = parts_.keys,
          .nonces = false,
          .started = started_,
          .person = [this](const identity::AccessToken& token, Instant now) { return person(token, now); },
          .context = [self = parts_.self](Instant end) { return moment_of(self, end); },
          .limits = {},
          .views = &parts_.views.views()}) {}

Result<identity::PersonFacts> KeyDesk::person(const identity::AccessToken& token, Instant now) const {
  const coalition::World& world = parts_.records.world();
  const coalition::Partner* self = world.partner(parts_.self);
  const int64_t ceiling = self == nullptr ? 0 : coalition::level_of(self->ceiling).value_or(0);
  identity::SignedIn who;
  who.nation = parts_.self;
  who.issuer = token.issuer;
  who.subject = token.subject;
  who.claims = token.claims;
  who.auth_time = token.auth_time;
  return identity::person_from(who, parts_.crosswalk, ceiling, now);
}

net::Task<void> KeyDesk::handle(net::HttpCall& call, net::NormalTarget target) {
  kas_.name(own_url(parts_.records.world(), parts_.self));
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

const data::KasKey* KeyDesk::given_out(std::string_view algorithm) const {
  return kas_.keys().newest(algorithm, [this](const std::string& kid) {
    const coalition::Recall* recall = parts_.records.world().recall("key", kid);
    return recall != nullptr && recall->partners.empty();
  });
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
  // More than one record may be of one issuer, for programs of several kinds: the one that takes the token.
  const std::vector<std::string> names = parts_.records.world().keys("token-issuer/");
  for (const std::string& name : names) {
    const Json* record = parts_.records.world().raw(name);
    if (record == nullptr || record->text_or("issuer", "") != *claimed) continue;
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
    if (data::Kas::admits(request, &found, at())) co_return found;
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

net::Task<data::KasAnswer> KeyDesk::walk(data::Kas::Step step) {
  while (!std::holds_alternative<data::KasAnswer>(step)) {
    if (auto* pause = std::get_if<data::Kas::Pause>(&step)) {
      data::Kas::Pause held = std::move(*pause);
      co_await parts_.loop.sleep(Millis(0));
      step = kas_.go_on(std::move(held), parts_.records.world(), at());
    } else if (auto* write = std::get_if<data::Kas::Write>(&step)) {
      data::Kas::Write held = std::move(*write);
      Result<void> durable;
      if (held.records.empty()) {
        durable = co_await record(held.leaves);
      } else {
        durable = co_await write_down(held.records, held.leaves);
      }
      step = kas_.written(std::move(held), durable, parts_.records.world(), at());
    } else {
      data::Kas::Forward held = std::get<data::Kas::Forward>(std::move(step));
      PartnerCode to = held.to;
      data::KasCaller caller = held.caller;
      Json wanted = held.request;
      Result<Json> said = co_await ask_partner(std::move(to), std::move(caller), std::move(wanted));
      step = kas_.forwarded(std::move(held), said, parts_.records.world(), at());
    }
  }
  if (kas_.counts() && !counted_.pending()) {
    counted_ = parts_.loop.after(kCountedEvery, [this] { record_counted(); });
  }
  co_return std::get<data::KasAnswer>(std::move(step));
}

void KeyDesk::record_counted() {
  std::vector<data::KasLeaf> leaves = kas_.counted(parts_.clock.now());
  if (!leaves.empty()) record_later(std::move(leaves));
}

net::Task<Result<Json>> KeyDesk::ask_partner(PartnerCode to, data::KasCaller caller, Json request) {
  std::string text = request.dump();
  const PersonId pairwise = parts_.pairwise(caller.person.id, to);
  caller = for_partner(std::move(caller), to);
  Result<std::string> voucher =
      sign_voucher(parts_.statement_key, parts_.self, to, caller, pairwise, text, parts_.clock.now());
  if (!voucher) co_return Failure(voucher.error());
  Json whole = Json::object({{"voucher", *voucher}, {"request", text}});
  std::string body = whole.dump();
  Result<std::string> answer = co_await parts_.ask_partner(std::move(to), std::move(body));
  if (!answer) co_return Failure(answer.error());
  co_return Json::parse(*answer, {.bytes_max = 4 << 20, .depth_max = 16});
}

Result<data::KasCaller> KeyDesk::vouched(const PartnerCode& from, const Json& body) {
  const coalition::Partner* partner = parts_.records.world().partner(from);
  if (partner == nullptr) return fail("node.voucher", "nobody here knows that nation");
  const Instant now = parts_.clock.now();
  TRY(Voucher voucher,
      check_voucher(body.text_or("voucher", ""), *partner, parts_.self, body.text_or("request", ""), now));
  if (voucher.begin < started_) return fail("node.voucher", "a voucher from before this service began");
  TRY_VOID(vouchers_.use(from, voucher, now));
  return std::move(voucher.caller);
}

// A sign-in of this node's own is no key that was proved to be held. It counts as bound all the same: its
// cookie goes to this name alone, no script reads it, and what it opened ends with it.
net::Task<exchange::ObjectAnswer> KeyDesk::keys(exchange::ObjectReader reader, std::string request) {
  kas_.name(own_url(parts_.records.world(), parts_.self));
  const Result<Json> said = Json::parse(request, {.bytes_max = data::kRewrapBytesMax, .depth_max = 16});
  Result<data::RewrapRequest> wanted =
      said ? data::read_rewrap(*said) : Result<data::RewrapRequest>(Failure(said.error()));
  data::KasAnswer answer = data::connect_error("not_found", "There is nothing here.");
  if (!wanted) {
    answer = data::connect_error("invalid_argument", wanted.error().text());
  } else if (!kas_.url().empty()) {
    data::KasCaller caller;
    caller.person = std::move(reader.person);
    caller.context = std::move(reader.context);
    caller.by.device = std::string(kBrowser) + reader.sign_in;
    caller.by.client = kLobbyClient;
    data::Kas::Step step = kas_.take_for_page(std::move(caller), std::move(reader.sign_in),
                                              *std::move(wanted), parts_.records.world(), at());
    answer = co_await walk(std::move(step));
  }
  if (!answer.leaves.empty()) record_later(std::move(answer.leaves));
  exchange::ObjectAnswer out;
  out.status = answer.status;
  out.body = answer.body.dump();
  co_return out;
}

net::Task<data::KasAnswer> KeyDesk::watched(PartnerCode from, Json said) {
  const Json* listed = said.find("watch");
  std::vector<std::string> ids;
  bool good = listed->is_array() && listed->items().size() <= ViewDesk::kWatchedMax;
  for (size_t i = 0; good && i < listed->items().size(); ++i) {
    const Json& id = listed->items()[i];
    good = id.is_string() && id.string().size() <= kViewIdMax;
    if (good) ids.push_back(id.string());
  }
  data::KasAnswer answer = data::connect_error("invalid_argument", "The watch cannot be read.");
  if (good) {
    Result<Json> body = co_await parts_.views.watched(std::move(from), std::move(ids));
    answer = data::connect_error("resource_exhausted", "It is asked too often.");
    if (body) {
      answer = data::KasAnswer();
      answer.body = *std::move(body);
    }
  }
  co_return answer;
}

net::Task<std::string> KeyDesk::serve_partner(PartnerCode from, std::string body) {
  kas_.name(own_url(parts_.records.world(), parts_.self));
  data::KasAnswer answer = data::connect_error("invalid_argument", "The request cannot be read.");
  Result<Json> said = Json::parse(body, {.bytes_max = 4 << 20, .depth_max = 4});
  if (said && said->find("watch") != nullptr) {
    Json watch = *std::move(said);
    answer = co_await watched(std::move(from), std::move(watch));
    const Json told = Json::object({{"status", answer.status}, {"body", std::move(answer.body)}});
    co_return told.dump();
  }
  const Result<Json> wanted = said ? Json::parse(said->text_or("request", ""),
                                                 {.bytes_max = data::kRewrapBytesMax * 2, .depth_max = 16})
                                   : Result<Json>(Failure(said.error()));
  Result<data::RewrapRequest> request =
      wanted ? data::read_rewrap(*wanted) : Result<data::RewrapRequest>(Failure(wanted.error()));
  if (request && !kas_.url().empty()) {
    Result<data::KasCaller> caller = vouched(from, *said);
    if (!caller) {
      log(LogLevel::warning, "node", "a partner's voucher was not taken",
          {{"partner", from.text()}, {"why", caller.error().text()}});
      answer = caller.error().code() == "node.vouchers-full"
                   ? data::connect_error("unavailable", "This nation asks for more than it may; try again.")
                   : data::connect_error("unauthenticated", "The voucher is not good.");
    } else {
      data::Kas::Step step =
          kas_.take_for(*std::move(caller), *std::move(request), parts_.records.world(), at());
      answer = co_await walk(std::move(step));
    }
  }
  if (!answer.leaves.empty()) record_later(std::move(answer.leaves));
  const Json out = Json::object({{"status", answer.status}, {"body", std::move(answer.body)}});
  co_return out.dump();
}

std::vector<ledger::Record> KeyDesk::records_of(std::vector<data::KasLeaf> leaves) const {
  std::vector<ledger::Record> out;
  for (data::KasLeaf& leaf : leaves) {
    ledger::Record record{.event_class = std::move(leaf.kind), .time = parts_.clock.now(), .fields = {}};
    for (auto& [name, value] : leaf.fields) record.fields.emplace_back(name, std::move(value));
    out.push_back(std::move(record));
  }
  return out;
}

net::Task<Result<void>> KeyDesk::record(std::vector<data::KasLeaf> leaves) {
  struct Errand {
    explicit Errand(net::Loop& loop) : done(loop) {}
    net::Event done;
    Result<void> answer;
  };
  auto errand = std::make_shared<Errand>(parts_.loop);
  parts_.records.append(records_of(std::move(leaves)), false,
                        [errand](const Result<ledger::Appended>& appended) {
                          if (!appended) errand->answer = Failure(appended.error());
                          errand->done.set();
                        });
  bool done = co_await errand->done.wait(net::kNoTimeout);
  while (!done) done = co_await errand->done.wait(net::kNoTimeout);
  co_return std::move(errand->answer);
}

net::Task<Result<void>> KeyDesk::write_down(std::vector<coalition::Record> records,
                                            std::vector<data::KasLeaf> leaves) {
  struct Errand {
    explicit Errand(net::Loop& loop) : done(loop) {}
    net::Event done;
    Result<void> answer;
  };
  auto errand = std::make_shared<Errand>(parts_.loop);
  Change change;
  change.records = std::move(records);
  change.leaves = records_of(std::move(leaves));
  change.author = "key-service";
  parts_.records.commit(std::move(change), [errand](const Result<Outcome>& outcome) {
    if (!outcome) errand->answer = Failure(outcome.error());
    errand->done.set();
  });
  bool done = co_await errand->done.wait(net::kNoTimeout);
  while (!done) done = co_await errand->done.wait(net::kNoTimeout);
  co_return std::move(errand->answer);
}

void KeyDesk::record_later(std::vector<data::KasLeaf> leaves) {
  parts_.records.append(records_of(std::move(leaves)), false, [](const Result<ledger::Appended>& appended) {
    if (!appended)
      log(LogLevel::warning, "node", "a refused key is not in the ledger",
          {{"why", appended.error().text()}});
  });
}

}  // namespace entente::node
