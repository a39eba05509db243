#include "exchange/rules.h"

#include "coalition/decide.h"

#include <fmt/core.h>

namespace entente::exchange {

namespace {

class WorldRules final : public Rules {
 public:
  explicit WorldRules(coalition::World world) : world_(std::move(world)) {}

  Revision revision() const override { return world_.revision(); }
  const PartnerCode& self() const override { return world_.self(); }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    return coalition::decide(world_, ask);
  }

  Standing standing(const PartnerCode& partner) const override {
    const coalition::Partner* found = world_.partner(partner);
    if (found == nullptr) return Standing::unknown;
    return found->is_open() ? Standing::active : Standing::suspended;
  }
  std::string standing_reason(const PartnerCode& partner) const override {
    const coalition::Partner* found = world_.partner(partner);
    if (found == nullptr) return {};
    if (found->state == coalition::PartnerState::suspended || found->isolated.empty())
      return found->state_reason;
    return "the two are isolated from each other: " + found->isolated;
  }
  std::string partner_name(const PartnerCode& partner) const override {
    const coalition::Partner* found = world_.partner(partner);
    return found == nullptr ? partner.text() : fmt::format("{} ({})", found->name, partner.text());
  }
  std::optional<coalition::Grant> grant(const coalition::Person& who, const AppId& app,
                                        const RequestId& id) const override {
    for (const coalition::Grant* grant : world_.grants(who, app)) {
      if (grant->id == id) return *grant;
    }
    return std::nullopt;
  }
  std::vector<AppId> connector_apps(const ConnectorId& connector, std::string_view thumbprint,
                                    Instant now) const override {
    const coalition::Connector* found = world_.connector(connector);
    if (found == nullptr || thumbprint.empty() || found->thumbprint != thumbprint || found->end <= now)
      return {};
    return found->apps;
  }

 private:
  coalition::World world_;
};

}  // namespace

std::shared_ptr<const Rules> rules_of(coalition::World world) {
  return std::make_shared<WorldRules>(std::move(world));
}

}  // namespace entente::exchange
