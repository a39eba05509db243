#include "policy/policy_set.h"

#include "policy/document_inside.h"
#include "policy/lexer.h"
#include "policy/policy_set_inside.h"
#include "policy/typecheck.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// Parses and checks sources; with `faults_max` above one it goes on after a fault, to tell as many as it can.
class Loader {
 public:
  Loader(const Schema* schema, const NativePredicates& natives, size_t faults_max)
      : out_(std::make_shared<PolicySet::Inside>()), faults_max_(faults_max) {
    if (schema != nullptr) out_->schema = *schema;
    out_->natives = natives;
  }

  std::vector<Error> run(std::span<const PolicySource> sources) {
    if (!sign()) return std::move(faults_);
    for (const PolicySource& source : sources) {
      auto document = PolicyDocument::read(source, PolicyDocument::Names::annotated, out_->natives);
      if (!document) {
        faults_.push_back(std::move(document).error());
      } else {
        take(document->inside());
      }
      if (full()) break;
    }
    return std::move(faults_);
  }

  std::vector<Error> run(const PolicyDocument& document) {
    if (sign()) take(document.inside());
    return std::move(faults_);
  }

  std::shared_ptr<const PolicySet::Inside> finish() {
    out_->program = compile(out_->policies);
    out_->named = ids_named(out_->program);
    if (!out_->schema) {
      std::vector<uint32_t> all(out_->policies.size());
      std::iota(all.begin(), all.end(), 0);
      index(all, out_->all);
    } else {
      index_actions(out_->schema->inside());
    }
    return std::move(out_);
  }

 private:
  // Native predicates get their types from the schema.
  bool sign() {
    if (!out_->schema) return true;
    auto signatures = native_signatures(out_->natives, *out_->schema);
    if (signatures) {
      signatures_ = *std::move(signatures);
    } else {
      faults_.push_back(std::move(signatures).error());
    }
    return faults_.empty();
  }

  [[nodiscard]] bool full() const { return faults_.size() >= faults_max_; }

  void take(const PolicyDocument::Inside& document) {
    for (const Policy& policy : document.policies) take(policy);
    for (const Policy& policy : document.templates) {
      if (!out_->schema || full()) break;
      Checked checked = check_policy(policy, *out_->schema, signatures_);
      faults_.insert(faults_.end(), checked.faults.begin(), checked.faults.end());
    }
    for (const PolicyLink& link : document.links) take(link, *document.template_of(link.template_id));
  }

  void take(const PolicyLink& link, const Policy& made_from) {
    auto bound = bind(made_from, link);
    ENTENTE_CHECK(bound.has_value());  // checked when the link was added
    std::optional<Error> fault = out_->schema ? check_link(*bound, *out_->schema) : std::nullopt;
    if (fault) {
      faults_.push_back(*std::move(fault));
    } else {
      keep(*std::move(bound));
    }
  }

  void take(Policy policy) {
    if (full()) return;
    if (out_->schema) {
      Checked checked = check_policy(policy, *out_->schema, signatures_);
      if (checked.warning) out_->warnings.push_back(*std::move(checked.warning));
      if (!checked.faults.empty()) {
        faults_.insert(faults_.end(), checked.faults.begin(), checked.faults.end());
        return;
      }
    }
    keep(std::move(policy));
  }

  void keep(Policy policy) {
    if (out_->policies.size() == PolicySet::kPoliciesMax) {
      faults_.push_back({"policy.syntax",
                         fmt::format("more than {} policies", PolicySet::kPoliciesMax),
                         policy.info.where,
                         {}});
      return;
    }
    const auto [other, fresh] =
        out_->by_id.emplace(policy.info.id, static_cast<uint32_t>(out_->policies.size()));
    if (!fresh) {
      faults_.push_back({"policy.doubled", fmt::format("two policies are called \"{}\"", policy.info.id),
                         policy.info.where,
                         "the other stands at " + out_->policies[other->second].info.where});
      return;
    }
    out_->policies.push_back(std::move(policy));
  }

  void index_actions(const Schema::Inside& schema) {
    std::map<EntityUid, std::vector<uint32_t>> by_action;
    for (uint32_t i = 0; i < out_->policies.size(); ++i)
      for (const EntityUid& action : actions_of(out_->policies[i].action, schema))
        by_action[action].push_back(i);
    for (const auto& [action, info] : schema.actions) {
      ActionIndex& one = out_->by_action[action];
      one.principals.assign(info.principals.begin(), info.principals.end());
      one.resources.assign(info.resources.begin(), info.resources.end());
      index(by_action[action], one);
      one.action = action;
    }
  }

  void index(const std::vector<uint32_t>& numbers, ActionIndex& one) {
    std::vector<uint32_t> forbids;
    std::vector<uint32_t> permits;
    for (const uint32_t number : numbers)
      (out_->policies[number].info.effect == Effect::forbid ? forbids : permits).push_back(number);
    one.readings = readings_of(out_->program, numbers);
    one.forbids = ScopeIndex(out_->program, std::move(forbids));
    one.permits = ScopeIndex(out_->program, std::move(permits));
  }

  std::shared_ptr<PolicySet::Inside> out_;
  NativeSignatures signatures_;
  size_t faults_max_;
  std::vector<Error> faults_;
};

}  // namespace

bool ActionIndex::applies(const EntityUid& principal, const EntityUid& resource) const {
  return std::find(principals.begin(), principals.end(), principal.type) != principals.end() &&
         std::find(resources.begin(), resources.end(), resource.type) != resources.end();
}

Error PolicySet::Inside::too_many_entities() {
  return {"policy.request", fmt::format("more than {} entities given with the request", kOverlayMax), {}, {}};
}

Error PolicySet::Inside::unknown(const Request& request) {
  return {"policy.request",
          fmt::format("the schema knows no {} of a {} by a {}", request.action.text(), request.resource.type,
                      request.principal.type),
          {},
          {}};
}

std::optional<std::string_view> PolicyInfo::annotation(std::string_view name) const {
  const auto found =
      std::find_if(annotations.begin(), annotations.end(), [&](const auto& a) { return a.first == name; });
  return found == annotations.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

PolicySet::PolicySet() : inside_(std::make_shared<const Inside>()) {}

Result<PolicySet> PolicySet::load(const Schema& schema, std::span<const PolicySource> sources,
                                  const NativePredicates& natives) {
  Loader loader(&schema, natives, 1);
  if (std::vector<Error> faults = loader.run(sources); !faults.empty()) return Failure(std::move(faults[0]));
  return PolicySet(loader.finish());
}

std::vector<Error> PolicySet::check(const Schema& schema, std::span<const PolicySource> sources,
                                    const NativePredicates& natives) {
  return Loader(&schema, natives, kFaultsMax).run(sources);
}

std::vector<Error> PolicySet::check(std::span<const PolicySource> sources, const NativePredicates& natives) {
  return Loader(nullptr, natives, kFaultsMax).run(sources);
}

Result<PolicySet> PolicySet::unchecked(std::span<const PolicySource> sources,
                                       const NativePredicates& natives) {
  Loader loader(nullptr, natives, 1);
  if (std::vector<Error> faults = loader.run(sources); !faults.empty()) return Failure(std::move(faults[0]));
  return PolicySet(loader.finish());
}

Result<PolicySet> PolicySet::load(const Schema& schema, const PolicyDocument& document,
                                  const NativePredicates& natives) {
  Loader loader(&schema, natives, 1);
  if (std::vector<Error> faults = loader.run(document); !faults.empty()) return Failure(std::move(faults[0]));
  return PolicySet(loader.finish());
}

Result<PolicySet> PolicySet::unchecked(const PolicyDocument& document, const NativePredicates& natives) {
  Loader loader(nullptr, natives, 1);
  if (std::vector<Error> faults = loader.run(document); !faults.empty()) return Failure(std::move(faults[0]));
  return PolicySet(loader.finish());
}

size_t PolicySet::size() const {
  return inside_->policies.size();
}

const PolicyInfo& PolicySet::operator[](PolicyIndex index) const {
  ENTENTE_CHECK(static_cast<size_t>(index) < inside_->policies.size());
  return inside_->policies[static_cast<size_t>(index)].info;
}

std::optional<PolicyIndex> PolicySet::find(std::string_view id) const {
  const auto found = inside_->by_id.find(id);
  return found == inside_->by_id.end() ? std::nullopt : std::optional(PolicyIndex{found->second});
}

bool PolicySet::reads_context(const EntityUid& action, std::string_view member) const {
  const ActionIndex* index = inside_->index_for(action);
  if (index == nullptr) return false;  // denied before any policy is looked at
  const Readings& readings = index->readings;
  return readings.whole_context ||
         std::binary_search(readings.context.begin(), readings.context.end(), member);
}

bool PolicySet::names_entity(std::string_view id) const {
  // What a native predicate makes of a text cannot be known.
  const auto& natives = inside_->program.natives;
  return inside_->named.contains(id) ||
         std::any_of(natives.begin(), natives.end(), [](const auto& one) { return !one->names_nothing; });
}

const std::vector<Error>& PolicySet::warnings() const {
  return inside_->warnings;
}

Result<void> NativePredicates::add(NativePredicate predicate) {
  const std::string name = predicate.name;
  const auto wrong = [&](std::string what) {
    return fail("policy.native", fmt::format("`{}` {}", name, what));
  };
  const auto tokens = lex(name, "name");
  if (!tokens || tokens->size() != 3 || (*tokens)[0].kind != Token::Kind::identifier || is_reserved(name))
    return wrong("is no name for a predicate");
  if (find_method(name) != nullptr) return wrong("is a method of Cedar's own");
  if (predicate.parameters.empty()) return wrong("has no receiver");
  if (!predicate.function) return wrong("has no function");
  if (!by_name_.emplace(name, std::make_shared<const NativePredicate>(std::move(predicate))).second)
    return wrong("is taken");
  return {};
}

const NativePredicate* NativePredicates::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

std::vector<std::string> NativePredicates::names() const {
  std::vector<std::string> out;
  out.reserve(by_name_.size());
  for (const auto& [name, predicate] : by_name_) out.push_back(name);
  return out;
}

}  // namespace entente::policy
