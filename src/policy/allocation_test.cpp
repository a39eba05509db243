// Decisions take no memory from the heap, and parsers a fixed number of bytes for each byte of their input.
// Counted by this program's own operator new.
#include "base/conformance_for_test.h"
#include "policy/decide.h"
#include "policy/document.h"
#include "policy/schema.h"

#include <cstdlib>
#include <new>
#include <optional>
#include <set>

#include <doctest/doctest.h>
#include <fmt/format.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENTENTE_OWN_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENTENTE_OWN_HEAP 1
#endif
#endif

#ifndef ENTENTE_OWN_HEAP

static constinit thread_local size_t taken = 0;
static constinit thread_local size_t taken_bytes = 0;

void* operator new(std::size_t bytes) {
  ++taken;
  taken_bytes += bytes;
  void* out = std::malloc(bytes == 0 ? 1 : bytes);
  if (out == nullptr) throw std::bad_alloc();
  return out;
}
// NOLINTBEGIN(clang-analyzer-cplusplus.NewDelete): what the new above took is freed here
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}
// NOLINTEND(clang-analyzer-cplusplus.NewDelete)

using namespace entente;
using namespace entente::policy;

namespace {

namespace fs = std::filesystem;

struct Set {
  PolicySet policies;
  Entities entities = Entities::unchecked();
  std::vector<Request> requests;
};

struct Counted {
  size_t permits = 0;
  size_t denials = 0;
  size_t allocations = 0;
};

// The first round grows what is used again.
Counted count(const Set& set, Overlay overlay = {}) {
  Answer answer;
  for (const Request& request : set.requests)
    decide(set.policies, set.entities, overlay, request, {}, answer);
  Counted out;
  const size_t before = taken;
  for (const Request& request : set.requests) {
    decide(set.policies, set.entities, overlay, request, {}, answer);
    ++(answer.permitted() ? out.permits : out.denials);
  }
  out.allocations = taken - before;
  return out;
}

// People of missions, documents of apps, as a coalition has them.
Set coalition(int missions) {
  std::string text = R"(
    forbid (principal, action, resource) unless { principal.clearance >= resource.classification };
    forbid (principal, action, resource) unless { resource.releasable.contains(principal.nation) };
    forbid (principal, action, resource) when { context.risk > 70 };)";
  EntityChanges all;
  Set out;
  for (int i = 0; i < missions; ++i) {
    text += fmt::format(
        "permit (principal in Role::\"m{0}\", action == Action::\"read\", resource in App::\"a{0}\") when {{ "
        "ip(context.from).isInRange(ip(\"10.0.0.0/8\")) && context.purpose like \"a*\" }};",
        i);
    all.put.push_back({{"Role", fmt::format("m{}", i)}, {}, {{"Mission", fmt::format("m{}", i)}}, {}});
    all.put.push_back({{"User", fmt::format("u{}", i)},
                       {{"clearance", i % 3}, {"nation", i % 2 == 0 ? "XAA" : "XBB"}},
                       {{"Role", fmt::format("m{}", i)}},
                       {}});
    all.put.push_back({{"Doc", fmt::format("d{}", i)},
                       {{"classification", i % 2}, {"releasable", Value::texts({"XAA", "XCC"})}},
                       {{"App", fmt::format("a{}", i)}},
                       {}});
    for (const int other : {i, (i + 1) % missions}) {
      out.requests.push_back({{"User", fmt::format("u{}", i)},
                              {"Action", "read"},
                              {"Doc", fmt::format("d{}", other)},
                              {{"risk", i % 90}, {"from", "10.1.2.3"}, {"purpose", "aid"}}});
    }
  }
  const PolicySource source{"p.cedar", text};
  auto policies = PolicySet::unchecked(std::span(&source, 1));
  if (!policies) FAIL(policies.error().text());
  out.policies = *std::move(policies);
  out.entities = *out.entities.with(all);
  return out;
}

EntityUid uid(const Json& json) {
  return {std::string(json.text_or("type", "")), std::string(json.text_or("id", ""))};
}

// None: no such data set.
std::optional<Set> read(const fs::path& file) {
  const auto json = Json::parse(conformance_text(file), {.bytes_max = 64 << 20, .depth_max = 64});
  REQUIRE(json.has_value());
  for (const char* part : {"policies", "entities", "requests"})
    if (json->find(part) == nullptr) return std::nullopt;
  Set out;
  const PolicySource source{"p.cedar", json->find("policies")->string()};
  out.policies = *PolicySet::unchecked(std::span(&source, 1));
  EntityChanges all;
  for (const Json& entity : json->find("entities")->items()) all.put.push_back(*entity_from_json(entity));
  out.entities = *out.entities.with(all);
  for (const Json& request : json->find("requests")->items())
    out.requests.push_back({uid(*request.find("principal")), uid(*request.find("action")),
                            uid(*request.find("resource")),
                            value_from_json(*request.find("context"))->record()});
  return out;
}

std::string numbered(size_t count, auto piece) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece(i);
  return out;
}
std::string times(size_t count, std::string_view piece) {
  return numbered(count, [piece](size_t) { return piece; });
}

std::string when(std::string condition) {
  return "permit (principal, action, resource) when { " + condition + " };";
}

// Texts of `n` pieces, of which each could make a careless reader keep more than the piece itself. Many are
// refused, some at once, some after all of them was read.
std::string hostile(int shape, size_t n) {
  switch (shape) {
    case 0:
      return times(n, "permit (principal, action, resource);\n");
    case 1:
      return when("[" + times(n, "1, ") + "2].contains(3)");
    case 2:
      return when(times(n, "true && ") + "true");
    case 3:
      return numbered(n, [](size_t i) { return fmt::format("@a{}(\"x\")\n", i); }) + when("true");
    case 4:
      return when("context.a == \"" + times(n, "\\u{1F600}") + "\"");
    case 5:
      return when(std::string(n, '(') + "1");
    case 6:
      return when("context" + times(n, ".a") + " == 1");
    case 7:
      return when("context.a like \"" + times(n, "*a") + "\"");
    case 8:
      return when("{" + numbered(n, [](size_t i) { return fmt::format("k{}: 1, ", i); }) + "z: 1}.z == 1");
    case 9:
      return times(n, "// a word\n") + when("true");
    case 10:
      return when(std::string(n, '!') + "true");
    case 11:
      return when(times(n, "if true then ") + "1");
    case 12:
      return when(times(n, "principal in A::B::\"x\" || ") + "false");
    case 13:
      return "permit (principal, action in [" + times(n, "Action::\"a\", ") + "Action::\"b\"], resource);";
    case 14:
      return when("context has " + times(n, "a.") + "a");
    default:
      return "";
  }
}

std::string hostile_schema(int shape, size_t n) {
  const auto with = [n](std::string_view form) {
    return numbered(n, [form](size_t i) { return fmt::format(fmt::runtime(form), i, i + 1); });
  };
  switch (shape) {
    case 0:
      return with("entity E{0};\n");
    case 1:
      return with("type T{0} = T{1};\n") + fmt::format("type T{} = Long;", n);
    case 2:
      return with("type T{0} = T{1};\n");
    case 3:
      return "entity E = {" + with("a{0}: Long, ") + "z: Long};";
    case 4:
      return "entity E = " + times(n, "{a: ") + "Long";
    case 5:
      return "entity E = {a: " + times(n, "Set<") + "Long";
    case 6:
      return "entity E;" + with("action a{0} in [a{1}] appliesTo {{principal: [E], resource: [E]}};\n");
    case 7:
      return with("namespace N{0} {{ entity E; }}\n");
    default:
      return "";
  }
}

struct Cost {
  bool read = false;
  size_t bytes = 0;  // taken from the heap, all in all, while it was read
};

Cost cost_of(const std::string& given, bool schema) {
  Cost out;
  const size_t before = taken_bytes;
  if (schema) {
    out.read = Schema::read(given, "s.cedarschema").has_value();
  } else if (const auto read = PolicyDocument::read({"p.cedar", given})) {
    out.read = PolicySet::unchecked(*read).has_value();
  }
  out.bytes = taken_bytes - before;
  return out;
}

}  // namespace

TEST_CASE("what is read of policies and schemas takes memory as its length does, whatever stands in it") {
  constexpr size_t kBytesPerByte = 300, kAtLeast = 10'000;
  // Even a few pieces of these are one too many, or stand for nothing.
  const std::set<int> refused[] = {{5, 10, 11}, {2, 4, 5, 6}};
  for (const bool schema : {false, true}) {
    for (int shape = 0;; ++shape) {
      const auto text = [&](size_t n) { return schema ? hostile_schema(shape, n) : hostile(shape, n); };
      if (text(1).empty()) break;
      CAPTURE(schema);
      CAPTURE(shape);
      CHECK(cost_of(text(20), schema).read != refused[schema ? 1 : 0].contains(shape));
      for (const size_t pieces : {20, 100, 3'000}) {
        const std::string once = text(pieces);
        const size_t small = cost_of(once, schema).bytes;
        CHECK(small <= once.size() * kBytesPerByte + kAtLeast);
        CHECK(cost_of(text(2 * pieces), schema).bytes <= small * 9 / 4 + kAtLeast);
      }
    }
  }
}

TEST_CASE("a decision takes no memory from the heap, permitted or denied") {
  const Counted counted = count(coalition(500));
  CHECK(counted.permits > 50);
  CHECK(counted.denials > 50);
  CHECK(counted.allocations == 0);
}

TEST_CASE("nor with entities that come with the request") {
  const Set set = coalition(50);
  const Entity own{
      {"User", "u0"}, {{"clearance", 2}, {"nation", "XAA"}}, {{"Role", "m0"}, {"Role", "m1"}}, {}};
  const Counted counted = count(set, std::span(&own, 1));
  CHECK(counted.permits > 0);
  CHECK(counted.allocations == 0);
}

TEST_CASE("nor on data sets made for measuring engines" * doctest::test_suite("bench")) {
  size_t sets = 0;
  for (const fs::path& file : conformance_files(conformance("cedar/bench"), ".json")) {
    CAPTURE(file.string());
    const auto set = read(file);
    if (!set) continue;
    ++sets;
    const Counted counted = count(*set);
    CHECK(counted.permits + counted.denials == set->requests.size());
    CHECK(counted.allocations == 0);
  }
  if (sets == 0) MESSAGE("skipped: no data set with policies, entities and requests");
}

#endif
