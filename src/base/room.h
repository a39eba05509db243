// Room that many share: so many places at once, so many of each, and so many bytes of each. A place is held
// for as long as it lives, however that ends, and may outlive the room. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace entente {

template <class Name>
class Room {
 public:
  struct Limits {
    size_t places = SIZE_MAX;
    size_t places_of_one = SIZE_MAX;
    size_t bytes_of_one = SIZE_MAX;
  };

 private:
  struct One {
    size_t places = 0;
    size_t bytes = 0;
  };
  struct Taken {
    size_t places = 0;
    std::map<Name, One> of;  // not by a hash: names may be chosen by those whose places they are
  };

 public:
  class Place {
   public:
    Place(Place&&) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      Place before(std::move(*this));
      taken_ = std::move(other.taken_);
      one_ = other.one_;
      bytes_max_ = other.bytes_max_;
      bytes_ = other.bytes_;
      return *this;
    }
    ~Place() {
      if (!taken_) return;
      --taken_->places;
      one_->second.bytes -= bytes_;
      if (--one_->second.places == 0) taken_->of.erase(one_);
    }
    // That many bytes more lie in it. False, and they count for nothing, where there is no room for them.
    [[nodiscard]] bool grow(size_t bytes) {
      if (bytes > bytes_max_ - one_->second.bytes) return false;
      bytes_ += bytes;
      one_->second.bytes += bytes;
      return true;
    }

   private:
    friend class Room;
    Place(std::shared_ptr<Taken> taken, typename std::map<Name, One>::iterator one, size_t bytes_max)
        : taken_(std::move(taken)), one_(one), bytes_max_(bytes_max) {}
    std::shared_ptr<Taken> taken_;
    typename std::map<Name, One>::iterator one_;
    size_t bytes_max_;
    size_t bytes_ = 0;
  };

  explicit Room(const Limits& limits) : limits_(limits) {}

  // Nothing where all places, or all of theirs, are taken.
  [[nodiscard]] std::optional<Place> take(const Name& who) {
    if (taken_->places >= limits_.places) return std::nullopt;
    const auto known = taken_->of.find(who);
    if (known != taken_->of.end() && known->second.places >= limits_.places_of_one) return std::nullopt;
    const auto one = taken_->of.try_emplace(who).first;
    ++taken_->places;
    ++one->second.places;
    return Place(taken_, one, limits_.bytes_of_one);
  }

 private:
  Limits limits_;
  std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

}  // namespace entente
