#include "node/config.h"

#include "base/fields.h"
#include "base/file.h"
#include "base/json.h"
#include "crypto/x509.h"
#include "exchange/link.h"
#include "net/url.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>

namespace entente::node {
namespace {

namespace fs = std::filesystem;

fs::path beside(const fs::path& file, const std::string& written) {
  const fs::path path(written);
  return path.is_absolute() || written.empty() ? path : file.parent_path() / path;
}

// "/door/port" in an error becomes "node.json:4:13".
Error placed(Error error, const fs::path& file, std::string_view text) {
  const std::string path = error.where() == "/" ? std::string() : error.where();
  if (error.where().empty() || error.where().starts_with('/')) {
    error.where() = fmt::format("{}:{}", file.string(), json_place(text, path));
  } else {
    error.where() = fmt::format("{}:{}", file.string(), error.where());
  }
  return error;
}

void check_exists(Fields& fields, std::string_view key, const fs::path& path) {
  std::error_code error;
  if (!path.empty() && !fs::exists(path, error)) {
    fields.wrong(key, fmt::format("there is no file {}", path.string()), "name a file that exists");
  }
}

void check_private(Fields& fields, std::string_view key, const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    fields.wrong(key, fmt::format("{} can be read by others", path.string()),
                 fmt::format("chmod 600 {}", path.string()));
  }
}

// The first certificate in the file, which one that is missing has no part in: that is said already.
std::optional<crypto::Certificate> certificate_in(Fields& fields, std::string_view key, const fs::path& path,
                                                  const char* hint) {
  const Result<std::string> pem = read_file(path);
  if (!pem) return std::nullopt;
  const auto chain = crypto::Certificate::chain_from_pem(*pem);
  if (chain) return chain->front();
  fields.wrong(key, fmt::format("{} holds no certificate: {}", path.string(), chain.error().what()), hint);
  return std::nullopt;
}

void check_times(Fields& fields, std::string_view key, const fs::path& path, const crypto::Certificate& own,
                 Instant now) {
  if (own.end() <= now) {
    fields.wrong(key, fmt::format("the certificate in {} ended at {}", path.string(), rfc3339(own.end())),
                 "put a certificate there that has not ended");
  } else if (own.begin() > now + Seconds(60)) {
    fields.wrong(key,
                 fmt::format("the certificate in {} begins only at {}", path.string(), rfc3339(own.begin())),
                 "check this machine's clock, or put a certificate there that has begun");
  }
}

bool is_host_name(std::string_view text) {
  for (size_t dot = 0; dot != std::string_view::npos;) {
    dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot != std::string_view::npos) text.remove_prefix(dot + 1);
  }
  return true;
}

// The door's name, certificate and key as they belong together: else no browser gets in.
void check_door(Fields& door, const NodeConfig& config, Instant now) {
  if (!is_host_name(config.door_name)) {
    door.wrong("name", "this is no host name", "lower case, like \"xaa.localhost\"");
    return;
  }
  check_exists(door, "certificate", config.door_certificate);
  check_exists(door, "key", config.door_key);
  check_private(door, "key", config.door_key);
  const auto own = certificate_in(door, "certificate", config.door_certificate,
                                  "name a PEM file that begins with the node's own certificate");
  if (!own) return;
  check_times(door, "certificate", config.door_certificate, *own, now);
  const auto covers = [&](const std::string& name) {
    return name == "*." + config.door_name || name == "lobby." + config.door_name;
  };
  if (std::ranges::none_of(own->dns_names(), covers)) {
    door.wrong("certificate",
               fmt::format("the certificate in {} is not for the names below {}",
                           config.door_certificate.string(), config.door_name),
               fmt::format("put one there for *.{}, or correct door.name", config.door_name));
  }
  std::error_code error;
  if (!fs::exists(config.door_key, error)) return;
  const auto key = crypto::load_private_key(config.door_key.string());
  if (!key) {
    door.wrong("key",
               fmt::format("{} holds no private key: {}", config.door_key.string(), key.error().what()),
               "name the PEM file of the certificate's private key");
  } else if (key->public_key().thumbprint() != own->public_key().thumbprint()) {
    door.wrong("key", fmt::format("the key in {} is not that of the certificate", config.door_key.string()),
               "name the PEM file of the certificate's private key");
  }
}

void check_genesis_key(Fields& fields, const fs::path& path) {
  check_exists(fields, "genesis_key", path);
  const Result<std::string> pem = read_file(path);
  if (!pem) return;
  const auto key = crypto::PublicKey::from_pem(*pem);
  if (key) return;
  fields.wrong("genesis_key", fmt::format("{} holds no public key: {}", path.string(), key.error().what()),
               "name the PEM file of the public key that signed the genesis");
}

Limits read_limits(Fields fields, Result<void>& done) {
  Limits limits;
  limits.head_timeout = Seconds(fields.integer_or("head_timeout_s", 10, 1, 120));
  limits.idle_timeout = Seconds(fields.integer_or("idle_timeout_s", 60, 1, 3600));
  limits.write_timeout = Seconds(fields.integer_or("write_timeout_s", 30, 1, 600));
  limits.http2_streams_max = fields.integer_or("http2_streams_max", 100, 1, 1000);
  limits.http2_resets_max = fields.integer_or("http2_resets_max", 300, 10, 100000);
  limits.connections_max = fields.integer_or("connections_max", 8192, 16, 100000);
  // Behind one address there may be many people, but never so many that nobody else gets in.
  limits.connections_per_source_max = fields.integer_or(
      "connections_per_source_max", limits.connections_max * 3 / 4, 1, limits.connections_max);
  limits.half_open_max = fields.integer_or("half_open_max", 512, 4, 10000);
  limits.half_open_per_source_max = fields.integer_or(
      "half_open_per_source_max", std::max<int64_t>(limits.half_open_max / 2, 1), 1, limits.half_open_max);
  limits.body_timeout = Seconds(fields.integer_or("body_timeout_s", 30, 1, 120));
  limits.body_bytes_per_s_min = fields.integer_or("body_bytes_per_s_min", 512, 64, 1'000'000);
  limits.sessions_max = fields.integer_or("sessions_max", 50'000, 16, 50'000);
  // Nobody's share is the whole, unless it is said to be.
  const int64_t sessions = limits.sessions_max;
  limits.sessions_per_person_max =
      fields.integer_or("sessions_per_person_max", std::min<int64_t>(64, std::max<int64_t>(sessions / 4, 1)),
                        1, std::min<int64_t>(1'000, sessions));
  limits.sessions_per_partner_max =
      fields.integer_or("sessions_per_partner_max", std::min<int64_t>(4096, sessions / 4), 1,
                        std::min<int64_t>(exchange::kLinkSessionsMax, sessions));
  limits.streams_per_link_max = fields.integer_or("streams_per_link_max", 8192, 16, 100000);
  limits.requests_per_partner_per_s = fields.integer_or("requests_per_partner_per_s", 2000, 1, 1000000);
  limits.admissions_per_partner_per_s = fields.integer_or("admissions_per_partner_per_s", 200, 1, 100000);
  limits.sign_ins_per_s = fields.integer_or("sign_ins_per_s", 50, 1, 100000);
  limits.sign_ins_per_source_per_s = fields.integer_or(
      "sign_ins_per_source_per_s", std::max<int64_t>(limits.sign_ins_per_s / 5, 1), 1, limits.sign_ins_per_s);
  limits.away_max = Seconds(fields.integer_or("away_max_s", 120, 0, 3600));
  if (done) done = fields.done();
  return limits;
}

// `look_at`: whether, and at which time, the files that are named are looked at.
Result<NodeConfig> read_node(const Json& json, const fs::path& file, std::optional<Instant> look_at) {
  NodeConfig config;
  Fields fields(json, "");
  config.partner = PartnerCode(fields.text("partner", 3));
  if (!is_partner_code(config.partner.text())) {
    fields.wrong("partner", "this is no partner code", "write three capital letters, like \"XAA\"");
  }
  config.data = beside(file, fields.text("data"));
  config.genesis_key = beside(file, fields.text("genesis_key"));
  config.trust = beside(file, fields.text("trust"));
  config.operators_socket = beside(file, fields.text("operators_socket"));
  if (config.operators_socket.string().size() > 100) {
    fields.wrong("operators_socket", "a socket's path has at most 100 bytes", "choose a shorter folder");
  }
  if (fields.has("console")) config.console = beside(file, fields.text("console"));
  config.loops = fields.integer_or("loops", 0, 0, 64);
  if (look_at) {
    check_genesis_key(fields, config.genesis_key);
    check_exists(fields, "trust", config.trust);
    certificate_in(fields, "trust", config.trust, "name a PEM file of the authorities of identity providers");
  }
  Fields door = fields.object("door");
  config.door_port = static_cast<uint16_t>(door.integer("port", 0, 65535));
  config.door_public_port = static_cast<uint16_t>(door.integer_or("public_port", 0, 0, 65535));
  config.door_name = door.text("name", 200);
  config.door_certificate = beside(file, door.text("certificate"));
  config.door_key = beside(file, door.text("key"));
  if (look_at) check_door(door, config, *look_at);
  Result<void> done = door.done();
  if (fields.has("limits")) config.limits = read_limits(fields.object("limits"), done);
  if (!done) return Failure(done.error());
  TRY_VOID(fields.done());
  return config;
}

Result<ConnectorConfig> read_connector(const Json& json, const fs::path& file) {
  ConnectorConfig config;
  Fields fields(json, "");
  config.id = fields.text("id", 63);
  if (!is_label(config.id))
    fields.wrong("id", "this is no connector name", "write a-z, 0-9 and single hyphens");
  config.data = beside(file, fields.text("data"));
  Fields node = fields.object("node");
  config.node_address = node.text("address", 300);
  const auto address = net::parse_authority(config.node_address);
  if (!address || address->port == 0)
    node.wrong("address", "this is no address", "write a host and a port, like \"127.0.0.1:8441\"");
  config.node_thumbprint = node.text("thumbprint", 64);
  const auto pin = from_base64url(config.node_thumbprint);
  if (!pin || pin->size() != sizeof(crypto::Digest))
    node.wrong("thumbprint", "this is no certificate's thumbprint",
               "43 letters of base64url: `entente node keys` prints it as link_thumbprint");
  Result<void> done = node.done();
  for (Fields& target : fields.objects("targets", 64)) {
    ConnectorConfig::Target one{target.text("app", 63), beside(file, target.text("socket")),
                                target.boolean_or("opaque", false)};
    if (!is_label(one.app)) target.wrong("app", "this is no app's name", "write a-z, 0-9 and single hyphens");
    for (const ConnectorConfig::Target& other : config.targets) {
      if (other.app == one.app) target.wrong("app", "this app stands here twice", "one target for each app");
    }
    config.targets.push_back(std::move(one));
    if (done) done = target.done();
  }
  if (config.targets.empty())
    fields.wrong("targets", "there is none", "name at least one app and its socket");
  config.app_timeout = Seconds(fields.integer_or("app_timeout_s", 30, 1, 600));
  if (!done) return Failure(done.error());
  TRY_VOID(fields.done());
  return config;
}

}  // namespace

Result<NodeConfig> parse_node_config(std::string_view text, const fs::path& file,
                                     std::optional<Instant> look_at) {
  const Result<Json> json = Json::parse(text);
  if (!json) return Failure(placed(json.error(), file, text));
  Result<NodeConfig> config = read_node(*json, file, look_at);
  if (!config) return Failure(placed(config.error(), file, text));
  return config;
}

Result<NodeConfig> load_node_config(const fs::path& file, std::optional<Instant> look_at) {
  TRY(const std::string text, read_file(file));
  return parse_node_config(text, file, look_at);
}

Result<fs::path> operators_socket_of(const fs::path& file) {
  TRY(const std::string text, read_file(file));
  const Result<Json> json = Json::parse(text);
  if (!json) return Failure(placed(json.error(), file, text));
  Fields fields(*json, "");
  fs::path socket = beside(file, fields.text("operators_socket"));
  if (const Result<void> done = fields.done_open(); !done) return Failure(placed(done.error(), file, text));
  return socket;
}

Result<ConnectorConfig> parse_connector_config(std::string_view text, const fs::path& file) {
  const Result<Json> json = Json::parse(text);
  if (!json) return Failure(placed(json.error(), file, text));
  Result<ConnectorConfig> config = read_connector(*json, file);
  if (!config) return Failure(placed(config.error(), file, text));
  return config;
}

Result<ConnectorConfig> load_connector_config(const fs::path& file) {
  TRY(const std::string text, read_file(file));
  return parse_connector_config(text, file);
}

}  // namespace entente::node
