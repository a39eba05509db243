// What must hold for any policies, entities and requests, tried on random ones; a failure names its seed.
#include "policy/world_for_test.h"

#include <algorithm>
#include <random>
#include <set>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;
using namespace entente::policy::test;

namespace {

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  template <size_t N>
  std::string one_of(const char* const (&items)[N]) {
    return items[below(N)];
  }
  std::string id() { return std::string(1, static_cast<char>('a' + below(5))); }

  std::string condition() {
    static const char* const kSimple[] = {"principal.level >= 3",
                                          "resource.owner == principal",
                                          "resource.owner.level > principal.level",
                                          "resource.secret",
                                          "principal has boss && principal.boss.level > 2",
                                          "principal has boss && principal.boss in Shop::Team::\"b\"",
                                          "resource in Shop::Folder::\"c\"",
                                          "principal in resource.owner",
                                          "principal.tags.contains(\"x\")",
                                          "context.now < principal.until",
                                          "principal.level * 4611686018427387904 > 0",
                                          "resource.owner has home.zone",
                                          "resource.owner in Shop::Team::\"a\"",
                                          "principal in [Shop::Team::\"a\", Shop::Team::\"d\"]",
                                          "principal.hasTag(\"t\") && principal.getTag(\"t\") == \"v\"",
                                          "context has aal && context.aal > 1"};
    std::string first = one_of(kSimple);
    switch (below(4)) {
      case 0:
        return "(" + first + ") || (" + one_of(kSimple) + ")";
      case 1:
        return "!(" + first + ")";
      case 2:
        return "(" + first + ") && (" + one_of(kSimple) + ")";
      default:
        return first;
    }
  }

  std::string policy(const char* effect) {
    static const char* const kPrincipals[] = {"principal",
                                              "principal is Shop::User",
                                              "principal in Shop::Team::\"a\"",
                                              "principal in Shop::Team::\"b\"",
                                              "principal == Shop::User::\"c\"",
                                              "principal is Shop::User in Shop::Nation::\"a\""};
    static const char* const kActions[] = {"action in Shop::Action::\"all\"",
                                           "action == Shop::Action::\"view\""};
    static const char* const kResources[] = {"resource", "resource in Shop::Folder::\"b\"",
                                             "resource == Shop::Doc::\"a\"",
                                             "resource is Shop::Doc in Shop::Folder::\"a\""};
    return std::string(effect) + " (" + one_of(kPrincipals) + ", " + one_of(kActions) + ", " +
           one_of(kResources) + ")" + (below(3) == 0 ? "" : " when { " + condition() + " }") + ";\n";
  }

  std::vector<std::string> policies() {
    std::vector<std::string> out;
    out.reserve(8);
    for (unsigned i = 0; i < 1 + below(8); ++i)
      out.push_back("@id(\"p" + std::to_string(i) + "\") " + policy(below(3) == 0 ? "forbid" : "permit"));
    return out;
  }

  // Parents come later in the alphabet, so that no cycle comes up.
  std::vector<EntityUid> above(const std::string& type, const std::string& child) {
    std::vector<EntityUid> out;
    for (unsigned i = 0; i < below(3); ++i)
      if (const std::string parent = id(); parent > child) out.push_back({type, parent});
    return out;
  }

  Entity entity(const EntityUid& uid) {
    if (uid.type == "Shop::User") {
      Entity out = a_user(uid.id, below(6), {{"Shop::Team", id()}});
      if (below(2) == 0) out.parents.push_back({"Shop::Nation", id()});
      if (below(2) == 0) out.attributes.set("boss", user(id()));
      if (below(3) == 0) out.attributes.set("home", Record{{"city", "x"}, {"zone", 1}});
      if (below(3) == 0) out.tags.set("t", below(2) == 0 ? "v" : "w");
      if (below(2) == 0) out.attributes.set("until", Datetime{below(3) * 1000});
      return out;
    }
    if (uid.type == "Shop::Doc") {
      Entity out = a_doc(uid.id, id(), below(6), {{"Shop::Folder", id()}});
      out.attributes.set("secret", below(3) == 0);
      return out;
    }
    return {uid, {}, uid.type == "Shop::Nation" ? std::vector<EntityUid>{} : above(uid.type, uid.id), {}};
  }

  EntityUid any_uid() {
    static const char* const kTypes[] = {"Shop::User", "Shop::Doc", "Shop::Team", "Shop::Folder",
                                         "Shop::Nation"};
    return {one_of(kTypes), id()};
  }

  EntityChanges changes(unsigned count) {
    EntityChanges out;
    std::set<EntityUid> seen;
    for (unsigned i = 0; i < count; ++i) {
      const EntityUid uid = any_uid();
      if (!seen.insert(uid).second) continue;
      if (below(5) == 0) {
        out.remove.push_back(uid);
      } else {
        out.put.push_back(entity(uid));
      }
    }
    return out;
  }

  Request request() {
    Request out = view(id(), id());
    if (below(2) == 0) out.action = action("edit");
    if (below(2) == 0) out.context.set("aal", static_cast<int64_t>(below(4)));
    return out;
  }

  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
};

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += text;
  return out;
}

Entities changed(const Entities& entities, const EntityChanges& changes) {
  auto next = entities.with(changes);
  if (!next) FAIL(next.error().text());
  return *std::move(next);
}

// What an answer says, with policies by name and without what it was read from.
struct Said {
  Decision decision;
  std::set<std::string> reasons;
  std::set<std::string> errors;
  bool operator==(const Said&) const = default;
};
Said said(const PolicySet& policies, const Answer& answer) {
  Said out{answer.decision, {}, {}};
  for (const PolicyIndex reason : answer.reasons) out.reasons.insert(policies[reason].id);
  for (const PolicyError& error : answer.errors)
    out.errors.insert(policies[*error.policy].id + error.error.what());
  return out;
}

constexpr unsigned kSeeds = 300;
constexpr DecideMode kThorough{.forbid_error_denies = true, .every_error = true};

template <class Try>
void each_seed(const Try& attempt) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    Maker maker(seed);
    attempt(maker);
  }
}

}  // namespace

TEST_CASE("the order of policies does not matter, nor whether an index finds them") {
  each_seed([](Maker& make) {
    std::vector<std::string> texts = make.policies();
    const PolicySet policies = load(joined(texts));
    const PolicySource plain{"p.cedar", joined(texts)};
    const PolicySet unchecked = *PolicySet::unchecked(std::span(&plain, 1));
    std::shuffle(texts.begin(), texts.end(), make.random());
    const PolicySet shuffled = load(joined(texts));
    const Entities entities = changed(Entities(schema()), make.changes(20));
    for (int i = 0; i < 10; ++i) {
      const Request request = make.request();
      const Said first = said(policies, decide(policies, entities, {}, request, kThorough));
      CHECK(first == said(shuffled, decide(shuffled, entities, {}, request, kThorough)));
      CHECK(first == said(unchecked, decide(unchecked, entities, {}, request, kThorough)));
    }
  });
}

TEST_CASE("one more forbid never widens") {
  each_seed([](Maker& make) {
    const std::string texts = joined(make.policies());
    const PolicySet policies = load(texts);
    const PolicySet narrower = load(texts + make.policy("forbid"));
    const Entities entities = changed(Entities(schema()), make.changes(20));
    for (int i = 0; i < 10; ++i) {
      const Request request = make.request();
      if (decide(narrower, entities, {}, request).permitted())
        CHECK(decide(policies, entities, {}, request).permitted());
    }
  });
}

TEST_CASE("a change outside an answer's reach does not change the answer") {
  size_t untouched = 0;
  each_seed([&](Maker& make) {
    const PolicySet policies = load(joined(make.policies()));
    Entities entities = changed(Entities(schema()), make.changes(20));
    const Request request = make.request();
    Answer before = decide(policies, entities, {}, request);
    for (int i = 0; i < 30; ++i) {
      const EntityUid uid = make.any_uid();
      EntityChanges change;
      if (make.below(4) == 0) {
        change.remove.push_back(uid);
      } else {
        change.put.push_back(make.entity(uid));
      }
      const Entities next = changed(entities, change);
      const Answer after = decide(policies, next, {}, request);
      if (!before.reach.touches(uid)) {
        ++untouched;
        CHECK(said(policies, before) == said(policies, after));
        CHECK(before.reach.entities == after.reach.entities);
      }
      entities = next;
      before = after;
    }
  });
  CHECK(untouched > 1000);
}

TEST_CASE("an overlay answers as if its entities were in the store") {
  each_seed([](Maker& make) {
    const PolicySet policies = load(joined(make.policies()));
    const Entities entities = changed(Entities(schema()), make.changes(20));
    EntityChanges more = make.changes(6);
    more.remove.clear();
    const Entities merged = changed(entities, more);
    for (int i = 0; i < 10; ++i) {
      const Request request = make.request();
      CHECK(said(policies, decide(policies, entities, more.put, request, kThorough)) ==
            said(policies, decide(policies, merged, {}, request, kThorough)));
    }
  });
}

TEST_CASE("time passing none of an answer's instants changes nothing, unless it is bound to the clock") {
  each_seed([](Maker& make) {
    const PolicySet policies = load(joined(make.policies()));
    const Entities entities = changed(Entities(schema()), make.changes(20));
    Request request = make.request();
    const Answer now = decide(policies, entities, {}, request);
    if (now.clock_bound) return;
    // Ahead of all, or to one millisecond before the first instant that is still to come.
    const auto next = std::upper_bound(now.instants.begin(), now.instants.end(), Datetime{1000});
    request.context.set("now", Datetime{next == now.instants.end() ? 1'000'000 : next->ms - 1});
    CHECK(said(policies, now) == said(policies, decide(policies, entities, {}, request)));
  });
}

TEST_CASE("a validated policy fails only by overflow or an entity that does not exist") {
  each_seed([](Maker& make) {
    const PolicySet policies = load(joined(make.policies()));
    const Entities entities = changed(Entities(schema()), make.changes(15));
    for (int i = 0; i < 10; ++i) {
      const Request request = make.request();
      for (const PolicyError& error : decide(policies, entities, {}, request, kThorough).errors) {
        const bool allowed = error.error.what().find("beyond 64 bits") != std::string::npos ||
                             error.error.what().find("does not exist") != std::string::npos;
        CAPTURE(error.error.what());
        CHECK(allowed);
      }
    }
  });
}
