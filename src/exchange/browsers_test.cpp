#include "exchange/browsers.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::exchange;

namespace {

const Instant kSoon = from_unix_seconds(1'800'000'000);
const coalition::AppRef kCop{PartnerCode("XAA"), AppId("cop")};

SignIn sign_in_of(const char* person) {
  SignIn made;
  made.person.id = PersonId(person);
  made.person.partner = PartnerCode("XBB");
  made.end = kSoon;
  return made;
}

Refusal because(const char* title) {
  Refusal why;
  why.title = title;
  return why;
}

}  // namespace

TEST_CASE("the end of a session is told to the browser that opened it, and to no other") {
  Browsers browsers;
  const std::string one = browsers.sign_ins.issue(sign_in_of("p1"), kSoon);
  const std::string other = browsers.sign_ins.issue(sign_in_of("p1"), kSoon);
  const SessionId session("s1");
  browsers.sign_ins.find(one, Instant{})->sessions[kCop] = session;
  browsers.session_opened(session, one);
  browsers.session_ended(session, PersonId("p1"), because("suspended"));
  SignIn* told = browsers.sign_ins.find(one, Instant{});
  REQUIRE(told != nullptr);
  CHECK(told->sessions.empty());
  REQUIRE(told->ended.size() == 1);
  CHECK(told->ended.front().title == "suspended");
  CHECK(browsers.sign_ins.find(other, Instant{})->ended.empty());
  REQUIRE(browsers.ending(session));
  CHECK(browsers.ending(session)->title == "suspended");
}

TEST_CASE("a session that ends after its sign-in is still explained to whoever shows its cookie") {
  Browsers browsers;
  const std::string token = browsers.sign_ins.issue(sign_in_of("p1"), kSoon);
  browsers.session_opened(SessionId("s1"), token);
  browsers.sign_ins.erase(token);
  browsers.session_ended(SessionId("s1"), PersonId("p1"), because("signed out"));
  CHECK(browsers.ending(SessionId("s1"))->title == "signed out");
}

TEST_CASE("of one app the newest end alone is told, and nothing once it is open again") {
  Browsers browsers;
  const std::string token = browsers.sign_ins.issue(sign_in_of("p1"), kSoon);
  SignIn* const sign_in = browsers.sign_ins.find(token, Instant{});
  const auto ends = [&](const char* session, const char* label) {
    sign_in->sessions[{PartnerCode("XAA"), AppId(label)}] = SessionId(session);
    browsers.session_opened(SessionId(session), token);
    Refusal why = because(session);
    why.app_label = label;
    browsers.session_ended(SessionId(session), PersonId("p1"), std::move(why));
  };
  ends("s1", "cop");
  ends("s2", "charts");
  ends("s3", "cop");
  REQUIRE(sign_in->ended.size() == 2);
  CHECK(sign_in->ended[0].title == "s3");
  CHECK(sign_in->ended[1].title == "s2");
  sign_in->forget_ended("cop");
  REQUIRE(sign_in->ended.size() == 1);
  CHECK(sign_in->ended[0].app_label == "charts");
}

TEST_CASE("a way in works once") {
  Browsers browsers;
  const std::string code = browsers.hand_offs.issue({bind_digest("bind"), kCop, SessionId("s1"), "c"}, kSoon);
  CHECK(browsers.hand_offs.take(code, Instant{}));
  CHECK_FALSE(browsers.hand_offs.take(code, Instant{}));
  const std::string late = browsers.hand_offs.issue({bind_digest("bind"), kCop, SessionId("s1"), "c"}, kSoon);
  CHECK_FALSE(browsers.hand_offs.take(late, kSoon));
  CHECK_FALSE(browsers.hand_offs.take(late, Instant{}));  // late or not, it is used up
}
