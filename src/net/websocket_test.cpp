#include "net/websocket.h"

#include <doctest/doctest.h>

using namespace entente::net;

TEST_CASE("the accept value is RFC 6455's, and only for a whole key") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK_FALSE(websocket_accept("short").has_value());
  CHECK_FALSE(websocket_accept("dGhlIHNhbXBsZSBub25jZQ").has_value());
  CHECK(websocket_accept(websocket_key()).has_value());
}
