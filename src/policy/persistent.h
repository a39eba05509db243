// A persistent map from 64-bit keys: a trie of 64-way nodes without holes (Bagwell's HAMT). Copying the
// map is a pointer; a change copies one path. Nodes made within one edit carry its number and are changed in
// place by it, so that filling a map costs no copies; no other edit ever has that number, so shared nodes
// stay untouched. Private.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace entente::policy {

// One batch of changes. Nodes belong to it until it ends.
class Edit {
 public:
  Edit() : number_(next().fetch_add(1, std::memory_order_relaxed)) {}
  [[nodiscard]] uint64_t number() const { return number_; }

 private:
  static std::atomic<uint64_t>& next() {
    static std::atomic<uint64_t> counter{1};
    return counter;
  }
  uint64_t number_;
};

template <class T>
class PersistentMap {
 public:
  [[nodiscard]] const T* find(uint64_t key) const {
    const Node* node = root_.get();
    for (unsigned shift = 0; node != nullptr; shift += kBits) {
      const uint8_t place = node->places[slot_of(key, shift)];
      if (place == kFree) return nullptr;
      const Slot& slot = node->slots[place];
      if (slot.child == nullptr) return slot.key == key ? slot.value.get() : nullptr;
      node = slot.child.get();
    }
    return nullptr;
  }

  void set(const Edit& edit, uint64_t key, T value) {
    auto held = std::make_shared<const T>(std::move(value));
    if (put(root_, edit, key, 0, held)) ++size_;
  }

  void erase(const Edit& edit, uint64_t key) {
    if (find(key) == nullptr) return;
    take(root_, edit, key, 0);
    --size_;
  }

  [[nodiscard]] size_t size() const { return size_; }

  // visit(key, value) -> bool: false ends it. Depth is bounded by the key's bits.
  template <class Visit>
  bool each(const Visit& visit) const {
    return walk(root_.get(), visit);
  }

  // Nodes that this map does not share with `other`; for tests of sharing.
  [[nodiscard]] size_t unshared(const PersistentMap& other) const {
    return unshared(root_.get(), other.root_.get());
  }

 private:
  static constexpr unsigned kBits = 6;
  struct Node;
  struct Slot {
    uint64_t key = 0;
    std::shared_ptr<const T> value;  // one of the two
    std::shared_ptr<Node> child;
  };
  static constexpr uint8_t kFree = 0xff;
  struct Node {
    Node() { places.fill(kFree); }
    uint64_t edit = 0;
    std::array<uint8_t, 64> places;  // by the key's bits: in slots
    std::vector<Slot> slots;         // in no order
  };
  using Link = std::shared_ptr<Node>;

  static unsigned slot_of(uint64_t key, unsigned shift) {
    return static_cast<unsigned>((key >> shift) & 63U);
  }
  static Node& own(Link& link, const Edit& edit) {
    if (link == nullptr) {
      link = std::make_shared<Node>();
    } else if (link->edit != edit.number()) {
      link = std::make_shared<Node>(*link);
    }
    link->edit = edit.number();
    return *link;
  }

  static bool put(Link& link, const Edit& edit, uint64_t key, unsigned shift,
                  const std::shared_ptr<const T>& value) {
    Node& node = own(link, edit);
    uint8_t& place = node.places[slot_of(key, shift)];
    if (place == kFree) {
      place = static_cast<uint8_t>(node.slots.size());
      node.slots.push_back(Slot{key, value, nullptr});
      return true;
    }
    Slot& slot = node.slots[place];
    if (slot.child != nullptr) return put(slot.child, edit, key, shift + kBits, value);
    if (slot.key == key) {
      slot.value = value;
      return false;
    }
    Link below;
    put(below, edit, slot.key, shift + kBits, slot.value);
    put(below, edit, key, shift + kBits, value);
    slot = Slot{0, nullptr, std::move(below)};
    return true;
  }

  static void take(Link& link, const Edit& edit, uint64_t key, unsigned shift) {
    Node& node = own(link, edit);
    const unsigned bit = slot_of(key, shift);
    const uint8_t place = node.places[bit];
    Slot& slot = node.slots[place];
    if (slot.child != nullptr) take(slot.child, edit, key, shift + kBits);
    if (slot.child != nullptr && !slot.child->slots.empty()) return;
    node.places[bit] = kFree;
    const auto last = static_cast<uint8_t>(node.slots.size() - 1);
    if (place != last) {
      node.slots[place] = std::move(node.slots[last]);
      *std::find(node.places.begin(), node.places.end(), last) = place;
    }
    node.slots.pop_back();
  }

  template <class Visit>
  static bool walk(const Node* node, const Visit& visit) {
    if (node == nullptr) return true;
    for (const Slot& slot : node->slots) {
      if (slot.child != nullptr ? !walk(slot.child.get(), visit) : !visit(slot.key, *slot.value))
        return false;
    }
    return true;
  }

  static size_t unshared(const Node* mine, const Node* others) {
    if (mine == nullptr || mine == others) return 0;
    size_t count = 1;
    for (unsigned bit = 0; bit < 64; ++bit) {
      if (mine->places[bit] == kFree) continue;
      const Node* below = mine->slots[mine->places[bit]].child.get();
      const bool both = others != nullptr && others->places[bit] != kFree;
      count += unshared(below, both ? others->slots[others->places[bit]].child.get() : nullptr);
    }
    return count;
  }

  Link root_;
  size_t size_ = 0;
};

}  // namespace entente::policy
