#include "policy/confusable.h"

#include "policy/print.h"
#include "policy/script_table.h"
#include "policy/typecheck_expr.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr size_t kWarningsMax = 20;  // in one policy

std::vector<uint32_t> characters(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<uint8_t>(text[at]);
    const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length && at + i < text.size(); ++i)
      code = (code << 6U) | (static_cast<uint8_t>(text[at + i]) & 0x3fU);
    out.push_back(code);
    at += length;
  }
  return out;
}

bool turns_direction(uint32_t c) {
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool usual_in_identifiers(uint32_t c) {
  if (c >= 0x20 && c < 0x7f) return true;
  const IdentifierRange* end = kIdentifierRanges + kIdentifierRangesCount;
  const IdentifierRange* found =
      std::upper_bound(kIdentifierRanges, end, c,
                       [](uint32_t code, const IdentifierRange& range) { return code < range.first; });
  return found != kIdentifierRanges && c <= (found - 1)->last;
}

// The scripts a character is used with; Han characters are at home in three writing systems besides (UTS 39,
// augmented script sets). None: in all.
std::optional<std::set<std::string_view>> scripts_of(uint32_t c) {
  const ScriptRange* end = kScriptRanges + kScriptRangesCount;
  const ScriptRange* found = std::upper_bound(
      kScriptRanges, end, c, [](uint32_t code, const ScriptRange& range) { return code < range.first; });
  std::string_view names = kScriptSets[(found - 1)->set];
  if (names == "any") return std::nullopt;
  std::set<std::string_view> out;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, 4);
    out.insert(name);
    if (name == "Hani") out.insert({"Hanb", "Jpan", "Kore"});
    if (name == "Bopo") out.insert("Hanb");
    if (name == "Hira" || name == "Kana") out.insert("Jpan");
    if (name == "Hang") out.insert("Kore");
    names.remove_prefix(std::min<size_t>(5, names.size()));
  }
  if (out.empty()) out.insert("Zzzz");
  return out;
}

bool one_script(const std::vector<uint32_t>& text) {
  std::optional<std::set<std::string_view>> so_far;
  for (const uint32_t c : text) {
    auto scripts = scripts_of(c);
    if (!scripts) continue;
    if (so_far) std::erase_if(*scripts, [&](std::string_view name) { return !so_far->contains(name); });
    if (scripts->empty()) return false;
    so_far = std::move(scripts);
  }
  return true;
}

class Looker {
 public:
  explicit Looker(const Policy& policy) : policy_(policy) {}

  std::vector<Error> run() {
    for (const auto* scope : {&policy_.principal, &policy_.action, &policy_.resource})
      for (const EntityUid& uid : scope->entities) identifier(uid.id, scope->begin, scope->finish);
    for (const Condition& condition : policy_.conditions) look(*condition.body);
    return std::move(out_);
  }

 private:
  void look(const Expr& expr) {
    if (expr.op == Op::literal && expr.literal.kind() == Value::Kind::string)
      text(expr.literal.string(), expr.begin, expr.finish);
    if (expr.op == Op::literal && expr.literal.kind() == Value::Kind::entity)
      identifier(expr.literal.entity().id, expr.begin, expr.finish);
    if (expr.op == Op::get) identifier(expr.name, expr.begin, expr.finish);
    if (expr.op == Op::has || expr.op == Op::record)
      for (const std::string& name : expr.names) identifier(name, expr.begin, expr.finish);
    if (expr.op == Op::like) text(quote_pattern(expr.names), expr.begin, expr.finish);
    for (const ExprPtr& arg : expr.args) look(*arg);
  }

  static bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  }

  void identifier(std::string_view name, uint32_t begin, uint32_t finish) {
    if (is_ascii(name)) return;
    const std::vector<uint32_t> all = characters(name);
    const auto odd =
        std::find_if(all.begin(), all.end(), [](uint32_t c) { return !usual_in_identifiers(c); });
    if (std::any_of(all.begin(), all.end(), turns_direction)) {
      warn(begin, finish, "a name here turns the direction of writing: it may not read as it is");
    } else if (odd != all.end()) {
      warn(begin, finish,
           fmt::format("a name here has the character U+{:04X}, which names do not usually have", *odd));
    } else if (!one_script(all)) {
      warn(begin, finish, "a name here mixes scripts: its letters may look like others");
    }
  }

  void text(std::string_view value, uint32_t begin, uint32_t finish) {
    if (is_ascii(value)) return;
    const std::vector<uint32_t> all = characters(value);
    if (std::any_of(all.begin(), all.end(), turns_direction)) {
      warn(begin, finish, "a text here turns the direction of writing: it may not read as it is");
    } else if (!one_script(all)) {
      warn(begin, finish, "a text here mixes scripts: its letters may look like others");
    }
  }

  void warn(uint32_t begin, uint32_t finish, const std::string& what) {
    if (out_.size() == kWarningsMax) return;
    out_.push_back(invalid_at(policy_, begin, finish, what, {}));
    out_.back().code() = "policy.confusable";
  }

  const Policy& policy_;
  std::vector<Error> out_;
};

}  // namespace

std::vector<Error> confusables(const Policy& policy) {
  return Looker(policy).run();
}

}  // namespace entente::policy
