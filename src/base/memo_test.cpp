#include "base/memo.h"

#include <string>

#include <doctest/doctest.h>

using namespace entente;

TEST_CASE("attack: two keys that meet in one place are taken for one another") {
  Memo<std::string, int, 1> one;  // all meet
  CHECK(one.find(std::string_view("a")) == nullptr);
  one.put("a", 1);
  REQUIRE(one.find(std::string_view("a")) != nullptr);
  CHECK(*one.find(std::string_view("a")) == 1);
  CHECK(one.find(std::string_view("b")) == nullptr);
  CHECK(one.find(std::string_view("")) == nullptr);
  one.put("b", 2);
  CHECK(one.find(std::string_view("a")) == nullptr);
  CHECK(*one.find(std::string_view("b")) == 2);
  one.clear();
  CHECK(one.find(std::string_view("b")) == nullptr);

  Memo<std::array<uint8_t, 32>, int, 1> digests;
  std::array<uint8_t, 32> first{}, second{};
  second[31] = 1;
  digests.put(first, 1);
  CHECK(digests.find(second) == nullptr);
  CHECK(*digests.find(first) == 1);
}
