// What an HTTP message says, whatever carries it: heads, fields and how a body is framed (RFC 9110).
// Plain values: copy, compare and move freely from any thread. Whoever makes a head from bytes has checked
// it; whoever turns a head into bytes checks it again, so that no value can smuggle a line into the stream.
#pragma once

#include "base/result.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::net {

struct Field {
  std::string name;  // as it came; compared without case
  std::string value;
  bool operator==(const Field&) const = default;
};

// Fields in the order they came. Names are compared without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  [[nodiscard]] const std::string* find(std::string_view name) const;  // the first, or nullptr
  [[nodiscard]] std::string_view get(std::string_view name) const;     // the first, or empty
  [[nodiscard]] size_t count(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  void reserve(size_t count) { fields_.reserve(count); }
  void add(std::string name, std::string value);
  void set(std::string name, std::string value);  // replaces all of that name
  size_t remove(std::string_view name);           // how many went
  template <class Unwanted>
  size_t remove_if(Unwanted unwanted) {
    return std::erase_if(fields_, unwanted);
  }
  // keep(field) may change a field; those for which it gives false go.
  template <class Keep>
  void keep_if(Keep keep) {
    const auto kept =
        std::remove_if(fields_.begin(), fields_.end(), [&](Field& field) { return !keep(field); });
    fields_.erase(kept, fields_.end());
  }

  [[nodiscard]] size_t size() const { return fields_.size(); }
  [[nodiscard]] bool empty() const { return fields_.empty(); }
  [[nodiscard]] auto begin() const { return fields_.begin(); }
  [[nodiscard]] auto end() const { return fields_.end(); }
  bool operator==(const Headers&) const = default;

 private:
  std::vector<Field> fields_;
};

enum class HttpVersion : uint8_t { http1_1, http2 };

struct RequestHead {
  std::string method;     // case matters: "GET"
  std::string target;     // HTTP/1.1: as on the request line; HTTP/2: the same as `path`
  std::string authority;  // host[:port] in lower case, from Host, an absolute target or :authority
  std::string scheme;     // "https", "http"; empty where HTTP/1.1 did not say
  std::string path;       // with the query: "/a?b=c"; "*" for OPTIONS *; empty for plain CONNECT
  std::string protocol;   // extended CONNECT (RFC 8441): "websocket"; otherwise empty
  HttpVersion version = HttpVersion::http1_1;
  Headers headers;  // for HTTP/1.1 with Host, as it came
  bool operator==(const RequestHead&) const = default;
};

struct ResponseHead {
  int status = 0;      // 100..599
  std::string reason;  // HTTP/1.1 only; may be empty
  HttpVersion version = HttpVersion::http1_1;
  Headers headers;
  bool operator==(const ResponseHead&) const = default;
};

[[nodiscard]] ResponseHead head_of(int status);
// What the field says, where it is one plain number.
[[nodiscard]] std::optional<uint64_t> content_length(const Headers& headers);

enum class BodyKind : uint8_t {
  none,       // no body at all
  length,     // exactly `length` bytes
  chunked,    // HTTP/1.1 chunks
  until_end,  // response without length: to the end of the connection (or stream)
  upgrade,    // 101 or a successful CONNECT: no HTTP follows, only bytes both ways
};
struct BodyFraming {
  BodyKind kind = BodyKind::none;
  uint64_t length = 0;
  bool operator==(const BodyFraming&) const = default;
};

[[nodiscard]] bool is_token(std::string_view text);  // RFC 9110 section 5.6.2, not empty
[[nodiscard]] bool is_field_value(
    std::string_view text);  // no CR, LF, NUL, controls but HTAB; no outer white space
[[nodiscard]] bool equal_no_case_of_one_size(std::string_view a, std::string_view b);
[[nodiscard]] inline bool equal_no_case(std::string_view a, std::string_view b) {  // ASCII only
  return a.size() == b.size() && equal_no_case_of_one_size(a, b);  // most names differ in length
}
[[nodiscard]] std::string lower_case(std::string_view text);  // ASCII only
[[nodiscard]] std::string_view trim(std::string_view text);   // spaces and tabs at both ends (OWS)
[[nodiscard]] std::string_view reason_phrase(int status);     // "" for one it does not know

// True when a comma-separated field holds that token (RFC 9110 section 5.6.1), in any of its lines, without
// case.
[[nodiscard]] bool has_list_token(const Headers& headers, std::string_view name, std::string_view token);

// Removes what speaks of one connection only (RFC 9110 section 7.6.1): Connection and the fields it names,
// TE, Transfer-Encoding, Keep-Alive, Proxy-*, Upgrade, HTTP2-Settings. Connection can't name fields that the
// next hop depends on (Host, Content-Length, Cookie, Authorization, anything beginning with "entente-"):
// those stay.
void remove_hop_by_hop(Headers& headers);

// The value of the cookie of exactly that name, or nullopt when there is none. Strict: RFC 6265 section 4.1.1
// cookie octets, no quotes; among as many others as a head holds, which others may have put there. Error
// "http.cookie" when the pair that bears the name is malformed or when a name beginning with "__Host-" or
// "__Secure-" comes twice: one of the two was put there by somebody else.
[[nodiscard]] Result<std::optional<std::string>> find_cookie(const Headers& headers, std::string_view name);
// Removes those cookies from all Cookie lines, and lines that become empty; other cookies stay as they are.
void remove_cookies(Headers& headers, std::span<const std::string_view> names);

}  // namespace entente::net
