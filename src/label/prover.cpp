#include "label/prover.h"

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace entente::label {
namespace {

// Names become numbers once: a policy's classifications by height, its restrictive and permissive values.
struct Parts {
  int height = -1;          // of the classification; -1: a value travels alone
  std::vector<int> values;  // sorted
  auto operator<=>(const Parts&) const = default;
};

struct Words {
  const LabelPolicy* policy = nullptr;
  std::vector<std::string> classes;  // lowest first
  std::vector<CategoryRef> values;   // restrictive and permissive
  std::map<std::string, int> number;

  static std::string key(const CategoryRef& ref) {
    return fmt::format("{}\x1f{}\x1f{}", ref.tag, name(ref.type), ref.value);
  }
  [[nodiscard]] int height(std::string_view classification) const {
    const auto at = std::find(classes.begin(), classes.end(), classification);
    ENTENTE_CHECK(at != classes.end());
    return static_cast<int>(at - classes.begin());
  }
  [[nodiscard]] std::string text(const Parts& parts) const {
    std::string out = policy->name();
    if (parts.height >= 0) out += " " + classes[static_cast<size_t>(parts.height)];
    for (size_t i = 0; i < parts.values.size(); ++i)
      out += (i == 0 ? " " : ", ") + values[static_cast<size_t>(parts.values[i])].value;
    return out;
  }
};

struct Edge {
  const Mapping* mapping = nullptr;
  int from = 0;
  int to = 0;
  std::map<int, std::pair<int, std::vector<int>>> classes;  // height to height and what is added
  std::map<int, std::vector<int>> values;
};

struct State {
  int start = 0;  // whose part this was
  Parts origin;
  int policy = 0;  // where it is now
  Parts parts;
  Instant at;  // the earliest it can be here
  const Edge* by = nullptr;
  int64_t before = -1;  // index of the state it came from
};

class Prover {
 public:
  Prover(const LabelPolicies& policies, std::span<const Mapping> mappings, Instant now) : now_(now) {
    for (const auto& policy : policies.all()) words_.push_back(words_of(*policy));
    for (const Mapping& mapping : mappings)
      if (mapping.valid_until > now) edges_.push_back(edge_of(mapping));
  }

  Result<Proof> run() {
    for (int policy = 0; policy < static_cast<int>(words_.size()); ++policy) {
      const Words& words = words_[static_cast<size_t>(policy)];
      for (int i = 0; i < static_cast<int>(words.classes.size()); ++i) begin(policy, {i, {}});
      for (int i = 0; i < static_cast<int>(words.values.size()); ++i) begin(policy, {-1, {i}});
    }
    for (size_t next = 0; next < states_.size(); ++next) {
      for (const Edge& edge : edges_) {
        if (edge.from != states_[next].policy) continue;
        if (auto chain = follow(static_cast<int64_t>(next), edge)) return Proof{states_.size(), chain};
        if (states_.size() > kProofStatesMax)
          return fail("label.crosswalk", "these mappings are too many to prove", {},
                      "fewer policies, or fewer values in them");
      }
    }
    return Proof{states_.size(), std::nullopt};
  }

 private:
  static Words words_of(const LabelPolicy& policy) {
    Words out;
    out.policy = &policy;
    for (const Classification& one : policy.data().classifications) out.classes.push_back(one.name);
    for (const TagSet& set : policy.data().tag_sets) {
      for (const Tag& tag : set.tags) {
        if (tag.type == CategoryType::informative) continue;
        for (const TagValue& value : tag.values) {
          CategoryRef ref{set.name, tag.type, value.name};
          out.number.emplace(Words::key(ref), static_cast<int>(out.values.size()));
          out.values.push_back(std::move(ref));
        }
      }
    }
    return out;
  }

  [[nodiscard]] int policy_of(const std::string& name) const {
    for (size_t i = 0; i < words_.size(); ++i)
      if (words_[i].policy->name() == name) return static_cast<int>(i);
    ENTENTE_CHECK(false);
    return -1;
  }

  static std::vector<int> numbers(const Words& words, const std::vector<CategoryRef>& refs) {
    std::vector<int> out;
    for (const CategoryRef& ref : refs)
      if (ref.type != CategoryType::informative) out.push_back(words.number.at(Words::key(ref)));
    return out;
  }

  [[nodiscard]] Edge edge_of(const Mapping& mapping) const {
    Edge out{&mapping, policy_of(mapping.from), policy_of(mapping.to), {}, {}};
    const Words& from = words_[static_cast<size_t>(out.from)];
    const Words& to = words_[static_cast<size_t>(out.to)];
    for (const Mapping::ClassRule& rule : mapping.classifications) {
      std::vector<int> adds = numbers(to, rule.adds);
      const std::vector<int> always = numbers(to, mapping.adds);
      adds.insert(adds.end(), always.begin(), always.end());
      out.classes.emplace(from.height(rule.from), std::make_pair(to.height(rule.to), std::move(adds)));
    }
    for (const Mapping::ValueRule& rule : mapping.values)
      if (rule.from.type != CategoryType::informative && !rule.to.empty())
        out.values.emplace(from.number.at(Words::key(rule.from)), numbers(to, rule.to));
    return out;
  }

  [[nodiscard]] bool permissive(int policy, int value) const {
    return words_[static_cast<size_t>(policy)].values[static_cast<size_t>(value)].type ==
           CategoryType::permissive;
  }

  // What a mapping makes of these parts; nothing when it has no equivalent.
  [[nodiscard]] std::optional<Parts> step(const Edge& edge, const Parts& parts) const {
    Parts out;
    if (parts.height >= 0) {
      const auto rule = edge.classes.find(parts.height);
      if (rule == edge.classes.end()) return std::nullopt;
      out.height = rule->second.first;
      out.values = rule->second.second;
    }
    std::set<std::string> wanted;  // permissive categories that must not vanish
    std::set<std::string> kept;
    for (const int value : parts.values) {
      const auto rule = edge.values.find(value);
      const CategoryRef& ref = words_[static_cast<size_t>(edge.from)].values[static_cast<size_t>(value)];
      if (ref.type == CategoryType::permissive) wanted.insert(ref.tag);
      if (rule == edge.values.end()) {
        if (ref.type == CategoryType::restrictive) return std::nullopt;
        continue;
      }
      if (ref.type == CategoryType::permissive) kept.insert(ref.tag);
      out.values.insert(out.values.end(), rule->second.begin(), rule->second.end());
    }
    if (wanted != kept) return std::nullopt;
    std::sort(out.values.begin(), out.values.end());
    out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
    return out;
  }

  void begin(int policy, Parts parts) {
    seen_.emplace(std::tuple(policy, parts, policy, parts), now_);
    states_.push_back({policy, parts, policy, parts, now_, nullptr, -1});
  }

  std::optional<Chain> follow(int64_t from, const Edge& edge) {
    const State state = states_[static_cast<size_t>(from)];
    const Instant at = std::max(state.at, edge.mapping->valid_from);
    if (at >= edge.mapping->valid_until) return std::nullopt;
    auto parts = step(edge, state.parts);
    if (!parts) return std::nullopt;
    const State next{state.start, state.origin, edge.to, *std::move(parts), at, &edge, from};
    if (auto chain = judge(next)) return chain;
    if (next.policy == next.start) return std::nullopt;  // home again, and the same
    const auto key = std::tuple(next.start, next.origin, next.policy, next.parts);
    const auto [known, fresh] = seen_.emplace(key, at);
    if (!fresh && known->second <= at) return std::nullopt;
    known->second = at;
    states_.push_back(next);
    return std::nullopt;
  }

  // Against its own start when it came home, else against every direct mapping that a label could have taken
  // instead.
  std::optional<Chain> judge(const State& state) const {
    if (state.policy == state.start) {
      const auto fault = compare(state.policy, state.parts, state.origin);
      return fault ? std::optional(chain_of(state, *fault,
                                            fmt::format("it began as {}", text(state.start, state.origin))))
                   : std::nullopt;
    }
    for (const Edge& direct : edges_) {
      if (direct.from != state.start || direct.to != state.policy || &direct == state.by) continue;
      const Mapping& other = *direct.mapping;
      if (other.valid_from >= state.by->mapping->valid_until || other.valid_until <= state.at) continue;
      const auto should = step(direct, state.origin);
      const auto fault = should ? compare(state.policy, state.parts, *should) : Chain::Fault::widened;
      if (fault)
        return chain_of(
            state, *fault,
            should ? fmt::format("agreement {} says {}", other.agreement, text(state.policy, *should))
                   : fmt::format("agreement {} has no equivalent for it", other.agreement));
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Chain::Fault> compare(int policy, const Parts& is, const Parts& should) const {
    if (is.height < should.height) return Chain::Fault::widened;
    const auto has = [](const Parts& parts, int value) {
      return std::binary_search(parts.values.begin(), parts.values.end(), value);
    };
    bool raised = is.height > should.height;
    for (const int value : is.values) {
      if (has(should, value)) continue;
      if (permissive(policy, value)) return Chain::Fault::widened;
      raised = true;
    }
    for (const int value : should.values)
      if (!has(is, value) && !permissive(policy, value)) return Chain::Fault::widened;
    return raised ? std::optional(Chain::Fault::raised) : std::nullopt;
  }

  [[nodiscard]] std::string text(int policy, const Parts& parts) const {
    return words_[static_cast<size_t>(policy)].text(parts);
  }

  [[nodiscard]] Chain chain_of(const State& last, Chain::Fault fault, std::string against) const {
    Chain out{fault, {}, {}, std::move(against)};
    for (const State* at = &last;;) {
      out.path.push_back(text(at->policy, at->parts));
      if (at->by == nullptr) break;
      out.agreements.push_back(at->by->mapping->agreement);
      at = &states_[static_cast<size_t>(at->before)];
    }
    std::reverse(out.path.begin(), out.path.end());
    std::reverse(out.agreements.begin(), out.agreements.end());
    return out;
  }

  Instant now_;
  std::vector<Words> words_;
  std::vector<Edge> edges_;
  std::deque<State> states_;
  std::map<std::tuple<int, Parts, int, Parts>, Instant> seen_;
};

}  // namespace

std::string Chain::text() const {
  std::string out = path.empty() ? "" : path.front();
  for (size_t i = 1; i < path.size(); ++i) out += fmt::format(" -> {} ({})", path[i], agreements[i - 1]);
  return fmt::format("{}: {}, since {}", out, fault == Fault::raised ? "raised" : "widened", against);
}

Result<Proof> prove(const LabelPolicies& policies, std::span<const Mapping> mappings, Instant now) {
  return Prover(policies, mappings, now).run();
}

}  // namespace entente::label
