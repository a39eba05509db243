#include "policy/format.h"

#include "base/conformance_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

std::string laid_out(const std::string& text, FormatOptions options = {}) {
  const auto out = format_policies(text, "p.cedar", options);
  REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().text()));
  const auto again = format_policies(*out, "p.cedar", options);
  REQUIRE(again.has_value());
  CHECK(*again == *out);
  return *out;
}

}  // namespace

TEST_CASE("what fits stands on one line, what does not breaks where it means something") {
  CHECK(laid_out("permit(principal,action,resource);") == "permit (principal, action, resource);\n");
  CHECK(laid_out(
            "permit(principal,action,resource)when{true};forbid(principal,action,resource)unless{1==2 };") ==
        "permit (principal, action, resource)\nwhen { true };\n\n"
        "forbid (principal, action, resource)\nunless { 1 == 2 };\n");
  CHECK(laid_out("@id(\"x\")@b permit(principal==Namespace::User::\"somebody\",action in "
                 "[Action::\"a\",Action::\"b\",],"
                 "resource is Thing in ?resource,)when{principal.first.second.contains(resource.third)&&"
                 "principal.clearance>=resource.classification||context has \"a b\"};") ==
        R"(@id("x")
@b
permit (
  principal == Namespace::User::"somebody",
  action in [Action::"a", Action::"b"],
  resource is Thing in ?resource
)
when {
  principal.first.second.contains(resource.third) &&
  principal.clearance >= resource.classification ||
  context has "a b"
};
)");
  CHECK(laid_out("permit(principal,action,resource)when{if principal.aaaaaaaaaaaaaaaaaaaaaaaa then "
                 "resource.bbbbbbbbbbbbbbbbbbbb "
                 "else {a:1,b:[1,2,-3],c: !!(true)}.a};") == R"(permit (principal, action, resource)
when {
  if principal.aaaaaaaaaaaaaaaaaaaaaaaa
  then resource.bbbbbbbbbbbbbbbbbbbb
  else { a: 1, b: [1, 2, -3], c: !!(true) }.a
};
)");
}

TEST_CASE("comments stay where they belong") {
  CHECK(laid_out("// first\n\n\n// second\n@id(\"a\") // why\npermit (principal, // who\n action, "
                 "resource)\n// before\n"
                 "when { a::\"x\" == // left\n b::\"y\" } // after\n; // end\n// last") == R"(// first

// second
@id("a") // why
permit (
  principal, // who
  action,
  resource
)
// before
when {
  a::"x" == // left
    b::"y"
} // after
; // end
// last
)");
  CHECK(laid_out("//only\n\n\n//comments  \n") == "//only\n\n//comments\n");
  CHECK(laid_out("") == "");
  CHECK(laid_out("permit(principal,action,resource)when{[1, // "
                 "one\n]==[]};\n\n//x\n\npermit(principal,action,resource);") ==
        "permit (principal, action, resource)\nwhen {\n  [\n    1 // one\n  ] ==\n    []\n};\n\n//x\n\n"
        "permit (principal, action, resource);\n");
}

TEST_CASE("an empty line stays before the comments at the end, and what follows them does not make one") {
  const std::string policy = "permit (principal, action, resource); // all\n";
  CHECK(laid_out(policy + "// end\n\n") == policy + "// end\n");
  CHECK(laid_out(policy + "\n// end\n") == policy + "\n// end\n");
  CHECK(laid_out("// all\n\n") == "// all\n");
}

TEST_CASE("text that does not parse is refused") {
  CHECK(format_policies("permit(", "p.cedar").error().code() == "policy.syntax");
}

TEST_CASE("Cedar's samples are laid out, keep their comments and stay as they are" *
          doctest::test_suite("formatter")) {
  size_t count = 0;
  const auto files = conformance_files(conformance("cedar/samples"), ".cedar");
  for (const std::filesystem::path& file : files) {
    const std::string text = conformance_text(file);
    CAPTURE(file.string());
    if (!format_policies(text, "p")) continue;  // some samples are wrong on purpose
    ++count;
    for (const size_t width : {20U, 80U, 200U}) {
      const std::string out = laid_out(text, {.width = width, .indent = 2});
      const auto comments = [](const std::string& all) {
        size_t found = 0;
        for (size_t at = all.find("//"); at != std::string::npos; at = all.find("//", at + 2)) ++found;
        return found;
      };
      CHECK(comments(out) == comments(text));
    }
  }
  MESSAGE("laid out " << count << " of " << files.size());
  if (!files.empty()) CHECK(count > 0);
}
