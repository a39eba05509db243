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

TEST_CASE("a form that was refused keeps what was written in it, as text") {
  ThingsView things;
  things.own = {{"xaa-charts", "Charts"}, {"xaa-tides", "Tides"}};
  things.to_answer.push_back({.request = view("open"), .who = "analyst", .opens = {}, .seen = {}});
  SUBCASE("a word with an answer") {
    things.not_done = NotDone{.why = "It is answered.", .request = "r1", .words = "\"><b>no</b>"};
    const std::string page = things_page({}, things);
    CHECK(has(page, "role=\"alert\" data-not-done><h2>This was not done</h2><p>It is answered.</p>"));
    CHECK(has(page, "name=\"words\" maxlength=\"500\" value=\"&quot;&gt;&lt;b&gt;no&lt;/b&gt;\">"));
    CHECK_FALSE(has(page, "You had written"));
  }
  SUBCASE("whose request is gone") {
    things.not_done = NotDone{.why = "It is answered.", .request = "r2", .words = "<i>no"};
    const std::string page = things_page({}, things);
    CHECK(has(page, "<p>You had written: <q>&lt;i&gt;no</q></p>"));
  }
  SUBCASE("a delegation") {
    things.not_done = NotDone{.why = "No.", .app_label = "xaa-tides", .to = "a\"b", .minutes = 1440};
    const std::string page = things_page({}, things);
    CHECK(has(page, "<option value=\"xaa-tides\" selected>"));
    CHECK(has(page, "name=\"to\" required maxlength=\"64\" value=\"a&quot;b\">"));
    CHECK(has(page, "<option value=\"1440\" selected>1 day</option>"));
  }
  SUBCASE("a request") {
    PageFrame frame;
    frame.form_token = "t";
    Refusal refusal;
    refusal.reasons.push_back({coalition::Layer::structure, "access.value", "What for?", {}, {}});
    refusal.ask = AskForm{"xaa-charts", {.approvals = 2, .minutes = 480}, "<script>\"", 60, true};
    const std::string page = refusal_page(frame, refusal, "https://lobby.example/");
    CHECK(has(page, "maxlength=\"500\" value=\"&lt;script&gt;&quot;\">"));
    CHECK(has(page, "<option value=\"60\" selected>1 hour</option>"));
    CHECK(has(page, "<option value=\"480\">8 hours</option>"));
    CHECK(has(page, "name=\"read_only\" value=\"yes\" checked>"));
    CHECK(has(page, "2 people would have to approve."));
  }
  const std::string fresh = things_page({}, ThingsView{});
  CHECK_FALSE(has(fresh, "data-not-done"));
}

TEST_CASE("the lobby says how much waits, and that it has not looked at all of it") {
  CHECK_FALSE(has(lobby_page({}, {}, {}, AnswersDue{0, false}), "data-to-answer"));
  CHECK(has(lobby_page({}, {}, {}, AnswersDue{1, false}), ">1 request waits for your answer<"));
  CHECK(has(lobby_page({}, {}, {}, AnswersDue{64, true}), ">64 or more requests wait for your answer<"));
  CHECK(has(lobby_page({}, {}, {}, AnswersDue{0, true}), ">Requests wait, and some may be for your answer<"));
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
