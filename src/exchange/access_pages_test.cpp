#include "exchange/access_pages.h"

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

TEST_CASE("of two apps with one name each shows who is in it, not in the other") {
  ThingsView things;
  things.own = {{"xaa-charts", "Charts"}, {"xaa-charts-old", "Charts", false}};
  for (const char* id : {"s1", "s2"}) {
    SessionView session;
    session.id = id;
    session.label = "xaa-charts";
    session.app = "Charts";
    things.users.push_back(session);
  }
  const std::string page = things_page({}, things);
  CHECK(page.find("data-own-app=\"xaa-charts\"><h3>Charts</h3><p>2 sessions of others.") !=
        std::string::npos);
  CHECK(page.find("data-own-app=\"xaa-charts-old\"><h3>Charts</h3><p>Nobody else uses it now.") !=
        std::string::npos);
  // What somebody else lets one answer for is not lent on: it is not offered.
  CHECK(page.find("<option value=\"xaa-charts\">") != std::string::npos);
  CHECK(page.find("<option value=\"xaa-charts-old\">") == std::string::npos);
}

}  // namespace
}  // namespace entente::exchange
