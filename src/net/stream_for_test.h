// Connected pairs of streams: in memory, and over real file descriptors.
#pragma once

#include "net/fd_stream.h"
#include "net/loop.h"
#include "net/stream.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace entente::net {

// One direction of a pair in memory, shared by both ends.
struct MemoryPipe {
  std::deque<uint8_t> bytes{};
  size_t bytes_max = 0;
  bool ended = false;
  bool reset = false;
  detail::WaitList readers;
  detail::WaitList writers;
  void wake(detail::Woken how) {
    readers.wake_all(how);
    writers.wake_all(how);
  }
};

class MemoryStream final : public Stream {
 public:
  MemoryStream(Loop& loop, std::shared_ptr<MemoryPipe> in, std::shared_ptr<MemoryPipe> out)
      : Stream(loop), in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override {
    // As a socket does: a clean end of what we sent, a reset for what comes.
    out_->ended = true;
    in_->reset = true;
    out_->wake(detail::Woken::ready);
    in_->wake(detail::Woken::ready);
  }

  Result<Attempt> try_read(std::span<uint8_t> into) override {
    TRY_VOID(usable());
    if (in_->reset) return fail_with_errno(ECONNRESET, peer());
    if (in_->bytes.empty()) return Attempt{0, in_->ended ? Next::end : Next::readable};
    const size_t count = std::min(into.size(), in_->bytes.size());
    const auto upto = in_->bytes.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(in_->bytes.begin(), upto, into.begin());
    in_->bytes.erase(in_->bytes.begin(), upto);
    in_->writers.wake_all(detail::Woken::ready);
    return Attempt{count, Next::done};
  }

  Task<Result<void>> wait_readable(Millis timeout) override {
    CO_TRY_VOID(usable());
    if (!in_->bytes.empty() || in_->ended || in_->reset) co_return Result<void>{};
    detail::Woken woken = co_await in_->readers.wait(loop_, timeout);
    CO_TRY_VOID(outcome(woken));
    co_return Result<void>{};
  }

  Task<Result<void>> wait_writable(Millis timeout) override {
    CO_TRY_VOID(usable());
    if (out_->bytes.size() < out_->bytes_max || out_->reset) co_return Result<void>{};
    detail::Woken woken = co_await out_->writers.wait(loop_, timeout);
    CO_TRY_VOID(outcome(woken));
    co_return Result<void>{};
  }

  void abort() override {
    if (std::exchange(aborted_, true)) return;
    for (MemoryPipe* pipe : {in_.get(), out_.get()}) {
      pipe->reset = true;
      pipe->bytes.clear();
      pipe->wake(detail::Woken::ready);
    }
  }
  [[nodiscard]] bool aborted() const override { return aborted_; }
  [[nodiscard]] std::string peer() const override { return "memory"; }

 protected:
  Result<Attempt> do_write(const Gather& parts) override {
    TRY_VOID(usable());
    if (write_ended_) return fail("net.closed", "written after the stream's end", peer());
    if (out_->reset) return fail_with_errno(EPIPE, peer());
    size_t room = out_->bytes_max - std::min(out_->bytes_max, out_->bytes.size());
    if (room == 0) return Attempt{0, Next::writable};
    size_t moved = 0;
    for (ByteView part : parts.parts) {
      const ByteView taken = part.first(std::min(room, part.size()));
      out_->bytes.insert(out_->bytes.end(), taken.begin(), taken.end());
      room -= taken.size();
      moved += taken.size();
    }
    out_->readers.wake_all(detail::Woken::ready);
    return Attempt{moved, Next::done};
  }

  Result<Attempt> do_shutdown() override {
    TRY_VOID(usable());
    write_ended_ = true;
    out_->ended = true;
    out_->readers.wake_all(detail::Woken::ready);
    return Attempt{};
  }

 private:
  [[nodiscard]] Result<void> usable() const {
    if (aborted_) return fail("net.aborted", "the connection was broken off here", peer());
    return {};
  }
  [[nodiscard]] Result<void> outcome(detail::Woken woken) const {
    if (woken == detail::Woken::timeout) return fail("net.timeout", "nothing moved in time", peer());
    return usable();
  }

  std::shared_ptr<MemoryPipe> in_;
  std::shared_ptr<MemoryPipe> out_;
  bool aborted_ = false;
  bool write_ended_ = false;
};

struct StreamPair {
  std::unique_ptr<Stream> a;
  std::unique_ptr<Stream> b;
};
// Two connected ends in memory, on one loop, each direction holding at most `bytes_max`.
inline StreamPair memory_pair(Loop& loop, size_t bytes_max = 64 * 1024) {
  auto left = std::make_shared<MemoryPipe>();
  auto right = std::make_shared<MemoryPipe>();
  left->bytes_max = right->bytes_max = bytes_max;
  return {std::make_unique<MemoryStream>(loop, left, right),
          std::make_unique<MemoryStream>(loop, right, left)};
}

// Two connected Unix sockets, for tests that need real file descriptors.
inline Result<std::pair<Socket, Socket>> socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    return fail_with_errno(errno, "socketpair");
  }
  return std::pair(Socket(fds[0], "unix"), Socket(fds[1], "unix"));
}

}  // namespace entente::net
