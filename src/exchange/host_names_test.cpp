#include "exchange/host_names.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::exchange;

TEST_CASE("an authority is the lobby, one app's name, or nothing") {
  const HostNames names("xbb.localhost", 8443);
  CHECK(std::holds_alternative<LobbyHost>(names.read("lobby.xbb.localhost:8443")));
  const HostName cop = names.read("cop-xaa.xbb.localhost:8443");
  REQUIRE(std::holds_alternative<AppHost>(cop));
  CHECK(std::get<AppHost>(cop).app == coalition::AppRef{PartnerCode("XAA"), AppId("cop")});
  for (const char* authority :
       {"lobby.xbb.localhost", "lobby.xaa.localhost:8443", "xbb.localhost:8443", ".xbb.localhost:8443",
        "a.cop-xaa.xbb.localhost:8443", "cop.xbb.localhost:8443", "cop-XAA.xbb.localhost:8443",
        "-xaa.xbb.localhost:8443", "cop--xaa.xbb.localhost:8443", "lobby.xbb.localhost:8443.evil", ""}) {
    CAPTURE(authority);
    CHECK(std::holds_alternative<NoHost>(names.read(authority)));
  }
  const HostName own = names.read("kas.xbb.localhost:8443");
  REQUIRE(std::holds_alternative<KeyServiceHost>(own));
  CHECK(std::get<KeyServiceHost>(own).of.empty());
  const HostName other = names.read("kas-xaa.xbb.localhost:8443");
  REQUIRE(std::holds_alternative<KeyServiceHost>(other));
  CHECK(std::get<KeyServiceHost>(other).of == PartnerCode("XAA"));
  CHECK(std::holds_alternative<NoHost>(names.read("kas.xaa.localhost:8441")));
  CHECK(names.app_origin({PartnerCode("XAA"), AppId("fuel-map")}) ==
        "https://fuel-map-xaa.xbb.localhost:8443");
  CHECK(HostNames("xbb.example", 443).lobby_origin() == "https://lobby.xbb.example");
}
