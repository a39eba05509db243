#include "node/api_pages.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::node {
namespace {

using coalition::Delegation;

const Instant kNow = from_unix_seconds(1795262400);

// Some of one instant, in no order.
std::vector<Delegation> many(size_t count) {
  std::vector<Delegation> out;
  for (size_t i = 0; i < count; ++i) {
    Delegation one;
    one.id = RequestId(fmt::format("d{}", i * 7919 % count));
    one.start = kNow - Millis(i * 31 % 17);
    one.end = kNow + Seconds(i * 104'729 % 50);
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<const Delegation*> pointers(const std::vector<Delegation>& to) {
  std::vector<const Delegation*> out;
  for (const Delegation& one : to) out.push_back(&one);
  return out;
}

// All ids as they come, page by page.
std::vector<std::string> walk(const std::vector<Delegation>& all, bool newest) {
  std::vector<std::string> out;
  PageAsked asked{.all = newest, .after = {}};
  for (size_t left = all.size(); left > 0;) {
    const auto page = page_of(pointers(all), asked, [&](const Delegation& one) {
      return std::optional(newest ? one.start : one.end);
    });
    REQUIRE(page.items.size() == std::min(left, kPageMax));
    left -= page.items.size();
    CHECK(page.more == left);
    CHECK(page.next.empty() == (left == 0));
    for (const Delegation* one : page.items) out.push_back(one->id.text());
    asked.after = page.next;
  }
  return out;
}

}  // namespace

TEST_CASE("pages have each once, and in order") {
  for (const size_t count : std::initializer_list<size_t>{0, 1, 99, 100, 101, 200, 257}) {
    std::vector<Delegation> all = many(count);
    for (const bool newest : {false, true}) {
      const std::vector<std::string> walked = walk(all, newest);
      std::ranges::sort(all, [&](const Delegation& one, const Delegation& other) {
        if (newest) return std::pair(one.start, one.id.text()) > std::pair(other.start, other.id.text());
        return std::pair(one.end, one.id.text()) < std::pair(other.end, other.id.text());
      });
      std::vector<std::string> wanted;
      for (const Delegation& one : all) wanted.push_back(one.id.text());
      CHECK(walked == wanted);
    }
  }
}

TEST_CASE("what went away, and what has no place, moves nothing of the next page") {
  std::vector<Delegation> all = many(150);
  const auto by_end = [](const Delegation& one) { return std::optional(one.end); };
  const auto first = page_of(pointers(all), {}, by_end);
  const RequestId last = first.items.back()->id;
  std::vector<std::string> shown;
  for (const Delegation* one : first.items) shown.push_back(one->id.text());
  std::erase_if(all, [&](const Delegation& one) { return one.id == last; });
  const auto rest = page_of(pointers(all), {.all = false, .after = first.next}, by_end);
  CHECK(rest.items.size() == 50);
  for (const Delegation* one : rest.items) CHECK(std::ranges::find(shown, one->id.text()) == shown.end());
  const auto none = page_of(pointers(all), {}, [](const Delegation&) { return std::optional<Instant>(); });
  CHECK(none.items.empty());
}

TEST_CASE("times of before 1970 stand before those after it") {
  CHECK(place_of(from_unix_seconds(-1), "a") < place_of(from_unix_seconds(0), "a"));
  CHECK(place_of(from_unix_seconds(0), "a") < place_of(from_unix_seconds(1), "a"));
}

TEST_CASE("a list is asked for in one way") {
  CHECK(read_page_asked("").value().after.empty());
  CHECK(read_page_asked("all=true").value().all);
  CHECK(read_page_asked("after=a%2Fb&all=true").value().after == "a/b");
  const std::string longer = "after=" + std::string(257, 'a');
  for (const char* query : {"all=yes", "all=", "limit=5", longer.c_str()})
    CHECK(read_page_asked(query).error().code() == "field.value");
}

}  // namespace entente::node
