// A world made of tables, for the simulator: small enough that the oracle can decide for everybody after
// every step.
#pragma once

#include "exchange/rules.h"

#include <map>
#include <memory>
#include <set>
#include <string>

namespace entente::simulation {

struct TablePartner {
  bool suspended = false;
  std::string reason{};
  Instant member_until = kNever;
};

struct TableMission {
  Instant start{};
  Instant end = kNever;
  std::string phase = "one";
};

struct TableApp {
  int64_t clearance_min = 1;
  int64_t risk_max = 50;
  std::set<std::string> phases{"one", "two"};  // in which it may be opened
  std::set<PartnerCode> offered_to{};
  Instant end = kNever;
};

struct Tables {
  PartnerCode self{};
  Revision revision{1};
  std::map<PartnerCode, TablePartner> partners{};
  TableMission mission{};
  std::map<coalition::AppRef, TableApp> apps{};
  std::map<ConnectorId, std::vector<AppId>> connectors{};
  int64_t clearance_more = 0;  // a policy over all apps
};

// What the oracle asks: the same rules as decide(), without reasons.
[[nodiscard]] bool permits(const Tables& tables, const coalition::Person& who,
                           const coalition::Facts& context, const coalition::AppRef& app, Instant now);

class TableRules final : public exchange::Rules {
 public:
  explicit TableRules(Tables tables) : tables_(std::move(tables)) {}
  Revision revision() const override { return tables_.revision; }
  const PartnerCode& self() const override { return tables_.self; }
  coalition::Verdict decide(const coalition::Ask& ask) const override;
  exchange::Standing standing(const PartnerCode& partner) const override;
  std::string standing_reason(const PartnerCode& partner) const override;
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId& connector, std::string_view thumbprint,
                                    Instant now) const override;
  [[nodiscard]] const Tables& tables() const { return tables_; }

 private:
  Tables tables_;
};

[[nodiscard]] policy::EntityUid partner_uid(const PartnerCode& partner);
[[nodiscard]] policy::EntityUid app_uid(const coalition::AppRef& app);
[[nodiscard]] policy::EntityUid mission_uid();

// A person with a clearance, and a moment with a risk, each until `end`.
[[nodiscard]] coalition::Facts clearance(int64_t level, Instant end);
[[nodiscard]] coalition::Facts risk(int64_t level, Instant end);

}  // namespace entente::simulation
