#include "exchange/announcements.h"

#include <string>
#include <utility>

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

struct Room {
  net::Loop loop;
  Announcements all{loop, from_unix_seconds(1'795'262'400)};
  void sessions(const std::string& person) {
    all.announce({.kind = std::string(kSessions), .person = PersonId(person)});
  }
  std::string told(uint64_t since, const char* person) {
    std::string kinds;
    uint64_t last = since;
    const auto tell = [&](const Announcement& event) {
      kinds += event.kind + " ";
      CHECK(event.number > last);
      last = event.number;
    };
    return all.since(since, PersonId(person), tell) ? kinds : "all again";
  }
};

TEST_CASE("attack: sessions that open and end all the time push out nobody's news, nor one's own") {
  Room room;
  const uint64_t before = room.all.newest();
  room.all.announce({.kind = std::string(kObjectShut), .person = PersonId("p1")});
  room.all.announce({.kind = "answer"});
  for (size_t i = 0; i <= Announcements::kKeptOfOne; ++i) room.sessions("p1");
  CHECK(room.told(before, "p1") == "object-shut answer sessions ");
  for (size_t i = 0; i <= Announcements::kPeopleMax; ++i) room.sessions(fmt::format("q{}", i));
  for (size_t i = 0; i <= Announcements::kKept; ++i)
    for (const char* app : {"cop", "charts"})
      room.all.announce(
          {.kind = std::string(kSessions), .app = coalition::AppRef{PartnerCode("XAA"), AppId(app)}});
  CHECK(room.told(before, "p1") == "object-shut answer sessions sessions sessions ");
  CHECK(room.told(room.all.newest(), "p1").empty());
  // Of whom it is not known any more whether theirs changed are told that they may have, once.
  CHECK(room.told(before, "q0") == "answer sessions sessions sessions ");
  CHECK(room.told(before, "never-here") == "answer sessions sessions sessions ");
}

net::Task<void> page(Room& room, const char* person, std::string& woken) {
  const bool moved = co_await room.all.wait(PersonId(person), Millis(600'000));
  if (moved) woken += std::string(person) + " ";
}

TEST_CASE("news of one person wake that person's pages alone, and news for all wake every page") {
  Room room;
  std::string woken;
  for (const char* person : {"p1", "p1", "p2"}) room.loop.spawn(page(room, person, woken));
  const auto turns = [&] {
    for (int i = 0; i < 4; ++i) {
      room.loop.post([&room] { room.loop.stop(); });
      room.loop.run();
    }
    return std::exchange(woken, {});
  };
  CHECK(turns().empty());
  room.sessions("p3");
  CHECK(turns().empty());
  room.sessions("p1");
  CHECK(turns() == "p1 p1 ");
  room.all.announce({.kind = "answer"});
  CHECK(turns() == "p2 ");
  CHECK(room.loop.tasks() == 0);
}

}  // namespace
}  // namespace entente::exchange
