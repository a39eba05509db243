// What somebody may take back because they sealed it, and what that never reaches.
#include "coalition/author_recall.h"

#include "coalition/barred.h"
#include "coalition/example_test.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::coalition {
namespace {

using namespace example;

const std::vector<std::string>& attributes() {
  static const std::vector<std::string> all{fqn("classification", "restricted"), fqn("originator", "xaa"),
                                            fqn("releasable-to", "xbb")};
  return all;
}

Ask by_author(Person who = person("XAA", "officer")) {
  Ask out = ask_object(std::move(who), Action::recall, attributes());
  out.object->author = "mark-of-the-officer";
  out.object->text_digest = "text-1";
  out.by.emplace();
  out.by->device = "device-1";
  out.by->author = "mark-of-the-officer";
  return out;
}

Ask reading(std::string text = "text-1") {
  Ask out = ask_object(person("XBB", "planner"), Action::open, attributes());
  out.object->author = "mark-of-the-officer";
  out.object->text_digest = std::move(text);
  return out;
}

World after(const World& before, const Ask& ask) {
  const auto record = author_recall_record(before, ask, "EXERCISE: the times were wrong");
  REQUIRE(record);
  auto next = before.with(std::vector<Record>{*record}, Revision{before.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  return std::move(next->world);
}

}  // namespace

TEST_CASE("whoever sealed an object takes it back: it opens to nobody, and says by whom it was recalled") {
  const World before = world(records("XAA"));
  CHECK(decide(before, reading()).permit);
  CHECK(decide(before, by_author()).permit);
  const World under = after(before, by_author());
  const Verdict verdict = decide(under, reading());
  CHECK(rules(verdict) == "object-recalled");
  CHECK(verdict.reasons.front().text == "This was recalled by its author: EXERCISE: the times were wrong");
  REQUIRE(author_recall(under, *reading().object) != nullptr);
  CHECK(author_recall(under, *reading().object)->object == "object-1");
  CHECK(barred(under, reading())->policy == "object-recalled");
  CHECK_FALSE(barred(before, reading()));
}

TEST_CASE("attack: an author's recall reaches another policy around the same key, of the same id") {
  const World under = after(world(records("XAA")), by_author());
  CHECK(decide(under, reading("text-2")).permit);
  CHECK(decide(under, reading("")).permit);
  CHECK(author_recall(under, *reading("").object) == nullptr);
}

TEST_CASE("attack: somebody who is not its author takes an object back") {
  const World under = world(records("XAA"));
  const auto refused = [&](const auto& change) {
    Ask ask = by_author();
    change(ask);
    return rules(decide(under, ask));
  };
  CHECK(refused([](Ask& ask) { ask.by->author = "mark-of-another"; }) == "not-its-author");
  CHECK(refused([](Ask& ask) { ask.by->author.clear(); }) == "not-its-author");
  CHECK(refused([](Ask& ask) { ask.by.reset(); }) == "not-its-author");
  CHECK(refused([](Ask& ask) {
          ask.by->author.clear();
          ask.object->author.clear();
        }) == "not-its-author");
  CHECK(refused([](Ask& ask) { ask.object->text_digest.clear(); }) == "not-its-author");
  CHECK(refused([](Ask& ask) { ask.by->device.clear(); }) == "token-not-bound");
  CHECK(refused([](Ask& ask) { ask.object.reset(); }) == "object-not-asked");
  // Of another nation, whatever is said of them; and of an object that this node has no say in.
  CHECK(rules(decide(under, by_author(person("XBB", "planner")))) == "not-ours");
  CHECK(refused([](Ask& ask) {
          ask.object->attributes = {fqn("classification", "restricted"), fqn("originator", "xbb")};
        }) == "not-ours");
  // Being its author gives no other right, and the right is of objects alone.
  Ask opens = by_author();
  opens.action = Action::open;
  opens.who.facts["clearance"].value = std::string("UNCLASSIFIED");
  CHECK_FALSE(decide(under, opens).permit);
  CHECK_FALSE(decide(under, ask(person("XAA", "officer"), Action::recall, app("XAA", "cop"))).permit);
}

TEST_CASE(
    "attack: an author whose sign-in is over, or of whom nothing is known any more, takes an object back") {
  const World under = world(records("XAA"));
  Ask ended = by_author();
  for (auto& [name, fact] : ended.who.facts) fact.end = kNow;
  CHECK_FALSE(decide(under, ended).permit);
  Ask nobody = by_author();
  nobody.who.facts.clear();
  CHECK_FALSE(decide(under, nobody).permit);
}

TEST_CASE("what an author may read no more they take back all the same, unless a policy keeps it") {
  Ask lost = by_author();
  lost.who.facts["clearance"].value = std::string("UNCLASSIFIED");
  lost.who.facts["missions"].value = std::vector<std::string>{};
  lost.object->attributes.push_back(fqn("mission", "harbor-light"));
  Records all = records("XAA");
  all["mission/harbor-light"].set("end", "2026-11-02T00:00:00Z");
  CHECK(decide(world(all), lost).permit);
  Ask open = lost;
  open.action = Action::open;
  CHECK_FALSE(decide(world(all), open).permit);
  // Each layer has a say, as in everything.
  for (const char* name : {"policy/coalition/objects", "policy/host/objects", "policy/home/objects"}) {
    Records without = records("XAA");
    const std::string text(without[name].text_or("text", ""));
    without[name].set("text", text +
                                  "\n@id(\"kept\") forbid (principal, action == Entente::Action::\"recall\", "
                                  "resource is Entente::Object);");
    CHECK(rules(decide(world(without), by_author())) == "kept");
  }
}

TEST_CASE("attack: one author, or a crowd of them, fills the world with recalls") {
  World under = world(records("XAA"));
  std::vector<Record> many;
  const auto add = [&](size_t count, const std::string& by) {
    many.clear();
    for (size_t i = 0; i < count; ++i)
      many.push_back(
          {fmt::format("recall/author/{}-{}", by, i),
           Json::object(
               {{"reason", "EXERCISE"}, {"by", by}, {"at", rfc3339(kNow)}, {"object", "object-1"}})});
    auto next = under.with(many, Revision{under.revision().value + 1});
    REQUIRE_MESSAGE(next, next.error().text());
    under = std::move(next->world);
  };
  const std::string officer = by_author().who.id.text();
  add(kAuthorRecallsOfOneMax - 1, officer);
  CHECK(author_recall_record(under, by_author(), "EXERCISE"));
  add(kAuthorRecallsOfOneMax, officer);
  const auto full = author_recall_record(under, by_author(), "EXERCISE");
  REQUIRE_FALSE(full);
  CHECK(full.error().code() == "recall.full");
  Ask other = by_author();
  other.who.id = PersonId("somebody-else");
  CHECK(author_recall_record(under, other, "EXERCISE"));
  add(kAuthorRecallsMax - kAuthorRecallsOfOneMax, "others");
  CHECK(author_recall_record(under, other, "EXERCISE").error().code() == "recall.full");
  // It holds up nobody: what is asked about an object is one look by its text.
  CHECK(decide(under, reading()).permit);
}

}  // namespace entente::coalition
