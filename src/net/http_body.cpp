#include "net/http_body.h"

#include <algorithm>
#include <cstring>

namespace entente::net {

std::string_view ReadAhead::text() const {
  return as_text(ByteView(buffer_.span()).subspan(at_, end_ - at_));
}

void ReadAhead::take(size_t count) {
  ENTENTE_DCHECK(count <= end_ - at_);
  at_ += count;
  if (at_ == end_) buffer_.give_back(), at_ = end_ = 0;
}

Bytes ReadAhead::take_all() {
  Bytes all = to_bytes(text());
  take(all.size());
  return all;
}

void ReadAhead::put(ByteView bytes) {
  ENTENTE_DCHECK(empty() && bytes.size() <= Loop::kBufferBytes);
  if (bytes.empty()) return;
  buffer_ = stream_->loop().lend();
  std::copy(bytes.begin(), bytes.end(), buffer_.span().begin());
  at_ = 0;
  end_ = bytes.size();
}

Result<bool> ReadAhead::try_more() {
  ENTENTE_DCHECK(empty());
  buffer_ = stream_->loop().lend();
  Result<Stream::Attempt> attempt = stream_->try_read(buffer_.span());
  if (attempt && attempt->next == Stream::Next::done) {
    at_ = 0;
    end_ = attempt->bytes;
    return true;
  }
  buffer_.give_back();
  TRY_VOID(std::move(attempt));
  if (attempt->next == Stream::Next::writable)
    return fail("net.timeout", "the other side takes no answers", stream_->peer());
  return attempt->next == Stream::Next::end;
}

Task<Result<size_t>> ReadAhead::more(Millis timeout) {
  ENTENTE_DCHECK(empty());
  for (;;) {
    buffer_ = stream_->loop().lend();
    Result<Stream::Attempt> attempt = stream_->try_read(buffer_.span());
    if (attempt && attempt->next == Stream::Next::done) {
      at_ = 0;
      end_ = attempt->bytes;
      co_return attempt->bytes;
    }
    buffer_.give_back();
    CO_TRY_VOID(attempt);
    if (attempt->next == Stream::Next::end) co_return size_t{0};
    Result<void> waited;
    if (attempt->next == Stream::Next::readable) {
      waited = co_await stream_->wait_readable(timeout);
    } else {
      waited = co_await stream_->wait_writable(timeout);
    }
    CO_TRY_VOID(std::move(waited));
  }
}

void BodyReader::begin(BodyFraming framing, bool expects_continue, Millis write_timeout) {
  framing_ = framing;
  chunks_ = ChunkedDecoder(limits_.heads);
  left_ = framing.kind == BodyKind::length ? framing.length : 0;
  pace_ = BodyPace{};
  write_timeout_ = write_timeout;
  done_ = framing.kind == BodyKind::none || framing.kind == BodyKind::upgrade ||
          (framing.kind == BodyKind::length && framing.length == 0);
  failed_ = false;
  expects_continue_ = expects_continue && !done_;
}

Task<Result<void>> BodyReader::send_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!std::exchange(expects_continue_, false)) co_return Result<void>{};
  Result<void> sent = co_await ahead_.stream().write_all(as_bytes(kContinue), write_timeout_);
  co_return sent;
}

Result<void> BodyPace::check(const BodyReadLimits& limits, Tick from, const Stream& stream) {
  waited += stream.loop().tick() - from;
  if (limits.rate_min == 0 || waited <= limits.rate_grace) return {};
  const auto millis = std::chrono::duration_cast<Millis>(waited);
  if (received * 1000 >= limits.rate_min * static_cast<uint64_t>(millis.count())) return {};
  return fail("net.timeout", "the body comes too slowly", stream.peer());
}

Failure BodyReader::give_up(Error error) {
  failed_ = true;
  return Failure(std::move(error));
}

Task<Result<void>> BodyReader::wait() {
  if (ready_now()) co_return Result<void>{};
  Result<void> asked = co_await send_continue();
  if (!asked) co_return give_up(std::move(asked.error()));
  const Tick from = ahead_.stream().loop().tick();
  Result<void> waited = co_await ahead_.stream().wait_readable(limits_.timeout);
  if (!waited) co_return give_up(std::move(waited.error()));
  Result<void> fast = pace_.check(limits_, from, ahead_.stream());
  if (!fast) co_return give_up(std::move(fast.error()));
  co_return Result<void>{};
}

// Bytes as they are on the wire, past those read ahead.
Task<Result<size_t>> BodyReader::fetch(std::span<uint8_t> into) {
  for (;;) {
    CO_TRY(Stream::Attempt attempt, ahead_.stream().try_read(into));
    if (attempt.next == Stream::Next::done) {
      pace_.received += attempt.bytes;
      co_return attempt.bytes;
    }
    if (attempt.next == Stream::Next::end) co_return size_t{0};
    Result<void> waited;
    if (attempt.next == Stream::Next::readable) {
      waited = co_await wait();
    } else {
      waited = co_await ahead_.stream().wait_writable(limits_.timeout);
    }
    CO_TRY_VOID(std::move(waited));
  }
}

// Takes chunk framing off what was read ahead. 0: nothing but framing was there.
Result<size_t> BodyReader::decode_ahead(std::span<uint8_t> into) {
  size_t kept = 0;
  while (!ahead_.empty() && kept < into.size() && !chunks_.done()) {
    TRY(const ChunkedDecoder::Step step, chunks_.next(ahead_.text().substr(0, into.size() - kept)));
    std::copy(step.data.begin(), step.data.end(), into.begin() + static_cast<std::ptrdiff_t>(kept));
    kept += step.data.size();
    ENTENTE_CHECK(step.used > 0);
    ahead_.take(step.used);
  }
  pace_.received += kept;
  done_ = chunks_.done();
  return kept;
}

// The same in place, for bytes fresh from the stream; what follows the body is kept for the next message.
Result<size_t> BodyReader::decode_here(std::span<uint8_t> bytes) {
  size_t used = 0;
  size_t kept = 0;
  while (used < bytes.size() && !chunks_.done()) {
    TRY(const ChunkedDecoder::Step step, chunks_.next(as_text(ByteView(bytes).subspan(used))));
    if (!step.data.empty()) std::memmove(bytes.data() + kept, step.data.data(), step.data.size());
    kept += step.data.size();
    ENTENTE_CHECK(step.used > 0);
    used += step.used;
  }
  done_ = chunks_.done();
  ahead_.put(ByteView(bytes).subspan(used));
  return kept;
}

Task<Result<size_t>> BodyReader::read(std::span<uint8_t> into) {
  ENTENTE_DCHECK(!into.empty());
  if (done_) co_return size_t{0};
  if (framing_.kind == BodyKind::length) into = into.first(std::min<uint64_t>(into.size(), left_));
  // What is read past a chunked body's end must fit the buffer it is kept in.
  if (framing_.kind == BodyKind::chunked) into = into.first(std::min(into.size(), Loop::kBufferBytes));
  for (;;) {
    if (!ahead_.empty()) {
      Result<size_t> ahead = read_ahead(into);
      if (!ahead) co_return give_up(std::move(ahead.error()));
      const size_t had = *ahead;
      if (had > 0 || done_) co_return had;
    }
    Result<size_t> fetched = co_await fetch(into);
    if (!fetched) co_return give_up(std::move(fetched.error()));
    const size_t count = *fetched;
    if (count == 0) {
      done_ = framing_.kind == BodyKind::until_end;
      if (done_) co_return size_t{0};
      failed_ = true;
      co_return fail("http.body_cut", "the connection ended inside a body", ahead_.stream().peer());
    }
    if (framing_.kind == BodyKind::length) {
      left_ -= count;
      done_ = left_ == 0;
    } else if (framing_.kind == BodyKind::chunked) {
      Result<size_t> data = decode_here(into.first(count));
      if (!data) co_return give_up(std::move(data.error()));
      if (*data == 0 && !done_) continue;
      co_return *data;
    }
    co_return count;
  }
}

Result<size_t> BodyReader::read_ahead(std::span<uint8_t> into) {
  if (framing_.kind == BodyKind::chunked) return decode_ahead(into);
  const std::string_view text = ahead_.text().substr(0, into.size());
  std::copy(text.begin(), text.end(), into.begin());
  const size_t count = text.size();
  ahead_.take(count);
  pace_.received += count;
  if (framing_.kind == BodyKind::length) {
    left_ -= count;
    done_ = left_ == 0;
  }
  return count;
}

void BodyWriter::begin(std::string head, BodyFraming framing, bool bodiless) {
  head_ = std::move(head);
  framing_ = framing;
  left_ = framing.length;
  bodiless_ = bodiless || framing.kind == BodyKind::none;
  started_ = true;
  finished_ = false;
}

Task<Result<void>> BodyWriter::send(std::string prefix, ByteView bytes, ByteView suffix) {
  sending_ = std::move(prefix);
  return stream_->write_all(Gather{{as_bytes(sending_), bytes, suffix}}, timeout_);
}

Task<Result<void>> BodyWriter::write(ByteView bytes) {
  if (!started_ || finished_) return failed_write("a body is written outside of a message");
  if (bytes.empty() || (bodiless_ && framing_.kind != BodyKind::none)) return flush();
  if (framing_.kind == BodyKind::none) return failed_write("this message has no body");
  if (framing_.kind == BodyKind::length) {
    if (bytes.size() > left_) return failed_write("the body is longer than it was said to be");
    left_ -= bytes.size();
    return send(std::exchange(head_, {}), bytes, {});
  }
  if (framing_.kind == BodyKind::chunked) {
    return send(std::exchange(head_, {}) + chunk_prefix(bytes.size()), bytes, as_bytes("\r\n"));
  }
  return send(std::exchange(head_, {}), bytes, {});
}

Task<Result<void>> BodyWriter::failed_write(const char* what) {
  co_return fail("http.state", what, stream_->peer());
}

Task<Result<void>> BodyWriter::flush() {
  if (head_.empty()) co_return Result<void>{};
  std::string head = std::exchange(head_, {});
  Result<void> sent = co_await send(std::move(head), {}, {});
  co_return sent;
}

Task<Result<void>> BodyWriter::finish() {
  if (!started_) co_return fail("http.state", "a message is ended that was not begun", stream_->peer());
  if (finished_) co_return Result<void>{};
  if (!bodiless_ && framing_.kind == BodyKind::length && left_ > 0) {
    co_return fail("http.state", "the body is shorter than it was said to be", stream_->peer());
  }
  std::string last = std::exchange(head_, {});
  if (!bodiless_ && framing_.kind == BodyKind::chunked) last += chunk_prefix(0);
  Result<void> sent;
  if (!last.empty()) sent = co_await send(std::move(last), {}, {});
  CO_TRY_VOID(std::move(sent));
  finished_ = true;
  co_return Result<void>{};
}

}  // namespace entente::net
