// What plain and TLS streams on file descriptors share. Inside this room only.
#pragma once

#include "net/fd_watch.h"
#include "net/stream.h"

#include <sys/uio.h>

struct ssl_st;

namespace entente::net {

class FdStream : public Stream {
 public:
  FdStream(Loop& loop, Socket socket);

  [[nodiscard]] Task<Result<void>> wait_readable(Millis timeout) override;
  [[nodiscard]] Task<Result<void>> wait_writable(Millis timeout) override;
  void abort() override;
  [[nodiscard]] bool aborted() const override { return aborted_; }
  [[nodiscard]] std::string peer() const override { return peer_; }

 protected:
  [[nodiscard]] Result<void> usable() const;
  [[nodiscard]] Result<Parked> park_with(ssl_st* ssl, TlsPeer tls);

  FdWatch watch_;
  std::string peer_;
  std::unique_ptr<Socket::Slot> slot_;
  bool aborted_ = false;
  bool write_ended_ = false;
};

struct Parked::Impl {
  Socket socket;
  ssl_st* ssl = nullptr;
  TlsPeer tls;
  GateRef gate;
  Bytes received;  // of TLS: came and was not read, sealed and was not sent
  Bytes unsent;
  ~Impl();
};

[[nodiscard]] std::unique_ptr<Stream> make_tls_stream(Loop& loop, Parked::Impl& parked);
void free_ssl(ssl_st* ssl);

[[nodiscard]] Failure fail_with_errno(int number, std::string where);
[[nodiscard]] bool would_block(int number);
void reset_on_close(int fd);
// Sends at once, and gives a peer up that is gone without a word (a lid closed, a cable pulled): one that
// answers no probe while nothing is on the way.
void tune_tcp(int fd);
inline constexpr Seconds kTcpSilenceMax{90};
// The pieces from `parts` as iovecs; gives their count.
size_t to_iovecs(const Gather& parts, std::array<iovec, 4>& out);

}  // namespace entente::net
