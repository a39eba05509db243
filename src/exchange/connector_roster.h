// Which connectors serve which apps now, and which of them is nearest as this node measures it. A connector's
// own word counts for nothing but its name: its apps come from the world, by its pinned certificate.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "exchange/rules.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace entente::exchange {

inline constexpr size_t kConnectorsMax = 8'192;
inline constexpr uint32_t kConnectorFailuresMax = 3;   // in a row: not healthy until it answers again
inline constexpr Millis kConnectorSilenceMax{10'000};  // not heard of for so long: not healthy
inline constexpr Millis kAppAwayFor{2'000};    // the app behind it took nothing: others first, for so long
inline constexpr Millis kAppDoubtFor{60'000};  // and it is told as not reached, until it answers somebody
inline constexpr int64_t kNearerPercent = 20;  // so much nearer must another be to change to it

class ConnectorRoster {
 public:
  struct Entry {
    ConnectorId id{};
    std::string thumbprint{};
    std::vector<AppId> apps{};           // what the world lists now
    std::vector<PartnerCode> nations{};  // likewise: whose people come here first
    int64_t round_trip_us = 0;           // smoothed; 0: not measured yet
    uint32_t failures = 0;
    Tick heard{};
    std::map<AppId, Tick> away{};  // apps that took nothing there the last time: until when others come first
  };

  // False when the world does not list this connector under that certificate, or the roster is full. Coming
  // up again replaces the earlier connection.
  bool up(const Rules& rules, const ConnectorId& id, std::string thumbprint, Instant now, Tick tick);
  void down(const ConnectorId& id);
  void measured(const ConnectorId& id, std::chrono::microseconds round_trip, Tick tick);
  void failed(const ConnectorId& id);
  // The connector answers, but the app behind it does not. It counts as healthy, and for other apps nothing
  // changes.
  void app_away(const ConnectorId& id, const AppId& app, Tick tick);
  void app_back(const ConnectorId& id, const AppId& app);  // it answered there again
  // It took nothing there the last time it was asked.
  [[nodiscard]] bool took_nothing(const ConnectorId& id, const AppId& app) const;
  [[nodiscard]] bool doubted(const ConnectorId& id, const AppId& app,
                             Tick now) const;  // and that is not long ago
  // A healthy one serves it, and nobody found lately that it takes nothing there.
  [[nodiscard]] bool reaches(const AppId& app, Tick now) const;
  // After a commit: what is no longer listed serves no more. Gives those that must be disconnected.
  [[nodiscard]] std::vector<ConnectorId> world_changed(const Rules& rules, Instant now);

  // A healthy one for the app, one whose app is away only if there is no other; of those `usable` names where
  // given. First those that are for the visitor's nation, then the nearest; `current` stays unless another is
  // for that nation and it is not, or is clearly nearer.
  using Usable = std::function<bool(const ConnectorId&)>;
  [[nodiscard]] std::optional<ConnectorId> pick(const AppId& app, const PartnerCode& visitor,
                                                const ConnectorId& current, Tick now,
                                                const Usable& usable = {}) const;
  [[nodiscard]] bool serves(const ConnectorId& id, const AppId& app, Tick now) const;
  [[nodiscard]] std::vector<Entry> entries() const;

 private:
  std::map<ConnectorId, Entry> entries_{};
};

}  // namespace entente::exchange
