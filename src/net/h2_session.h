// One HTTP/2 connection (RFC 9113, extended CONNECT of RFC 8441) as a state machine: bytes and a clock in,
// bytes and events out. No sockets, no threads; used by one loop at a time. Who dialed doesn't matter: the
// role says who asks.
//
// The owner feeds receive(), takes poll_event() until it is empty, and writes what produce() gives. Bodies
// wait inside: what came, until read() takes it (only then may the peer send more); what goes, until the
// peer's window and the order of sending let it go. The order: control streams, then interactive ones, then
// bulk (a stream that has sent over `bulk_after_bytes` without a pause); round robin within a class, one
// frame at a time.
//
// Errors: "h2.protocol" (the peer broke the rules; the connection is over), "h2.flood" (it asks for more work
// than its budget), "h2.closed", "h2.busy" (too many streams), "h2.reset" (this stream is no more),
// "net.fenced" (its gate was closed), "h2.head" (a head that can't be sent), "h2.protocol-unknown" (the peer
// takes no extended CONNECT).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "net/http_message.h"
#include "net/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace entente::net {

using H2StreamId = int32_t;

enum class H2Role : uint8_t { client, server };
enum class H2Class : uint8_t { control, interactive, bulk };

enum class H2Code : uint32_t {  // RFC 9113 section 7
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  refused_stream = 7,  // nothing was done with it: may be tried again
  cancel = 8,
  enhance_your_calm = 11,
  http_1_1_required = 13,  // browsers ask again over HTTP/1.1
};

struct H2Config {
  uint32_t streams_max = 512;                  // open at once that the peer may start, and that we start
  uint32_t stream_window_bytes = 256 * 1024;   // on the way or unread here of a stream; see suit_window()
  uint32_t connection_window_bytes = 4 << 20;  // what all of them may have on the way
  // The connection's window is given back at once, so that one stream nobody reads does not stop the others,
  // until this much is unread in all of them; then only as they are read.
  size_t credit_unread_max = SIZE_MAX;
  size_t unread_bytes_max =
      64 << 20;  // unread in all streams; over: the one with most of it is reset, never control
  // Of one stream: write() takes no more. Whole frames of a record each, so that no rest goes out alone.
  size_t unsent_bytes_max = 4 * (16 * 1024 - 9);
  uint64_t bulk_after_bytes = 1 << 20;
  Millis bulk_pause{1000};  // a stream that sent nothing for so long is interactive again
  size_t header_list_bytes_max =
      32 * 1024;  // RFC 9113 section 6.5.2; over: stream reset, four times: connection
  // Our own heads keep to both limits as well: the peer would count a larger one as a fault of ours. More
  // than an HTTP/1.1 head's, so that what came by one leaves by the other, with some fields of ours.
  size_t header_fields_max = 128;
  size_t sent_head_bytes_max = 0;              // of a head that is sent; 0: as of one that is taken
  size_t sent_head_fields_max = 0;             // likewise
  uint32_t header_table_bytes = 4096;          // each way, of fields that come again (RFC 7541 section 4.2)
  size_t header_frames_max = 8;                // HEADERS and its CONTINUATIONs
  H2Code large_head = H2Code::protocol_error;  // ends the stream of a head over these limits, and far over:
                                               // the connection, where it is not protocol_error
  // Budgets of the peer within `flood_window`; over: the connection ends with ENHANCE_YOUR_CALM.
  Millis flood_window{10'000};
  uint32_t resets_max = 500;  // streams it resets, or that its faults make us reset
  uint32_t settings_max = 20;
  uint32_t pings_max = 100;
  uint32_t empty_data_max = 100;       // DATA without a byte and without an end
  uint32_t window_updates_max = 2000;  // besides two for each DATA frame of 1 KiB or more that it was sent
  uint32_t other_frames_max = 100;     // PRIORITY, GOAWAY and the like; unknown types are skipped unheard
};

struct H2Request {  // server: a stream was opened
  H2StreamId stream = 0;
  RequestHead head;
  bool end = false;  // no body follows
};
struct H2Response {  // client: the final answer's head; interim ones are dropped
  H2StreamId stream = 0;
  ResponseHead head;
  bool end = false;
};
struct H2Readable {  // read() gives bytes, or the end
  H2StreamId stream = 0;
};
struct H2Writable {  // write() takes bytes again after it took less than it was given; or see
                     // tell_when_sent()
  H2StreamId stream = 0;
};
struct H2Reset {  // the stream is no more. no_error: the peer has answered and wants no more of the request
  H2StreamId stream = 0;
  H2Code code = H2Code::no_error;
};
struct H2PingAck {
  uint64_t opaque = 0;
};
struct H2GoAway {  // the peer takes no further streams
  H2Code code = H2Code::no_error;
};
struct H2Settings {};  // the peer's settings are known
using H2Event =
    std::variant<H2Request, H2Response, H2Readable, H2Writable, H2Reset, H2PingAck, H2GoAway, H2Settings>;

struct H2Counts {
  uint64_t data_bytes_in = 0;
  uint64_t data_bytes_out = 0;
  uint64_t streams = 0;  // ever opened, by either side
  uint64_t resets_in = 0;
  uint64_t heads_refused = 0;  // requests or answers that were malformed or too large
  uint64_t fenced = 0;
  size_t unread_bytes = 0;  // now
};

class H2Session {
 public:
  explicit H2Session(H2Role role, const H2Config& config = {});
  H2Session(H2Session&&) noexcept;
  H2Session& operator=(H2Session&&) noexcept;
  ~H2Session();

  // Bytes from the peer. After an error: write what produce() still gives (it says why), then close.
  Result<void> receive(ByteView bytes, Tick now);
  [[nodiscard]] std::optional<H2Event> poll_event();
  void put_back(H2Event event);  // it is polled next
  // Appends frames to `out` until it holds about `bytes_max`; a DATA frame never makes it hold more. What is
  // given is framed: hand it to TLS at once, since a closed gate can't take it back.
  void produce(Bytes& out, size_t bytes_max, Tick now);
  [[nodiscard]] bool wants_write() const;
  [[nodiscard]] bool over() const;  // nothing more to read or to write: close the transport

  // Client: opens a stream. `end`: no body. Names are sent in lower case; Host goes into :authority.
  [[nodiscard]] Result<H2StreamId> request(const RequestHead& head, bool end);
  // Server: answers it, once.
  Result<void> respond(H2StreamId stream, const ResponseHead& head, bool end);
  Result<void> interim(H2StreamId stream,
                       const ResponseHead& head);  // server: 1xx but 101, before the answer
  // Takes at most what fits into `unsent_bytes_max` and says how much; then wait for H2Writable.
  Result<size_t> write(H2StreamId stream, ByteView bytes);
  Result<void> finish(H2StreamId stream);  // no more bytes from here
  struct Read {
    size_t bytes = 0;
    bool end = false;  // all has been read
  };
  Result<Read> read(H2StreamId stream, std::span<uint8_t> into);
  // The same without a copy: what came first, as it waited inside. Empty where only read() can say more.
  [[nodiscard]] Bytes take(H2StreamId stream);
  [[nodiscard]] size_t unread(H2StreamId stream) const;
  [[nodiscard]] size_t unsent(H2StreamId stream) const;
  // All that was given, the end too, has been framed, or never will be. If not, H2Writable comes when it has.
  [[nodiscard]] bool tell_when_sent(H2StreamId stream);

  void reset(H2StreamId stream, H2Code code);  // drops its queues; nothing more of it is framed
  void fence(H2StreamId stream);               // reset(cancel); from then on its calls give "net.fenced"
  void release(H2StreamId stream);             // forgets it, resetting what isn't done: once for each stream
  // Looked at each time a head or bytes of the stream are framed, and unless `both_ways` is false each time
  // they are read; when closed, the stream is fenced.
  void set_gate(H2StreamId stream, GateRef gate, bool both_ways = true);
  void set_class(H2StreamId stream, H2Class klass);  // control stays control; default interactive

  void ping(uint64_t opaque);
  void drain();                               // takes no further streams; those that are open go on
  void terminate(H2Code code);                // ends everything once produce() has given the reason
  [[nodiscard]] bool settings_known() const;  // the peer's
  [[nodiscard]] bool can_open() const;        // request() would not be "h2.busy"
  [[nodiscard]] size_t streams() const;       // not released yet
  [[nodiscard]] const H2Counts& counts() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace entente::net
