#include "exchange/connector_roster.h"

#include <algorithm>

namespace entente::exchange {

namespace {

bool healthy(const ConnectorRoster::Entry& entry, Tick now) {
  return entry.failures < kConnectorFailuresMax && now - entry.heard < kConnectorSilenceMax;
}

bool lists(const ConnectorRoster::Entry& entry, const AppId& app) {
  return std::ranges::find(entry.apps, app) != entry.apps.end();
}

bool is_away(const ConnectorRoster::Entry& entry, const AppId& app, Tick now) {
  const auto at = entry.away.find(app);
  return at != entry.away.end() && now < at->second;
}

// Not measured yet counts as far away: a newcomer takes nothing over before it has shown its distance.
int64_t distance(const ConnectorRoster::Entry& entry) {
  return entry.round_trip_us == 0 ? INT64_MAX / 200 : entry.round_trip_us;
}

// Smaller is better, before any distance.
int rank(const ConnectorRoster::Entry& entry, const AppId& app, const PartnerCode& visitor, Tick now) {
  const bool theirs = std::ranges::find(entry.nations, visitor) != entry.nations.end();
  return (is_away(entry, app, now) ? 2 : 0) + (theirs ? 0 : 1);
}

}  // namespace

bool ConnectorRoster::up(const Rules& rules, const ConnectorId& id, std::string thumbprint, Instant now,
                         Tick tick) {
  std::vector<AppId> apps = rules.connector_apps(id, thumbprint, now);
  if (apps.empty()) return false;
  if (entries_.size() >= kConnectorsMax && !entries_.contains(id)) return false;
  entries_[id] = Entry{.id = id,
                       .thumbprint = std::move(thumbprint),
                       .apps = std::move(apps),
                       .nations = rules.connector_nations(id),
                       .heard = tick};
  return true;
}

void ConnectorRoster::down(const ConnectorId& id) {
  entries_.erase(id);
}

void ConnectorRoster::measured(const ConnectorId& id, std::chrono::microseconds round_trip, Tick tick) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  Entry& entry = at->second;
  const int64_t us = std::clamp<int64_t>(round_trip.count(), 1, 60'000'000);
  entry.round_trip_us =
      entry.round_trip_us == 0 ? us : std::max<int64_t>(1, (entry.round_trip_us * 7 + us) / 8);
  entry.failures = 0;
  entry.heard = tick;
}

void ConnectorRoster::failed(const ConnectorId& id) {
  const auto at = entries_.find(id);
  if (at != entries_.end() && at->second.failures < kConnectorFailuresMax) ++at->second.failures;
}

void ConnectorRoster::app_away(const ConnectorId& id, const AppId& app, Tick tick) {
  const auto at = entries_.find(id);
  if (at != entries_.end() && lists(at->second, app))
    at->second.away.insert_or_assign(app, tick + kAppAwayFor);
}

void ConnectorRoster::app_back(const ConnectorId& id, const AppId& app) {
  const auto at = entries_.find(id);
  if (at != entries_.end()) at->second.away.erase(app);
}

bool ConnectorRoster::took_nothing(const ConnectorId& id, const AppId& app) const {
  const auto at = entries_.find(id);
  return at != entries_.end() && at->second.away.contains(app);
}

bool ConnectorRoster::doubted(const ConnectorId& id, const AppId& app, Tick now) const {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return false;
  const auto away = at->second.away.find(app);
  return away != at->second.away.end() && now - (away->second - kAppAwayFor) < kAppDoubtFor;
}

bool ConnectorRoster::reaches(const AppId& app, Tick now) const {
  return std::ranges::any_of(entries_, [&](const auto& one) {
    return serves(one.first, app, now) && !doubted(one.first, app, now);
  });
}

std::vector<ConnectorId> ConnectorRoster::world_changed(const Rules& rules, Instant now) {
  std::vector<ConnectorId> gone;
  for (auto& [id, entry] : entries_) {
    entry.apps = rules.connector_apps(id, entry.thumbprint, now);
    entry.nations = rules.connector_nations(id);
    const Entry& listed = entry;
    std::erase_if(entry.away, [&listed](const auto& away) { return !lists(listed, away.first); });
    if (entry.apps.empty()) gone.push_back(id);
  }
  for (const ConnectorId& id : gone) entries_.erase(id);
  return gone;
}

std::optional<ConnectorId> ConnectorRoster::pick(const AppId& app, const PartnerCode& visitor,
                                                 const ConnectorId& current, Tick now,
                                                 const Usable& usable) const {
  const Entry* best = nullptr;
  const Entry* stay = nullptr;
  int best_rank = 0, stay_rank = 0;
  for (const auto& [id, entry] : entries_) {
    if (!lists(entry, app) || !healthy(entry, now)) continue;
    if (usable && !usable(id)) continue;
    const int own = rank(entry, app, visitor, now);
    if (id == current) {
      stay = &entry;
      stay_rank = own;
    }
    const bool better =
        best == nullptr || (own == best_rank ? distance(entry) < distance(*best) : own < best_rank);
    if (!better) continue;
    best = &entry;
    best_rank = own;
  }
  if (best == nullptr) return std::nullopt;
  const bool stays = stay != nullptr && stay_rank == best_rank && !is_away(*stay, app, now);
  if (stays && distance(*best) * (100 + kNearerPercent) >= distance(*stay) * 100) return stay->id;
  return best->id;
}

bool ConnectorRoster::serves(const ConnectorId& id, const AppId& app, Tick now) const {
  const auto at = entries_.find(id);
  return at != entries_.end() && lists(at->second, app) && healthy(at->second, now);
}

std::vector<ConnectorRoster::Entry> ConnectorRoster::entries() const {
  std::vector<Entry> all;
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) all.push_back(entry);
  return all;
}

}  // namespace entente::exchange
