#include "net/tls_internal.h"

#include <algorithm>
#include <cerrno>

#include <openssl/err.h>
#include <sys/socket.h>

namespace entente::net {

namespace {

constexpr size_t kRecordBytes = 16 * 1024;
constexpr size_t kRecordOverhead = 512;                         // more than a record has beside its bytes
constexpr size_t kSealMax = 4 * kRecordBytes;                   // what goes out in one call
constexpr size_t kReceiveMax = kSealMax + 4 * kRecordOverhead;  // what comes in with one
constexpr size_t kReceiveMin = kRecordBytes + kRecordOverhead;
constexpr size_t kUnsentMax = 256 * 1024;  // that reading may add: answers to key updates

// What one call into OpenSSL moves; the next call of this thread uses the same memory.
struct Passage {
  std::array<uint8_t, kReceiveMax> in;
  size_t in_at = 0;
  size_t in_end = 0;
  size_t in_want = kReceiveMin;
  Bytes out;
  std::array<uint8_t, kRecordBytes> record;
};
thread_local Passage passage;

// What is in the queue must be of the call that comes next. Clearing walks all of it, also when it is empty.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

// OpenSSL's way to the socket.
struct TlsBio {
  static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int room) {
    TlsStream& self = stream(bio);
    BIO_clear_retry_flags(bio);
    const auto most = static_cast<size_t>(room);
    if (self.received_at_ < self.received_.size()) {
      const size_t count = std::min(most, self.received_.size() - self.received_at_);
      std::copy_n(self.received_.data() + self.received_at_, count, reinterpret_cast<uint8_t*>(into));
      self.received_at_ += count;
      if (self.received_at_ == self.received_.size()) {
        self.received_ = Bytes();
        self.received_at_ = 0;
      }
      return static_cast<int>(count);
    }
    if (passage.in_at == passage.in_end && !receive(self)) {
      if (self.fault_ == 0 && !self.ended_) BIO_set_retry_read(bio);
      return self.ended_ ? 0 : -1;
    }
    const size_t count = std::min(most, passage.in_end - passage.in_at);
    std::copy_n(passage.in.data() + passage.in_at, count, reinterpret_cast<uint8_t*>(into));
    passage.in_at += count;
    return static_cast<int>(count);
  }

  static bool receive(TlsStream& self) {
    if (!self.watch_.ready(FdWatch::Side::read)) return false;
    const ssize_t got = ::recv(self.watch_.fd(), passage.in.data(), passage.in_want, MSG_DONTWAIT);
    const int number = got < 0 ? errno : 0;
    if (got < static_cast<ssize_t>(passage.in_want) && (got > 0 || number == EAGAIN)) {
      self.watch_.used_up(FdWatch::Side::read);
    }
    self.ended_ = got == 0;
    if (got < 0 && !would_block(number)) self.fault_ = number;
    passage.in_at = 0;
    passage.in_end = got > 0 ? static_cast<size_t>(got) : 0;
    return got > 0;
  }

  static int write(BIO* bio, const char* bytes, int count) {
    BIO_clear_retry_flags(bio);
    if (stream(bio).unsent_.size() + passage.out.size() > kUnsentMax) {
      BIO_set_retry_write(bio);
      return -1;
    }
    const auto* from = reinterpret_cast<const uint8_t*>(bytes);
    passage.out.insert(passage.out.end(), from, from + count);
    return count;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && stream(bio).ended_ ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* out = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "entente stream");
      ENTENTE_CHECK(out != nullptr);
      BIO_meth_set_read(out, read);
      BIO_meth_set_write(out, write);
      BIO_meth_set_ctrl(out, control);
      return out;
    }();
    return made;
  }

  static void put_under(SSL* ssl, TlsStream& self) {
    BIO* bio = BIO_new(method());
    ENTENTE_CHECK(bio != nullptr);
    BIO_set_data(bio, &self);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);  // frees the one that a stream on another loop had
  }
};

void free_ssl(ssl_st* ssl) {
  SSL_free(ssl);
}

std::unique_ptr<Stream> make_tls_stream(Loop& loop, Parked::Impl& parked) {
  return std::make_unique<TlsStream>(loop, parked);
}

TlsStream::TlsStream(Loop& loop, Socket socket, SslPtr ssl)
    : FdStream(loop, std::move(socket)), ssl_(std::move(ssl)) {
  TlsBio::put_under(ssl_.get(), *this);
}

TlsStream::TlsStream(Loop& loop, Parked::Impl& parked)
    : FdStream(loop, std::move(parked.socket)),
      ssl_(std::exchange(parked.ssl, nullptr)),
      tls_(std::move(parked.tls)),
      received_(std::move(parked.received)),
      unsent_(std::move(parked.unsent)) {
  TlsBio::put_under(ssl_.get(), *this);
}

// Around the calls into OpenSSL: what came and was not taken stays with this stream, and nothing of it is
// left where the next stream would find it.
struct TlsStream::Passing {
  explicit Passing(TlsStream& its_stream) : stream(its_stream) {}
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;
  ~Passing() {
    stream.keep_rest();
    passage.out.clear();
  }
  TlsStream& stream;
};

void TlsStream::keep_rest() {
  if (passage.in_at < passage.in_end) {
    const auto rest = passage.in.begin() + static_cast<std::ptrdiff_t>(passage.in_at);
    received_.insert(received_.end(), rest, passage.in.begin() + static_cast<std::ptrdiff_t>(passage.in_end));
  }
  passage.in_at = passage.in_end = 0;
}

// Sends what is sealed; true when the socket has taken all of it.
Result<bool> TlsStream::send_sealed() {
  Bytes& out = passage.out;
  if (!unsent_.empty()) unsent_.insert(unsent_.end(), out.begin(), out.end());
  const ByteView all = unsent_.empty() ? ByteView(out) : ByteView(unsent_).subspan(unsent_at_);
  if (all.empty()) return true;
  const ssize_t sent = ::send(watch_.fd(), all.data(), all.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const int number = sent < 0 ? errno : 0;
  const size_t moved = sent > 0 ? static_cast<size_t>(sent) : 0;
  if (moved == all.size()) {
    out.clear();
    unsent_ = Bytes();
    unsent_at_ = 0;
    return true;
  }
  if (sent >= 0 || number == EAGAIN) watch_.used_up(FdWatch::Side::write);
  if (unsent_.empty()) {
    unsent_.assign(out.begin() + static_cast<std::ptrdiff_t>(moved), out.end());
    unsent_at_ = 0;
  } else {
    unsent_at_ += moved;
  }
  out.clear();
  if (sent < 0 && !would_block(number)) return fail_with_errno(number, peer_);
  return false;
}

Result<TlsStream::Shaken> TlsStream::shake_on(const char* role) {
  const Passing passing(*this);
  ERR_clear_error();
  passage.in_want = kReceiveMin;
  const int done = SSL_do_handshake(ssl_.get());
  const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
  if (done != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    Failure failed = handshake_failure(error, role);
    [[maybe_unused]] const Result<bool> told = send_sealed();  // the alert
    return failed;
  }
  TRY(const bool sent, send_sealed());
  if (!sent || error == SSL_ERROR_WANT_WRITE) return Shaken::wants_write;
  return done == 1 ? Shaken::done : Shaken::wants_read;
}

Task<Result<void>> TlsStream::handshake(Millis timeout, const char* role) {
  const Tick deadline = loop_.tick() + timeout;
  for (;;) {
    CO_TRY_VOID(usable());
    CO_TRY(const Shaken shaken, shake_on(role));
    if (shaken == Shaken::done) break;
    const Millis left = std::chrono::duration_cast<Millis>(deadline - loop_.tick());
    if (left <= Millis(0)) co_return fail("net.timeout", "the TLS handshake took too long", peer_);
    Result<void> waited;
    if (shaken == Shaken::wants_read) {
      waited = co_await FdStream::wait_readable(left);
    } else {
      waited = co_await FdStream::wait_writable(left);
    }
    CO_TRY_VOID(std::move(waited));
  }
  established();
  co_return Result<void>{};
}

Result<Stream::Attempt> TlsStream::try_read(std::span<uint8_t> into) {
  TRY_VOID(usable());
  if (drained_ && received_.empty() && !watch_.ready(FdWatch::Side::read)) return Attempt{0, Next::readable};
  const Passing passing(*this);
  passage.in_want = std::clamp(into.size() + kRecordOverhead, kReceiveMin, kReceiveMax);
  size_t total = 0;
  Result<Attempt> outcome = Attempt{};
  for (;;) {
    forget_errors();
    const size_t room = std::min(into.size() - total, kSealMax);
    const int got = SSL_read(ssl_.get(), into.data() + total, static_cast<int>(room));
    if (got <= 0) {
      outcome = read_stopped(got, total);
      break;
    }
    total += static_cast<size_t>(got);
    const bool all_taken = passage.in_at == passage.in_end && received_.empty();
    drained_ = all_taken && SSL_has_pending(ssl_.get()) == 0;
    outcome = Attempt{total, Next::done};
    if (total == into.size()) break;
    // Whole records come from a stream of them: the next may be here already. After a short one, only what
    // was received together with it is looked at.
    if (static_cast<size_t>(got) < kRecordBytes && all_taken) break;
  }
  const bool no_room = outcome && outcome->next == Next::writable;
  if (passage.out.empty() && !no_room) return outcome;
  Result<bool> sent = send_answers();
  if (!sent && outcome) return Failure(std::move(sent).error());
  return outcome;
}

// Answers to key updates, and alerts. What was sealed before them goes first, and while the gate is closed
// stays here with them.
Result<bool> TlsStream::send_answers() {
  if (unsent_.empty() || !gate_ || gate_->is_open()) return send_sealed();
  if (passage.out.empty())
    return fail("net.fenced", "the gate is closed, and there is no room for more answers", peer_);
  unsent_.insert(unsent_.end(), passage.out.begin(), passage.out.end());
  return false;
}

Result<Stream::Attempt> TlsStream::read_stopped(int got, size_t total) {
  const int error = SSL_get_error(ssl_.get(), got);
  if (error == SSL_ERROR_WANT_READ) {
    drained_ = true;
    if (total > 0) return Attempt{total, Next::done};
    return Attempt{0, Next::readable};
  }
  if (total > 0) {  // the fault or the end shows again on the next read
    drained_ = false;
    return Attempt{total, Next::done};
  }
  if (error == SSL_ERROR_WANT_WRITE) return Attempt{0, Next::writable};
  if (error == SSL_ERROR_ZERO_RETURN) return Attempt{0, Next::end};
  return failure(error);
}

Task<Result<void>> TlsStream::wait_readable(Millis timeout) {
  const bool here = !drained_ && !aborted_ && (!received_.empty() || SSL_has_pending(ssl_.get()));
  return here ? no_wait() : FdStream::wait_readable(timeout);
}

Result<Bytes> TlsStream::tls_exporter(std::string_view label, ByteView context, size_t bytes) {
  Bytes out(bytes);
  if (!SSL_export_keying_material(ssl_.get(), out.data(), out.size(), label.data(), label.size(),
                                  context.data(), context.size(), 1)) {
    return fail("net.tls", "the key exporter failed: " + openssl_reason(), peer_);
  }
  return out;
}

Result<Parked> TlsStream::park() {
  TRY_VOID(usable());
  TRY(Parked parked, park_with(ssl_.release(), std::move(tls_)));
  Parked::Impl& impl = parked.impl();
  impl.received.assign(received_.begin() + static_cast<std::ptrdiff_t>(received_at_), received_.end());
  impl.unsent.assign(unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_at_), unsent_.end());
  return parked;
}

// What one record takes: small pieces are put together so that they share it.
ByteView TlsStream::first_record(const Gather& parts) {
  const auto first =
      std::find_if(parts.parts.begin(), parts.parts.end(), [](ByteView p) { return !p.empty(); });
  if (first == parts.parts.end()) return {};
  if (first->size() >= kRecordBytes) return first->first(kRecordBytes);
  if (std::next(first) == parts.parts.end() || first->size() == parts.bytes()) return *first;
  size_t used = 0;
  for (auto part = first; part != parts.parts.end() && used < kRecordBytes; ++part) {
    const size_t taken = std::min(part->size(), kRecordBytes - used);
    std::copy_n(part->begin(), taken, passage.record.begin() + static_cast<std::ptrdiff_t>(used));
    used += taken;
  }
  return ByteView(passage.record).first(used);
}

// Up to kSealMax of the bytes into `passage.out`, as records.
Result<size_t> TlsStream::seal(Gather parts) {
  size_t sealed = 0;
  while (sealed < kSealMax) {
    const ByteView bytes = first_record(parts);
    if (bytes.empty()) break;
    forget_errors();
    const int done = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (done <= 0) {
      const int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) break;
      return failure(error);
    }
    sealed += static_cast<size_t>(done);
    parts.drop(static_cast<size_t>(done));
  }
  return sealed;
}

Result<Stream::Attempt> TlsStream::do_write(const Gather& parts) {
  TRY_VOID(usable());
  if (write_ended_) return fail("net.closed", "written after the stream's end", peer_);
  if (!unsent_.empty()) {
    TRY(const bool sent, send_sealed());
    if (!sent) return Attempt{0, Next::writable};
  }
  // Also when an answer of the reading side has taken them along.
  if (sealed_bytes_ > 0) return Attempt{std::exchange(sealed_bytes_, 0), Next::done};
  const Passing passing(*this);
  TRY(const size_t sealed, seal(parts));
  if (sealed == 0) return Attempt{0, parts.bytes() == 0 ? Next::done : Next::writable};
  TRY(const bool sent, send_sealed());
  if (sent) return Attempt{sealed, Next::done};
  // They count as moved once the socket has them: until then the caller comes back with the same bytes.
  sealed_bytes_ = sealed;
  return Attempt{0, Next::writable};
}

Result<Stream::Attempt> TlsStream::do_shutdown() {
  TRY_VOID(usable());
  write_ended_ = true;
  const Passing passing(*this);
  ERR_clear_error();
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0) {
    const int done = SSL_shutdown(ssl_.get());
    if (done < 0) {
      const int error = SSL_get_error(ssl_.get(), done);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return failure(error);
    }
  }
  TRY(const bool sent, send_sealed());
  if (!sent) return Attempt{0, Next::writable};
  ::shutdown(watch_.fd(), SHUT_WR);
  return Attempt{};
}

Failure TlsStream::failure(int error) const {
  if (error == SSL_ERROR_SYSCALL && fault_ != 0) return fail_with_errno(fault_, peer_);
  const unsigned long reason = ERR_peek_error();
  if (error == SSL_ERROR_SYSCALL || ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return fail("net.reset", "the other side ended the connection without saying so in TLS", peer_);
  }
  return fail("net.tls", "TLS failed: " + openssl_reason(), peer_);
}

Failure TlsStream::handshake_failure(int error, const char* role) const {
  const unsigned long reason = ERR_peek_error();
  if (error == SSL_ERROR_SYSCALL || ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return fail("net.reset", "the other side broke off during the TLS handshake", peer_);
  }
  return fail("tls.handshake",
              std::string("the TLS handshake with the ") + role + " failed: " + openssl_reason(), peer_);
}

void TlsStream::established() {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  if (length > 0) tls_.alpn.assign(reinterpret_cast<const char*>(name), length);
  if (X509Ptr certificate(SSL_get1_peer_certificate(ssl_.get())); certificate) {
    tls_.thumbprint = thumbprint_of(certificate.get());
  }
  if (slot_) slot_->established();
}

}  // namespace entente::net
