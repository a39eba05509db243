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

using Ids = std::vector<uint32_t>;

const Ids& none() {
  static const Ids empty;
  return empty;
}

// One batch of changes on its way to the next version.
class Builder {
 public:
  explicit Builder(Entities::Inside next) : next_(std::move(next)) {}

  void put(const Entity& entity) {
    const uint32_t id = intern(entity.uid);
    Ids parents;
    for (const EntityUid& parent : entity.parents) parents.push_back(intern(parent));
    std::sort(parents.begin(), parents.end());
    parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
    set(id, std::make_shared<const Entity>(entity), std::move(parents));
  }

  void remove(const EntityUid& uid) {
    if (const auto id = next_.id_of(uid)) set(*id, nullptr, {});
  }

  // Ancestors anew, for those whose parents changed and all below them, parents first.
  Result<void> settle() {
    std::unordered_map<uint32_t, size_t>
        waits;  // affected -> parents of it that are affected and not settled
    Ids queue = moved_;
    for (const uint32_t id : moved_) waits.emplace(id, 0);
    for (size_t i = 0; i < queue.size(); ++i) {
      next_.nodes.find(queue[i])->children.each([&](uint64_t key, bool) {
        const auto child = static_cast<uint32_t>(key);
        if (waits.emplace(child, 0).second) queue.push_back(child);
        return true;
      });
    }
    Ids ready;
    for (auto& [id, count] : waits) {
      const Ids& parents = next_.nodes.find(id)->parents;
      count = static_cast<size_t>(std::count_if(parents.begin(), parents.end(),
                                                [&](uint32_t parent) { return waits.contains(parent); }));
      if (count == 0) ready.push_back(id);
    }
    size_t settled = 0;
    for (; settled < ready.size(); ++settled) {
      TRY_VOID(gather(ready[settled]));
      next_.nodes.find(ready[settled])->children.each([&](uint64_t key, bool) {
        const auto child = static_cast<uint32_t>(key);
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
  uint32_t intern(const EntityUid& uid) {
    if (const auto id = next_.id_of(uid)) return *id;
    const auto id = static_cast<uint32_t>(next_.nodes.size());
    const uint64_t hash = UidHash()(uid);
    const Ids* same = next_.ids.find(hash);
    Ids ids = same == nullptr ? Ids{} : *same;
    ids.push_back(id);
    next_.ids.set(edit_, hash, std::move(ids));
    EntityNode node;
    node.uid = std::make_shared<const EntityUid>(uid);
    next_.nodes.set(edit_, id, std::move(node));
    return id;
  }

  void set(uint32_t id, std::shared_ptr<const Entity> entity, Ids parents) {
    EntityNode node = *next_.nodes.find(id);
    const Ids before = node.parents;
    if (node.entity != nullptr) --next_.size;
    if (entity != nullptr) ++next_.size;
    node.entity = std::move(entity);
    node.parents = parents;
    next_.nodes.set(edit_, id, std::move(node));
    if (before == parents) return;
    moved_.push_back(id);
    Ids gone;
    Ids come;
    std::set_difference(before.begin(), before.end(), parents.begin(), parents.end(),
                        std::back_inserter(gone));
    std::set_difference(parents.begin(), parents.end(), before.begin(), before.end(),
                        std::back_inserter(come));
    for (const uint32_t parent : gone) change_children(parent, id, false);
    for (const uint32_t parent : come) change_children(parent, id, true);
  }

  void change_children(uint32_t parent, uint32_t child, bool add) {
    EntityNode node = *next_.nodes.find(parent);
    if (add) {
      node.children.set(edit_, child, true);
    } else {
      node.children.erase(edit_, child);
    }
    next_.nodes.set(edit_, parent, std::move(node));
  }

  Result<void> gather(uint32_t id) {
    EntityNode node = *next_.nodes.find(id);
    Ids all;
    for (const uint32_t parent : node.parents) {
      const auto& above = next_.nodes.find(parent)->ancestors;
      Ids merged;
      const Ids& others = above == nullptr ? none() : *above;
      std::set_union(all.begin(), all.end(), others.begin(), others.end(), std::back_inserter(merged));
      const auto at = std::lower_bound(merged.begin(), merged.end(), parent);
      if (at == merged.end() || *at != parent) merged.insert(at, parent);
      all = std::move(merged);
    }
    if (all.size() > kAncestorsMax)
      return fail("policy.entity",
                  fmt::format("{} stands under more than {} others", node.uid->text(), kAncestorsMax));
    node.ancestors = all.empty() ? nullptr : std::make_shared<const Ids>(std::move(all));
    next_.nodes.set(edit_, id, std::move(node));
    return {};
  }

  Result<void> cycle(const std::unordered_map<uint32_t, size_t>& waits) {
    uint32_t lowest = UINT32_MAX;
    for (const auto& [id, count] : waits)
      if (count != 0) lowest = std::min(lowest, id);
    return fail("policy.entity-cycle",
                fmt::format("{} would stand under itself", next_.nodes.find(lowest)->uid->text()), {},
                "a parent may not have its own child among its parents");
  }

  Edit edit_;
  Entities::Inside next_;
  Ids moved_;
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

std::vector<EntityUid> uids(const Entities::Inside& inside, const Ids& ids) {
  std::vector<EntityUid> out;
  out.reserve(ids.size());
  for (const uint32_t id : ids) out.push_back(*inside.nodes.find(id)->uid);
  return out;
}

}  // namespace

std::optional<uint32_t> Entities::Inside::id_of(const EntityUid& uid) const {
  const Ids* same = ids.find(UidHash()(uid));
  if (same == nullptr) return std::nullopt;
  for (const uint32_t id : *same)
    if (*nodes.find(id)->uid == uid) return id;
  return std::nullopt;
}

const EntityNode* Entities::Inside::node(const EntityUid& uid) const {
  const auto id = id_of(uid);
  return id ? nodes.find(*id) : nullptr;
}

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
  return uids(*inside_, *node->ancestors);
}

std::vector<EntityUid> Entities::children(const EntityUid& uid) const {
  std::vector<EntityUid> out;
  if (const EntityNode* node = inside_->node(uid)) {
    node->children.each([&](uint64_t id, bool) {
      out.push_back(*inside_->nodes.find(id)->uid);
      return true;
    });
  }
  return out;
}

bool Entities::is_in(const EntityUid& uid, const EntityUid& ancestor) const {
  if (uid == ancestor) return true;
  const EntityNode* node = inside_->node(uid);
  const auto id = inside_->id_of(ancestor);
  return node != nullptr && id && node->ancestors != nullptr &&
         std::binary_search(node->ancestors->begin(), node->ancestors->end(), *id);
}

std::optional<EntityId> Entities::id_of(const EntityUid& uid) const {
  const auto id = inside_->id_of(uid);
  return id ? std::optional(EntityId{*id}) : std::nullopt;
}

void Entities::each(const std::function<bool(const Entity&)>& visit) const {
  inside_->nodes.each(
      [&](uint64_t, const EntityNode& node) { return node.entity == nullptr || visit(*node.entity); });
}

}  // namespace entente::policy
