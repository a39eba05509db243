#include "policy/entities.h"

#include "policy/entities_inside.h"
#include "policy/schema_inside.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// More ancestors than any real hierarchy has; keeps a chain of parents from costing its square.
constexpr size_t kAncestorsMax = 10'000;

using Keys = std::vector<uint64_t>;
using Names = std::vector<Name>;

bool before(const Name& a, const Name& b) {
  return std::pair(a.hash, a.uid) < std::pair(b.hash, b.uid);
}

// One batch of changes on its way to the next version.
class Builder {
 public:
  explicit Builder(Entities::Inside next) : next_(std::move(next)) {}

  void put(const Entity& entity) {
    const uint64_t key = intern(entity.uid);
    Keys parents;
    parents.reserve(entity.parents.size());
    for (const EntityUid& parent : entity.parents) parents.push_back(intern(parent));
    std::sort(parents.begin(), parents.end());
    parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
    set(key, std::make_shared<const Entity>(entity), std::move(parents));
  }

  void remove(const EntityUid& uid) {
    if (next_.node(uid) != nullptr) set(intern(uid), nullptr, {});
  }

  // Ancestors anew, for those whose parents changed and all below them, parents first.
  Result<void> settle() {
    std::unordered_map<uint64_t, size_t>
        waits;  // affected -> parents of it that are affected and not settled
    Keys queue = moved_;
    for (const uint64_t key : moved_) waits.emplace(key, 0);
    for (size_t i = 0; i < queue.size(); ++i) {
      next_.nodes.find(queue[i])->children.each([&](uint64_t child, bool) {
        if (waits.emplace(child, 0).second) queue.push_back(child);
        return true;
      });
    }
    Keys ready;
    for (auto& [key, count] : waits) {
      const Keys& parents = next_.nodes.find(key)->parents;
      count = static_cast<size_t>(std::count_if(parents.begin(), parents.end(),
                                                [&](uint64_t parent) { return waits.contains(parent); }));
      if (count == 0) ready.push_back(key);
    }
    size_t settled = 0;
    for (; settled < ready.size(); ++settled) {
      TRY_VOID(gather(ready[settled]));
      next_.nodes.find(ready[settled])->children.each([&](uint64_t child, bool) {
        if (--waits.at(child) == 0) ready.push_back(child);
        return true;
      });
    }
    if (settled == waits.size()) return {};
    return cycle(waits);
  }

  std::shared_ptr<const Entities::Inside> finish() {
    return std::make_shared<const Entities::Inside>(std::move(next_));
  }

 private:
  uint64_t intern(const EntityUid& uid) {
    uint64_t key = UidHash()(uid);
    for (const EntityNode* taken = next_.nodes.find(key); taken != nullptr; taken = next_.nodes.find(++key))
      if (taken->name->uid == uid) return key;
    EntityNode node;
    node.name = std::make_shared<const Named>(uid);
    node.number = static_cast<uint32_t>(next_.nodes.size());
    next_.nodes.set(edit_, key, std::move(node));
    return key;
  }

  void set(uint64_t key, std::shared_ptr<const Entity> entity, Keys parents) {
    EntityNode node = *next_.nodes.find(key);
    const Keys before = node.parents;
    if (node.entity != nullptr) --next_.size;
    if (entity != nullptr) ++next_.size;
    node.entity = std::move(entity);
    node.parents = parents;
    next_.nodes.set(edit_, key, std::move(node));
    if (before == parents) return;
    moved_.push_back(key);
    Keys gone;
    Keys come;
    std::set_difference(before.begin(), before.end(), parents.begin(), parents.end(),
                        std::back_inserter(gone));
    std::set_difference(parents.begin(), parents.end(), before.begin(), before.end(),
                        std::back_inserter(come));
    for (const uint64_t parent : gone) change_children(parent, key, false);
    for (const uint64_t parent : come) change_children(parent, key, true);
  }

  void change_children(uint64_t parent, uint64_t child, bool add) {
    EntityNode node = *next_.nodes.find(parent);
    if (add) {
      node.children.set(edit_, child, true);
    } else {
      node.children.erase(edit_, child);
    }
    next_.nodes.set(edit_, parent, std::move(node));
  }

  Result<void> gather(uint64_t key) {
    EntityNode node = *next_.nodes.find(key);
    Names all;
    for (const uint64_t parent_key : node.parents) {
      const EntityNode& parent = *next_.nodes.find(parent_key);
      Names merged;
      if (parent.ancestors == nullptr) {
        merged = std::move(all);
      } else {
        merged.reserve(all.size() + parent.ancestors->size() + 1);
        std::set_union(all.begin(), all.end(), parent.ancestors->begin(), parent.ancestors->end(),
                       std::back_inserter(merged), before);
      }
      const Name& own = parent.name->name;
      const auto at = std::lower_bound(merged.begin(), merged.end(), own, before);
      if (at == merged.end() || at->uid != own.uid) merged.insert(at, own);
      all = std::move(merged);
    }
    if (all.size() > kAncestorsMax)
      return fail("policy.entity",
                  fmt::format("{} stands under more than {} others", node.name->uid.text(), kAncestorsMax));
    all.shrink_to_fit();
    node.ancestors = all.empty() ? nullptr : std::make_shared<const Names>(std::move(all));
    next_.nodes.set(edit_, key, std::move(node));
    return {};
  }

  Result<void> cycle(const std::unordered_map<uint64_t, size_t>& waits) {
    const EntityNode* lowest = nullptr;
    for (const auto& [key, count] : waits) {
      const EntityNode* node = next_.nodes.find(key);
      if (count != 0 && (lowest == nullptr || node->number < lowest->number)) lowest = node;
    }
    return fail("policy.entity-cycle", fmt::format("{} would stand under itself", lowest->name->uid.text()),
                {}, "a parent may not have its own child among its parents");
  }

  Edit edit_;
  Entities::Inside next_;
  Keys moved_;
};

Result<void> check_changes(const EntityChanges& changes, const std::optional<Schema>& schema) {
  std::unordered_set<EntityUid, UidHash> seen;
  const auto once = [&](const EntityUid& uid) -> Result<void> {
    if (seen.insert(uid).second) return {};
    return fail("policy.entity-doubled", fmt::format("{} occurs twice in one change", uid.text()));
  };
  for (const Entity& entity : changes.put) {
    TRY_VOID(once(entity.uid));
    if (schema) TRY_VOID(schema->check(entity));
  }
  for (const EntityUid& uid : changes.remove) {
    TRY_VOID(once(uid));
    if (schema && schema->has_action(uid))
      return fail("policy.entity", fmt::format("{} belongs to the schema and stays", uid.text()));
  }
  return {};
}

}  // namespace

Entities::Entities(const Schema& schema) {
  Inside first;
  first.schema = schema;
  Builder builder(std::move(first));
  for (const Entity& action : schema.inside().action_entities) builder.put(action);
  ENTENTE_CHECK(builder.settle().has_value());  // the schema has no cycles
  inside_ = builder.finish();
}

Entities Entities::unchecked() {
  return Entities(std::make_shared<const Inside>());
}

Result<Entities> Entities::with(const EntityChanges& changes) const {
  TRY_VOID(check_changes(changes, inside_->schema));
  Builder builder(*inside_);
  for (const EntityUid& uid : changes.remove) builder.remove(uid);
  for (const Entity& entity : changes.put) builder.put(entity);
  TRY_VOID(builder.settle());
  return Entities(builder.finish());
}

std::shared_ptr<const Entity> Entities::find(const EntityUid& uid) const {
  const EntityNode* node = inside_->node(uid);
  return node == nullptr ? nullptr : node->entity;
}

size_t Entities::size() const {
  return inside_->size;
}

std::vector<EntityUid> Entities::ancestors(const EntityUid& uid) const {
  const EntityNode* node = inside_->node(uid);
  if (node == nullptr || node->ancestors == nullptr) return {};
  std::vector<EntityUid> out;
  out.reserve(node->ancestors->size());
  for (const Name& name : *node->ancestors) out.push_back(*name.uid);
  return out;
}

std::vector<EntityUid> Entities::children(const EntityUid& uid) const {
  std::vector<EntityUid> out;
  if (const EntityNode* node = inside_->node(uid)) {
    node->children.each([&](uint64_t key, bool) {
      out.push_back(inside_->nodes.find(key)->name->uid);
      return true;
    });
  }
  return out;
}

bool Entities::is_in(const EntityUid& uid, const EntityUid& ancestor) const {
  if (uid == ancestor) return true;
  const EntityNode* node = inside_->node(uid);
  return node != nullptr && node->ancestors != nullptr && is_among(*node->ancestors, name_of(ancestor));
}

std::optional<EntityId> Entities::id_of(const EntityUid& uid) const {
  const EntityNode* node = inside_->node(uid);
  return node == nullptr ? std::nullopt : std::optional(EntityId{node->number});
}

void Entities::each(const std::function<bool(const Entity&)>& visit) const {
  inside_->nodes.each(
      [&](uint64_t, const EntityNode& node) { return node.entity == nullptr || visit(*node.entity); });
}

}  // namespace entente::policy
