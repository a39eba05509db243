#include "base/room.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace entente;
using Names = Room<std::string>;

}  // namespace

TEST_CASE("attack: one fills their own places, and others have theirs; a place that ends is free again") {
  Names room({.places = 5, .places_of_one = 3});
  std::vector<Names::Place> held;
  held.reserve(5);
  for (int i = 0; i < 3; ++i) held.push_back(*room.take("a"));
  CHECK_FALSE(room.take("a"));
  held.push_back(*room.take("b"));
  held.push_back(*room.take("c"));
  CHECK_FALSE(room.take("d"));  // all are taken
  held.pop_back();
  held.erase(held.begin());
  CHECK(room.take("d"));
  const auto again = room.take("a");
  CHECK(again);
  CHECK_FALSE(room.take("a"));
}

TEST_CASE("attack: one's bytes lie in one's own room alone, and go with the place they lie in") {
  Names room({.bytes_of_one = 10});
  auto first = room.take("a");
  auto second = room.take("a");
  CHECK(first->grow(6));
  CHECK_FALSE(second->grow(5));
  CHECK(second->grow(4));
  CHECK_FALSE(first->grow(1));
  CHECK_FALSE(first->grow(SIZE_MAX));
  auto other = room.take("b");
  CHECK(other->grow(10));
  first.reset();
  CHECK(second->grow(6));
  CHECK_FALSE(second->grow(1));
}

TEST_CASE("a place may outlive its room") {
  auto room = std::make_unique<Names>(Names::Limits{.places = 1});
  auto place = room->take("a");
  room.reset();
  CHECK(place->grow(1));
  place.reset();
}

TEST_CASE("a place that another is put into gives up what it held") {
  Names room({.places = 2, .bytes_of_one = 10});
  auto first = room.take("a");
  auto second = room.take("b");
  CHECK(first->grow(10));
  *first = *std::move(second);
  CHECK(room.take("a")->grow(10));
  CHECK(first->grow(10));
  CHECK_FALSE(room.take("b")->grow(1));
}
