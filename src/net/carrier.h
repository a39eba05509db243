// Many streams over one connection: HTTP/2 on a Stream, in coroutines. Links and connectors are carriers. Who
// asks (client) and who answers (server) has nothing to do with who dialed. Everything lives on the stream's
// loop.
//
//   Carrier carrier = Carrier::client(std::move(stream), config);
//   loop.spawn(watch(carrier));                              // awaits carrier.run() and dials again
//   Result<CarrierStream> opened = co_await carrier.open(head, true);
//   Result<ResponseHead> answer = co_await opened->read_head();
//   ... pump(loop, opened->body(), sink) ...
//
// Errors: those of h2_session.h, and "h2.closed" once the connection is over, "h2.refused" (the peer did
// nothing with the stream: try again), "net.timeout", "net.fenced", "net.aborted".
#pragma once

#include "net/h2_session.h"
#include "net/http_message.h"
#include "net/relay.h"
#include "net/stream.h"
#include "net/task.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace entente::net {

// How long one stream waits before "net.timeout". kNoTimeout where silence is normal: WebSockets, notices.
struct CarrierTimeouts {
  Millis head{60'000};   // for the answer's head
  Millis read{60'000};   // in which some of the body must come
  Millis write{60'000};  // in which the peer must take some
};

struct CarrierConfig {
  H2Config h2;
  CarrierTimeouts timeouts;
  Millis open_timeout{10'000};   // for the peer's settings and for room among its streams
  size_t openers_max = 256;      // who may wait for that at once; more get "h2.busy"
  Millis ping_interval{5'000};   // kNoTimeout: never
  Millis ping_timeout{10'000};   // with no answer and nothing else heard: the connection is dead
  Millis write_timeout{15'000};  // the transport takes nothing: the connection is dead
  Millis linger{1'000};          // for the peer to close after we did
  // Server: with no stream for so long, and after so many of them, it is drained (0: never).
  Millis idle_timeout{kNoTimeout};
  uint64_t streams_ever_max = 0;
};

struct CarrierCounts {
  H2Counts h2;
  uint64_t bytes_in = 0;  // of the transport
  uint64_t bytes_out = 0;
  size_t streams = 0;     // open now
  Millis round_trip{-1};  // of the last ping; -1 before the first
  Tick heard{};           // when anything came last
};

class CarrierBody;

// One request and its answer. Destroying it gives up what isn't done; it must outlive the operations on it.
class CarrierStream {
 public:
  explicit CarrierStream(std::unique_ptr<CarrierBody> body);
  CarrierStream(CarrierStream&&) noexcept;
  CarrierStream& operator=(CarrierStream&&) noexcept;
  ~CarrierStream();

  // Server: what was asked, the handler's to change or move from.
  [[nodiscard]] RequestHead& request();
  [[nodiscard]] bool has_body() const;  // the request has one (extended CONNECT always has)
  // Server: answers, once. Fields of one connection are removed. `end`: no body follows.
  Result<void> respond(ResponseHead head, bool end);
  Result<void> interim(ResponseHead head);  // server: 1xx, before the answer
  // Client: the final answer's head; once.
  [[nodiscard]] Task<Result<ResponseHead>> read_head();

  [[nodiscard]] ByteSource& body();  // what the peer sends
  [[nodiscard]] ByteSink& sink();    // what we send; finish() ends it
  [[nodiscard]] uint64_t bytes_in() const;
  [[nodiscard]] uint64_t bytes_out() const;

  // Waits until all that was given, the end too, has been handed over.
  [[nodiscard]] Task<Result<void>> sent();
  // Called once when the peer, or the connection's end, breaks the stream; nullptr: nobody listens any more.
  void when_broken(std::function<void()> broken);

  // Looked at each time bytes of this stream are framed, and with `both_ways` read. To cut a stream that is
  // silent, fence() it too.
  void set_gate(GateRef gate, bool both_ways = true);
  void fence();  // drops what is queued, resets, wakes who waits with "net.fenced"
  void reset(H2Code code);
  void set_class(H2Class klass);
  void set_timeouts(CarrierTimeouts timeouts);
  [[nodiscard]] std::optional<H2Code> reset_code() const;  // what the peer, or the protocol, broke it with
  [[nodiscard]] H2StreamId id() const;
  [[nodiscard]] Stream& transport() const;  // as Carrier::transport()

 private:
  std::unique_ptr<CarrierBody> body_;
};

// A handle; copies are the same connection. It ends by itself or by drain, close or abort, not when handles
// go; its socket is freed with the last handle and stream.
class Carrier {
 public:
  // Runs for each stream the peer opens, as a task of its own; at most H2Config::streams_max at once.
  using Handler = std::function<Task<void>(CarrierStream)>;

  [[nodiscard]] static Carrier client(std::unique_ptr<Stream> stream, CarrierConfig config = {});
  [[nodiscard]] static Carrier server(std::unique_ptr<Stream> stream, Handler handler,
                                      CarrierConfig config = {});
  // The same from a session that has begun on this stream.
  [[nodiscard]] static Carrier server(std::unique_ptr<Stream> stream, H2Session session, Handler handler,
                                      CarrierConfig config);

  // Carries until the connection is over; call it once. Gives nothing when it ended in order (either side
  // drained it or closed it), otherwise what broke it.
  [[nodiscard]] Task<Result<void>> run();

  // Client: opens a stream, waiting for room. `head` must outlive the task: fields of one connection and
  // Expect are removed from it. `end`: no body. `gate`, if any, is the stream's from its first byte on:
  // "net.fenced" when it closed while waiting. `within`: no longer than open_timeout.
  [[nodiscard]] Task<Result<CarrierStream>> open(RequestHead& head, bool end, GateRef gate = nullptr,
                                                 Millis within = kNoTimeout);

  void drain();  // no further streams; ends when those that are open have ended
  void close();  // tells the peer and ends; streams that are open break
  void abort();  // breaks the transport off at once
  [[nodiscard]] bool over() const;
  [[nodiscard]] CarrierCounts counts() const;
  [[nodiscard]] Stream& transport();  // for tls(), peer(), tls_exporter(); not for reading or writing

  struct Impl;

 private:
  explicit Carrier(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace entente::net
