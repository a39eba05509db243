// The entities as one request sees them: its overlay over the store. Remembers what was read. Private to the
// room.
#pragma once

#include "policy/decide.h"
#include "policy/entities_inside.h"

#include <unordered_map>
#include <vector>

namespace entente::policy {

class View {
 public:
  View(const Entities& entities, Overlay overlay) : store_(entities.inside()), overlay_(overlay) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Uids given to these must live as long as the view: it keeps pointers to them.
  [[nodiscard]] const Entity* find(const EntityUid& uid);
  [[nodiscard]] bool is_in(const EntityUid& uid, const EntityUid& ancestor);
  // Sorted by uid, without itself.
  [[nodiscard]] const std::vector<const EntityUid*>& ancestors(const EntityUid& uid);

  [[nodiscard]] std::vector<EntityUid> reads() &&;

 private:
  struct Hash {
    size_t operator()(const EntityUid* uid) const { return UidHash()(*uid); }
  };
  struct Same {
    bool operator()(const EntityUid* a, const EntityUid* b) const { return *a == *b; }
  };

  [[nodiscard]] const Entity* overlaid(const EntityUid& uid) const;
  [[nodiscard]] std::vector<const EntityUid*> gather(const EntityUid& uid) const;
  void read(const EntityUid& uid);

  const Entities::Inside& store_;
  Overlay overlay_;
  std::unordered_map<const EntityUid*, std::vector<const EntityUid*>, Hash, Same> ancestors_;
  std::vector<const EntityUid*> reads_;
  size_t compact_at_ = 1024;
};

}  // namespace entente::policy
