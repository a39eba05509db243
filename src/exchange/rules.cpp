#include "exchange/rules.h"

#include "coalition/decide.h"
#include "coalition/words.h"

#include <algorithm>

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
    return found->is_open()                                     ? Standing::active
           : found->state == coalition::PartnerState::suspended ? Standing::suspended
                                                                : Standing::isolated;
  }
  std::string standing_reason(const PartnerCode& partner) const override {
    const coalition::Partner* found = world_.partner(partner);
    if (found == nullptr) return {};
    return standing(partner) == Standing::isolated ? found->isolated : found->state_reason;
  }
  std::string partner_name(const PartnerCode& partner) const override {
    return coalition::partner_text(world_, partner);
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
  std::vector<PartnerCode> connector_nations(const ConnectorId& connector) const override {
    const coalition::Connector* found = world_.connector(connector);
    return found == nullptr ? std::vector<PartnerCode>() : found->nations;
  }

 private:
  coalition::World world_;
};

class BothRules final : public Rules {
 public:
  BothRules(std::shared_ptr<const Rules> durable, std::shared_ptr<const Rules> acting)
      : durable_(std::move(durable)), acting_(std::move(acting)) {}

  Revision revision() const override { return acting_->revision(); }
  const PartnerCode& self() const override { return acting_->self(); }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    // A refusal by the durable world alone keeps its revision: nobody takes it for the next world's.
    coalition::Verdict before = durable_->decide(ask);
    if (!before.permit) return before;
    coalition::Verdict verdict = acting_->decide(ask);
    verdict.valid_until = std::min(verdict.valid_until, before.valid_until);
    return verdict;
  }
  Standing standing(const PartnerCode& partner) const override { return acting_->standing(partner); }
  std::string standing_reason(const PartnerCode& partner) const override {
    return acting_->standing_reason(partner);
  }
  std::string partner_name(const PartnerCode& partner) const override {
    return acting_->partner_name(partner);
  }
  std::optional<coalition::Grant> grant(const coalition::Person& who, const AppId& app,
                                        const RequestId& id) const override {
    return acting_->grant(who, app, id);
  }
  std::vector<AppId> connector_apps(const ConnectorId& connector, std::string_view thumbprint,
                                    Instant now) const override {
    return acting_->connector_apps(connector, thumbprint, now);
  }
  std::vector<PartnerCode> connector_nations(const ConnectorId& connector) const override {
    return acting_->connector_nations(connector);
  }

 private:
  std::shared_ptr<const Rules> durable_;
  std::shared_ptr<const Rules> acting_;
};

}  // namespace

std::shared_ptr<const Rules> rules_of_both(std::shared_ptr<const Rules> durable,
                                           std::shared_ptr<const Rules> acting) {
  return std::make_shared<BothRules>(std::move(durable), std::move(acting));
}

std::shared_ptr<const Rules> rules_of(coalition::World world) {
  return std::make_shared<WorldRules>(std::move(world));
}

}  // namespace entente::exchange
