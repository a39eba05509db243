// What a thread made for a world and finds again: pure functions of that world and a key, which is compared
// in full. Another world empties it, so that nothing of an older one is ever found; what meets in one place
// replaces each other. Private to the room.
#pragma once

#include "coalition/world.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::coalition {

// Parts of a key cannot be told to be other parts.
inline void add_to_key(std::string& key, std::string_view part) {
  for (size_t length = part.size(), i = 0; i < sizeof(uint32_t); ++i, length >>= 8U)
    key.push_back(static_cast<char>(length & 0xffU));
  key.append(part);
}

template <class Made>
class Kept {
 public:
  // Null: it is to be made, and put(). Good until the next find().
  [[nodiscard]] const Made* find(const World& world, std::string_view key) {
    if (!world_ || !world_->is(world)) {
      places_.assign(kPlaces, {});
      world_ = world;
    }
    const Place& place = place_of(key);
    return place.made && place.key == key ? &*place.made : nullptr;
  }
  // In the world of the last find().
  void put(std::string key, Made made) {
    Place& place = place_of(key);
    place = {std::move(key), std::move(made)};
  }

 private:
  static constexpr size_t kPlaces = 256;
  struct Place {
    std::string key;
    std::optional<Made> made;
  };
  Place& place_of(std::string_view key) { return places_[std::hash<std::string_view>()(key) % kPlaces]; }

  std::optional<World> world_;
  std::vector<Place> places_;
};

}  // namespace entente::coalition
