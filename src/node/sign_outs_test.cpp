#include "node/sign_outs.h"

#include <doctest/doctest.h>

namespace entente::node {
namespace {

const PersonId kInge("p-inge"), kOtto("p-otto"), kLena("p-lena");
const Instant kNow = from_unix_seconds(1'795'000'000);

bool counts(const SignOuts& outs, const PersonId& person, Instant issued, Instant now = kNow + Seconds(60)) {
  return outs.check(person, issued, now).has_value();
}

}  // namespace

TEST_CASE(
    "attack: a token from before a sign-out, or from the same second, counts no more; nobody else's is "
    "touched") {
  SignOuts outs;
  CHECK(counts(outs, kInge, kNow - Seconds(100)));
  outs.note(kInge, kNow + Millis(500));
  CHECK(outs.check(kInge, kNow, kNow + Seconds(1)).error().code() == "token.signed-out");
  CHECK_FALSE(counts(outs, kInge, kNow - Seconds(100)));
  CHECK(counts(outs, kInge, kNow + Seconds(1)));
  CHECK(counts(outs, kOtto, kNow - Seconds(100)));
}

TEST_CASE("an older sign-out that is told late takes nothing from a newer one") {
  SignOuts outs;
  outs.note(kInge, kNow);
  outs.note(kInge, kNow - Seconds(50));
  CHECK_FALSE(counts(outs, kInge, kNow - Seconds(10)));
}

TEST_CASE("attack: with no room for more, what is not known any more counts for nobody") {
  SignOuts outs(2);
  outs.note(kInge, kNow);
  outs.note(kOtto, kNow + Seconds(10));
  outs.note(kLena, kNow + Seconds(20));
  CHECK_FALSE(counts(outs, kInge, kNow - Seconds(1)));
  CHECK_FALSE(counts(outs, PersonId("p-anybody"), kNow));
  CHECK(counts(outs, kInge, kNow + Seconds(1)));
  CHECK_FALSE(counts(outs, kOtto, kNow + Seconds(10)));
}

TEST_CASE("what no token can be older than makes room first") {
  SignOuts outs(2);
  outs.note(kInge, kNow - std::chrono::hours(25));
  outs.note(kOtto, kNow - Seconds(10));
  outs.note(kLena, kNow);
  CHECK(counts(outs, kInge, kNow - std::chrono::hours(20)));
  CHECK_FALSE(counts(outs, kOtto, kNow - Seconds(10)));
}

TEST_CASE(
    "started anew it goes by what was read, and trusts no token from before that; a clock put right begins "
    "anew") {
  exchange::Kept kept;
  kept.sign_outs.emplace(kInge, kNow);
  kept.sign_outs_known_from = kNow - std::chrono::hours(12);
  SignOuts outs;
  outs.restore(kept);
  CHECK_FALSE(counts(outs, kInge, kNow - Seconds(1)));
  CHECK(counts(outs, kOtto, kNow - Seconds(1)));
  CHECK_FALSE(counts(outs, kOtto, kNow - std::chrono::hours(13)));
  outs.go_on_from(kNow - Seconds(600));
  CHECK(counts(outs, kInge, kNow - Seconds(500)));
  CHECK_FALSE(counts(outs, kOtto, kNow - Seconds(700)));
}

TEST_CASE(
    "attack: a clock that is behind at a start takes no sign-out away: it counts again when its time has "
    "come") {
  exchange::Kept kept;
  kept.sign_outs.emplace(kInge, kNow);
  const Instant behind = kNow - std::chrono::hours(2);
  kept.sign_outs_known_from = behind;
  SignOuts outs;
  outs.restore(kept);
  CHECK(counts(outs, kInge, behind + Seconds(10), behind + Seconds(20)));
  CHECK_FALSE(counts(outs, kInge, behind - Seconds(10), behind + Seconds(20)));
  CHECK_FALSE(counts(outs, kInge, kNow - Seconds(300), kNow + Seconds(1)));
  CHECK(counts(outs, kInge, kNow + Seconds(5), kNow + Seconds(6)));
}

}  // namespace entente::node
