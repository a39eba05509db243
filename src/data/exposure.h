// What keys were released, to whom, when and under which verdict, and what of it can still be opened: from
// the ledger's releases alone. Requests, attempts and refusals do not count, so nobody can make it say more
// by asking. Pure; the owner feeds it each record of the ledger once, in order.
#pragma once

#include "base/json.h"
#include "coalition/world.h"
#include "ledger/record.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace entente::data {

inline constexpr size_t kExposureGroupsMax = 1'000'000;  // readers times objects
inline constexpr size_t kExposureShownMax = 10'000;

struct ExposureFilter {  // empty: all
  std::string partner{};
  std::string person{};  // "XBB/<id>"
  std::string object{};  // id of the policy, or digest of the wrapped key
  std::string device{};
};

class Exposure {
 public:
  void add(const ledger::Record& record);
  [[nodiscard]] uint64_t releases() const { return releases_; }

  // {"releases", "readers", "objects", "openable", "rows": [{partner, person, device, object, key, kid,
  // count, first, last, verdict, passed, openable, why?}], "more"}: rows newest first.
  [[nodiscard]] Json report(const ExposureFilter& filter, const coalition::World& world, Instant now) const;

 private:
  struct Group {
    std::string partner, person, device, object, key, kid, verdict;
    uint32_t count = 0;
    Instant first{}, last{};
    bool passed = false;  // another nation's service released it, for one of our people
    size_t policy = 0;    // in policies_
  };
  struct Policy {
    std::vector<std::string> attributes;
    std::vector<std::string> dissem;
  };
  [[nodiscard]] bool fits(const Group& group, const ExposureFilter& filter) const;
  [[nodiscard]] std::string why_shut(const Group& group, const coalition::World& world, Instant now) const;

  uint64_t releases_ = 0;
  std::unordered_map<std::string, size_t> index_;
  std::vector<Group> groups_;
  std::map<std::string, size_t, std::less<>> policy_index_;  // many objects share what they say
  std::vector<Policy> policies_;
};

}  // namespace entente::data
