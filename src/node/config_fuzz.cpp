#include "node/config.h"

// Any text is either a configuration or one error with a place; it never crashes and never touches more than
// files it names.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const entente::Instant now = entente::from_unix_seconds(1'790'000'000);
  const auto node = entente::node::parse_node_config(text, "node.json", now);
  if (!node && node.error().where().empty()) __builtin_trap();
  const auto connector = entente::node::parse_connector_config(text, "connector.json");
  if (!connector && connector.error().where().empty()) __builtin_trap();
  return 0;
}
