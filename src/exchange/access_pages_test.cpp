#include "exchange/access_pages.h"

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

TEST_CASE("of two apps with one name each shows who is in it, not in the other") {
  ThingsView things;
  things.own = {{"xaa-charts", "Charts"}, {"xaa-charts-old", "Charts", false}};
  for (const char* id : {"s1", "s2"}) {
    SessionView session;
    session.id = id;
    session.label = "xaa-charts";
    session.app = "Charts";
    things.users.push_back(session);
  }
  const std::string page = things_page({}, things);
  CHECK(page.find("data-own-app=\"xaa-charts\"><h3>Charts</h3><p>2 sessions of others.") !=
        std::string::npos);
  CHECK(page.find("data-own-app=\"xaa-charts-old\"><h3>Charts</h3><p>Nobody else uses it now.") !=
        std::string::npos);
  // What somebody else lets one answer for is not lent on: it is not offered.
  CHECK(page.find("<option value=\"xaa-charts\">") != std::string::npos);
  CHECK(page.find("<option value=\"xaa-charts-old\">") == std::string::npos);
}

RequestView view(const char* state) {
  RequestView made;
  made.id = "r1";
  made.app = "Charts";
  made.state = state;
  made.until = "22 November, 21:47 UTC";
  made.again_href = "https://charts-xaa.example/";
  return made;
}

bool has(const std::string& page, std::string_view text) {
  return page.find(text) != std::string::npos;
}

TEST_CASE("what is over says so, says no time that it waits until, and can be asked for again") {
  const std::string ended = request_page({}, view("ended"));
  CHECK(has(ended, "It was granted, and has ended."));
  CHECK(has(ended, "<dt>Ended</dt><dd>22 November, 21:47 UTC</dd>"));
  CHECK_FALSE(has(ended, "Open until"));
  for (const char* over : {"ended", "over", "denied", "revoked"}) {
    const std::string page = request_page({}, view(over));
    CHECK_FALSE(has(page, "Waits until"));
    CHECK(has(page, "<a data-action=\"again\" href=\"https://charts-xaa.example/\">Ask again</a>"));
  }
  CHECK(has(request_page({}, view("open")), "<dt>Waits until</dt>"));
  CHECK(has(request_page({}, view("granted")), "<dt>Open until</dt>"));
}

TEST_CASE("attack: what others wrote turns no letters around on an approver's page") {
  ThingsView things;
  things.to_answer.push_back(
      {.request = view("open"), .who = "analyst \u202eREK \u2066<b>", .opens = {}, .seen = {}});
  things.to_answer.front().request.purpose = "one\u2029two\x1b[2J";
  const std::string page = things_page({}, things);
  CHECK(has(page, "analyst \ufffdREK \ufffd&lt;b&gt;"));
  for (const char* steers : {"\u202e", "\u2066", "\u2029", "\x1b"}) CHECK_FALSE(has(page, steers));
}

}  // namespace
}  // namespace entente::exchange
