// The verbs that are processes, and those that prepare them: node, connector, genesis, keys.
#include "base/file.h"
#include "cli/outputs.h"
#include "cli/verbs.h"
#include "crypto/digest.h"
#include "crypto/jose.h"
#include "exchange/connector.h"
#include "identity/crosswalk.h"
#include "net/http_client.h"
#include "net/url.h"
#include "node/config.h"
#include "node/genesis.h"
#include "node/key_desk.h"
#include "node/keys.h"
#include "node/node.h"
#include "node/records.h"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

namespace entente::cli {
namespace {

constexpr std::chrono::days kConnectorCertificateLife{400};

// Signals that end the process, waited for on a thread of its own. Block them before any thread starts.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  void then(std::function<void()> stop) {
    std::thread([set = set_, stop = std::move(stop)] {
      int signal = 0;
      sigwait(&set, &signal);
      stop();
    }).detach();
  }

 private:
  sigset_t set_{};
};

void say_ready(const Json& line) {
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

Result<node::NodeConfig> node_config(const Arguments& arguments) {
  TRY(const std::string file, arguments.need("config"));
  return node::load_node_config(file, system_clock().now());
}

Result<net::Thumbprint> pin_of(const std::string& text) {
  const Result<Bytes> bytes = from_base64url(text);
  net::Thumbprint pin{};
  if (!bytes || bytes->size() != pin.size()) {
    return fail("config.thumbprint", "this is no certificate thumbprint", text,
                "`entente node keys` of the node prints it");
  }
  std::copy(bytes->begin(), bytes->end(), pin.begin());
  return pin;
}

struct ConnectorIdentity {
  net::TlsIdentity tls;
  std::string thumbprint;
};

// The connector's own key and certificate, made at the first call.
Result<ConnectorIdentity> connector_identity(const node::ConnectorConfig& config) {
  const auto key_file = config.data / "connector-key.pem";
  const auto certificate_file = config.data / "connector-certificate.pem";
  std::error_code error;
  std::filesystem::create_directories(config.data, error);
  if (!std::filesystem::exists(key_file)) {
    TRY_VOID(
        crypto::save_private_key(key_file.string(), crypto::PrivateKey::generate(crypto::KeyKind::p256)));
  }
  TRY(const crypto::PrivateKey key, crypto::load_private_key(key_file.string()));
  if (!std::filesystem::exists(certificate_file)) {
    crypto::CertificateSpec spec;
    spec.common_name = config.id;
    spec.uris = {"entente:connector:" + config.id};
    spec.use = crypto::CertificateUse::client;
    spec.begin = system_clock().now() - std::chrono::hours(1);
    spec.end = system_clock().now() + kConnectorCertificateLife;
    TRY(const crypto::Certificate made, crypto::make_self_signed(key, spec));
    TRY_VOID(write_file(certificate_file, made.pem()));
  }
  TRY(const std::string pem, read_file(certificate_file));
  TRY(const crypto::Certificate certificate, crypto::Certificate::from_pem(pem));
  if (certificate.end() <= system_clock().now()) {
    return fail("connector.certificate",
                fmt::format("the connector's certificate ended at {}", rfc3339(certificate.end())),
                certificate_file.string(),
                "remove it, and enrol anew with a token of `entente connector add` at the node");
  }
  const crypto::Secret key_pem = key.pem();
  return ConnectorIdentity{{pem, std::string(as_text(key_pem.bytes()))}, certificate.thumbprint()};
}

Result<void> run_node(const Arguments& arguments) {
  StopSignals signals;
  TRY(node::NodeConfig config, node_config(arguments));
  const std::string partner = config.partner.text();
  TRY(std::unique_ptr<node::Node> node, node::Node::start(std::move(config)));
  signals.then([raw = node.get()] { raw->stop(); });
  node->run([partner](uint16_t port) {
    say_ready(Json::object({{"ready", true}, {"partner", partner}, {"port", static_cast<int64_t>(port)}}));
  });
  return {};
}

Result<Json> make_keys(const Arguments& arguments) {
  TRY(const node::NodeConfig config, node_config(arguments));
  TRY(const node::Keys keys, node::make_keys(config.data, config.partner, system_clock().now()));
  Json out = node::public_keys(keys, config.partner);
  const std::filesystem::path kas_folder = config.data / "keys" / "kas";
  TRY_VOID(data::KasKeys::make_missing(kas_folder, system_clock().now()));
  TRY(const data::KasKeys kas_keys, data::KasKeys::load(kas_folder));
  out.set("kas_keys", node::public_kas_keys(kas_keys));
  // Identity providers that read a client's keys from a file find them here.
  TRY_VOID(
      write_file(config.data / "keys/oidc-client-jwks.json", out.find("oidc_client_keys")->dump() + "\n"));
  return out;
}

Result<void> init_node(const Arguments& arguments) {
  TRY(const node::NodeConfig config, node_config(arguments));
  TRY(const std::string genesis_file, arguments.need("genesis"));
  TRY(const std::string genesis, read_file(genesis_file, 16 << 20));
  const Instant now = system_clock().now();
  TRY(const node::Keys keys, node::make_keys(config.data, config.partner, now));
  std::string_view jws = genesis;
  while (jws.ends_with('\n')) jws.remove_suffix(1);
  return node::Records::found(config, keys, jws, now);
}

// "now", "now+90d", "now-1d": fixed when the genesis is signed. Units d, h, m.
std::optional<Instant> relative_time(std::string_view text, Instant now) {
  if (text == "now") return now;
  if (text.size() < 6 || !text.starts_with("now") || (text[3] != '+' && text[3] != '-')) return std::nullopt;
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data() + 4, text.data() + text.size() - 1, count);
  if (error != std::errc() || end != text.data() + text.size() - 1 || count > 36'500) return std::nullopt;
  const Millis unit = text.back() == 'd'   ? Millis(std::chrono::hours(24))
                      : text.back() == 'h' ? Millis(std::chrono::hours(1))
                                           : Millis(60'000);
  if (text.back() != 'd' && text.back() != 'h' && text.back() != 'm') return std::nullopt;
  return std::chrono::floor<Seconds>(text[3] == '+' ? now + count * unit : now - count * unit);
}

void fix_times(Json& value, Instant now) {
  if (value.is_string()) {
    if (const auto at = relative_time(value.string(), now)) value = Json(rfc3339(*at));
  } else if (value.is_array()) {
    for (Json& item : value.items()) fix_times(item, now);
  } else if (value.is_object()) {
    for (Json::Member& member : value.members()) fix_times(member.second, now);
  }
}

// In the genesis input a policy, schema or label policy may be named by file ({"file": "base.cedar"}) and a
// crosswalk is plain JSON: they become what the node keeps, the crosswalk signed with the same key.
Result<Json> complete_record(const std::string& key, Json value, const crypto::PrivateKey& nation_key,
                             const std::filesystem::path& folder) {
  if (const Json* file = value.find("file"); file != nullptr && file->is_string()) {
    TRY(const std::string text, read_file(folder / file->string()));
    if (key.starts_with("label-policy/")) {
      std::erase_if(value.members(), [](const Json::Member& member) { return member.first == "file"; });
      value.set("spif", text);
      return value;
    }
    return Json::object({{"text", text}});
  }
  if (key.starts_with("crosswalk/")) {
    TRY_VOID(identity::Crosswalk::load(value));
    TRY(const std::string jws,
        identity::sign_crosswalk(nation_key, nation_key.public_key().thumbprint(), value));
    return Json::object({{"jws", jws}});
  }
  return value;
}

Result<void> sign_genesis(const Arguments& arguments) {
  TRY(const std::string key_file, arguments.need("key"));
  TRY(const std::string in, arguments.need("in"));
  TRY(const std::string out, output_named(arguments));
  TRY(const crypto::PrivateKey key, crypto::load_private_key(key_file));
  TRY(const std::string text, read_file(in, 16 << 20));
  Result<Json> payload = Json::parse(text, {.bytes_max = 16 << 20});
  if (!payload) {
    Error error = payload.error();
    error.where() = in + ":" + error.where();
    return Failure(error);
  }
  fix_times(*payload, system_clock().now());
  Json signed_payload = Json::object({{"v", 1}, {"partner", payload->text_or("partner", "")}});
  Json records = Json::array();
  const Json* written = payload->find("records");
  if (written == nullptr || !written->is_object()) {
    return fail("genesis.format", "the records are missing", in + ":" + json_place(text, ""),
                "write \"records\": { key: value }");
  }
  for (const auto& [record_key, value] : written->members()) {
    Result<Json> complete = complete_record(record_key, value, key, std::filesystem::path(in).parent_path());
    if (!complete) {
      Error error = complete.error();
      error.where() = fmt::format("{}: {} {}", in, record_key, error.where());
      return Failure(error);
    }
    records.push(Json::object({{"key", record_key}, {"value", *std::move(complete)}}));
  }
  signed_payload.set("records", std::move(records));
  TRY(const std::string jws, node::sign_genesis(signed_payload, key));
  TRY(const node::Genesis opened, node::open_genesis(jws, key.public_key()));
  const Result<coalition::World> world = coalition::World::load(opened.records, Revision{1});
  if (!world) return Failure(world.error());
  return write_file(out, jws + "\n");
}

net::Task<Result<Json>> enrol_at(net::Loop* loop, std::string door, std::string trust_pem, Json body) {
  net::TlsClientConfig config;
  config.trust_pem = std::move(trust_pem);
  config.alpn = {"http/1.1"};
  CO_TRY(const net::TlsClient tls, net::TlsClient::make(std::move(config)));
  net::FetchRequest request;
  request.method = "POST";
  request.url = door + "/.entente/enrol";
  request.headers.add("Content-Type", "application/json");
  request.body = body.dump();
  Result<net::FetchResponse> answer = co_await net::fetch(*loop, std::move(request), tls);
  if (!answer) co_return Failure(answer.error());
  if (answer->status != 200) {
    co_return fail("enrol.refused", "the node did not take this enrolment", door,
                   "check the connector's id and token; a token is good once and for a day");
  }
  co_return Json::parse(answer->body);
}

Result<void> enrol(const Arguments& arguments) {
  TRY(const std::string file, arguments.need("config"));
  TRY(const std::string token, arguments.need("token"));
  TRY(const std::string door, arguments.need("door"));
  TRY(const std::string trust, arguments.need("trust"));
  TRY(const node::ConnectorConfig config, node::load_connector_config(file));
  TRY(const ConnectorIdentity identity, connector_identity(config));
  TRY(std::string trust_pem, read_file(trust));
  Json body = Json::object({{"id", config.id}, {"token", token}, {"certificate", identity.tls.chain_pem}});
  net::Loop loop;
  TRY(const Json answer, loop.run_until(enrol_at(&loop, door, std::move(trust_pem), std::move(body))));
  if (answer.text_or("node_thumbprint", "") != config.node_thumbprint) {
    return fail("enrol.node", "the node shows another link certificate than the configuration pins", file,
                fmt::format("if you trust the door you enrolled at, set node.thumbprint to {}",
                            answer.text_or("node_thumbprint", "")));
  }
  fmt::print("connector {} is enrolled\n", config.id);
  return {};
}

Result<void> run_connector(const Arguments& arguments) {
  StopSignals signals;
  TRY(const std::string file, arguments.need("config"));
  TRY(const node::ConnectorConfig config, node::load_connector_config(file));
  TRY(ConnectorIdentity identity, connector_identity(config));
  TRY(const net::Authority address, net::parse_authority(config.node_address));
  exchange::ConnectorProcess::Options options;
  options.node_host = address.host;
  options.node_port = address.port;
  TRY(options.node_pin, pin_of(config.node_thumbprint));
  for (const auto& target : config.targets) {
    options.targets[target.app] = target.socket.string();
    if (target.opaque) options.opaque.insert(target.app);
  }
  options.app_timeout = config.app_timeout;
  net::TlsClientConfig tls_config;
  tls_config.identity = std::move(identity.tls);
  tls_config.alpn = {"entente-connector/1"};
  TRY(net::TlsClient tls, net::TlsClient::make(std::move(tls_config)));
  net::Loop loop;
  exchange::ConnectorProcess connector(loop, std::move(tls), std::move(options));
  signals.then([&loop, &connector] {
    loop.post([&connector] { connector.stop(); });
    loop.post([&loop] { loop.stop(); });
  });
  loop.post([&config] { say_ready(Json::object({{"ready", true}, {"connector", config.id}})); });
  loop.spawn(connector.run());
  loop.run();
  return {};
}

// FILE and FILE.pub: both or neither, and nothing that was there is lost.
Result<Json> make_nation_key(const Arguments& arguments) {
  TRY(const std::string file, arguments.need("out"));
  const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p384);
  const std::string public_pem = key.public_key().pem();
  TRY_VOID(crypto::create_private_key(file, key));
  const Result<void> published = create_file(file + ".pub", public_pem);
  if (!published) {
    ::unlink(file.c_str());
    return Failure(published.error());
  }
  return Json::object({{"public_key", public_pem}, {"file", file + ".pub"}});
}

int finish(const Result<void>& result, const Arguments& arguments) {
  return result ? kExitOk : report(result.error(), arguments.json());
}

}  // namespace

int node_run(const Arguments& arguments) {
  return finish(run_node(arguments), arguments);
}
int node_init(const Arguments& arguments) {
  return finish(init_node(arguments), arguments);
}
int node_check(const Arguments& arguments) {
  const Result<node::NodeConfig> config = node_config(arguments);
  if (!config) return report(config.error(), arguments.json());
  fmt::print("the configuration of {} is right\n", config->partner.text());
  return kExitOk;
}
int node_keys(const Arguments& arguments) {
  const Result<Json> keys = make_keys(arguments);
  if (!keys) return report(keys.error(), arguments.json());
  print_json(*keys);
  return kExitOk;
}
int genesis_key(const Arguments& arguments) {
  const Result<Json> made = make_nation_key(arguments);
  if (!made) return report(made.error(), arguments.json());
  print_json(*made);
  return kExitOk;
}
int genesis_sign(const Arguments& arguments) {
  return finish(sign_genesis(arguments), arguments);
}
int connector_enrol(const Arguments& arguments) {
  return finish(enrol(arguments), arguments);
}
int connector_run(const Arguments& arguments) {
  return finish(run_connector(arguments), arguments);
}

}  // namespace entente::cli
