// The opening handshake of WebSockets (RFC 6455 section 4), as far as a relay needs it: frames pass
// untouched.
#pragma once

#include "base/result.h"
#include "net/http_message.h"

#include <optional>
#include <string>
#include <string_view>

namespace entente::net {

[[nodiscard]] std::string websocket_key();  // 16 fresh random bytes, base64
// What the server answers to a Sec-WebSocket-Key; nothing when the key is not 16 bytes of base64.
[[nodiscard]] std::optional<std::string> websocket_accept(std::string_view key);
// The server's answer to a request's own handshake fields: one key, version 13. Error "http.websocket".
[[nodiscard]] Result<std::string> accept_websocket(const Headers& headers);

}  // namespace entente::net
