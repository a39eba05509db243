// What a decision could read, before it is made: every way through the conditions at once.
#include "policy/decide.h"
#include "policy/policy_set_inside.h"
#include "policy/view.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace entente::policy {
namespace {

using Kind = Value::Kind;
using Values = std::vector<Value>;

constexpr size_t kValuesMax = 10'000;  // of one expression; more, and any entity may be read

class Possible {
 public:
  Possible(const Program& program, View& view, const Request& request)
      : program_(program), view_(view), request_(request) {}

  // All that `code` itself reads: a get, has, in, is in, or a method of tags.
  void read(uint32_t at) {
    const Code& code = program_.codes[at];
    if (code.op == Op::native) {
      unknown_ = unknown_ || !plain_result(*program_.natives[code.detail]);
      return;
    }
    const bool tags = code.op == Op::call;
    const Values& bases = of(tags ? program_.links[code.args[0]] : code.args[0]);
    for (const Value& base : bases) {
      if (base.kind() == Kind::entity) (void)view_.find(base.entity());
      if (base.kind() == Kind::entity && (code.op == Op::in || code.op == Op::is))
        (void)view_.ancestors(base.entity());
      if (code.op == Op::has) path(base, program_.lists[code.detail]);
    }
  }

  // Something that was given by a native predicate, or is too much to follow.
  [[nodiscard]] bool unknown() const { return unknown_; }

 private:
  static bool plain_result(const NativePredicate& native) {
    static constexpr std::string_view kPlain[] = {"Bool",     "Long",    "String", "datetime",
                                                  "duration", "decimal", "ipaddr"};
    return std::find(std::begin(kPlain), std::end(kPlain), native.result) != std::end(kPlain);
  }

  const Value* member(const Value& base, const std::string& name) {
    if (base.kind() == Kind::record) return base.record().find(name);
    const Entity* entity = base.kind() == Kind::entity ? view_.find(base.entity()) : nullptr;
    return entity == nullptr ? nullptr : entity->attributes.find(name);
  }

  void path(Value value, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const Value* found = member(value, name);
      if (found == nullptr) return;
      kept_.push_back(*found);  // the view points into it
      value = *found;
    }
  }

  // The values that an expression may have, where they are entities or lead to some.
  const Values& of(uint32_t at) {
    const auto known = values_.find(at);
    if (known != values_.end()) return known->second;
    Values out = find(program_.codes[at]);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    if (out.size() > kValuesMax) {
      unknown_ = true;
      out.clear();
    }
    return values_.emplace(at, std::move(out)).first->second;
  }

  Values find(const Code& code) {
    switch (code.op) {
      case Op::literal:
        return {program_.constants[code.detail]};
      case Op::variable:
        return {variable(code.variable)};
      case Op::condition:
        return both(code.args[1], code.args[2]);
      case Op::get:
        return members(code.args[0], program_.names[code.detail]);
      case Op::call:
        return code.method == Method::get_tag ? tags(program_.links[code.args[0]]) : Values{};
      default:
        return {};
    }
  }

  Value variable(Variable variable) const {
    switch (variable) {
      case Variable::principal:
        return request_.principal;
      case Variable::action:
        return request_.action;
      case Variable::resource:
        return request_.resource;
      case Variable::context:
        break;
    }
    return request_.context;
  }

  Values both(uint32_t left, uint32_t right) {
    Values out = of(left);
    const Values& more = of(right);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  Values members(uint32_t base, const std::string& name) {
    const Code& code = program_.codes[base];
    if (code.op == Op::condition) {
      Values out = members(code.args[1], name);
      const Values more = members(code.args[2], name);
      out.insert(out.end(), more.begin(), more.end());
      return out;
    }
    if (code.op == Op::record) {
      const auto& names = program_.lists[code.detail];
      const auto found = std::find(names.begin(), names.end(), name);
      return found == names.end()
                 ? Values{}
                 : of(program_.links[code.args[0] + static_cast<size_t>(found - names.begin())]);
    }
    Values out;
    for (const Value& one : of(base))
      if (const Value* found = member(one, name)) out.push_back(*found);
    return out;
  }

  Values tags(uint32_t base) {
    Values out;
    for (const Value& one : of(base)) {
      const Entity* entity = one.kind() == Kind::entity ? view_.find(one.entity()) : nullptr;
      if (entity == nullptr) continue;
      for (const auto& [name, value] : entity->tags.members()) out.push_back(value);
    }
    return out;
  }

  const Program& program_;
  View& view_;
  const Request& request_;
  std::unordered_map<uint32_t, Values> values_;
  Values kept_;
  bool unknown_ = false;
};

}  // namespace

Reach could_read(const PolicySet& policies, const Entities& entities, Overlay overlay,
                 const Request& request) {
  const PolicySet::Inside& inside = policies.inside();
  const ActionIndex* index = inside.index_for(request.action);
  Reach out;
  if (index == nullptr || overlay.size() > kOverlayMax) return out;
  View view(entities, overlay);
  Possible possible(inside.program, view, request);
  for (const EntityUid* uid : {&request.principal, &request.action, &request.resource})
    (void)view.ancestors(*uid);
  for (const uint32_t at : index->readings.readers) possible.read(at);
  out.entities = std::move(view).reads();
  if (possible.unknown() && inside.schema) out.types = inside.schema->entity_types();
  return out;
}

}  // namespace entente::policy
