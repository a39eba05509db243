#include "net/stream.h"

#include "net/fd_stream.h"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace entente::net {

size_t Gather::bytes() const {
  size_t sum = 0;
  for (ByteView part : parts) sum += part.size();
  return sum;
}

void Gather::drop(size_t count) {
  for (ByteView& part : parts) {
    const size_t taken = std::min(count, part.size());
    part = part.subspan(taken);
    count -= taken;
  }
  ENTENTE_DCHECK(count == 0);
}

Parked::Parked(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Parked::Parked(Parked&&) noexcept = default;
Parked& Parked::operator=(Parked&&) noexcept = default;
Parked::~Parked() = default;
Parked::Impl::~Impl() {
  free_ssl(ssl);
}

Socket::Socket(Socket&& other) noexcept
    : slot(std::move(other.slot)), fd_(std::exchange(other.fd_, -1)), peer_(std::move(other.peer_)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    slot = std::move(other.slot);
    fd_ = std::exchange(other.fd_, -1);
    peer_ = std::move(other.peer_);
  }
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Task<Result<void>> no_wait() {
  co_return Result<void>{};
}

Task<Result<size_t>> Stream::read_some(std::span<uint8_t> into, Millis timeout) {
  ENTENTE_DCHECK(!into.empty());
  for (;;) {
    CO_TRY(Attempt attempt, try_read(into));
    if (attempt.next == Next::done) co_return attempt.bytes;
    if (attempt.next == Next::end) co_return size_t{0};
    Result<void> waited;
    if (attempt.next == Next::readable) {
      waited = co_await wait_readable(timeout);
    } else {
      waited = co_await wait_writable(timeout);
    }
    CO_TRY_VOID(std::move(waited));
  }
}

Task<Result<void>> Stream::write_all(ByteView bytes, Millis timeout) {
  return write_all(Gather{{bytes}}, timeout);
}

Task<Result<void>> Stream::write_all(ByteView first, ByteView second, Millis timeout) {
  return write_all(Gather{{first, second}}, timeout);
}

Task<Result<void>> Stream::write_all(Gather parts, Millis timeout) {
  size_t left = parts.bytes();
  while (left > 0) {
    CO_TRY(Attempt attempt, try_write(parts));
    if (attempt.next == Next::done) {
      parts.drop(attempt.bytes);
      left -= attempt.bytes;
      continue;
    }
    Result<void> waited;
    if (attempt.next == Next::readable) {
      waited = co_await wait_readable(timeout);
    } else {
      waited = co_await wait_writable(timeout);
    }
    CO_TRY_VOID(std::move(waited));
  }
  co_return Result<void>{};
}

Task<Result<void>> Stream::shutdown_write(Millis timeout) {
  for (;;) {
    // A clean end says "this was all": after a fence it would be a lie.
    if (gate_ && !gate_->is_open())
      co_return fail("net.fenced", "the gate was closed before the stream's end", peer());
    CO_TRY(Attempt attempt, do_shutdown());
    if (attempt.next == Next::done) co_return Result<void>{};
    Result<void> waited = co_await wait_writable(timeout);
    CO_TRY_VOID(std::move(waited));
  }
}

Result<Stream::Attempt> Stream::try_write(Gather parts) {
  if (gate_ && !gate_->is_open())
    return fail("net.fenced", "the gate was closed before these bytes went out", peer());
  return do_write(parts);
}

Result<Bytes> Stream::tls_exporter(std::string_view, ByteView, size_t) {
  return fail("net.closed", "this stream has no TLS to export keys from", peer());
}

Result<Parked> Stream::park() {
  return fail("net.closed", "this stream can't change its loop", peer());
}

bool would_block(int number) {
  return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

Failure fail_with_errno(int number, std::string where) {
  if (number == EPIPE || number == ECONNRESET) {
    return fail("net.reset", "the other side broke the connection off", std::move(where));
  }
  return fail("net.io", std::string("the socket failed: ") + std::strerror(number), std::move(where));
}

void reset_on_close(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void tune_tcp(int fd) {
  constexpr int kProbes = 3;
  constexpr int kBetween_s = 10;
  const auto put = [fd](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  put(IPPROTO_TCP, TCP_NODELAY, 1);
  put(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(kTcpSilenceMax.count()) - kProbes * kBetween_s);
  put(IPPROTO_TCP, TCP_KEEPINTVL, kBetween_s);
  put(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  put(SOL_SOCKET, SO_KEEPALIVE, 1);
}

size_t to_iovecs(const Gather& parts, std::array<iovec, 4>& out) {
  size_t count = 0;
  for (ByteView part : parts.parts) {
    if (part.empty()) continue;
    out[count++] = {const_cast<uint8_t*>(part.data()), part.size()};
  }
  return count;
}

FdStream::FdStream(Loop& loop, Socket socket)
    : Stream(loop), watch_(loop, socket.fd()), peer_(socket.peer()), slot_(std::move(socket.slot)) {
  (void)socket.release();
}

Result<void> FdStream::usable() const {
  if (aborted_) return fail("net.aborted", "the connection was broken off here", peer_);
  if (watch_.fd() < 0) return fail("net.closed", "the stream has left this loop", peer_);
  return {};
}

Task<Result<void>> FdStream::wait_readable(Millis timeout) {
  CO_TRY_VOID(usable());
  detail::Woken woken = co_await watch_.wait(FdWatch::Side::read, timeout);
  if (woken == detail::Woken::timeout) co_return fail("net.timeout", "nothing came in time", peer_);
  if (woken == detail::Woken::closed)
    co_return fail("net.aborted", "the connection was broken off here", peer_);
  co_return Result<void>{};
}

Task<Result<void>> FdStream::wait_writable(Millis timeout) {
  CO_TRY_VOID(usable());
  detail::Woken woken = co_await watch_.wait(FdWatch::Side::write, timeout);
  if (woken == detail::Woken::timeout)
    co_return fail("net.timeout", "the other side took nothing in time", peer_);
  if (woken == detail::Woken::closed)
    co_return fail("net.aborted", "the connection was broken off here", peer_);
  co_return Result<void>{};
}

void FdStream::abort() {
  if (std::exchange(aborted_, true)) return;
  if (watch_.fd() >= 0) reset_on_close(watch_.fd());
  watch_.close();
  slot_.reset();
}

Result<Parked> FdStream::park_with(ssl_st* ssl, TlsPeer tls) {
  TRY_VOID(usable());
  ENTENTE_CHECK(!watch_.waited_on());
  auto impl = std::make_unique<Parked::Impl>();
  impl->socket = Socket(watch_.release(), peer_);
  impl->socket.slot = std::move(slot_);
  impl->ssl = ssl;
  impl->tls = std::move(tls);
  impl->gate = std::move(gate_);
  return Parked(std::move(impl));
}

namespace {

class PlainStream final : public FdStream {
 public:
  using FdStream::FdStream;

  Result<Attempt> try_read(std::span<uint8_t> into) override {
    TRY_VOID(usable());
    if (!watch_.ready(FdWatch::Side::read)) return Attempt{0, Next::readable};
    const ssize_t got = ::recv(watch_.fd(), into.data(), into.size(), MSG_DONTWAIT);
    if (got < static_cast<ssize_t>(into.size()) && (got > 0 || (got < 0 && errno == EAGAIN))) {
      watch_.used_up(FdWatch::Side::read);
    }
    if (got > 0) return Attempt{static_cast<size_t>(got), Next::done};
    if (got == 0) return Attempt{0, Next::end};
    if (would_block(errno)) return Attempt{0, Next::readable};
    return fail_with_errno(errno, peer_);
  }

  Result<Parked> park() override { return park_with(nullptr, {}); }

 protected:
  Result<Attempt> do_write(const Gather& parts) override {
    TRY_VOID(usable());
    if (write_ended_) return fail("net.closed", "written after the stream's end", peer_);
    std::array<iovec, 4> pieces{};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = to_iovecs(parts, pieces);
    const ssize_t sent = ::sendmsg(watch_.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return Attempt{static_cast<size_t>(sent), Next::done};
    if (errno == EAGAIN) watch_.used_up(FdWatch::Side::write);
    if (would_block(errno)) return Attempt{0, Next::writable};
    return fail_with_errno(errno, peer_);
  }

  Result<Attempt> do_shutdown() override {
    TRY_VOID(usable());
    write_ended_ = true;
    if (::shutdown(watch_.fd(), SHUT_WR) != 0 && errno != ENOTCONN) return fail_with_errno(errno, peer_);
    return Attempt{};
  }
};

}  // namespace

std::unique_ptr<Stream> make_stream(Loop& loop, Socket socket) {
  if (socket.slot) socket.slot->established();
  return std::make_unique<PlainStream>(loop, std::move(socket));
}

std::unique_ptr<Stream> adopt(Loop& loop, Parked parked) {
  Parked::Impl& impl = parked.impl();
  std::unique_ptr<Stream> stream;
  if (impl.ssl) {
    stream = make_tls_stream(loop, impl);
  } else {
    stream = std::make_unique<PlainStream>(loop, std::move(impl.socket));
  }
  stream->set_gate(std::move(impl.gate));
  return stream;
}

}  // namespace entente::net
