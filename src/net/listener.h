// Listening sockets with quotas, so that strangers can exhaust nothing. TCP listens on 127.0.0.1 only.
// A listener lives on one loop; share() gives another loop a listener on the same socket under the same
// quotas. Errors: "net.listen" (where: the address), "net.closed" from accept() after close().
#pragma once

#include "net/loop.h"
#include "net/stream.h"

#include <cstdint>
#include <memory>
#include <string>

namespace entente::net {

struct ListenerLimits {
  size_t connections_max = 8192;             // open at once
  size_t connections_per_source_max = 8192;  // from one IPv4 address
  size_t half_open_max = 512;                // accepted, TLS handshake not finished
  size_t half_open_per_source_max = 512;
  int backlog = 512;
  Millis backoff{100};  // pause after the process or machine ran out of file descriptors
};

struct ListenerCounts {
  size_t connections = 0;
  size_t half_open = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;  // closed at once for a quota
};

class Listener {
 public:
  // Port 0 chooses one; see port().
  [[nodiscard]] static Result<std::unique_ptr<Listener>> tcp(Loop& loop, uint16_t port,
                                                             ListenerLimits limits = {});
  // Mode 0600. A socket file nobody listens on is replaced; the file is removed by the destructor.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> unix_path(Loop& loop, std::string path,
                                                                   ListenerLimits limits = {});
  ~Listener();
  [[nodiscard]] Result<std::unique_ptr<Listener>> share(Loop& loop);

  // The next connection within the quotas; those over them are reset without a word. The socket may be given
  // to any loop. It is half open until TlsServer::accept or make_stream has taken it over.
  [[nodiscard]] Task<Result<Socket>> accept();
  void close();  // wakes accept()
  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] ListenerCounts counts() const;  // over all that share; from any thread

  struct Impl;

 private:
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace entente::net
