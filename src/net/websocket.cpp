#include "net/websocket.h"

#include "base/bytes.h"
#include "crypto/digest.h"

#include <array>

#include <openssl/sha.h>

namespace entente::net {

std::string websocket_key() {
  return base64(crypto::random_bytes(16));
}

std::optional<std::string> websocket_accept(std::string_view key) {
  const Result<Bytes> bytes = from_base64(key);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  // SHA-1 is what the RFC fixes; nothing rests on its strength.
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64(digest);
}

Result<std::string> accept_websocket(const Headers& headers) {
  const std::optional<std::string> accept = websocket_accept(headers.get("Sec-WebSocket-Key"));
  if (!accept || headers.count("Sec-WebSocket-Key") != 1 || headers.get("Sec-WebSocket-Version") != "13")
    return fail("http.websocket", "the WebSocket's key or version is not what RFC 6455 asks for");
  return *accept;
}

}  // namespace entente::net
