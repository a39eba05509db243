#include "exchange/announcements.h"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::exchange {
namespace {

TEST_CASE("a page that was away goes on after the last number it saw, or loads all again") {
  net::Loop loop;
  Announcements all(loop, from_unix_seconds(1'795'262'400));
  const uint64_t first = all.newest();
  const auto told = [&](uint64_t since, const char* person) {
    std::string kinds;
    const auto tell = [&](const Announcement& event) { kinds += event.kind + " "; };
    return all.since(since, PersonId(person), tell) ? kinds : "all again";
  };
  all.announce({.kind = "request", .person = PersonId("p1")});
  all.announce({.kind = "answer"});
  all.announce({.kind = std::string(kObjectShut), .person = PersonId("p1")});
  CHECK(told(first, "p1") == "request answer object-shut ");
  CHECK(told(first + 2, "p1") == "object-shut ");
  CHECK(told(first, "p2") == "answer ");
  CHECK(told(all.newest(), "p1").empty());
  CHECK(told(all.newest() + 1, "p1") == "all again");  // from another life of the node
  CHECK(told(0, "p1") == "all again");
  const uint64_t before = all.newest();
  const auto shut = [&](const std::string& person) {
    all.announce({.kind = std::string(kObjectShut), .person = PersonId(person)});
  };
  for (size_t i = 0; i <= Announcements::kKeptOfOne; ++i) shut("p1");
  CHECK(told(before, "p1") == "all again");
  CHECK(told(before, "p2").empty());  // what ends for one makes nobody else load again
  shut("p3");
  for (size_t i = 0; i < Announcements::kPeopleMax; ++i) shut(fmt::format("q{}", i));
  CHECK(told(before, "p3") == "all again");  // rather than nothing
  for (size_t i = 0; i <= Announcements::kKept; ++i) all.announce({.kind = "answer"});
  CHECK(told(all.newest() - Announcements::kKept - 1, "p2") == "all again");
}

}  // namespace
}  // namespace entente::exchange
