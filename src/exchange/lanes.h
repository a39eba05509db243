// All loops of a node side by side, so that what comes up on one can go to the one it belongs on. Filled
// before any loop runs and constant afterwards: any loop may read it.
#pragma once

#include "base/ids.h"
#include "net/http_server.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace entente::exchange {

class Connectors;
class Lane;
class Links;

struct Lanes {
  struct One {
    Lane* lane = nullptr;
    Links* links = nullptr;
    Connectors* connectors = nullptr;
    std::shared_ptr<const net::HttpService> http;
  };
  std::vector<One> all;  // by number: the first is the control loop's

  // Where a partner's carriers live, both ways, and with them all streams that need one: the same for as long
  // as the node runs, and whoever dialed.
  [[nodiscard]] size_t number_of(const PartnerCode& partner) const {
    uint64_t hash = 0;
    for (const char c : partner.text()) hash = hash * 31 + static_cast<uint8_t>(c);
    return (hash * 0x9e3779b97f4a7c15U >> 48) % all.size();
  }
  [[nodiscard]] const One& of(const PartnerCode& partner) const { return all[number_of(partner)]; }
  [[nodiscard]] const One& control() const { return all.front(); }
};

}  // namespace entente::exchange
