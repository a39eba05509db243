// What a thread made for a world and finds again there. Another world empties it, so that nothing of an older
// one is ever found. Private to the room.
#pragma once

#include "base/memo.h"
#include "coalition/world.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace entente::coalition {

// Parts of a key cannot be told to be other parts.
inline void add_to_key(std::string& key, std::string_view part) {
  for (size_t length = part.size(), i = 0; i < sizeof(uint32_t); ++i, length >>= 8U)
    key.push_back(static_cast<char>(length & 0xffU));
  key.append(part);
}

template <class Made>
class WorldMemo {
 public:
  // Null: it is to be made, and put(). Good until the next find().
  [[nodiscard]] const Made* find(const World& world, std::string_view key) {
    if (!world_ || !world_->is(world)) {
      kept_.clear();
      world_ = world;
    }
    return kept_.find(key);
  }
  // In the world of the last find().
  void put(std::string key, Made made) { kept_.put(std::move(key), std::move(made)); }

 private:
  std::optional<World> world_;
  Memo<std::string, Made> kept_;
};

}  // namespace entente::coalition
