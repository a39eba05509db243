#include "net/h2_session.h"

#include "net/h2_machine_internal.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace entente::net {
namespace {

constexpr size_t kDataBytesWorthwhile = 1024;  // smaller room is left for the next record

}  // namespace

H2Session::H2Session(H2Role role, const H2Config& config) : impl_(std::make_unique<Impl>(role, config)) {}
H2Session::H2Session(H2Session&&) noexcept = default;
H2Session& H2Session::operator=(H2Session&&) noexcept = default;
H2Session::~H2Session() = default;

Result<void> H2Session::receive(ByteView bytes, Tick now) {
  Impl& impl = *impl_;
  if (impl.fault) return Failure(*impl.fault);
  impl.now = now;
  const ssize_t used = nghttp2_session_mem_recv(impl.session, bytes.data(), bytes.size());
  if (used < 0 && !impl.fault) {
    const int code = static_cast<int>(used);
    impl.fault = Error{code == NGHTTP2_ERR_FLOODED ? "h2.flood" : "h2.protocol",
                       std::string("the peer broke HTTP/2: ") + nghttp2_strerror(code), "connection", ""};
    nghttp2_session_terminate_session(impl.session, NGHTTP2_PROTOCOL_ERROR);
  }
  if (impl.fault) return Failure(*impl.fault);
  return {};
}

std::optional<H2Event> H2Session::poll_event() {
  if (impl_->events.empty()) return std::nullopt;
  H2Event event = std::move(impl_->events.front());
  impl_->events.pop_front();
  return event;
}

void H2Session::put_back(H2Event event) {
  impl_->events.push_front(std::move(event));
}

void H2Session::produce(Bytes& out, size_t bytes_max, Tick now) {
  Impl& impl = *impl_;
  impl.now = now;
  impl.look_at_heads(true);
  impl.flush(out, bytes_max);
  impl.look_at_heads(false);
  while (out.size() + kFrameHeadBytes + kDataBytesWorthwhile <= bytes_max && !impl.fault) {
    H2Stream* stream = impl.next_sender();
    if (stream == nullptr) break;
    const H2StreamId id = stream->id;
    impl.chosen = id;
    impl.allowance = std::min(kDataBytesMax, bytes_max - out.size() - kFrameHeadBytes);
    nghttp2_session_resume_data(impl.session, id);
    impl.flush(out, bytes_max);
    const bool sent = impl.allowance == 0;
    impl.chosen = 0;
    impl.allowance = 0;
    stream = impl.find(id);
    if (stream == nullptr) continue;
    if (stream->wants_room && stream->out.size() <= impl.config.unsent_bytes_max / 2) {
      stream->wants_room = false;
      impl.events.push_back(H2Writable{id});
    }
    if (stream->tells_sent && stream->end_framed) {
      stream->tells_sent = false;
      impl.events.push_back(H2Writable{id});
    }
    if (stream->released && stream->end_framed) impl.after_release(*stream);
    if (!sent && stream->has_work() && out.size() < bytes_max) {
      stream->blocked = true;  // until the peer's window opens
      impl.blocked.push_back(id);
    }
    impl.schedule(*stream);
  }
  impl.flush(out, bytes_max);
}

bool H2Session::wants_write() const {
  return nghttp2_session_want_write(impl_->session) != 0 || (!impl_->order.empty() && !impl_->fault);
}

bool H2Session::over() const {
  return (impl_->fault || nghttp2_session_want_read(impl_->session) == 0) && !wants_write();
}

namespace {

Result<void> check_size(const std::vector<H2Line>& lines, const H2Config& config) {
  size_t bytes = 0;
  for (const H2Line& line : lines) bytes += line.name.size() + line.value.size() + kFieldOverhead;
  const size_t bytes_max =
      config.sent_head_bytes_max > 0 ? config.sent_head_bytes_max : config.header_list_bytes_max;
  const size_t fields_max =
      config.sent_head_fields_max > 0 ? config.sent_head_fields_max : config.header_fields_max;
  if (lines.size() <= fields_max && bytes <= bytes_max) return {};
  return fail("h2.head", "the head has more fields, or more bytes, than a head here may have",
              "header block");
}

std::vector<nghttp2_nv> as_nv(const std::vector<H2Line>& lines) {
  std::vector<nghttp2_nv> out;
  out.reserve(lines.size());
  for (const H2Line& line : lines) {
    // nghttp2 copies both and changes neither.
    out.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(line.name.data())),
                   reinterpret_cast<uint8_t*>(const_cast<char*>(line.value.data())), line.name.size(),
                   line.value.size(),
                   static_cast<uint8_t>(line.secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
  }
  return out;
}

nghttp2_data_provider body_of() {
  nghttp2_data_provider provider{};
  provider.read_callback = [](nghttp2_session*, int32_t id, uint8_t*, size_t room, uint32_t* flags,
                              nghttp2_data_source*, void* user) {
    return static_cast<H2Session::Impl*>(user)->data_out(id, room, flags);
  };
  return provider;
}

}  // namespace

Result<H2StreamId> H2Session::request(const RequestHead& head, bool end) {
  Impl& impl = *impl_;
  if (impl.fault) return Failure(*impl.fault);
  if (impl.role != H2Role::client)
    return fail("h2.head", "this side of the connection only answers", "request");
  if (impl.draining || impl.peer_draining)
    return fail("h2.closed", "the connection takes no further streams");
  if (!can_open())
    return fail("h2.busy", "too many streams are open on this connection", {}, "try again shortly");
  const bool extended = !head.protocol.empty();
  if (extended &&
      nghttp2_session_get_remote_settings(impl.session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1)
    return fail("h2.protocol-unknown", "the peer takes no extended CONNECT", "request");
  TRY(const std::vector<H2Line> lines, h2_lines(head));
  TRY_VOID(check_size(lines, impl.config));
  const std::vector<nghttp2_nv> nv = as_nv(lines);
  const nghttp2_data_provider provider = body_of();
  const int32_t id =
      nghttp2_submit_request(impl.session, nullptr, nv.data(), nv.size(), end ? nullptr : &provider, nullptr);
  if (id < 0) return fail("h2.closed", nghttp2_strerror(id), "request");
  H2Stream& stream = impl.streams[id];
  stream.id = id;
  stream.announced = true;
  stream.out_ended = end;
  stream.end_framed = end;
  impl.head_submitted(stream);
  ++impl.counts.streams;
  return id;
}

Result<void> H2Session::respond(H2StreamId id, const ResponseHead& head, bool end) {
  Impl& impl = *impl_;
  TRY(H2Stream* const stream, impl.live(id));
  if (stream->broken || stream->closed) return no_h2_stream();
  if (impl.role != H2Role::server || stream->answered || head.status < 200)
    return fail("h2.head", "a request is answered once, with a final status", "response");
  TRY(const std::vector<H2Line> lines, h2_lines(head));
  TRY_VOID(check_size(lines, impl.config));
  const std::vector<nghttp2_nv> nv = as_nv(lines);
  const nghttp2_data_provider provider = body_of();
  const int done = nghttp2_submit_response(impl.session, id, nv.data(), nv.size(), end ? nullptr : &provider);
  if (done != 0) return fail("h2.closed", nghttp2_strerror(done), "response");
  stream->answered = true;
  stream->out_ended = end;
  stream->end_framed = end;
  impl.head_submitted(*stream);
  return {};
}

Result<void> H2Session::interim(H2StreamId id, const ResponseHead& head) {
  Impl& impl = *impl_;
  TRY(H2Stream* const stream, impl.live(id));
  if (stream->broken || stream->closed) return no_h2_stream();
  if (impl.role != H2Role::server || stream->answered || head.status < 100 || head.status > 199)
    return fail("h2.head", "this is no interim answer, or the request has been answered", "response");
  TRY(const std::vector<H2Line> lines, h2_lines(head));
  const std::vector<nghttp2_nv> nv = as_nv(lines);
  const int32_t done =
      nghttp2_submit_headers(impl.session, NGHTTP2_FLAG_NONE, id, nullptr, nv.data(), nv.size(), nullptr);
  if (done != 0) return fail("h2.closed", nghttp2_strerror(done), "response");
  impl.head_submitted(*stream);
  return {};
}

Result<size_t> H2Session::write(H2StreamId id, ByteView bytes) {
  TRY(H2Stream* const stream, impl_->live(id));
  if (stream->broken || stream->closed || stream->out_ended) return no_h2_stream();
  const size_t room =
      impl_->config.unsent_bytes_max - std::min(impl_->config.unsent_bytes_max, stream->out.size());
  const size_t taken = std::min(room, bytes.size());
  stream->out.push(bytes.first(taken));
  stream->wants_room = taken < bytes.size();
  impl_->schedule(*stream);
  return taken;
}

Result<void> H2Session::finish(H2StreamId id) {
  TRY(H2Stream* const stream, impl_->live(id));
  if (stream->out_ended) return {};
  if (stream->broken || stream->closed) return no_h2_stream();
  stream->out_ended = true;
  impl_->schedule(*stream);
  return {};
}

Result<H2Session::Read> H2Session::read(H2StreamId id, std::span<uint8_t> into) {
  TRY(H2Stream* const stream, impl_->live(id, true));
  if (stream->broken && *stream->broken != H2Code::no_error) return no_h2_stream();
  const size_t count = stream->in.pop(into.data(), into.size());
  impl_->has_read(*stream, count);
  return Read{count, stream->in.empty() && stream->in_ended};
}

Bytes H2Session::take(H2StreamId id) {
  const Result<H2Stream*> found = impl_->live(id, true);
  if (!found || ((*found)->broken && *(*found)->broken != H2Code::no_error)) return {};
  Bytes piece = (*found)->in.pop_piece();
  impl_->has_read(**found, piece.size());
  return piece;
}

size_t H2Session::unread(H2StreamId id) const {
  const H2Stream* stream = impl_->find(id);
  return stream == nullptr ? 0 : stream->in.size();
}

size_t H2Session::unsent(H2StreamId id) const {
  const H2Stream* stream = impl_->find(id);
  return stream == nullptr ? 0 : stream->out.size();
}

bool H2Session::tell_when_sent(H2StreamId id) {
  H2Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->broken || stream->closed || stream->end_framed) return true;
  stream->tells_sent = true;
  return false;
}

void H2Session::reset(H2StreamId id, H2Code code) {
  if (H2Stream* stream = impl_->find(id); stream != nullptr && !stream->released)
    impl_->break_stream(*stream, code);
}

void H2Session::fence(H2StreamId id) {
  if (H2Stream* stream = impl_->find(id); stream != nullptr) impl_->fence(*stream);
}

void H2Session::release(H2StreamId id) {
  H2Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->released) return;
  stream->released = true;
  impl_->after_release(*stream);
  impl_->forget_if_done(id);
}

void H2Session::set_gate(H2StreamId id, GateRef gate, bool both_ways) {
  H2Stream* stream = impl_->find(id);
  if (stream == nullptr) return;
  stream->gate = std::move(gate);
  stream->gates_reads = both_ways;
}

void H2Session::set_class(H2StreamId id, H2Class klass) {
  if (H2Stream* stream = impl_->find(id); stream != nullptr) stream->klass = klass;
}

void H2Session::ping(uint64_t opaque) {
  uint8_t bytes[8];
  std::memcpy(bytes, &opaque, sizeof bytes);
  nghttp2_submit_ping(impl_->session, NGHTTP2_FLAG_NONE, bytes);
}

void H2Session::drain() {
  if (std::exchange(impl_->draining, true)) return;
  const int32_t last = nghttp2_session_get_last_proc_stream_id(impl_->session);
  nghttp2_submit_goaway(impl_->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Session::terminate(H2Code code) {
  impl_->draining = true;
  nghttp2_session_terminate_session(impl_->session, static_cast<uint32_t>(code));
}

bool H2Session::settings_known() const {
  return impl_->settings_known;
}

bool H2Session::can_open() const {
  const uint32_t theirs =
      nghttp2_session_get_remote_settings(impl_->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return !impl_->draining && !impl_->peer_draining && !impl_->fault &&
         impl_->streams.size() < std::min(theirs, impl_->config.streams_max);
}

size_t H2Session::streams() const {
  return impl_->streams.size();
}
const H2Counts& H2Session::counts() const {
  return impl_->counts;
}

}  // namespace entente::net
