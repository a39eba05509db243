// What a node is told at its start: one JSON file, read strictly. A fault is one line with file, line:column,
// what is wrong and what would be right, and nothing is started.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace entente::node {

struct Limits {  // each has a safe default; docs/operations.md says what they mean
  Seconds head_timeout{10};
  Seconds idle_timeout{60};
  Seconds write_timeout{30};
  int64_t http2_streams_max = 100;  // at once on one connection of a browser
  int64_t http2_resets_max = 300;   // that one may ask for in ten seconds
  int64_t connections_max = 8192;   // these four over all loops together
  int64_t connections_per_source_max = 6144;
  int64_t half_open_max = 512;
  int64_t half_open_per_source_max = 256;
  int64_t sessions_max = 50'000;
  int64_t sessions_per_person_max = 64;
  int64_t sessions_per_partner_max = 4096;
  int64_t streams_per_link_max = 8192;
  int64_t requests_per_partner_per_s = 2000;   // twice as many at once
  int64_t admissions_per_partner_per_s = 200;  // likewise
  int64_t sign_ins_per_s = 50;                 // begun in the lobby; four times as many at once
  int64_t sign_ins_per_source_per_s = 10;      // of these from one address; six times as many at once
  Seconds body_timeout{30};                    // in which some of a request's body must come
  int64_t body_bytes_per_s_min = 512;          // on average, after some seconds
  Seconds away_max{120};  // a node that was down for longer lets no session go on; 0: none ever
};

inline constexpr size_t kLoopsByDefaultMax = 16;  // however many cores there are

struct NodeConfig {
  PartnerCode partner;
  std::filesystem::path data;         // store, ledger and keys live here
  std::filesystem::path genesis_key;  // public key (PEM) that must have signed the genesis
  uint16_t door_port = 0;             // on 127.0.0.1; 0 lets the system choose
  std::string door_name;          // "xbb.localhost": the lobby is lobby.<name>, apps are one level below it
  uint16_t door_public_port = 0;  // what browsers see in addresses; the door's own when 0
  std::filesystem::path door_certificate;  // PEM chain
  std::filesystem::path door_key;          // PEM, mode 0600
  std::filesystem::path trust;             // PEM: authorities for identity providers
  std::filesystem::path operators_socket;  // the API for operators of this machine
  std::filesystem::path console;           // the console's built files; empty: none
  int64_t loops =
      0;  // event loops, each on a thread of its own; the first is also the control loop; 0: one a core
  Limits limits;
};

// Relative paths are taken from the folder of the file. At `look_at` the files named here are looked at: that
// they are there and hold what they should, that keys are private and fit, that no certificate has ended.
// Without it they are not: for who reads what a node has written.
[[nodiscard]] Result<NodeConfig> load_node_config(const std::filesystem::path& file,
                                                  std::optional<Instant> look_at);
// The same for a text already read; `file` is only for messages and relative paths.
[[nodiscard]] Result<NodeConfig> parse_node_config(std::string_view text, const std::filesystem::path& file,
                                                   std::optional<Instant> look_at);
// Where the node hears its operators, and nothing else of the file: what is wrong in it must not keep anybody
// from suspending a partner.
[[nodiscard]] Result<std::filesystem::path> operators_socket_of(const std::filesystem::path& file);

struct ConnectorConfig {
  std::string id;               // "cop-1"
  std::filesystem::path data;   // its key and certificate
  std::string node_address;     // "127.0.0.1:8441"
  std::string node_thumbprint;  // SHA-256 of the node's link certificate, base64url
  struct Target {
    std::string app;               // "cop"
    std::filesystem::path socket;  // the app's Unix socket
    bool opaque = false;           // it gets bytes and no HTTP: its own TLS ends there
  };
  std::vector<Target> targets;  // what it can reach: only this file says so, never the node
  Seconds app_timeout{30};
};

[[nodiscard]] Result<ConnectorConfig> load_connector_config(const std::filesystem::path& file);
[[nodiscard]] Result<ConnectorConfig> parse_connector_config(std::string_view text,
                                                             const std::filesystem::path& file);

}  // namespace entente::node
