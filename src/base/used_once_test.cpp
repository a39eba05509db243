#include "base/used_once.h"

#include <cstring>
#include <map>
#include <random>

#include <doctest/doctest.h>

namespace {

using namespace entente;
using Use = UsedOnce::Use;

constexpr Instant kAt{std::chrono::seconds(1'800'000'000)};

UsedOnce::Name named(uint8_t number) {
  UsedOnce::Name out{};
  out.back() = number;
  return out;
}

}  // namespace

TEST_CASE("What was used counts no second time until its end, to the last fraction of its second") {
  UsedOnce used(10, 10);
  CHECK(used.use(named(1), "a", kAt + Millis(1500), kAt) == Use::first);
  CHECK(used.use(named(1), "b", kAt + Millis(9000), kAt) == Use::again);
  CHECK(used.use(named(1), "a", kAt + Millis(9000), kAt + Millis(1499)) == Use::again);
  CHECK(used.use(named(1), "a", kAt + Millis(9000), kAt + Millis(2000)) == Use::first);
}

TEST_CASE("attack: nobody is forgotten for want of room, and nobody takes all of it") {
  UsedOnce used(4, 2);
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt) == Use::first);
  CHECK(used.use(named(2), "a", kAt + Seconds(10), kAt) == Use::first);
  CHECK(used.use(named(3), "a", kAt + Seconds(60), kAt) == Use::full);
  CHECK(used.use(named(3), "b", kAt + Seconds(60), kAt) == Use::first);
  CHECK(used.use(named(4), "c", kAt + Seconds(60), kAt) == Use::first);
  CHECK(used.use(named(5), "d", kAt + Seconds(60), kAt) == Use::full);
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt) == Use::again);
  // What ended makes room for whose it was, and for all.
  CHECK(used.use(named(5), "a", kAt + Seconds(60), kAt + Seconds(10)) == Use::first);
  CHECK(used.use(named(6), "a", kAt + Seconds(60), kAt + Seconds(10)) == Use::full);
  CHECK(used.size() == 4);
}

TEST_CASE("Who may forget does so with what ends soonest") {
  UsedOnce used(10, 10);
  used.forget_soonest();
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt) == Use::first);
  CHECK(used.use(named(2), "a", kAt + Seconds(10), kAt) == Use::first);
  used.forget_soonest();
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt) == Use::again);
  CHECK(used.use(named(2), "a", kAt + Seconds(60), kAt) == Use::first);
}

TEST_CASE("Names that come and go by thousands are each known as long as they should be") {
  UsedOnce used(SIZE_MAX, SIZE_MAX);
  std::map<UsedOnce::Name, Instant> ends;  // as it should be
  std::mt19937 dice(7);
  Instant now = kAt;
  for (size_t i = 0; i < 60'000; ++i) {
    if (i % 10 == 0) now += Seconds(1);
    // As many at once as a table holds at several sizes, up and down.
    const auto number = static_cast<uint32_t>(dice() % (i < 30'000 ? 20'000 : 50));
    UsedOnce::Name name{};
    std::memcpy(name.data(), &number, sizeof(number));
    name.back() = 1;
    std::erase_if(ends, [&](const auto& one) { return one.second <= now; });
    if (dice() % 20 == 0) {
      used.forget(name);
      ends.erase(name);
      continue;
    }
    const Instant end = now + Seconds(1 + dice() % (i < 30'000 ? 900 : 9));
    REQUIRE(used.use(name, "a", end, now) == (ends.contains(name) ? Use::again : Use::first));
    ends.emplace(name, end);
    REQUIRE(used.size() == ends.size());
  }
}

TEST_CASE("What is forgotten by its name counts once more, leaves its room, and takes nothing else with it") {
  UsedOnce used(2, 2);
  CHECK(used.use(named(1), "a", kAt + Seconds(10), kAt) == Use::first);
  CHECK(used.use(named(2), "a", kAt + Seconds(10), kAt) == Use::first);
  used.forget(named(3));
  used.forget(named(1));
  used.forget(named(1));
  CHECK(used.size() == 1);
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt) == Use::first);
  CHECK(used.use(named(3), "b", kAt + Seconds(60), kAt) == Use::full);
  // By the end it has now, not by the one that was forgotten.
  CHECK(used.use(named(1), "a", kAt + Seconds(60), kAt + Seconds(30)) == Use::again);
  CHECK(used.use(named(2), "a", kAt + Seconds(60), kAt + Seconds(30)) == Use::first);
}

TEST_CASE("What was forgotten by its name leaves nothing that ends: whoever makes room makes some") {
  UsedOnce used(2, 2);
  REQUIRE(used.use(named(1), "a", kAt + Seconds(1), kAt) == Use::first);
  used.forget(named(1));
  REQUIRE(used.use(named(2), "a", kAt + Seconds(5), kAt) == Use::first);
  REQUIRE(used.use(named(3), "a", kAt + Seconds(6), kAt) == Use::first);
  CHECK(used.use(named(4), "a", kAt + Seconds(7), kAt) == Use::full);
  used.forget_soonest();
  CHECK(used.use(named(4), "a", kAt + Seconds(7), kAt) == Use::first);
}
