// A two-way stream of bytes, owned by one loop and used on its thread only. One coroutine may read while
// another writes; abort() may be called by a third. A stream must outlive the operations that wait on it.
//
// Errors: "net.timeout", "net.aborted" (abort() was called), "net.reset" (the other side broke off),
// "net.fenced" (the gate was closed before the bytes went out), "net.closed" (written after close or
// shutdown), "net.tls" (the other side broke the TLS protocol), "net.io". After an error other than
// "net.timeout" on a read, abort the stream: a write that failed may have sent a part.
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "net/loop.h"
#include "net/task.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace entente::net {

// Whether bytes may still pass. Shared by loops: closed by whoever holds or cuts, looked at by each write
// right before bytes are handed to SSL_write or send. A closed gate can be opened again while nothing was
// refused.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  virtual ~Gate() = default;
  // Sessions answer with more than one switch (hold, cut, fence, lease): see exchange. Never blocks.
  [[nodiscard]] virtual bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  void close() { open_.store(false, std::memory_order_release); }
  void open() { open_.store(true, std::memory_order_release); }

 private:
  std::atomic<bool> open_{true};
};
using GateRef = std::shared_ptr<const Gate>;

using Thumbprint = std::array<uint8_t, 32>;  // SHA-256 of a certificate's DER

// What a finished TLS handshake has shown.
struct TlsPeer {
  std::string alpn;         // the protocol agreed on; the server's default when the client named none
  Thumbprint thumbprint{};  // of the peer's own certificate; zeros when it showed none
};

// Up to four pieces that go out as one: headers beside a body, without copying large bodies.
struct Gather {
  std::array<ByteView, 4> parts{};
  [[nodiscard]] size_t bytes() const;
  void drop(size_t count);  // from the front
};

// A stream taken off its loop, to be moved to another one (see adopt).
class Parked {
 public:
  struct Impl;
  explicit Parked(std::unique_ptr<Impl> impl);
  Parked(Parked&&) noexcept;
  Parked& operator=(Parked&&) noexcept;
  ~Parked();  // closes what nobody adopted
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Stream {
 public:
  // What an attempt that never waits has done.
  enum class Next : uint8_t {
    done,      // `bytes` were moved
    readable,  // nothing was: wait_readable() first
    writable,  // nothing was: wait_writable() first
    end,       // the other side has ended its direction cleanly (reads only)
  };
  struct Attempt {
    size_t bytes = 0;
    Next next = Next::done;
  };

  explicit Stream(Loop& loop) : loop_(loop) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Some bytes, at least one; 0 is the clean end. `into` must not be empty. A time-out leaves the stream
  // usable.
  [[nodiscard]] Task<Result<size_t>> read_some(std::span<uint8_t> into, Millis timeout);
  // All bytes; the views must stay valid. `timeout` is for each wait in which nothing moves.
  [[nodiscard]] Task<Result<void>> write_all(ByteView bytes, Millis timeout);
  [[nodiscard]] Task<Result<void>> write_all(ByteView first, ByteView second, Millis timeout);
  [[nodiscard]] Task<Result<void>> write_all(Gather parts, Millis timeout);
  // Ends our direction: the other side reads a clean end after all bytes (close_notify, then FIN).
  [[nodiscard]] Task<Result<void>> shutdown_write(Millis timeout);

  // The same without a coroutine: never wait, move what moves now. After a try_write that moved less than
  // all, the next one must go on with the very same bytes.
  [[nodiscard]] virtual Result<Attempt> try_read(std::span<uint8_t> into) = 0;
  [[nodiscard]] Result<Attempt> try_write(Gather parts);
  // Waits holding no buffer. May wake early; try again then.
  [[nodiscard]] virtual Task<Result<void>> wait_readable(Millis timeout) = 0;
  [[nodiscard]] virtual Task<Result<void>> wait_writable(Millis timeout) = 0;

  // Breaks off at once: what is queued is dropped, the other side sees a reset, and whoever waits on this
  // stream here gets "net.aborted" on the loop's next turn. Calling it again does nothing.
  virtual void abort() = 0;
  [[nodiscard]] virtual bool aborted() const = 0;

  // From now on every write first looks whether `gate` is open; nullptr takes the gate away.
  void set_gate(GateRef gate) { gate_ = std::move(gate); }
  [[nodiscard]] const GateRef& gate() const { return gate_; }

  [[nodiscard]] virtual std::string peer() const = 0;  // "127.0.0.1:40312", "unix", "memory": for logs
  [[nodiscard]] virtual const TlsPeer* tls() const { return nullptr; }  // nullptr unless TLS
  // Keying material both ends share (RFC 8446 section 7.5, RFC 9266 with "EXPORTER-Channel-Binding").
  [[nodiscard]] virtual Result<Bytes> tls_exporter(std::string_view label, ByteView context, size_t bytes);
  // Takes the socket (with its TLS state) off this loop; this object is dead then. Nothing may wait on it.
  [[nodiscard]] virtual Result<Parked> park();

  [[nodiscard]] Loop& loop() const { return loop_; }

 protected:
  [[nodiscard]] virtual Result<Attempt> do_write(const Gather& parts) = 0;  // the gate has been checked
  [[nodiscard]] virtual Result<Attempt> do_shutdown() = 0;
  Loop& loop_;
  GateRef gate_;
};

// A connected, non-blocking socket that no loop has yet; counts in its listener's quotas until it is closed.
class Socket {
 public:
  Socket() = default;
  Socket(int fd, std::string peer) : fd_(fd), peer_(std::move(peer)) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  // Held while the socket counts: `established` is called once the peer has proved to be more than half open.
  struct Slot {
    virtual ~Slot() = default;
    virtual void established() = 0;
  };
  std::unique_ptr<Slot> slot;

 private:
  int fd_ = -1;
  std::string peer_;
};

// For a wait that is over before it has begun.
[[nodiscard]] Task<Result<void>> no_wait();

// A plain stream over a connected TCP or Unix socket.
[[nodiscard]] std::unique_ptr<Stream> make_stream(Loop& loop, Socket socket);
// A parked stream on a new loop; call it on that loop (or before it runs).
[[nodiscard]] std::unique_ptr<Stream> adopt(Loop& loop, Parked parked);

}  // namespace entente::net
