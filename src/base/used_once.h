// What counts once: names of things that came, each remembered until it could not count again anyway. It
// never forgets for want of room: that would let one through again. Nobody fills it alone. Not thread-safe.
#pragma once

#include "base/time.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entente {

class UsedOnce {
 public:
  using Name = std::array<uint8_t, 32>;  // a digest: of what whoever sent it cannot choose for others
  enum class Use : uint8_t { first, again, full };
  UsedOnce(size_t size_max, size_t of_one_max) : size_max_(size_max), of_one_max_(of_one_max) {}
  UsedOnce(UsedOnce&&) = default;
  UsedOnce& operator=(UsedOnce&&) = default;

  // `of`: whose it is. Remembered until the second in which `end` lies is over; `full` for all or for them.
  [[nodiscard]] Use use(const Name& name, std::string_view of, Instant end, Instant now);
  // For those that may forget: those that end soonest.
  void forget_soonest();
  // What came to nothing may come again. Looks through all.
  void forget(const Name& name);
  [[nodiscard]] size_t size() const { return names_.size(); }

 private:
  // A set by open addressing: a look costs one place in memory instead of four, which counts where most are
  // far from any cache.
  class Names {
   public:
    Names();
    [[nodiscard]] bool contains(const Name& name) const {
      return !places_.empty() && places_[place_of(name)] == name;
    }
    void insert(const Name& name);  // one that is not in it
    void erase(const Name& name);   // one that is
    [[nodiscard]] size_t size() const { return size_; }

   private:
    [[nodiscard]] size_t home_of(const Name& name) const;
    [[nodiscard]] size_t place_of(const Name& name) const;  // or the free one where it would be
    void resize(size_t places);

    std::vector<Name> places_;  // a power of two; all zeroes, which no digest is: free
    size_t size_ = 0;
    uint64_t secret_ = 0;  // else whoever sends names could choose many that meet
  };
  using Counts = std::map<std::string, size_t, std::less<>>;
  struct Remembered {
    Name name;
    Counts::value_type* of;
  };
  using Second = decltype(std::chrono::ceil<Seconds>(Instant{}));
  void drop(const Remembered& each);

  size_t size_max_;
  size_t of_one_max_;
  Names names_;
  // By their ends: one of a clock that is ahead keeps no other.
  std::map<Second, std::vector<Remembered>> ends_;
  Counts of_one_;
};

}  // namespace entente
