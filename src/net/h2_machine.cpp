#include "net/h2_machine_internal.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace entente::net {
namespace {

constexpr size_t kOutboundAcksMax = 256;
constexpr size_t kHeaderBytesFatal = 4;  // times the limit: not a mistake any more
constexpr size_t kWideWindows = 4;       // what a stream's larger window is, in usual ones
constexpr size_t kWideShare = 16;        // and of the connection's window at most, as a part of it
constexpr size_t kNarrowPart = 4;        // what the smaller one is, as a part of the usual one
constexpr Millis kWideRead{20};          // in which as much as the larger one must be read
constexpr size_t kNarrowRest = 16;       // so many times as much is read before small windows are tried again
constexpr Millis kWideQuiet{500};        // without a word of an interactive stream before it
constexpr size_t kDataBytesCounted = 1024;  // a frame that earns the peer window updates: no dribble does

}  // namespace

namespace {

H2Session::Impl& self(void* user) {
  return *static_cast<H2Session::Impl*>(user);
}

std::string_view text_of(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

void set_callbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_begin_frame_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame_hd* hd, void* user) { return self(user).begin_frame(*hd); });
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
        return self(user).begin_headers(*frame);
      });
  nghttp2_session_callbacks_set_on_header_callback2(
      callbacks, [](nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                    uint8_t, void* user) { return self(user).header(text_of(name), text_of(value)); });
  // nghttp2 would drop a malformed field and go on; a head with a hole is another head.
  nghttp2_session_callbacks_set_on_invalid_header_callback2(
      callbacks, [](nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                    uint8_t, void* user) {
        self(user).reader.refuse("a header field is malformed");
        return self(user).header(text_of(name), text_of(value));
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).frame_in(*frame); });
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame*, int, void* user) {
        auto& impl = self(user);
        ++impl.counts.heads_refused;
        return impl.spend(impl.spent.resets, impl.config.resets_max, "malformed frames");
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
        return self(user).data_in(id, {data, size});
      });
  nghttp2_session_callbacks_set_send_data_callback(
      callbacks, [](nghttp2_session*, nghttp2_frame* frame, const uint8_t* frame_head, size_t count,
                    nghttp2_data_source*, void* user) {
        self(user).append_data(frame->hd.stream_id, frame_head, count);
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, int32_t id, uint32_t code, void* user) {
        self(user).closed(id, code);
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
        auto& impl = self(user);
        if (frame->hd.type == NGHTTP2_DATA && frame->hd.length >= kDataBytesCounted)
          ++impl.spent.data_frames_sent;
        if (frame->hd.type == NGHTTP2_HEADERS) {
          H2Stream* stream = impl.find(frame->hd.stream_id);
          if (stream != nullptr && stream->heads_waiting > 0) --stream->heads_waiting;
        }
        if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !impl.fault)
          impl.fault = Error{"h2.protocol", "the peer broke HTTP/2: " + impl.last_words, "connection", ""};
        return 0;
      });
  nghttp2_session_callbacks_set_error_callback2(
      callbacks, [](nghttp2_session*, int, const char* text, size_t size, void* user) {
        self(user).last_words.assign(text, std::min<size_t>(size, 256));
        return 0;
      });
}

}  // namespace

H2Session::Impl::Impl(H2Role its_role, const H2Config& its_config)
    : role(its_role),
      config(its_config),
      reader(its_config.header_list_bytes_max, its_config.header_fields_max, its_role == H2Role::client) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  ENTENTE_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  ENTENTE_CHECK(nghttp2_option_new(&option) == 0);
  set_callbacks(callbacks);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kOutboundAcksMax);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, config.header_table_bytes);
  // Its own limit of resets, as a bucket: what we allow in a window, coming back at that rate.
  const auto window_s = std::max<int64_t>(1, std::chrono::floor<Seconds>(config.flood_window).count());
  nghttp2_option_set_stream_reset_rate_limit(option, config.resets_max,
                                             config.resets_max / static_cast<uint64_t>(window_s) + 1);
  const int made = role == H2Role::server
                       ? nghttp2_session_server_new3(&session, callbacks, this, option, memory.functions())
                       : nghttp2_session_client_new3(&session, callbacks, this, option, memory.functions());
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  ENTENTE_CHECK(made == 0);
  send_settings();
}

void H2Session::Impl::send_settings() {
  std::vector<nghttp2_settings_entry> entries = {
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, config.header_table_bytes},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(config.header_list_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  if (role == H2Role::server) entries.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  if (role == H2Role::client) entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  ENTENTE_CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries.data(), entries.size()) == 0);
  ENTENTE_CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                      static_cast<int32_t>(config.connection_window_bytes)) ==
                0);
}

Result<H2Stream*> H2Session::Impl::live(H2StreamId id, bool reading) {
  H2Stream* stream = find(id);
  if (stream == nullptr || stream->released) return no_h2_stream();
  if (!stream->fenced && (!reading || stream->gates_reads) && stream->gate_closed()) fence(*stream);
  if (stream->fenced) return fail("net.fenced", "the stream's gate was closed", "stream");
  if (fault) return Failure(*fault);
  return stream;
}

void H2Session::Impl::flood(const char* what, H2Code code) {
  if (fault) return;
  fault = Error{"h2.flood", std::string("the peer sent too many ") + what, "connection", ""};
  nghttp2_session_terminate_session(session, static_cast<uint32_t>(code));
}

// Whose head it is may be able to do nothing about it: a browser says what pages left in it.
int H2Session::Impl::head_flood(const char* what) {
  const bool tells = config.large_head != H2Code::protocol_error;
  flood(what, tells ? config.large_head : H2Code::enhance_your_calm);
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Session::Impl::spend(uint32_t& counter, uint64_t most, const char* what) {
  if (now - spent.since >= config.flood_window) {
    spent = H2Spent{};
    spent.since = now;
  }
  if (++counter <= most) return 0;
  flood(what);
  return NGHTTP2_ERR_CALLBACK_FAILURE;  // reads no further; what is to be said is still sent
}

// Called for every frame, CONTINUATION included, before its payload is looked at.
int H2Session::Impl::begin_frame(const nghttp2_frame_hd& hd) {
  switch (hd.type) {
    case NGHTTP2_HEADERS:
      header_frames = 1;
      return 0;
    case NGHTTP2_CONTINUATION:
      if (++header_frames <= config.header_frames_max) return 0;
      return head_flood("CONTINUATION frames for one head");
    case NGHTTP2_DATA:
      if (hd.length > 0 || (hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) return 0;
      return spend(spent.empty_data, config.empty_data_max, "empty DATA frames");
    case NGHTTP2_RST_STREAM:
      ++counts.resets_in;
      return spend(spent.resets, config.resets_max, "resets");
    case NGHTTP2_SETTINGS:
      return spend(spent.settings, config.settings_max, "SETTINGS frames");
    case NGHTTP2_PING:
      return spend(spent.pings, config.pings_max, "PING frames");
    case NGHTTP2_WINDOW_UPDATE:
      return spend(spent.window_updates, config.window_updates_max + 2ULL * spent.data_frames_sent,
                   "WINDOW_UPDATE frames");
    case NGHTTP2_GOAWAY:
    default:
      return spend(spent.other, config.other_frames_max, "frames of no use");
  }
}

int H2Session::Impl::begin_headers(const nghttp2_frame& frame) {
  const H2StreamId id = frame.hd.stream_id;
  note_interactive(id);
  reader.begin();
  head_stream = 0;
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    // Streams that the protocol has closed but whose owner is still at work count as well: opening and
    // resetting in turn buys nobody more than this.
    if (streams.size() >= config.streams_max || draining) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    streams[id].id = id;
    ++counts.streams;
  }
  if (find(id) != nullptr) head_stream = id;
  return 0;
}

int H2Session::Impl::header(std::string_view name, std::string_view value) {
  reader.add(name, value);
  if (reader.bytes() <= kHeaderBytesFatal * config.header_list_bytes_max) return 0;
  return head_flood("header bytes for one head");
}

int H2Session::Impl::frame_in(const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool ack = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      return headers_in(frame);
    case NGHTTP2_DATA:
      if (H2Stream* stream = find(frame.hd.stream_id); stream != nullptr && end) end_in(*stream);
      if (!end && frame.hd.length > 0 && frame.hd.length == frame.data.padlen)
        return spend(spent.empty_data, config.empty_data_max, "DATA frames of padding");
      return 0;
    case NGHTTP2_SETTINGS:
      if (ack) return 0;
      settings_known = true;
      events.push_back(H2Settings{});
      unblock_all();
      return 0;
    case NGHTTP2_PING: {
      uint64_t opaque = 0;
      std::memcpy(&opaque, frame.ping.opaque_data, sizeof opaque);
      if (ack) events.push_back(H2PingAck{opaque});
      return 0;
    }
    case NGHTTP2_GOAWAY:
      peer_draining = true;
      events.push_back(H2GoAway{static_cast<H2Code>(frame.goaway.error_code)});
      return 0;
    case NGHTTP2_WINDOW_UPDATE:
      if (frame.hd.stream_id == 0) {
        unblock_all();
      } else if (H2Stream* stream = find(frame.hd.stream_id); stream != nullptr) {
        stream->blocked = false;
        schedule(*stream);
      }
      return 0;
    default:
      return 0;
  }
}

int H2Session::Impl::headers_in(const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  H2Stream* stream = find(head_stream);
  head_stream = 0;
  if (stream == nullptr || stream->broken) return 0;
  if (role == H2Role::server && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    announce_request(*stream, end);
  } else if (role == H2Role::client && !stream->answered) {
    take_response(*stream, end);
  } else if (reader.refused()) {
    head_refused(*stream);
  } else if (end) {
    end_in(*stream);  // trailers: nothing here passes them on
  }
  return fault ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

void H2Session::Impl::announce_request(H2Stream& stream, bool end) {
  auto head = reader.request();
  if (!head) return head_refused(stream);
  stream.announced = true;
  stream.in_ended = end;
  events.push_back(H2Request{stream.id, *std::move(head), end});
}

void H2Session::Impl::take_response(H2Stream& stream, bool end) {
  auto head = reader.response();
  if (!head || (head->status < 200 && end)) return head_refused(stream);
  if (head->status < 200) return;
  stream.answered = true;
  events.push_back(H2Response{stream.id, *std::move(head), end});
  stream.in_ended = end;
}

void H2Session::Impl::head_refused(H2Stream& stream) {
  ++counts.heads_refused;
  (void)spend(spent.resets, config.resets_max, "malformed heads");
  const H2Code code = reader.too_large() ? config.large_head : H2Code::protocol_error;
  break_stream(stream, code);
  if (stream.announced) events.push_back(H2Reset{stream.id, code});
}

void H2Session::Impl::end_in(H2Stream& stream) {
  if (stream.in_ended || stream.broken) return;
  stream.in_ended = true;
  events.push_back(H2Readable{stream.id});
}

int H2Session::Impl::data_in(H2StreamId id, ByteView bytes) {
  counts.data_bytes_in += bytes.size();
  owed_credit += bytes.size();
  give_credit();
  H2Stream* stream = find(id);
  if (stream == nullptr || stream->broken) return 0;
  if (stream->released) {
    nghttp2_session_consume_stream(session, id, bytes.size());
    return 0;
  }
  if (!make_room(*stream, bytes.size())) return 0;
  if (now - stream->last_came > config.bulk_pause) stream->burst_bytes_in = 0;
  stream->burst_bytes_in += bytes.size();
  stream->last_came = now;
  if (!is_bulk_in(*stream) && stream->klass != H2Class::control) note_interactive(stream->id);
  if (stream->in.empty()) events.push_back(H2Readable{id});
  stream->in.push(bytes);
  counts.unread_bytes += bytes.size();
  return 0;
}

// Whoever holds most pays, not whoever comes last: of all streams but control, looked through at this moment
// alone. False: it is the one that adds. Control's
// are taken even when nobody else holds any: its own window bounds them.
bool H2Session::Impl::make_room(H2Stream& adding, size_t count) {
  while (counts.unread_bytes + count > config.unread_bytes_max) {
    H2Stream* most = adding.klass == H2Class::control ? nullptr : &adding;
    size_t held = most == nullptr ? 0 : adding.in.size() + count;
    for (auto& [id, stream] : streams) {
      if (stream.klass == H2Class::control || stream.in.size() <= held) continue;
      most = &stream;
      held = stream.in.size();
    }
    if (most == nullptr) return true;
    break_stream(*most, H2Code::enhance_your_calm);
    events.push_back(H2Reset{most->id, H2Code::enhance_your_calm});
    if (most == &adding) return false;
  }
  return true;
}

void H2Session::Impl::closed(H2StreamId id, uint32_t code) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->closed = true;
  const bool whole = stream->in_ended && stream->end_framed;
  if (stream->announced && !stream->released && !stream->broken && !whole) {
    const bool answered = code == NGHTTP2_NO_ERROR && stream->in_ended;
    const H2Code seen = answered ? H2Code::no_error : code == 0 ? H2Code::cancel : static_cast<H2Code>(code);
    if (answered) {
      stream->out.clear();
    } else {
      drop_queues(*stream);
    }
    stream->broken = seen;
    events.push_back(H2Reset{id, seen});
  }
  if (!blocked.empty()) unblock_all();
  forget_if_done(id);
}

// Gives bytes to nghttp2 only when this stream was chosen, and only once: the order of sending is ours.
ssize_t H2Session::Impl::data_out(H2StreamId id, size_t room, uint32_t* flags) {
  H2Stream* stream = find(id);
  if (id != chosen || allowance == 0 || stream == nullptr || !stream->has_work() || stream->gate_closed())
    return NGHTTP2_ERR_DEFERRED;
  const size_t count = std::min({room, allowance, stream->out.size()});
  const bool last = stream->out_ended && count == stream->out.size();
  if (count == 0 && !last) return NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;  // append_data() is called next
  if (last) *flags |= NGHTTP2_DATA_FLAG_EOF;
  stream->end_framed = last;
  allowance = 0;
  if (now - stream->last_sent > config.bulk_pause) stream->burst_bytes = 0;
  stream->burst_bytes += count;
  stream->last_sent = now;
  if (class_of(*stream) == H2Class::interactive) note_interactive(stream->id);
  counts.data_bytes_out += count;
  return static_cast<ssize_t>(count);
}

// From the stream's queue straight to what goes out.
void H2Session::Impl::append_data(H2StreamId id, const uint8_t* frame_head, size_t count) {
  ENTENTE_CHECK(frames != nullptr);
  frames->insert(frames->end(), frame_head, frame_head + kFrameHeadBytes);
  H2Stream* stream = find(id);
  ENTENTE_CHECK(stream != nullptr && stream->out.size() >= count);
  while (count > 0) {
    const ByteView front = stream->out.front();
    const ByteView bytes = front.first(std::min(count, front.size()));
    frames->insert(frames->end(), bytes.begin(), bytes.end());
    count -= bytes.size();
    stream->out.drop(bytes.size());
  }
}

void H2Session::Impl::drop_queues(H2Stream& stream) {
  counts.unread_bytes -= stream.in.size();
  stream.in.clear();
  stream.out.clear();
  give_credit();
}

// The peer may send as much again.
void H2Session::Impl::has_read(H2Stream& stream, size_t count) {
  counts.unread_bytes -= count;
  if (count > 0 && !stream.closed) {
    suit_window(stream, count);
    nghttp2_session_consume_stream(session, stream.id, count);
  }
  give_credit();
}

// A stream's own head and first bytes are interactive, too, and it does not wait for itself.
bool H2Session::Impl::is_alone(const H2Stream& stream) const {
  return now - (last_interactive_stream == stream.id ? last_of_others : last_interactive) > kWideQuiet;
}

// Each window that is given back wakes the other side, and that costs more than the bytes do. So a stream
// that is read fast has a larger one, but not where somebody interactive would wait behind it, nor on a slow
// path, nor where much is unread: windows that were widened and are read by nobody would use up what all of a
// connection share. Beside others a bulk stream has a smaller one: they wait behind all that is on the way.
void H2Session::Impl::suit_window(H2Stream& stream, size_t count) {
  const size_t usual = config.stream_window_bytes;
  const size_t most = std::min<size_t>(kWideWindows * usual, config.connection_window_bytes / kWideShare);
  if (most <= usual) return;
  const bool alone = is_alone(stream);
  note_pace(count, most, alone);
  bool wide = stream.wide && alone;
  stream.window_read += count;
  if (stream.window_read >= most) {
    wide = alone && now - stream.window_since <= kWideRead &&
           counts.unread_bytes + most <= config.unread_bytes_max / kWideShare;
    stream.window_read = 0;
    stream.window_since = now;
  }
  const bool narrow = !alone && may_narrow && is_bulk_in(stream);
  if (wide == stream.wide && narrow == stream.narrow) return;
  stream.wide = wide;
  stream.narrow = narrow;
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, stream.id,
                                        static_cast<int32_t>(wide     ? most
                                                             : narrow ? usual / kNarrowPart
                                                                      : usual));
}

// Small windows slow a stream down where the other side is far. They are for connections that carry much all
// the same: one that does not, with them, has its usual ones for a while.
void H2Session::Impl::note_pace(size_t count, size_t most, bool alone) {
  pace_read += count;
  if (pace_read < most) return;
  const bool fast = now - pace_since <= kWideRead;
  if (!fast && may_narrow && !alone)
    narrow_after = kNarrowRest;
  else if (narrow_after > 0)
    --narrow_after;
  may_narrow = fast && narrow_after == 0;
  pace_read = 0;
  pace_since = now;
}

void H2Session::Impl::give_credit() {
  if (owed_credit == 0 || counts.unread_bytes > config.credit_unread_max) return;
  nghttp2_session_consume_connection(session, std::exchange(owed_credit, 0));
}

void H2Session::Impl::head_submitted(H2Stream& stream) {
  if (stream.heads_waiting++ == 0) heads.push_back(stream.id);
  note_interactive(stream.id);
}

// Heads lie in nghttp2's queue: before they are framed their gates are looked at, as for bytes. Afterwards an
// answer that left its request unread can say so: nghttp2 would have dropped it with the reset.
void H2Session::Impl::look_at_heads(bool before) {
  std::erase_if(heads, [&](H2StreamId id) {
    H2Stream* stream = find(id);
    if (stream == nullptr) return true;
    if (before) {
      if (stream->heads_waiting == 0 || stream->broken || !stream->gate_closed()) return false;
      fence(*stream);
      if (!stream->released) events.push_back(H2Reset{id, H2Code::cancel});
      return true;
    }
    if (stream->heads_waiting > 0 && !stream->broken) return false;
    if (stream->released && !stream->broken) after_release(*stream);
    return true;
  });
}

void H2Session::Impl::break_stream(H2Stream& stream, H2Code code) {
  drop_queues(stream);
  if (!stream.broken) stream.broken = code;
  if (!stream.closed)
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream.id, static_cast<uint32_t>(code));
}

void H2Session::Impl::fence(H2Stream& stream) {
  if (stream.fenced) return;
  stream.fenced = true;
  ++counts.fenced;
  break_stream(stream, H2Code::cancel);
}

void H2Session::Impl::forget_if_done(H2StreamId id) {
  const H2Stream* stream = find(id);
  if (stream != nullptr && stream->closed && (stream->released || !stream->announced)) streams.erase(id);
}

// A released stream may still have its last bytes to send; nobody reads it any more.
void H2Session::Impl::after_release(H2Stream& stream) {
  counts.unread_bytes -= stream.in.size();
  stream.in.clear();
  give_credit();
  if (stream.closed || stream.broken) return;
  const bool sends = stream.out_ended;
  if (sends && (stream.in_ended || role == H2Role::server)) {
    if (stream.end_framed && !stream.in_ended && stream.heads_waiting == 0)
      break_stream(stream, H2Code::no_error);
    return;
  }
  break_stream(stream, H2Code::cancel);
}

H2Class H2Session::Impl::class_of(const H2Stream& stream) const {
  if (stream.klass == H2Class::control) return H2Class::control;
  const bool pausing = now - stream.last_sent > config.bulk_pause;
  return stream.klass == H2Class::bulk || (stream.burst_bytes > config.bulk_after_bytes && !pausing)
             ? H2Class::bulk
             : H2Class::interactive;
}

void H2Session::Impl::schedule(H2Stream& stream) {
  if (stream.has_work() && !stream.blocked) order.push(stream, class_of(stream));
}

void H2Session::Impl::unblock_all() {
  for (const H2StreamId id : std::exchange(blocked, {})) {
    H2Stream* stream = find(id);
    if (stream == nullptr) continue;
    stream->blocked = false;
    schedule(*stream);
  }
}

H2Stream* H2Session::Impl::next_sender() {
  while (!order.empty()) {
    H2Stream* stream = find(order.pop());
    if (stream == nullptr) continue;
    stream->queued = false;
    if (!stream->has_work()) continue;
    if (!stream->gate_closed()) return stream;
    fence(*stream);
    if (!stream->released) events.push_back(H2Reset{stream->id, H2Code::cancel});
  }
  return nullptr;
}

void H2Session::Impl::flush(Bytes& out, size_t bytes_max) {
  frames = &out;
  while (out.size() < bytes_max) {
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session, &bytes);
    if (count < 0 && !fault)
      fault = Error{"h2.protocol", nghttp2_strerror(static_cast<int>(count)), "connection", ""};
    if (count <= 0) break;
    out.insert(out.end(), bytes, bytes + count);
  }
  frames = nullptr;
}

}  // namespace entente::net
