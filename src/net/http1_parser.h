// HTTP/1.1 heads and chunked bodies from bytes and back (RFC 9112, RFC 9110), stricter than the letter
// wherever two readers could disagree about where a message ends. Pure: no sockets, no clock, no threads; one
// object serves one direction of one connection. Errors have codes "http.*"; http_status() says which status
// answers them. After an error the connection can't be trusted any more: answer, then close.
#pragma once

#include "base/result.h"
#include "net/http_message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace entente::net {

struct HttpLimits {
  size_t start_line_bytes_max = 8 * 1024;   // over: 414
  size_t field_line_bytes_max = 16 * 1024;  // over: 431
  size_t fields_max = 100;                  // over: 431
  size_t head_bytes_max = 32 * 1024;        // over: 431
  uint64_t content_length_max = uint64_t{1}
                                << 50;      // over: 413; bodies stream, so this is about sums that overflow
  size_t chunk_extension_bytes_max = 1024;  // of one whole body, over: 400
  size_t trailer_bytes_max = 4 * 1024;      // over: 431
  size_t trailers_max = 16;                 // over: 431
  bool connect = false;                     // take CONNECT (and its authority form): proxies only
};

// Finds the end of a head however its bytes arrive, refusing bare LF and too much as soon as it is seen.
class HeadScanner {
 public:
  explicit HeadScanner(const HttpLimits& limits) : limits_(limits) {}
  // `bytes` come after all that was taken before. Returns how many belong to the head.
  Result<size_t> feed(std::string_view bytes);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool started() const { return taken_ > 0; }
  void reset() { *this = HeadScanner(limits_); }

 private:
  HttpLimits limits_;
  size_t taken_ = 0;       // bytes of the head so far
  size_t line_bytes_ = 0;  // bytes of the line so far, CR included
  size_t lines_ = 0;
  bool last_was_cr_ = false;
  bool done_ = false;
};

class RequestParser {
 public:
  explicit RequestParser(const HttpLimits& limits = {}) : limits_(limits), scanner_(limits) {}

  // Takes bytes up to the end of the head and returns how many it took; what is left over is body, or the
  // next head.
  Result<size_t> feed(std::string_view bytes);
  [[nodiscard]] bool done() const { return done_; }
  // A byte has come: answer 408, not silence.
  [[nodiscard]] bool started() const { return scanner_.started(); }

  // Once done():
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] RequestHead take_head() { return std::move(head_); }
  [[nodiscard]] BodyFraming framing() const { return framing_; }
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  // Lower case, "" when none is asked for.
  [[nodiscard]] const std::string& upgrade() const { return upgrade_; }
  void reset();  // ready for the next head

 private:
  Result<void> parse(std::string_view text);

  HttpLimits limits_;
  HeadScanner scanner_;
  std::string buffer_;  // only heads that come in pieces; at most head_bytes_max
  RequestHead head_;
  BodyFraming framing_;
  std::string upgrade_;
  bool keep_alive_ = true;
  bool expects_continue_ = false;
  bool done_ = false;
};

class ResponseParser {
 public:
  explicit ResponseParser(const HttpLimits& limits = {}) : limits_(limits), scanner_(limits) {}

  // Before each head: what was asked decides how the answer's body is framed. An interim answer (1xx but 101)
  // comes as a head of its own, with no body; expect() again and feed on.
  void expect(std::string request_method, bool upgrade_asked);
  Result<size_t> feed(std::string_view bytes);
  [[nodiscard]] bool done() const { return done_; }
  // A byte has come: answer 408, not silence.
  [[nodiscard]] bool started() const { return scanner_.started(); }

  [[nodiscard]] const ResponseHead& head() const { return head_; }
  [[nodiscard]] ResponseHead take_head() { return std::move(head_); }
  [[nodiscard]] BodyFraming framing() const { return framing_; }
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }

 private:
  Result<void> parse(std::string_view text);
  Result<void> frame();

  HttpLimits limits_;
  HeadScanner scanner_;
  std::string buffer_;
  std::string request_method_;
  ResponseHead head_;
  BodyFraming framing_;
  bool upgrade_asked_ = false;
  bool keep_alive_ = true;
  bool done_ = false;
};

// A chunked body (RFC 9112 section 7.1), without copying its data.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(const HttpLimits& limits = {}) : limits_(limits) {}

  struct Step {
    size_t used = 0;        // bytes of `input` that are dealt with
    std::string_view data;  // body bytes, a view into `input`; may be empty
  };
  // Call again with the rest until done() or until `used` is all there was.
  Result<Step> next(std::string_view input);
  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] const Headers& trailers() const { return trailers_; }

 private:
  enum class State : uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, done };
  Result<void> take_size_byte(char byte);
  Result<size_t> take_trailer(std::string_view input);

  HttpLimits limits_;
  State state_ = State::size;
  uint64_t left_ = 0;
  size_t size_digits_ = 0;
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  std::string line_;
  Headers trailers_;
};

// Heads as bytes. Refuse what would put a second meaning on the wire: CR, LF, NUL in values, names that are
// no tokens, both Content-Length and Transfer-Encoding, a Host that isn't the authority. Host comes from
// `authority`.
[[nodiscard]] Result<std::string> write_request_head(const RequestHead& head);
[[nodiscard]] Result<std::string> write_response_head(const ResponseHead& head);
[[nodiscard]] std::string chunk_prefix(
    size_t bytes);  // "1a\r\n"; data and "\r\n" follow; 0 gives the closing "0\r\n\r\n"
// What an Upgrade request asks for, in lower case: "websocket"; empty when Connection doesn't say upgrade.
[[nodiscard]] std::string upgrade_asked(const Headers& headers);

// The path that policy judges and the app gets: the same bytes. `target` is "/path?query". Percent codes of
// unreserved characters are decoded once, other codes stay in capitals. Refused with "http.path": codes for
// slash, backslash, NUL and other controls, dot segments in any spelling, double encoding, "//", backslash,
// what is not UTF-8.
struct NormalTarget {
  std::string path;   // begins with "/"
  std::string query;  // as it came, without "?"
  bool has_query = false;
  [[nodiscard]] std::string text() const { return has_query ? path + "?" + query : path; }
};
[[nodiscard]] Result<NormalTarget> normal_target(std::string_view target);
[[nodiscard]] Result<std::string> normal_path(std::string_view target);  // its path alone

// The status that answers a request refused with this error: 400, 405, 408, 413, 414, 417, 431, 501, 505; 400
// else.
[[nodiscard]] int http_status(const Error& error);

}  // namespace entente::net
