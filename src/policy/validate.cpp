#include "policy/validate.h"

#include "policy/confusable.h"
#include "policy/document_inside.h"
#include "policy/typecheck.h"

namespace entente::policy {
namespace {

void add_confusing(const Policy& policy, std::vector<Finding>& out) {
  for (Error& warning : confusables(policy)) out.push_back({policy.info.id, std::move(warning)});
}

}  // namespace

Validation validate(const PolicyDocument& document, const Schema& schema, const ValidationOptions& options,
                    const NativePredicates& natives) {
  Validation out;
  auto signatures = native_signatures(natives, schema);
  if (!signatures) {
    out.errors.push_back({{}, std::move(signatures).error()});
    return out;
  }
  const PolicyDocument::Inside& inside = document.inside();
  for (const auto* group : {&inside.policies, &inside.templates}) {
    for (const Policy& policy : *group) {
      Checked checked = check_policy(policy, schema, *signatures, options);
      for (Error& fault : checked.faults) out.errors.push_back({policy.info.id, std::move(fault)});
      if (checked.warning) out.warnings.push_back({policy.info.id, *std::move(checked.warning)});
      add_confusing(policy, out.warnings);
    }
  }
  for (const PolicyLink& link : inside.links) {
    const Policy* made_from = inside.template_of(link.template_id);
    const auto bound = bind(*made_from, link);
    if (!bound) continue;  // refused when it was added
    if (auto fault = check_link(*bound, schema)) out.errors.push_back({link.id, *std::move(fault)});
  }
  return out;
}

std::vector<Finding> confusing_text(const PolicyDocument& document) {
  std::vector<Finding> out;
  for (const auto* group : {&document.inside().policies, &document.inside().templates})
    for (const Policy& policy : *group) add_confusing(policy, out);
  return out;
}

}  // namespace entente::policy
