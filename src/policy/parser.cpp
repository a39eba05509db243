#include "policy/parser.h"

#include "policy/cursor.h"
#include "policy/parser_expr.h"

#include <algorithm>
#include <limits>
#include <set>

namespace entente::policy {
namespace {

class PolicyParser {
 public:
  PolicyParser(const std::shared_ptr<const PolicySource>& source, const NativePredicates& natives)
      : source_(source), in_(source->text, source->file, "policy.syntax"), expressions_(in_, natives) {}

  Result<std::vector<Policy>> run() {
    TRY_VOID(in_.start());
    std::vector<Policy> out;
    while (!in_.done()) {
      if (out.size() == PolicySet::kPoliciesMax)
        return in_.wrong(in_.now(), fmt::format("more than {} policies", PolicySet::kPoliciesMax));
      TRY(Policy one, policy());
      if (one.info.id.empty()) one.info.id = fmt::format("{}#{}", source_->file, out.size());
      out.push_back(std::move(one));
    }
    return out;
  }

 private:
  Result<Policy> policy() {
    Policy out;
    out.source = source_;
    const uint32_t begin = in_.now().begin;
    out.info.where = where(begin);
    std::set<std::string_view> noted;
    while (in_.take("@")) TRY_VOID(annotation(out, noted));
    if (in_.take("permit")) {
      out.info.effect = Effect::permit;
    } else if (in_.take("forbid")) {
      out.info.effect = Effect::forbid;
    } else {
      return in_.expected("`permit` or `forbid`", did_you_mean(in_.now().text, {"permit", "forbid"}));
    }
    TRY_VOID(in_.expect("("));
    TRY_VOID(scope(out.principal, "principal"));
    TRY_VOID(in_.expect(","));
    TRY_VOID(scope(out.action, "action"));
    TRY_VOID(in_.expect(","));
    TRY_VOID(scope(out.resource, "resource"));
    in_.take(",");
    TRY_VOID(in_.expect(")"));
    while (!in_.at(";")) TRY_VOID(condition(out));
    in_.step();
    out.info.text = std::string(in_.text().substr(begin, in_.previous().finish - begin));
    if (const auto id = out.info.annotation("id"); id && !id->empty()) out.info.id = *id;
    return out;
  }

  // Lines are counted on from the policy before: a large file costs no more than its length.
  std::string where(uint32_t offset) {
    for (; counted_ < offset; ++counted_) {
      const char c = in_.text()[counted_];
      if (c == '\n') {
        ++line_;
        column_ = 1;
      } else if ((static_cast<uint8_t>(c) & 0xc0U) != 0x80) {
        ++column_;
      }
    }
    return fmt::format("{}:{}:{}", source_->file, line_, column_);
  }

  Result<void> annotation(Policy& out, std::set<std::string_view>& noted) {
    PolicyInfo& info = out.info;
    const Token name = in_.now();
    if (!in_.at(Token::Kind::identifier)) return in_.expected("an annotation's name");
    in_.step();
    std::string value;
    if (in_.take("(")) {
      TRY(value, in_.string());
      TRY_VOID(in_.expect(")"));
    } else {
      out.bare.emplace(name.text);
    }
    if (info.annotations.size() == kAnnotationsMax)
      return in_.wrong(name, fmt::format("more than {} annotations", kAnnotationsMax));
    if (!noted.insert(name.text).second) return in_.wrong(name, fmt::format("@{} is given twice", name.text));
    info.annotations.emplace_back(name.text, std::move(value));
    return {};
  }

  Result<void> scope(Scope& out, std::string_view variable) {
    out.begin = in_.now().begin;
    TRY_VOID(in_.expect(variable));
    const bool action = variable == "action";
    if (in_.take("==")) {
      out.kind = Scope::Kind::equal;
      TRY_VOID(scope_entity(out, variable));
    } else if (in_.take("in")) {
      out.kind = Scope::Kind::in;
      TRY_VOID(action && in_.at("[") ? scope_list(out) : scope_entity(out, variable));
    } else if (!action && in_.take("is")) {
      out.kind = Scope::Kind::is;
      TRY(out.type, expressions_.type_name());
      if (in_.take("in")) {
        out.kind = Scope::Kind::is_in;
        TRY_VOID(scope_entity(out, variable));
      }
    }
    out.finish = in_.previous().finish;
    for (const EntityUid& uid : out.entities)
      if (action && uid.type != "Action" && !uid.type.ends_with("::Action"))
        return in_.wrong(out.begin, out.finish, fmt::format("{} is no action", uid.text()),
                         "the type of an action is `Action`, after its namespace");
    return {};
  }

  Result<void> scope_entity(Scope& out, std::string_view variable) {
    if (in_.at("?")) return slot(out, variable);
    TRY(EntityUid uid, expressions_.entity());
    out.entities.push_back(std::move(uid));
    return {};
  }

  Result<void> slot(Scope& out, std::string_view variable) {
    const Token mark = in_.step();
    if (variable == "action") return in_.wrong(mark, "actions have no slot", "name the action");
    if (!in_.take(variable))
      return in_.expected(fmt::format("`?{}`", variable), "each line of the scope has its own slot");
    out.slot = true;
    return {};
  }

  Result<void> scope_list(Scope& out) {
    in_.step();
    while (!in_.take("]")) {
      TRY_VOID(scope_entity(out, "action"));
      if (!in_.take(",") && !in_.at("]")) return in_.expected("`,` or `]`");
    }
    return {};
  }

  Result<void> condition(Policy& out) {
    Condition one;
    one.when = in_.at("when");
    if (!one.when && !in_.at("unless"))
      return in_.expected("`when`, `unless` or `;`", did_you_mean(in_.now().text, {"when", "unless"}));
    in_.step();
    TRY_VOID(in_.expect("{"));
    TRY(ExprPtr body, expressions_.expression());
    one.body = std::move(body);
    TRY_VOID(in_.expect("}"));
    out.conditions.push_back(std::move(one));
    return {};
  }

  const std::shared_ptr<const PolicySource>& source_;
  Cursor in_;
  ExpressionParser expressions_;
  uint32_t counted_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

}  // namespace

Result<std::vector<Policy>> parse_policies(const std::shared_ptr<const PolicySource>& source,
                                           const NativePredicates& natives) {
  if (source->text.size() > PolicySet::kTextMax)
    return fail("policy.syntax", fmt::format("the text is longer than {} bytes", PolicySet::kTextMax),
                source->file);
  return PolicyParser(source, natives).run();
}

}  // namespace entente::policy
