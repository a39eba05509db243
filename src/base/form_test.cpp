#include "base/form.h"

#include <doctest/doctest.h>

namespace entente {

TEST_CASE("Form fields have unique names") {
  const auto form = parse_form("code=a%2Bb+c&state=x&empty=&bare");
  REQUIRE(form);
  CHECK(*find_pair(*form, "code") == "a+b c");
  CHECK(find_pair(*form, "empty")->empty());
  CHECK(find_pair(*form, "nothing") == nullptr);
  CHECK_FALSE(parse_form("code=a&code=b"));
  CHECK_FALSE(parse_form("code=a&c%6fde=b"));
  CHECK_FALSE(parse_form("a=%"));
  CHECK_FALSE(parse_form("a=%00"));
  CHECK_FALSE(parse_form("a=%FF"));  // no UTF-8: nothing that is kept may hold it
  CHECK(parse_form("a=%C3%A9"));
  CHECK_FALSE(parse_form("a=1&b=2&c=3", 2));
  CHECK(write_form({{"a b", "c&d"}}) == "a%20b=c%26d");
}

}  // namespace entente
