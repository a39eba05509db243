// Bytes and their text forms. Decoders are strict: one text per byte string, no white space, no padding
// slack.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes to_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

[[nodiscard]] std::string hex(ByteView bytes);
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);        // lower case only
[[nodiscard]] std::string base64url(ByteView bytes);                // RFC 4648 section 5, no padding
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);  // refuses padding and unused bits set
[[nodiscard]] std::string base64(ByteView bytes);                   // RFC 4648 section 4, padded
[[nodiscard]] Result<Bytes> from_base64(std::string_view text);     // requires canonical padding

}  // namespace entente
