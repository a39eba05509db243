// Private to h2_session: the machine behind its face. h2_machine.cpp hears what nghttp2 tells, h2_session.cpp
// is what the owner calls.
#pragma once

#include "net/h2_fields.h"
#include "net/h2_memory_internal.h"
#include "net/h2_session.h"
#include "net/h2_state.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace entente::net {

inline constexpr size_t kFrameHeadBytes = 9;
inline constexpr size_t kDataBytesMax =
    16 * 1024 - kFrameHeadBytes;  // a whole frame fits into one TLS record

struct H2Session::Impl {
  Impl(H2Role its_role, const H2Config& its_config);
  ~Impl() { nghttp2_session_del(session); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] H2Stream* find(H2StreamId id) {
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : &found->second;
  }
  [[nodiscard]] Result<H2Stream*> live(H2StreamId id, bool reading = false);
  void flood(const char* what, H2Code code = H2Code::enhance_your_calm);
  [[nodiscard]] int head_flood(const char* what);
  [[nodiscard]] int spend(uint32_t& counter, uint64_t most, const char* what);
  void send_settings();

  // What nghttp2 tells.
  int begin_frame(const nghttp2_frame_hd& hd);
  int begin_headers(const nghttp2_frame& frame);
  int header(std::string_view name, std::string_view value);
  int frame_in(const nghttp2_frame& frame);
  int headers_in(const nghttp2_frame& frame);
  int data_in(H2StreamId id, ByteView bytes);
  [[nodiscard]] bool make_room(H2Stream& adding, size_t count);
  void closed(H2StreamId id, uint32_t code);
  ssize_t data_out(H2StreamId id, size_t room, uint32_t* flags);
  void append_data(H2StreamId id, const uint8_t* frame_head, size_t count);

  void announce_request(H2Stream& stream, bool end);
  void take_response(H2Stream& stream, bool end);
  void head_refused(H2Stream& stream);
  void end_in(H2Stream& stream);
  void break_stream(H2Stream& stream, H2Code code);
  void drop_queues(H2Stream& stream);
  void fence(H2Stream& stream);
  void forget_if_done(H2StreamId id);
  void head_submitted(H2Stream& stream);
  void look_at_heads(bool before);
  void has_read(H2Stream& stream, size_t count);
  void suit_window(H2Stream& stream, size_t count);
  void note_pace(size_t count, size_t most, bool alone);
  [[nodiscard]] bool is_bulk_in(const H2Stream& stream) const {
    return stream.burst_bytes_in > config.bulk_after_bytes;
  }
  void note_interactive(H2StreamId id) {
    if (id != last_interactive_stream) last_of_others = last_interactive;
    last_interactive = now;
    last_interactive_stream = id;
  }
  [[nodiscard]] bool is_alone(const H2Stream& stream) const;
  void give_credit();
  void after_release(H2Stream& stream);

  [[nodiscard]] H2Class class_of(const H2Stream& stream) const;
  void schedule(H2Stream& stream);
  void unblock_all();
  [[nodiscard]] H2Stream* next_sender();
  void flush(Bytes& out, size_t bytes_max);

  H2Role role;
  H2Config config;
  H2Memory memory;
  nghttp2_session* session = nullptr;
  std::unordered_map<H2StreamId, H2Stream> streams;
  Fifo<H2Event> events;
  H2HeadReader reader;
  H2StreamId head_stream = 0;  // whose header block is coming in; 0: it is ignored
  size_t header_frames = 0;
  H2Schedule order;
  std::vector<H2StreamId> blocked;
  std::vector<H2StreamId> heads;  // of streams whose head is on its way
  size_t owed_credit = 0;         // of the connection's window, to the peer
  H2StreamId chosen = 0;          // may send one frame of at most `allowance` bytes now
  size_t allowance = 0;
  Bytes* frames = nullptr;  // where what goes out is put, while it is
  Tick now{};
  Tick last_interactive{};  // a head, or bytes of an interactive stream, came or went
  H2StreamId last_interactive_stream = 0;
  Tick last_of_others{};  // than that one
  size_t pace_read = 0;   // of all streams since `pace_since`
  Tick pace_since{};
  size_t narrow_after = 0;  // see note_pace()
  bool may_narrow = false;
  H2Spent spent;
  H2Counts counts;
  std::optional<Error> fault;
  std::string last_words;  // what nghttp2 said of the last fault
  bool settings_known = false;
  bool draining = false;
  bool peer_draining = false;
};

[[nodiscard]] inline Failure no_h2_stream() {
  return fail("h2.reset", "the stream is no more", "stream");
}

}  // namespace entente::net
