#include "policy/hash.h"

#include "policy/entities.h"

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

// Who knows the secret writes as many names as he likes that all have one hash: one factor is 1.
std::vector<std::string> names_that_meet(const HashSecret& secret, size_t count) {
  std::vector<std::string> out;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t halves[] = {secret.second ^ 1U, i};
    out.emplace_back(reinterpret_cast<const char*>(halves), sizeof(halves));
  }
  return out;
}

size_t hashes(const std::vector<std::string>& names, const HashSecret& secret) {
  std::set<uint64_t> out;
  for (const std::string& name : names) out.insert(hash_text(name, secret));
  return out.size();
}

}  // namespace

TEST_CASE("attack: names that all meet in one place under a known secret do not under another") {
  const HashSecret known(0xa0761d6478bd642fULL, 0xe7037ed1a0b428dbULL);
  const std::vector<std::string> names = names_that_meet(known, 1000);
  CHECK(hashes(names, known) == 1);
  CHECK(hashes(names, kHashSecret) == names.size());
  CHECK(hashes(names, HashSecret()) == names.size());
  CHECK(HashSecret().second != HashSecret().second);
}

// Even where all of them do meet nothing is mistaken for another.
TEST_CASE("entities whose names meet in one place are told apart") {
  const std::vector<std::string> names = names_that_meet(kHashSecret, 200);
  CHECK(hashes(names, kHashSecret) == 1);
  EntityChanges changes;
  for (size_t i = 0; i < names.size(); ++i)
    changes.put.push_back(
        {{"User", names[i]}, {{"n", static_cast<int64_t>(i)}}, {{"Team", names[i / 2]}}, {}});
  const auto store = Entities::unchecked().with(changes);
  REQUIRE(store.has_value());
  CHECK(store->size() == names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = store->find({"User", names[i]});
    REQUIRE(found != nullptr);
    CHECK(found->attributes.find("n")->integer() == static_cast<int64_t>(i));
    CHECK(store->is_in({"User", names[i]}, {"Team", names[i / 2]}));
    CHECK_FALSE(store->is_in({"User", names[i]}, {"Team", names[i / 2 + 1]}));
  }
}
