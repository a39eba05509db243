// One HTTP connection, served: strict heads, streamed bodies. HTTP/1.1 takes one request after the other
// (pipelined requests wait their turn); HTTP/2, where ALPN agreed on "h2", as many at once as it is allowed,
// WebSockets among them (RFC 8441). An idle connection holds no buffer. Everything lives on the stream's
// loop.
//
//   auto service = std::make_shared<const HttpService>(limits, [&door](HttpCall& call) { return
//   door.handle(call); }); loop.spawn(serve_http(std::move(stream), service));
//
// A refused request is answered with a bare status and the connection is closed, or in HTTP/2 its stream is
// reset: strangers learn nothing more.
#pragma once

#include "base/bytes.h"
#include "net/h2_session.h"
#include "net/http1_parser.h"
#include "net/http_message.h"
#include "net/relay.h"
#include "net/stream.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

namespace entente::net {

// What a browser may ask of one HTTP/2 connection, and what it holds here.
[[nodiscard]] constexpr H2Config browser_h2() {
  H2Config config;
  config.streams_max = 100;
  config.stream_window_bytes = 128 * 1024;
  config.connection_window_bytes = 512 * 1024;
  config.credit_unread_max = 128 * 1024;
  config.unread_bytes_max = 1 << 20;  // more than window and credit let come
  config.header_list_bytes_max = 16 * 1024;
  config.header_fields_max = 100;
  config.large_head = H2Code::http_1_1_required;  // there a 431 says what to do, before all of it has come
  config.sent_head_bytes_max = 64 * 1024;         // an app's head is bounded before it comes here
  config.sent_head_fields_max = 200;
  config.resets_max = 300;          // people leave pages with all their requests under way
  config.other_frames_max = 1'000;  // PRIORITY, which some browsers send and nothing here hears
  return config;
}

struct HttpServerLimits {
  HttpLimits heads{.fields_max = 100, .head_bytes_max = 16 * 1024};
  Millis head_timeout{10'000};     // from a head's first byte (or the connection's start) to its end
  Millis idle_timeout{60'000};     // between requests
  Millis body_timeout{30'000};     // in which some of the body must come
  uint64_t body_rate_min = 512;    // bytes a second that a body must come at, on average ...
  Millis body_rate_grace{20'000};  // ... after this much waiting for it
  Millis write_timeout{30'000};    // in which some of the answer must go out
  uint64_t requests_max = 10'000;  // per connection
  uint64_t drain_max = 64 * 1024;  // unread request body that is read and dropped to keep the connection
  H2Config h2 = browser_h2();
};

// What a call becomes when it is upgraded: bytes both ways, nothing of HTTP is left. Outlives the call; what
// waits on it must be over before it goes.
class Tunnel {
 public:
  Tunnel() = default;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  virtual ~Tunnel() = default;
  [[nodiscard]] virtual ByteSource& source() = 0;  // waits for ever: silence is normal here
  [[nodiscard]] virtual ByteSink& sink() = 0;
  virtual void abort() = 0;  // both ways, at once
};

class HttpConnection;
struct HttpService;

// One request and its answer, whichever version of HTTP carries it. Valid while the handler runs.
class HttpCall {
 public:
  virtual ~HttpCall() = default;
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  [[nodiscard]] RequestHead& head() { return head_; }  // the handler's to change or move from
  [[nodiscard]] BodyFraming framing() const { return framing_; }
  [[nodiscard]] bool has_body() const { return framing_.kind != BodyKind::none; }
  [[nodiscard]] const std::string& upgrade() const { return upgrade_; }  // "websocket", or empty
  [[nodiscard]] virtual Loop& loop() = 0;
  [[nodiscard]] virtual std::string peer() const = 0;  // who asks: for budgets and logs

  // From now on bytes of the answer go out only while `gate` is open. nullptr ends that for an answer that
  // has not begun; one that has begun keeps its gate to its last byte.
  virtual void set_gate(GateRef gate) = 0;
  virtual void abort() = 0;  // breaks this call off at once, here and for the client
  // `gone` is called once when the client gives the call up and the connection can tell (HTTP/2: a reset, the
  // connection's end). It must not end the call itself. nullptr: nobody wants to know any more.
  virtual void when_gone(std::function<void()> gone) = 0;

  // The request's body. The first read sends 100 Continue where the client waits for it. Errors: "http.*" for
  // bad framing, "net.timeout" when it comes too slowly.
  [[nodiscard]] virtual ByteSource& body() = 0;
  // Reads it whole; "http.body_too_large" over `bytes_max`.
  [[nodiscard]] Task<Result<std::string>> read_all(size_t bytes_max);

  // A whole answer, in one write when small. Content-Length is set here; HEAD, 204 and 304 send no body.
  [[nodiscard]] virtual Task<Result<void>> answer(ResponseHead head, std::string body) = 0;
  // A streamed answer: start, write to answer_body(), finish() it. Without `length` it goes in chunks. The
  // head is held back until the first write, flush() or finish(), so that it shares a record with the body.
  // Content-Length, Transfer-Encoding, Connection and Date are the connection's business: they are set here.
  [[nodiscard]] virtual Result<void> start(ResponseHead head, std::optional<uint64_t> length) = 0;
  [[nodiscard]] virtual ByteSink& answer_body() = 0;
  [[nodiscard]] virtual bool started()
      const = 0;  // an answer has begun: it can only be finished or broken off
  // Sends an interim answer other than 100 and 101 (103, say).
  [[nodiscard]] virtual Task<Result<void>> interim(ResponseHead head) = 0;
  // Agrees to the upgrade that was asked for, with `fields` beside those of the handshake itself.
  [[nodiscard]] virtual Task<Result<std::unique_ptr<Tunnel>>> take_over(Headers fields) = 0;

 protected:
  HttpCall() = default;
  RequestHead head_;
  BodyFraming framing_;
  std::string upgrade_;
};

// The HTTP/2 connections of one loop, so that they can be told.
class HttpConnections {
 public:
  void drain();  // no further requests on any of them; each ends when those it has are done
  struct One {
    std::function<void()> drain;
  };
  std::unordered_set<const One*> all;
};

struct HttpService {
  HttpServerLimits limits{};
  // A handler that returns without an answer gives 500; without finishing it, a broken connection.
  std::function<Task<void>(HttpCall&)> handle{};
  Loop* loop = nullptr;  // where it serves; only a service that connections move to needs one
  // Which service a request belongs to, before it is handled: on another loop the connection goes there, and
  // the request is handled from its beginning. Null, or giving null: here.
  std::function<std::shared_ptr<const HttpService>(const RequestHead&)> place{};
  std::shared_ptr<HttpConnections> connections = std::make_shared<HttpConnections>();
};

// Serves the connection until it ends. Ending it from outside: abort() the stream.
[[nodiscard]] Task<void> serve_http(std::unique_ptr<Stream> stream,
                                    std::shared_ptr<const HttpService> service);

}  // namespace entente::net
