// HTTP/1.1 as a client: one connection, one request at a time, bodies streamed both ways, answers read
// strictly. Lives on its stream's loop.
//
//   HttpClient client(std::move(stream));
//   CO_TRY_VOID(client.start(head, {.kind = BodyKind::length, .length = n}));
//   auto sent = co_await pump(loop, source, client.request_body());
//   auto head = co_await client.read_head();
//   ... pump(loop, client.response_body(), sink) ...
//
// Errors: "http.*" for what the server says wrongly, "net.*" from the stream, "http.state" for calls out of
// order.
#pragma once

#include "base/bytes.h"
#include "net/dial.h"
#include "net/http1_parser.h"
#include "net/http_message.h"
#include "net/http_server.h"
#include "net/relay.h"
#include "net/stream.h"
#include "net/tls.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace entente::net {

struct HttpClientLimits {
  HttpLimits heads{};
  Millis head_timeout{
      60'000};  // from the request's end (or the last interim answer) to the end of the answer's head
  Millis body_timeout{60'000};   // in which some of the answer's body must come
  Millis write_timeout{30'000};  // in which some of the request must go out
  size_t interim_max = 8;        // 1xx answers before the real one
};

// A connection after 101: nothing of HTTP is left on it.
struct Upgraded {
  std::unique_ptr<Stream> stream{};
  Bytes leftover{};  // bytes of the new protocol that came with the head
};

class HttpClient {
 public:
  explicit HttpClient(std::unique_ptr<Stream> stream, HttpClientLimits limits = {});
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Begins a request. `body` is none, length or chunked; Content-Length and Transfer-Encoding are set here,
  // Host from `authority`. The head is held back until the first write, flush() or finish() of the body, or
  // read_head().
  [[nodiscard]] Result<void> start(RequestHead head, BodyFraming body = {});
  [[nodiscard]] ByteSink& request_body();

  // The final answer's head; interim answers are read and dropped. May be called while the request's body is
  // still being sent by another coroutine: the body must go out by itself then.
  [[nodiscard]] Task<Result<ResponseHead>> read_head();
  [[nodiscard]] BodyFraming framing() const;  // of the answer; kind upgrade: take_over()
  [[nodiscard]] ByteSource& response_body();

  // After framing() said upgrade (101, or 2xx to CONNECT): the connection itself.
  [[nodiscard]] Result<Upgraded> take_over();
  // Request and answer have ended and the connection can carry another request, as far as one can tell:
  // nothing has come on it since, and it has not been closed.
  [[nodiscard]] bool reusable();
  [[nodiscard]] Stream& stream();
  void abort();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

struct FetchRequest {
  std::string method = "GET";
  std::string url{};  // https://...
  Headers headers{};
  std::string body{};  // sent with Content-Length when not empty or when the method is POST, PUT or PATCH
  size_t body_max = 1 << 20;  // of the answer
  Millis timeout{10'000};     // for everything together
};
struct FetchResponse {
  int status = 0;
  Headers headers{};
  std::string body{};
};
// One request on a connection of its own; redirects are not followed. Error "net.timeout" at the time limit,
// "http.body_too_large" over body_max.
[[nodiscard]] Task<Result<FetchResponse>> fetch(Loop& loop, FetchRequest request, const TlsClient& tls,
                                                Resolver* resolver = nullptr);
// One whole request and answer on an open connection.
[[nodiscard]] Task<Result<FetchResponse>> ask(HttpClient& client, RequestHead head, std::string body,
                                              size_t body_max = 1 << 20);

}  // namespace entente::net
