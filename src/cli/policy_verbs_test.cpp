#include "base/scratch_for_test.h"
#include "cli/cli_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::cli;

namespace {

class Folder : public Scratch {
 public:
  Folder() {
    put("s.cedarschema",
        "entity User = { level: Long }; action open appliesTo { principal: User, resource: User };");
    put("good.cedar", "permit (principal, action, resource) when { principal.level > 1 };");
    put("typo.cedar", "permit (principal, action, resource) when { principal.levl > 1 };");
    put("broken.cedar", "permit (principal, action, resource) when { principal.level >> 1 };");
  }

  // entente policy WORDS..., files in this folder
  [[nodiscard]] Told policy(std::vector<std::string> words) const {
    for (std::string& word : words)
      if (word.find('.') != std::string::npos) word = file(word);
    words.insert(words.begin(), "policy");
    return told_by(std::move(words));
  }
};

bool has(const Told& said, std::string_view text) {
  return said.out.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("policy check validates with a schema") {
  const Folder folder;
  const Told good = folder.policy({"check", "s.cedarschema", "good.cedar"});
  CHECK(good.exit == kExitOk);
  CHECK(has(good, "1 policies in 1 files: 0 errors, 0 warnings"));
  CHECK_FALSE(has(good, "Nothing was validated"));
  const Told typo = folder.policy({"check", "s.cedarschema", "typo.cedar"});
  CHECK(typo.exit == kExitRefused);
  CHECK(has(typo, "typo.cedar:1:45: error:"));
  CHECK(has(typo, "    ^^^^"));
  CHECK(has(typo, "help: did you mean `level`?"));
  CHECK(has(folder.policy({"check", "s.cedarschema", "good.cedar", "--json"}), "\"validated\": true"));
}

TEST_CASE("policy check without a schema checks the language, and says that nothing was validated") {
  const Folder folder;
  for (const char* name : {"good.cedar", "typo.cedar"}) {
    const Told said = folder.policy({"check", name});
    CHECK(said.exit == kExitOk);
    CHECK(has(said, "1 policies in 1 files: 0 errors"));
    CHECK(has(said, "Nothing was validated"));
  }
  const Told broken = folder.policy({"check", "good.cedar", "broken.cedar"});
  CHECK(broken.exit == kExitRefused);
  CHECK(has(broken, "broken.cedar:1:"));
  CHECK(has(folder.policy({"check", "good.cedar", "--json"}), "\"validated\": false"));
  folder.put("one.cedar", "@id(\"a\") permit (principal, action, resource);");
  folder.put("two.cedar", "@id(\"a\") forbid (principal, action, resource);");
  CHECK(has(folder.policy({"check", "one.cedar", "two.cedar"}), "two policies are called \"a\""));
  folder.put("odd.cedar", "permit (principal, action, resource) when { \"s\xd1\x81ope\" == \"a\" };");
  CHECK(has(folder.policy({"check", "odd.cedar"}), "warning"));
  CHECK(folder.policy({"check", "good.cedar", "--level", "1"}).exit == kExitUsage);
  CHECK(folder.policy({"check", "good.cedar", "--permissive"}).exit == kExitUsage);
}

TEST_CASE("a schema that is not right is no list of policies") {
  const Folder folder;
  folder.put("bad.cedarschema", "entity A = { x: Strin };");
  const Told said = folder.policy({"check", "bad.cedarschema", "good.cedar"});
  CHECK(said.exit == kExitRefused);
  CHECK(has(said, "there is no type `Strin`"));
}

TEST_CASE("a table without a schema is run, and says so") {
  const Folder folder;
  folder.put("x.case",
             "policies good.cedar\nentity User::\"ann\" with level=2\n"
             "User::\"ann\" | open | User::\"ann\" | | permit\n"
             "User::\"ann\" level=1 | N::Action::\"open\" | User::\"bob\" | risk=1; other.inner=x | deny\n"
             "User::\"ann\" | open | User::\"ann\" | {\"risk\": {\"__extn\": {\"fn\": \"decimal\", \"arg\": "
             "\"1.0\"}}} | permit\n");
  const Told said = folder.policy({"test", "x.case"});
  CHECK_MESSAGE(said.exit == kExitOk, said.out);
  CHECK(has(said, "3 passed, 0 failed"));
  CHECK(has(said, "Not all was validated"));
  CHECK(has(folder.policy({"test", "x.case", "--json"}), "\"validated\": false"));
  folder.put("late.case", "policies good.cedar\nschema s.cedarschema\n");
  CHECK(has(folder.policy({"test", "late.case"}), "`schema` has to stand before"));
}

TEST_CASE("fmt and convert need no schema") {
  const Folder folder;
  CHECK(folder.policy({"fmt", "good.cedar", "--check"}).exit == kExitRefused);
  CHECK(folder.policy({"fmt", "good.cedar"}).exit == kExitOk);
  CHECK(folder.policy({"fmt", "good.cedar", "--check"}).exit == kExitOk);
  const Told json = folder.policy({"convert", "good.cedar"});
  CHECK(json.exit == kExitOk);
  CHECK(has(json, "\"staticPolicies\""));
  folder.put("set.json", json.out);
  const Told checked = folder.policy({"check", "set.json"});
  CHECK_MESSAGE(checked.exit == kExitOk, checked.out);
}
