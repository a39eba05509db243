#include "simulation/table_world.h"

#include <algorithm>

namespace entente::simulation {

namespace {

const coalition::Fact* fact(const coalition::Facts& facts, std::string_view name) {
  const auto at = facts.find(name);
  return at == facts.end() ? nullptr : &at->second;
}

int64_t number(const coalition::Facts& facts, std::string_view name, Instant now, int64_t otherwise) {
  const coalition::Fact* found = fact(facts, name);
  return found == nullptr || found->end <= now ? otherwise : std::get<int64_t>(found->value);
}

bool stands(const Tables& tables, const PartnerCode& partner, Instant now) {
  if (partner == tables.self) return true;
  const auto at = tables.partners.find(partner);
  return at != tables.partners.end() && !at->second.suspended && now < at->second.member_until;
}

// The first of these instants that still lies ahead.
class Ahead {
 public:
  explicit Ahead(Instant now) : now_(now) {}
  void at(Instant instant) {
    if (instant > now_) first_ = std::min(first_, instant);
  }
  [[nodiscard]] Instant first() const { return first_; }

 private:
  Instant now_;
  Instant first_ = kNever;
};

}  // namespace

bool permits(const Tables& tables, const coalition::Person& who, const coalition::Facts& context,
             const coalition::AppRef& app, Instant now) {
  const auto found = tables.apps.find(app);
  if (found == tables.apps.end() || now >= found->second.end) return false;
  const TableApp& rules = found->second;
  if (!stands(tables, who.partner, now) || !stands(tables, app.owner, now)) return false;
  if (who.partner != app.owner && !rules.offered_to.contains(who.partner)) return false;
  if (now < tables.mission.start || now >= tables.mission.end) return false;
  if (!rules.phases.contains(tables.mission.phase)) return false;
  if (number(who.facts, "clearance", now, 0) < rules.clearance_min + tables.clearance_more) return false;
  return number(context, "risk", now, 1'000) <= rules.risk_max;
}

coalition::Verdict TableRules::decide(const coalition::Ask& ask) const {
  const auto& app = std::get<coalition::AppRef>(ask.target);
  coalition::Verdict verdict;
  verdict.id = ask.id;
  verdict.permit = permits(tables_, ask.who, ask.context, app, ask.now);
  verdict.refusal = verdict.permit ? coalition::Refusal::none : coalition::Refusal::denied;
  verdict.revision = tables_.revision;
  verdict.reach.entities = {partner_uid(ask.who.partner), partner_uid(app.owner), app_uid(app),
                            mission_uid()};
  std::ranges::sort(verdict.reach.entities);
  Ahead ahead(ask.now);
  ahead.at(tables_.mission.start);
  ahead.at(tables_.mission.end);
  if (const auto found = tables_.apps.find(app); found != tables_.apps.end()) ahead.at(found->second.end);
  for (const PartnerCode& partner : {ask.who.partner, app.owner})
    if (const auto found = tables_.partners.find(partner); found != tables_.partners.end())
      ahead.at(found->second.member_until);
  for (const coalition::Facts* facts : {&ask.who.facts, &ask.context})
    for (const auto& [name, value] : *facts) ahead.at(value.end);
  verdict.valid_until = ahead.first();
  return verdict;
}

exchange::Standing TableRules::standing(const PartnerCode& partner) const {
  const auto at = tables_.partners.find(partner);
  if (at == tables_.partners.end()) return exchange::Standing::unknown;
  return at->second.suspended ? exchange::Standing::suspended : exchange::Standing::active;
}

std::string TableRules::standing_reason(const PartnerCode& partner) const {
  const auto at = tables_.partners.find(partner);
  return at == tables_.partners.end() ? std::string() : at->second.reason;
}

std::vector<AppId> TableRules::connector_apps(const ConnectorId& connector, std::string_view thumbprint,
                                              Instant) const {
  const auto at = tables_.connectors.find(connector);
  if (at == tables_.connectors.end() || thumbprint != "tp-" + connector.text()) return {};
  return at->second;
}

policy::EntityUid partner_uid(const PartnerCode& partner) {
  return {"Entente::Partner", partner.text()};
}
policy::EntityUid app_uid(const coalition::AppRef& app) {
  return {"Entente::App", app.owner.text() + "/" + app.app.text()};
}
policy::EntityUid mission_uid() {
  return {"Entente::Mission", "harbor-light"};
}

coalition::Facts clearance(int64_t level, Instant end) {
  return {{"clearance", coalition::Fact{.value = level, .source = "idp", .end = end}}};
}

coalition::Facts risk(int64_t level, Instant end) {
  return {{"risk", coalition::Fact{.value = level, .source = "node", .end = end}}};
}

}  // namespace entente::simulation
