// The author of an object takes it back at their own nation's key service.
#include "data/kas_for_test.h"

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

namespace {

constexpr std::string_view kReason = "EXERCISE: the times were wrong";

// Sealed by whoever signs in by this name.
std::string sealed_by(const std::string& subject, const std::string& uuid = "object-1") {
  DataPolicy out;
  out.uuid = uuid;
  for (const char* one : {"classification/restricted", "originator/xaa", "releasable-to/xbb"}) {
    const std::string_view name(one);
    const size_t slash = name.find('/');
    out.attributes.push_back(
        parse_attribute(example::fqn(name.substr(0, slash), name.substr(slash + 1))).value());
  }
  out.author = author_mark(Desk::code_of("p-" + subject), uuid);
  return write_policy(out);
}

struct Authors {
  Desk desk;
  Result<void> disk{};

  explicit Authors(KasLimits limits = {}) : desk(limits) {}

  static Json to_recall(const std::string& policy, Json access, std::string_view reason = kReason) {
    Json request = Desk::wanted("policy", policy, {std::move(access)});
    request.set("recall", Json::object({{"reason", reason}}));
    return Desk::second({request});
  }
  Json to_recall(const std::string& policy) const { return to_recall(policy, desk.access(policy)); }
  Json to_open(const std::string& policy) const {
    return Desk::second({Desk::wanted("policy", policy, {desk.access(policy)})});
  }
  KasRequest signed_by(const std::string& subject, const Json& body, bool bound = true) {
    KasRequest out = desk.signed_request(body, keys().device, bound);
    const std::string bearer = Desk::token(bound, subject);
    out.authorization = "Bearer " + bearer;
    if (bound) {
      out.dpop = desk.proof(bearer, keys().device);
    } else {
      out.client_key = base64(as_bytes(keys().device.public_key().pem()));
    }
    return out;
  }
  KasAnswer finish(Kas::Step step) {
    while (auto* write = std::get_if<Kas::Write>(&step)) {
      desk.leaves.insert(desk.leaves.end(), write->leaves.begin(), write->leaves.end());
      CHECK(write->narrowing == !write->records.empty());
      if (!write->records.empty() && (disk || disk.error().code() == kFenced)) {
        auto next = desk.world.with(write->records, Revision{desk.world.revision().value + 1});
        REQUIRE_MESSAGE(next, next.error().text());
        desk.world = std::move(next->world);
      }
      const Result<void> said = write->records.empty() ? Result<void>() : disk;
      step = desk.kas.written(std::move(*write), said, desk.world, Desk::at());
    }
    KasAnswer out = std::get<KasAnswer>(std::move(step));
    desk.leaves.insert(desk.leaves.end(), out.leaves.begin(), out.leaves.end());
    return out;
  }
  KasAnswer ask(const std::string& subject, const Json& body, bool bound = true) {
    return finish(desk.take(signed_by(subject, body, bound)));
  }
  std::string status(const std::string& subject, const Json& body, bool bound = true) {
    const KasAnswer answer = ask(subject, body, bound);
    return answer.status == 200 ? std::string(result_of(answer, 0, 0).text_or("status", "")) : "";
  }
  std::string words(const std::string& subject, const Json& body, bool bound = true) {
    return std::string(result_of(ask(subject, body, bound), 0, 0).text_or("error", ""));
  }
  [[nodiscard]] size_t standing() const { return desk.world.recalls("author").size(); }
};

}  // namespace

TEST_CASE("an author's mark travels in the policy, names nobody, and is another for each object") {
  const DataPolicy read = read_policy(sealed_by("officer")).value();
  CHECK(read.author == author_mark(Desk::code_of("p-officer"), "object-1"));
  CHECK(write_policy(read) == sealed_by("officer"));
  CHECK(is_author_text(read.author));
  CHECK(author_mark(Desk::code_of("p-officer"), "object-2") != read.author);
  CHECK(author_mark(Desk::code_of("p-clerk"), "object-1") != read.author);
  // Lengths are part of it: nothing moves from the code into the id.
  CHECK(author_mark("ab", "c") != author_mark("a", "bc"));
  // What is no mark is nobody's, and no fault: others may have a member of that name.
  for (const Json& other : {Json("konrad"), Json(7), Json(), Json(std::string(44, 'A')), Json::object({})}) {
    Json policy = Json::parse(as_text(*from_base64(sealed_by("officer")))).value();
    policy.set("ententeAuthor", other);
    const auto said = read_policy(base64(as_bytes(policy.dump())));
    REQUIRE(said);
    CHECK(said->author.empty());
  }
}

TEST_CASE("its author takes an object back: acting at once, recorded, without a private key") {
  Authors there;
  const std::string policy = sealed_by("officer");
  CHECK(there.status("clerk", there.to_open(policy)) == "permit");
  const uint64_t before = there.desk.kas.keys().operations();
  there.desk.leaves.clear();
  const KasAnswer answer = there.ask("officer", there.to_recall(policy));
  CHECK(result_of(answer, 0, 0).text_or("status", "") == "recalled");
  CHECK(result_of(answer, 0, 0).find("durable")->boolean());
  CHECK(there.desk.kas.keys().operations() == before);
  CHECK(there.desk.kinds() == "object.recall");
  const auto field = [&](std::string_view name) {
    for (const auto& [key, value] : there.desk.leaves[0].fields)
      if (key == name) return value.string();
    return std::string();
  };
  CHECK(field("person") == "p-officer");
  CHECK(field("partner") == "XAA");
  CHECK(field("object") == "object-1");
  CHECK(field("reason") == kReason);
  CHECK(field("action") == "recall");
  CHECK(field("recall") == "recall/author/" + base64url(crypto::sha256(policy)));
  REQUIRE(there.standing() == 1);
  const coalition::Recall& recall = *there.desk.world.recalls("author")[0];
  CHECK(recall.key == field("recall"));
  CHECK(recall.by == "p-officer");
  CHECK(recall.object == "object-1");

  CHECK(
      there.words("clerk", there.to_open(policy)).find(fmt::format("recalled by its author: {}", kReason)) !=
      std::string::npos);
  CHECK(there.status("officer", there.to_open(policy)) == "fail");
  // By another of its keys, too; and another object of theirs stays as it is.
  CHECK(there.status("clerk", Desk::second({Desk::wanted("policy", policy,
                                                         {there.desk.access(policy, "2026-11-01-ec")})})) ==
        "fail");
  CHECK(there.status("clerk", there.to_open(sealed_by("officer", "object-2"))) == "permit");
  // Said again it is the same, and nothing is written.
  there.desk.leaves.clear();
  CHECK(there.status("officer", there.to_recall(policy)) == "recalled");
  CHECK(there.standing() == 1);
  CHECK(there.desk.leaves.empty());
}

TEST_CASE("attack: a reader who did not seal it takes an object back") {
  Authors there;
  for (const std::string& policy : {sealed_by("officer"), restricted()}) {
    CHECK(there.words("clerk", there.to_recall(policy)).find("does not say that you are its author") !=
          std::string::npos);
    CHECK(there.desk.leaves.back().kind == "key.refusal");
    CHECK(there.status("clerk", there.to_open(policy)) == "permit");
  }
  CHECK(there.standing() == 0);
  // The mark of somebody else's object, moved into this one.
  DataPolicy moved = read_policy(sealed_by("officer", "object-2")).value();
  moved.author = author_mark(Desk::code_of("p-clerk"), "object-1");
  CHECK(there.status("clerk", there.to_recall(write_policy(moved))) == "fail");
  CHECK(there.standing() == 0);
}

TEST_CASE("attack: a reader binds a policy that names them to the object's own key, and takes that back") {
  Authors there;
  const std::string policy = sealed_by("officer");
  const std::string forged = sealed_by("clerk");
  Json access = there.desk.access(policy);
  const Json bound_anew = there.desk.access(forged);  // whoever knows the share can
  access.set("policyBinding", *bound_anew.find("policyBinding"));
  const Json opens = Desk::second({Desk::wanted("policy", forged, {access})});
  REQUIRE(there.status("clerk", opens) == "permit");
  CHECK(there.status("clerk", there.to_recall(forged, access)) == "recalled");
  CHECK(there.status("clerk", opens) == "fail");
  const Json original = Desk::second({Desk::wanted("policy", policy, {there.desk.access(policy)})});
  CHECK(there.status("clerk", original) == "permit");
  CHECK(there.status("officer", original) == "permit");
}

TEST_CASE("attack: another nation's person, by their node's word, takes an object back as its author") {
  Authors there;
  // The same id as its author's, and whatever else their node may say.
  const std::string policy = sealed_by("officer");
  KasCaller caller;
  caller.person = example::person("XBB", "planner");
  caller.person.id = PersonId("p-officer");
  caller.context["risk"] = {int64_t{0}, "node", example::kNow + std::chrono::hours(1)};
  caller.context["network"] = {std::string("door"), "node", example::kNow + std::chrono::hours(1)};
  caller.by.device = "device-1";
  caller.by.author = read_policy(policy).value().author;
  const auto said = [&](KasCaller who) {
    const KasAnswer answer = there.finish(there.desk.kas.take_for(
        std::move(who), read_rewrap(there.to_recall(policy)).value(), there.desk.world, Desk::at()));
    return std::string(result_of(answer, 0, 0).text_or("status", ""));
  };
  CHECK(said(caller) == "fail");
  caller.by.author.clear();
  CHECK(said(caller) == "fail");
  CHECK(there.standing() == 0);
  CHECK(there.status("clerk", there.to_open(policy)) == "permit");
}

TEST_CASE("attack: a recall with a token that anybody may use, or sent again by somebody else") {
  Authors there;
  const std::string policy = sealed_by("officer");
  CHECK(there.words("officer", there.to_recall(policy), false).find("bound to a key of yours") !=
        std::string::npos);
  CHECK(there.standing() == 0);
  const KasRequest once = there.signed_by("officer", there.to_recall(policy));
  CHECK(result_of(there.finish(there.desk.take(once)), 0, 0).text_or("status", "") == "recalled");
  // An operator lifts it; what was sent then is good for nothing.
  auto next = there.desk.world.with(
      std::vector<coalition::Record>{{there.desk.world.recalls("author")[0]->key, std::nullopt}},
      Revision{there.desk.world.revision().value + 1});
  REQUIRE(next);
  there.desk.world = std::move(next->world);
  CHECK(there.finish(there.desk.take(once)).status == 401);
  CHECK(there.standing() == 0);
  CHECK(there.status("clerk", there.to_open(policy)) == "permit");
}

TEST_CASE("attack: one author takes back as fast as they can") {
  Authors there({.recalls_burst = 2});
  for (const char* one : {"a", "b", "c"})
    CHECK(there.status("officer", there.to_recall(sealed_by("officer", one))) ==
          (one[0] == 'c' ? "fail" : "recalled"));
  CHECK(there.standing() == 2);
  CHECK(there.words("officer", there.to_recall(sealed_by("officer", "d"))).find("try again in a minute") !=
        std::string::npos);
  // Nobody else's, and saying again what stands takes nothing.
  CHECK(there.status("clerk", there.to_recall(sealed_by("clerk", "e"))) == "recalled");
  CHECK(there.status("officer", there.to_recall(sealed_by("officer", "a"))) == "recalled");
}

TEST_CASE("a recall acts though the disk fails, and one that nobody took is none") {
  Authors there;
  const std::string policy = sealed_by("officer");
  there.disk = fail("store.io", "the disk is full");
  CHECK(there.ask("officer", there.to_recall(policy)).status == 503);
  CHECK(there.standing() == 0);
  there.disk = fail(std::string(kFenced), "the disk is full");
  const KasAnswer answer = there.ask("officer", there.to_recall(policy));
  CHECK(result_of(answer, 0, 0).text_or("status", "") == "recalled");
  CHECK_FALSE(result_of(answer, 0, 0).find("durable")->boolean());
  CHECK(there.status("clerk", there.to_open(policy)) == "fail");
}

TEST_CASE("its author is told that they may take it back, and nobody else is") {
  Authors there;
  const std::string policy = sealed_by("officer");
  const auto offered = [&](const std::string& subject, const std::string& of) {
    const Json result = result_of(there.ask(subject, there.to_open(of)), 0, 0);
    const Json* said = result.find("recall");
    return said != nullptr && said->is_bool() && said->boolean();
  };
  CHECK(offered("officer", policy));
  CHECK_FALSE(offered("clerk", policy));
  CHECK_FALSE(offered("officer", restricted()));
  // Also where it opens to them no more; not where it is theirs to take back no more.
  there.desk.recall("policy/object-1");
  CHECK(offered("officer", policy));
  CHECK(there.status("officer", there.to_recall(policy)) == "recalled");
  CHECK_FALSE(offered("officer", policy));
}

TEST_CASE("another nation's share is not asked of that nation, since it knows no authors of ours") {
  Authors there;
  const std::string url = there.desk.world.key_service(PartnerCode("XBB"))->url;
  const std::string policy = sealed_by("officer");
  const Json access = write_key_access(
      wrap_share(there.desk.share, {keys().rsa.public_key(), url, "2026-11-01-rsa", "s1"}, policy).value());
  CHECK(there.words("officer", Authors::to_recall(policy, access)).find("their own nation's node") !=
        std::string::npos);
  CHECK(there.standing() == 0);
}

TEST_CASE("attack: a recall that asks for something else besides, or whose reason steers a terminal") {
  Authors there;
  const std::string policy = sealed_by("officer");
  const Json good = Desk::wanted("policy", policy, {there.desk.access(policy)});
  const auto with = [&](const std::string& name, Json value) {
    Json out = good;
    out.set("recall", Json::object({{"reason", kReason}}));
    out.set(name, std::move(value));
    return out;
  };
  const Json access = there.desk.access(policy);
  const std::vector<std::vector<Json>> bad{
      {with("action", "open")},
      {with("action", "recall")},
      {with("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 5}}))},
      {with("recall", Json::object({{"reason", ""}}))},
      {with("recall", Json::object({{"reason", "EXERCISE\n"}}))},
      {with("recall", Json::object({{"reason", "EXERCISE \x1b[2J"}}))},
      {with("recall", Json::object({{"reason", std::string(2000, 'x')}}))},
      {with("recall", "because")},
      {with("recall", Json())},
      {with("recall", Json::object({{"reason", kReason}})), good},
      {good, with("recall", Json::object({{"reason", kReason}}))}};
  for (const std::vector<Json>& requests : bad) {
    const KasAnswer answer = there.ask("officer", Desk::second(requests));
    CHECK_MESSAGE(answer.status == 400, Json(requests).dump());
  }
  Json two = Desk::wanted("policy", policy, {access, access});
  two.set("recall", Json::object({{"reason", kReason}}));
  CHECK(there.ask("officer", Desk::second({two})).status == 400);
  Json named = good;
  named.set("action", "recall");
  CHECK(there.ask("officer", Desk::second({named})).status == 400);
  CHECK(there.standing() == 0);
}
