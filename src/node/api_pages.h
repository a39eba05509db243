// Lists that others choose the length of: one is answered in pages of what somebody reads. Private to the
// room.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "coalition/world.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace entente::node {

inline constexpr size_t kPageMax = 100;

struct PageAsked {
  bool all = false;   // also what is over
  std::string after;  // `next` of another page; empty: the first
};
[[nodiscard]] Result<PageAsked> read_page_asked(const std::string& query);

template <class T>
void say_rest(Json& body, const coalition::Page<T>& page) {
  if (page.more == 0) return;
  body.set("more", static_cast<int64_t>(page.more));
  body.set("next", page.next);
}

// Of one length, in the order of time; `id` tells those of one instant apart.
[[nodiscard]] std::string place_of(Instant at, const std::string& id);

// A page of a list that the world keeps in another order: by `time_of` each, which leaves out what has none.
// What is over with the rest: the newest first; else the first to be over first.
template <class T, class TimeOf>
coalition::Page<T> page_of(const std::vector<const T*>& list, const PageAsked& asked, TimeOf time_of) {
  std::vector<std::pair<std::string, const T*>> behind;
  for (const T* one : list) {
    const std::optional<Instant> at = time_of(*one);
    if (!at) continue;
    std::string place = place_of(*at, one->id.text());
    if (asked.after.empty() || (asked.all ? place < asked.after : place > asked.after))
      behind.emplace_back(std::move(place), one);
  }
  const auto first = [&](const auto& one, const auto& other) {
    return asked.all ? one.first > other.first : one.first < other.first;
  };
  const size_t count = std::min(behind.size(), kPageMax);
  std::ranges::partial_sort(behind, behind.begin() + static_cast<std::ptrdiff_t>(count), first);
  coalition::Page<T> page;
  for (size_t i = 0; i < count; ++i) page.items.push_back(behind[i].second);
  page.more = behind.size() - count;
  if (page.more > 0) page.next = behind[count - 1].first;
  return page;
}

}  // namespace entente::node
