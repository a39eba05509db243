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
#include <unordered_set>
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
  using Counts = std::map<std::string, size_t, std::less<>>;
  struct Remembered {
    Name name;
    Counts::value_type* of;
  };
  using Second = decltype(std::chrono::ceil<Seconds>(Instant{}));
  void drop(const Remembered& each);

  size_t size_max_;
  size_t of_one_max_;
  // By a secret of this table: else whoever sends them could choose many that meet.
  struct Hash {
    Hash();
    [[nodiscard]] size_t operator()(const Name& name) const;
    uint64_t secret;
  };
  std::unordered_set<Name, Hash> names_;
  // By their ends: one of a clock that is ahead keeps no other.
  std::map<Second, std::vector<Remembered>> ends_;
  Counts of_one_;
};

}  // namespace entente
