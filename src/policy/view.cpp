#include "policy/view.h"

#include <algorithm>
#include <unordered_set>

namespace entente::policy {
namespace {

bool before(const EntityUid* a, const EntityUid* b) {
  return *a < *b;
}
bool same_pointed(const EntityUid* a, const EntityUid* b) {
  return *a == *b;
}

void sort_once_each(std::vector<const EntityUid*>& uids) {
  std::sort(uids.begin(), uids.end(), before);
  uids.erase(std::unique(uids.begin(), uids.end(), same_pointed), uids.end());
}

}  // namespace

const Entity* View::overlaid(const EntityUid& uid) const {
  const auto found =
      std::find_if(overlay_.begin(), overlay_.end(), [&](const Entity& one) { return one.uid == uid; });
  return found == overlay_.end() ? nullptr : &*found;
}

const Entity* View::find(const EntityUid& uid) {
  read(uid);
  if (const Entity* own = overlaid(uid)) return own;
  const EntityNode* node = store_.node(uid);
  return node == nullptr ? nullptr : node->entity.get();
}

void View::read(const EntityUid& uid) {
  if (!reads_.empty() && reads_.back() == &uid) return;
  reads_.push_back(&uid);
  if (reads_.size() < compact_at_) return;
  sort_once_each(reads_);
  compact_at_ = std::max<size_t>(1024, reads_.size() * 2);
}

std::vector<const EntityUid*> View::gather(const EntityUid& uid) const {
  std::vector<const EntityUid*> out;
  if (overlay_.empty()) {
    const EntityNode* node = store_.node(uid);
    if (node != nullptr && node->ancestors != nullptr)
      for (const Name& name : *node->ancestors) out.push_back(name.uid);
    std::sort(out.begin(), out.end(), before);
    return out;
  }
  // The overlay may replace anything on the way up, so go up parent by parent.
  std::unordered_set<const EntityUid*, Hash, Same> seen{&uid};
  std::vector<const EntityUid*> queue{&uid};
  const auto add = [&](const EntityUid& parent) {
    if (seen.insert(&parent).second) {
      queue.push_back(&parent);
      out.push_back(&parent);
    }
  };
  for (size_t i = 0; i < queue.size(); ++i) {
    if (const Entity* own = overlaid(*queue[i])) {
      for (const EntityUid& parent : own->parents) add(parent);
    } else if (const EntityNode* node = store_.node(*queue[i])) {
      for (const uint64_t key : node->parents) add(store_.nodes.find(key)->name->uid);
    }
  }
  std::sort(out.begin(), out.end(), before);
  return out;
}

const std::vector<const EntityUid*>& View::ancestors(const EntityUid& uid) {
  const auto known = ancestors_.find(&uid);
  if (known != ancestors_.end()) return known->second;
  auto& out = ancestors_.emplace(&uid, gather(uid)).first->second;
  read(uid);
  for (const EntityUid* ancestor : out) read(*ancestor);
  return out;
}

bool View::is_in(const EntityUid& uid, const EntityUid& ancestor) {
  if (uid == ancestor) return true;
  const auto& all = ancestors(uid);
  return std::binary_search(all.begin(), all.end(), &ancestor, before);
}

std::vector<EntityUid> View::reads() && {
  sort_once_each(reads_);
  std::vector<EntityUid> out;
  out.reserve(reads_.size());
  for (const EntityUid* uid : reads_) out.push_back(*uid);
  return out;
}

}  // namespace entente::policy
