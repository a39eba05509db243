// What a world is made of. Private to the room.
#pragma once

#include "coalition/persistent_map.h"
#include "coalition/things.h"
#include "coalition/world.h"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace entente::coalition {

inline constexpr size_t kLayers = std::size(kLayerNames);

// A record as it was written, and what it says.
struct Entry {
  Json raw;
  Thing thing;
};
using EntryPtr = std::shared_ptr<const Entry>;

struct Change {
  std::string key;
  EntryPtr was;                      // null: there was none
  EntryPtr now;                      // null: removed
  std::vector<std::string> named{};  // keys of the records that each names
  std::vector<std::string> names{};
};

// Under what else than its key a record is looked for: by its id alone, by whose it is. Costs what is found,
// not what there is: others choose how much that is.
[[nodiscard]] std::vector<std::string> listings(const std::string& key, const Thing& thing);

struct World::Data {
  Revision revision;
  PartnerCode self;
  PersistentMap<EntryPtr> records;
  PersistentMap<std::string> claimed;  // claim -> key of the record that makes it
  PersistentMap<std::string> listed;   // listing -> key of the record that stands under it
  PersistentMap<uint32_t> uses;        // key -> how many records name it
  std::optional<policy::Schema> schema;
  std::array<std::shared_ptr<const policy::PolicySet>, kLayers> layers;
  policy::Entities entities = policy::Entities::unchecked();

  template <class T>
  [[nodiscard]] const T* get(std::string_view key) const {
    const EntryPtr* entry = records.find(key);
    return entry == nullptr ? nullptr : std::get_if<T>(&(*entry)->thing);
  }
  template <class T>
  [[nodiscard]] const T* claimant(const std::string& claim) const {
    const std::string* key = claimed.find(claim);
    return key == nullptr ? nullptr : get<T>(*key);
  }
  template <class T>
  void collect(std::string_view prefix, std::vector<const T*>& out) const {
    records.each(prefix, [&](const std::string&, const EntryPtr& entry) {
      if (const T* thing = std::get_if<T>(&entry->thing)) out.push_back(thing);
    });
  }

  // All that stand under a listing that begins so.
  template <class T>
  void collect_listed(std::string_view prefix, std::vector<const T*>& out) const {
    listed.each(prefix, [&](const std::string&, const std::string& key) { out.push_back(get<T>(key)); });
  }
  template <class T>
  [[nodiscard]] const T* first_listed(std::string_view prefix) const {
    const T* found = nullptr;
    listed.some(prefix, "", 1, [&](const std::string&, const std::string& key) { found = get<T>(key); });
    return found;
  }

  [[nodiscard]] Result<Touch> apply(std::span<const Record> batch);

 private:
  [[nodiscard]] Result<std::vector<Change>> read(std::span<const Record> batch) const;
  [[nodiscard]] Result<void> settle_self(const std::vector<Change>& changes);
  [[nodiscard]] Result<void> index(const std::vector<Change>& changes);
  void list(const Change& change);
  void count_uses(const std::vector<Change>& changes);
  [[nodiscard]] Result<void> check_references(const Change& change) const;
  [[nodiscard]] Result<void> check_fit(const Change& change) const;
  [[nodiscard]] Result<policy::NativePredicates> natives() const;
  [[nodiscard]] Result<bool> reload_policies(const std::vector<Change>& changes);
  [[nodiscard]] Result<void> change_entities(const std::vector<Change>& changes, bool schema_changed);
  [[nodiscard]] static bool is_live(const EntryPtr& entry);
  [[nodiscard]] Touch touch_of(const std::vector<Change>& changes, bool policies) const;
};

}  // namespace entente::coalition
