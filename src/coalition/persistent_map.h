// A sorted map from text to values of which each version costs its changes: log2(n) nodes for one, the rest
// is shared. Private to the room. A balanced (AVL) tree rather than a hash trie: keys that partners choose
// cannot make it slow, and it is read by prefix in one order on every node.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace entente::coalition {

template <class V>
class PersistentMap {
 public:
  [[nodiscard]] size_t size() const { return root_ ? root_->size : 0; }

  [[nodiscard]] const V* find(std::string_view key) const {
    const uint64_t head = head_of(key);
    for (const Node* node = root_.get(); node != nullptr;) {
      bool less = head < node->head;
      if (head == node->head) {
        const int order = key.compare(node->item->key);
        if (order == 0) return &node->item->value;
        less = order < 0;
      }
      node = (less ? node->left : node->right).get();
    }
    return nullptr;
  }

  void put(std::string key, V value) {
    root_ = with(root_, std::make_shared<const Item>(Item{std::move(key), std::move(value)}));
  }
  void erase(std::string_view key) { root_ = without(root_, key); }

  // visit(key, value) for each key that starts with `prefix`, in order.
  template <class Visit>
  void each(std::string_view prefix, const Visit& visit) const {
    walk(root_.get(), prefix, visit);
  }

  // The same for those behind `after`, and `most` of them.
  template <class Visit>
  void some(std::string_view prefix, std::string_view after, size_t most, const Visit& visit) const {
    climb(root_.get(), prefix, after, most, visit);
  }

  // The same from the last, of those before `before` (empty: of all).
  template <class Visit>
  void last(std::string_view prefix, std::string_view before, size_t most, const Visit& visit) const {
    descend(root_.get(), prefix, before, most, visit);
  }

  // How many keys are less; costs log2(n), however many they are.
  [[nodiscard]] size_t below(std::string_view key) const {
    size_t count = 0;
    for (const Node* node = root_.get(); node != nullptr;) {
      const bool less = node->item->key < key;
      if (less) count += 1 + (node->left ? node->left->size : 0);
      node = (less ? node->right : node->left).get();
    }
    return count;
  }
  // How many begin with it.
  [[nodiscard]] size_t count(std::string prefix) const {
    const size_t before = below(prefix);
    if (prefix.empty()) return size();
    ++prefix.back();  // keys are ASCII
    return below(prefix) - before;
  }

 private:
  struct Item {
    std::string key;
    V value;
  };
  using ItemPtr = std::shared_ptr<const Item>;
  struct Node;
  using Link = std::shared_ptr<const Node>;
  struct Node {
    ItemPtr item;
    Link left;
    Link right;
    uint64_t head = 0;
    int32_t height = 1;
    size_t size = 1;
  };

  // What a key begins with, in the order of keys: most are told apart by it, without a look at the item.
  static uint64_t head_of(std::string_view key) {
    std::array<char, sizeof(uint64_t)> bytes{};
    key.copy(bytes.data(), bytes.size());
    uint64_t head = 0;
    for (const char byte : bytes) head = head << 8U | static_cast<uint8_t>(byte);
    return head;
  }

  static int32_t height(const Link& link) { return link ? link->height : 0; }

  static Link make(ItemPtr item, Link left, Link right) {
    auto node = std::make_shared<Node>();
    node->height = 1 + std::max(height(left), height(right));
    node->size = 1 + (left ? left->size : 0) + (right ? right->size : 0);
    node->head = head_of(item->key);
    node->item = std::move(item);
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }

  // The sides' heights differ by at most two: one put or erase happened below.
  static Link balanced(const ItemPtr& item, const Link& left, const Link& right) {
    if (height(left) > height(right) + 1) {
      if (height(left->left) >= height(left->right)) {
        return make(left->item, left->left, make(item, left->right, right));
      }
      const Link& middle = left->right;
      return make(middle->item, make(left->item, left->left, middle->left), make(item, middle->right, right));
    }
    if (height(right) > height(left) + 1) {
      if (height(right->right) >= height(right->left)) {
        return make(right->item, make(item, left, right->left), right->right);
      }
      const Link& middle = right->left;
      return make(middle->item, make(item, left, middle->left),
                  make(right->item, middle->right, right->right));
    }
    return make(item, left, right);
  }

  static Link with(const Link& link, const ItemPtr& item) {
    if (!link) return make(item, nullptr, nullptr);
    const int order = item->key.compare(link->item->key);
    if (order == 0) return make(item, link->left, link->right);
    if (order < 0) return balanced(link->item, with(link->left, item), link->right);
    return balanced(link->item, link->left, with(link->right, item));
  }

  static Link without(const Link& link, std::string_view key) {
    if (!link) return nullptr;
    const int order = key.compare(link->item->key);
    if (order < 0) return balanced(link->item, without(link->left, key), link->right);
    if (order > 0) return balanced(link->item, link->left, without(link->right, key));
    if (!link->left) return link->right;
    if (!link->right) return link->left;
    const Node* next = link->right.get();
    while (next->left) next = next->left.get();
    return balanced(next->item, link->left, without(link->right, next->item->key));
  }

  template <class Visit>
  static void walk(const Node* node, std::string_view prefix, const Visit& visit) {
    if (node == nullptr) return;
    const int order = std::string_view(node->item->key).substr(0, prefix.size()).compare(prefix);
    if (order >= 0) walk(node->left.get(), prefix, visit);
    if (order == 0) visit(node->item->key, node->item->value);
    if (order <= 0) walk(node->right.get(), prefix, visit);
  }

  template <class Visit>
  static void climb(const Node* node, std::string_view prefix, std::string_view after, size_t& left,
                    const Visit& visit) {
    if (node == nullptr || left == 0) return;
    const std::string_view key = node->item->key;
    const int order = key.substr(0, prefix.size()).compare(prefix);
    const bool behind = key > after;
    if (order >= 0 && behind) climb(node->left.get(), prefix, after, left, visit);
    if (order == 0 && behind && left > 0) {
      --left;
      visit(node->item->key, node->item->value);
    }
    if (order <= 0) climb(node->right.get(), prefix, after, left, visit);
  }

  template <class Visit>
  static void descend(const Node* node, std::string_view prefix, std::string_view before, size_t& left,
                      const Visit& visit) {
    if (node == nullptr || left == 0) return;
    const std::string_view key = node->item->key;
    const int order = key.substr(0, prefix.size()).compare(prefix);
    const bool ahead = before.empty() || key < before;
    if (order <= 0 && ahead) descend(node->right.get(), prefix, before, left, visit);
    if (order == 0 && ahead && left > 0) {
      --left;
      visit(node->item->key, node->item->value);
    }
    if (order >= 0) descend(node->left.get(), prefix, before, left, visit);
  }

  Link root_;
};

}  // namespace entente::coalition
