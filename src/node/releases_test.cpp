#include "node/releases.h"

#include "coalition/example_test.h"

#include <functional>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;
using coalition::Release;
using coalition::RequestState;

namespace {

// Aldoria, where `approvals` officers have to let an object go; asha and second are officers, ben an auditor.
coalition::World aldoria(int approvals) {
  example::Records all = example::records("XAA");
  Json second = all["operator/asha.lind"];
  Json nameless = second;
  nameless.set("uids", Json::array({4712}));
  all["operator/nameless"] = nameless;
  all["operator/asha.lind"].set("person", "p-asha");
  second.set("uids", Json::array({4711})).set("person", "p-second");
  all["operator/second"] = second;
  all["policy/host/releases"] = Json::object(
      {{"text", "@id(\"xaa-two\") @approvals(\"" + std::to_string(approvals) +
                    "\") @minutes(\"90\") permit (principal, action == Entente::Action::\"release\", "
                    "resource is Entente::Partner) when { principal.operator && "
                    "principal.roles.contains(\"security-officer\") };"}});
  return example::world(all);
}

Caller named(const std::string& name) {
  return Caller{{PersonId("operator/" + name), PartnerCode("XAA"), {}}};
}

Release wish() {
  Release out;
  out.id = RequestId("r1");
  out.partner = PartnerCode("XCC");
  out.object = "object-1";
  out.rights = {"open"};
  out.purpose = "EXERCISE: berths";
  out.minutes = 600;
  out.by = "operator/asha.lind";
  out.asked = example::kNow;
  out.end = example::kNow + coalition::kRequestLifeMax;
  return out;
}

coalition::World after(const coalition::World& world, const Change& change) {
  auto next = world.with(change.records, Revision{world.revision().value + 1});
  REQUIRE_MESSAGE(next, (next ? "" : next.error().text()));
  return next->world;
}

}  // namespace

TEST_CASE(
    "where two have to approve, one alone releases nothing, twice counts once, and time is cut to the "
    "policy's") {
  coalition::World world = aldoria(2);
  Release release = wish();
  coalition::Verdict verdict = release_verdict(world, named("asha.lind"), release, example::kNow);
  REQUIRE(verdict.permit);
  approve(world, release, named("asha.lind"), verdict, example::kNow);
  CHECK(release.state == RequestState::open);
  world = after(
      world, *release_change(world, release, "release.proposed", named("asha.lind"), verdict, example::kNow));
  CHECK_FALSE(release_verdict(world, named("asha.lind"), release, example::kNow).permit);
  CHECK_FALSE(release_verdict(world, named("ben.roth"), release, example::kNow).permit);
  CHECK_FALSE(release_verdict(world, named("nameless"), release, example::kNow).permit);
  CHECK_FALSE(release_verdict(world, named("nobody"), release, example::kNow).permit);
  verdict = release_verdict(world, named("second"), release, example::kNow);
  REQUIRE(verdict.permit);
  approve(world, release, named("second"), verdict, example::kNow);
  CHECK(release.state == RequestState::granted);
  CHECK(release.until == example::kNow + std::chrono::minutes(90));
  const Result<Change> change =
      release_change(world, release, "release", named("second"), verdict, example::kNow);
  REQUIRE(change);
  CHECK(change->leaves[0].event_class == "release");
  CHECK(after(world, *change).releases(PartnerCode("XCC"))[0]->until.has_value());
}

TEST_CASE("attack: an officer who proposes under a rule of one approval slips past a rule of two") {
  // Whoever cannot be told from others is no first of two.
  Release release = wish();
  CHECK_FALSE(release_verdict(aldoria(2), named("nameless"), release, example::kNow).permit);
  Release alone = wish();
  CHECK(release_verdict(aldoria(1), named("nameless"), alone, example::kNow).permit);
}

TEST_CASE("who has lost the right since has not approved") {
  const coalition::World world = aldoria(2);
  Release release = wish();
  const coalition::Verdict verdict = release_verdict(world, named("asha.lind"), release, example::kNow);
  approve(world, release, named("asha.lind"), verdict, example::kNow);
  Release kept = release;
  CHECK(drop_lapsed(world, kept, example::kNow).empty());
  Json record = *world.raw("operator/asha.lind");
  record.set("roles", Json::array({"auditor"}));
  const std::vector<coalition::Record> changes{{"operator/asha.lind", record}};
  const auto next = world.with(changes, Revision{world.revision().value + 1});
  REQUIRE(next);
  CHECK(drop_lapsed(next->world, release, example::kNow) == std::vector<std::string>{"operator/asha.lind"});
  CHECK(release.approvals.empty());
}

TEST_CASE("one is enough to refuse a release or to take it back") {
  const coalition::World world = aldoria(2);
  for (const char* name : {"asha.lind", "second", "nameless"})
    CHECK(end_verdict(world, named(name), wish(), example::kNow).permit);
  CHECK_FALSE(end_verdict(world, named("ben.roth"), wish(), example::kNow).permit);
}

TEST_CASE("what is over makes room, and what lives is never pushed out") {
  coalition::World world = aldoria(1);
  std::vector<coalition::Record> all;
  Release one = wish();
  for (size_t i = 0; i < coalition::kReleasesMax; ++i) {
    one.id = RequestId("r-" + std::to_string(i));
    one.state = i == 7 ? RequestState::denied : RequestState::open;
    all.push_back({record_key(one), to_json(one)});
  }
  auto next = world.with(all, Revision{world.revision().value + 1});
  REQUIRE(next);
  one.id = RequestId("new");
  one.state = RequestState::open;
  const auto made = coalition::release_records(next->world, one, example::kNow);
  REQUIRE(made);
  CHECK(made->size() == 2);
  CHECK(made->back().key == "release/XCC/r-7");
  CHECK_FALSE(made->back().value);
  // Full of live ones: no new one, but whatever is there is answered and taken back.
  all.clear();
  for (const coalition::Record& record : *made) all.push_back(record);
  next = next->world.with(all, Revision{next->world.revision().value + 1});
  REQUIRE(next);
  one.id = RequestId("newer");
  CHECK(coalition::release_records(next->world, one, example::kNow).error().code() == "access.full");
  CHECK(coalition::release_records(world, one, example::kNow, coalition::kReleasesMax).error().code() ==
        "access.full");
}

TEST_CASE("attack: a nation asks for so much that nothing of it can be taken back") {
  coalition::World world = aldoria(1);
  std::vector<coalition::Record> all;
  Release one = wish();
  one.state = RequestState::granted;
  one.approvals.push_back({"operator/asha.lind", "", example::kNow, VerdictId("v")});
  one.start = example::kNow;
  one.until = example::kNow + std::chrono::hours(1);
  for (size_t i = 0; i <= coalition::kReleasesMax; ++i) {
    one.id = RequestId("r-" + std::to_string(i));
    all.push_back({record_key(one), to_json(one)});
  }
  const auto full = world.with(all, Revision{world.revision().value + 1});
  REQUIRE(full);
  const coalition::Verdict verdict = end_verdict(full->world, named("asha.lind"), one, example::kNow);
  REQUIRE(verdict.permit);
  Release revoked = one;
  revoked.state = RequestState::revoked;
  revoked.start.reset();
  revoked.until.reset();
  const auto change =
      release_change(full->world, revoked, "release.revoked", named("asha.lind"), verdict, example::kNow);
  REQUIRE(change);
  CHECK(change->records.size() == 1);
  one.id = RequestId("new");
  CHECK(release_change(full->world, one, "release", named("asha.lind"), verdict, example::kNow)
            .error()
            .code() == "access.full");
}

TEST_CASE("an operator is shown what they could do: nobody answers twice, their own, or what is over") {
  const coalition::World world = aldoria(2);
  Release release = wish();
  release.by = "XCC/p-1";
  release.person = PersonId("p-1");
  const auto may = [&](const std::string& name, Instant now = example::kNow) {
    const MayAnswer out = may_answer(world, named(name), release, now);
    return std::pair(out.approve, out.end);
  };
  using Both = std::pair<bool, bool>;
  CHECK(may("asha.lind") == Both(true, true));
  for (const char* name : {"ben.roth", "nobody"}) CHECK(may(name) == Both(false, false));
  const coalition::Verdict verdict = release_verdict(world, named("asha.lind"), release, example::kNow);
  approve(world, release, named("asha.lind"), verdict, example::kNow);
  CHECK(may("asha.lind") == Both(false, true));
  CHECK(may("second") == Both(true, true));
  const coalition::Verdict last = release_verdict(world, named("second"), release, example::kNow);
  approve(world, release, named("second"), last, example::kNow);
  CHECK(may("second") == Both(false, true));
  CHECK(may("second", *release.until) == Both(false, false));
  // What they asked for themselves, as one of this nation's people.
  release = wish();
  release.partner = PartnerCode("XAA");
  release.person = PersonId("p-asha");
  release.by = "XAA/p-asha";
  CHECK(may("asha.lind") == Both(false, false));
  CHECK(may("second") == Both(true, true));
}

TEST_CASE("attack: what an operator read is made into something else before they answer") {
  const coalition::World world = aldoria(1);
  const Release read = wish();
  const std::string seen = mark_of(world, read);
  const std::vector<std::function<void(Release&)>> changes{
      [](Release& one) { one.object = "object-2"; },
      [](Release& one) { one.attributes = {example::fqn("classification", "secret")}; },
      [](Release& one) { one.partner = PartnerCode("XBB"); },
      [](Release& one) { one.person = PersonId("p-2"); },
      [](Release& one) { one.rights.emplace_back("forward"); },
      [](Release& one) { one.purpose += "."; },
      [](Release& one) { one.minutes += 1; },
      [](Release& one) { one.by = "XCC/p-2"; },
      [](Release& one) { one.facts["role"] = {std::string("officer"), "idp", kNever}; }};
  for (const auto& change : changes) {
    Release other = read;
    change(other);
    CHECK(mark_of(world, other) != seen);
  }
  Release approved = read;
  approved.approvals.push_back({"operator/second", "", example::kNow, VerdictId("v")});
  CHECK(mark_of(world, approved) == seen);
}
