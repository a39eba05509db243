// What was made once and is asked for again: pure functions of a key, which is compared in full. What meets
// in one place replaces each other, so that it never grows; a miss costs what there would be without it. Of a
// thread: declare it thread_local, or give it an owner.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace entente {

struct MemoHash {
  [[nodiscard]] size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  [[nodiscard]] size_t operator()(const std::array<uint8_t, 32>& digest) const {
    size_t out = 0;
    std::memcpy(&out, digest.data(), sizeof(out));
    return out;
  }
};

template <class Key, class Made, size_t kPlaces = 256, class Hash = MemoHash>
class Memo {
 public:
  // Null: it is to be made, and put(). Good until the next put() or clear().
  template <class Like>
  [[nodiscard]] const Made* find(const Like& key) const {
    if (places_.empty()) return nullptr;
    const auto& place = places_[Hash()(key) % kPlaces];
    return place && place->first == key ? &place->second : nullptr;
  }
  void put(Key key, Made made) {
    if (places_.empty()) places_.resize(kPlaces);
    auto& place = places_[Hash()(key) % kPlaces];
    place.emplace(std::move(key), std::move(made));
  }
  void clear() { places_.clear(); }

 private:
  std::vector<std::optional<std::pair<Key, Made>>> places_;
};

}  // namespace entente
