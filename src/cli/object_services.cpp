// Key services, asked from the command line: for their public keys, and for shares of an object's key.
#include "base/file.h"
#include "cli/object_files.h"
#include "data/kas_client.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/tls.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

namespace entente::cli {
namespace {

constexpr size_t kTokenFileMax = 64 * 1024;

Result<std::string> trust_of(const Arguments& arguments) {
  const auto file = arguments.option("trust");
  return file ? read_file(*file) : Result<std::string>(std::string());
}

net::Task<Result<net::FetchResponse>> ask_service(net::Loop* loop, std::string trust_pem,
                                                  net::FetchRequest request) {
  net::TlsClientConfig config;
  config.trust_pem = std::move(trust_pem);
  config.alpn = {"http/1.1"};
  CO_TRY(const net::TlsClient tls, net::TlsClient::make(std::move(config)));
  Result<net::FetchResponse> answer = co_await net::fetch(*loop, std::move(request), tls);
  co_return answer;
}

// "https://kas.xaa.localhost:8441", or that and where it is reached:
// "...=https://kas-xaa.xbb.localhost:8442".
struct Service {
  std::string url;
  std::string via;
};

struct Services {
  data::Holder holder;
  std::vector<Service> allowed;
  std::string trust_pem;
};

Result<net::FetchResponse> ask_once(const Services& services, const std::string& url,
                                    const data::KeyRequest& request, const std::string& nonce) {
  TRY(std::string proof, data::make_proof(services.holder, "POST", url, nonce, system_clock().now()));
  net::FetchRequest http;
  http.method = "POST";
  http.url = url;
  http.headers.add("Content-Type", "application/json");
  http.headers.add("Connect-Protocol-Version", "1");
  http.headers.add("Authorization", "DPoP " + services.holder.token);
  http.headers.add("DPoP", std::move(proof));
  http.body = request.body;
  net::Loop loop;
  return loop.run_until(ask_service(&loop, services.trust_pem, std::move(http)));
}

Result<Service> service_of(const Services& services, const data::KeyAccess& access) {
  const std::string url = data::key_service_of(access.url);
  const auto service = std::ranges::find(services.allowed, url, &Service::url);
  if (service == services.allowed.end())
    return fail("data.unwrap", "The object names a key service that is not among those to be asked.", url,
                "If you trust it with your token: --service " + url);
  return *service;
}

Result<net::FetchResponse> ask_with_nonce(const Services& services, const Service& service,
                                          const data::KeyRequest& request) {
  const std::string target = service.via + request.path;
  TRY(net::FetchResponse answer, ask_once(services, target, request, ""));
  const std::string nonce(answer.headers.get("dpop-nonce"));
  if (answer.status == 401 && !nonce.empty()) {
    TRY(answer, ask_once(services, target, request, nonce));
  }
  return answer;
}

Result<crypto::Secret> ask_share(const Services& services, const data::KeyAccess& access,
                                 const std::string& policy_text,
                                 const std::vector<coalition::Action>& opened_for) {
  TRY(const Service service, service_of(services, access));
  TRY(const data::KeyRequest request,
      data::ask_for_share(access, policy_text, opened_for, services.holder, system_clock().now()));
  TRY(const net::FetchResponse answer, ask_with_nonce(services, service, request));
  auto share = data::read_share(answer.status, answer.body, request);
  // Whoever answered: a reader's own nation may have refused before the other one was asked.
  if (!share)
    share.error().where() =
        service.via == service.url ? service.url : fmt::format("{} for {}", service.via, service.url);
  return share;
}

Result<Services> services_of(const Arguments& arguments) {
  TRY(const std::string token_file, arguments.need("token"));
  TRY(const std::string proof_file, arguments.need("proof"));
  TRY(std::string token, read_file(token_file, kTokenFileMax));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty() || !std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; }))
    return fail("cli.usage", "the file holds no access token", token_file, "one line of text");
  TRY(crypto::PrivateKey proof, crypto::load_private_key(proof_file));
  Services out{{std::move(token), std::move(proof)}, {}, {}};
  for (const std::string& word : arguments.all("service")) {
    const size_t equals = word.find("=https://");
    const std::string url = data::key_service_of(word.substr(0, equals));
    const std::string via = equals == std::string::npos ? url : data::key_service_of(word.substr(equals + 1));
    if (!url.starts_with("https://"))
      return fail("cli.usage", fmt::format("--service {} is no https address", word), {}, "URL, or URL=URL");
    out.allowed.push_back({url, via});
  }
  if (out.allowed.empty())
    return fail("cli.usage", "--service is missing", {}, "which key services may see your token");
  TRY(out.trust_pem, trust_of(arguments));
  return out;
}

// What it tells anybody; null where it answers with something else than that.
Result<Json> told_by_service(const Arguments& arguments, std::string url) {
  TRY(std::string trust, trust_of(arguments));
  net::FetchRequest request;
  request.url = std::move(url);
  net::Loop loop;
  TRY(const net::FetchResponse answer,
      loop.run_until(ask_service(&loop, std::move(trust), std::move(request))));
  auto json = Json::parse(answer.body);
  return answer.status == 200 && json ? *std::move(json) : Json();
}

}  // namespace

Result<data::Recipient> recipient_of_service(const Arguments& arguments, std::string url) {
  url = data::key_service_of(url);
  TRY(const Json told, told_by_service(arguments, url + "/v2/kas_public_key?algorithm=ec:secp256r1&v=2"));
  if (told.is_null())
    return fail("object.recipient", "The key service did not give its public key.", url,
                "Give it yourself: --to URL=PUBLIC.pem");
  TRY(crypto::PublicKey key, read_public_key_text(std::string(told.text_or("publicKey", "")), url));
  return data::Recipient{std::move(key), url, std::string(told.text_or("kid", "")), ""};
}

Result<std::vector<crypto::PublicKey>> originator_keys_of_service(const Arguments& arguments,
                                                                  std::string url) {
  url = data::key_service_of(url);
  TRY(const Json told, told_by_service(arguments, url + "/.well-known/opentdf-configuration"));
  const Json* configuration = told.find("configuration");
  if (configuration == nullptr)
    return fail("object.recipient", "The key service did not say by which keys its nation signs.", url,
                "Give the key yourself: --known-originator CODE=PUBLIC.pem");
  std::vector<crypto::PublicKey> out;
  const Json* keys = configuration->find("originator_keys");
  if (keys == nullptr || !keys->is_array()) return out;
  for (const Json& pem : keys->items()) {
    if (!pem.is_string()) continue;
    auto key = crypto::PublicKey::from_pem(pem.string());
    if (key) out.push_back(*std::move(key));  // as the lobby does: another that is good still is
  }
  return out;
}

Result<OpenerMaker> opener_of(const Arguments& arguments, std::vector<coalition::Action> opened_for) {
  TRY(const std::vector<crypto::PrivateKey> keys, private_keys_of(arguments));
  std::shared_ptr<const Services> services;
  if (arguments.options.contains("token") || arguments.options.contains("proof")) {
    TRY(Services given, services_of(arguments));
    services = std::make_shared<const Services>(std::move(given));
  }
  if (keys.empty() && services == nullptr)
    return fail("cli.usage", "--key is missing", {},
                "a private key of one of its recipients; or --token, --proof and --service");
  return [opener = data::with_keys(keys), services, any = !keys.empty(),
          opened_for = std::move(opened_for)](std::string policy_text) -> data::ShareOpener {
    return [=](const data::KeyAccess& access) -> Result<crypto::Secret> {
      if (any || services == nullptr) {
        auto share = opener(access);
        if (share || services == nullptr) return share;
      }
      return ask_share(*services, access, policy_text, opened_for);
    };
  };
}

Result<std::vector<AskedRelease>> ask_releases(const Arguments& arguments, const data::Manifest& manifest,
                                               const data::ReleaseWish& wish) {
  TRY(const Services services, services_of(arguments));
  std::vector<AskedRelease> out;
  for (const data::KeyAccess& access : manifest.key_access) {
    TRY(const Service service, service_of(services, access));
    TRY(const data::KeyRequest request,
        data::ask_for_release(access, manifest.policy_text, wish, services.holder, system_clock().now()));
    TRY(const net::FetchResponse answer, ask_with_nonce(services, service, request));
    out.push_back({service.url, data::read_asked(answer.status, answer.body)});
  }
  return out;
}

Result<std::vector<AskedRecall>> ask_recall(const Arguments& arguments, const data::Manifest& manifest,
                                            const std::string& reason) {
  TRY(const Services services, services_of(arguments));
  std::vector<AskedRecall> out;
  for (const data::KeyAccess& access : manifest.key_access) {
    const auto service = service_of(services, access);
    if (!service) continue;  // of another nation's, say
    if (std::ranges::find(out, service->url, &AskedRecall::service) != out.end()) continue;
    TRY(const data::KeyRequest request,
        data::ask_to_recall(access, manifest.policy_text, reason, services.holder, system_clock().now()));
    const Result<net::FetchResponse> answer = ask_with_nonce(services, *service, request);
    out.push_back({service->url, answer ? data::read_recalled(answer->status, answer->body)
                                        : Result<bool>(Failure(answer.error()))});
    if (out.back().durable) break;
  }
  if (out.empty())
    return fail("cli.usage", "none of the key services that --service names has a share of this object", {},
                "--service with that of your own nation, as `entente inspect` has it");
  return out;
}

Result<std::string> author_of(const Arguments& arguments) {
  if (!arguments.options.contains("token") && !arguments.options.contains("proof")) return std::string();
  TRY(const Services services, services_of(arguments));
  const data::KeyRequest request{std::string(data::kAuthorPath), "{}",
                                 crypto::PrivateKey::generate(crypto::KeyKind::p256)};
  TRY(const net::FetchResponse answer, ask_with_nonce(services, services.allowed.front(), request));
  return data::read_author(answer.status, answer.body);
}

}  // namespace entente::cli
