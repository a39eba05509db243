// Outgoing connections. "localhost" and names below it are 127.0.0.1 by definition (RFC 6761 section 6.3) and
// never looked up; numeric addresses are taken as they are; other names need a Resolver. Errors:
// "net.resolve", "net.refused", "net.timeout", "net.unreachable"; where: "host:port" or the path.
#pragma once

#include "net/loop.h"
#include "net/stream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace entente::net {

// Looks names up with getaddrinfo on a thread of its own. Any loop may use it; it must outlive them.
class Resolver {
 public:
  static constexpr size_t kPendingMax = 256;  // look-ups waiting; more fail with "net.resolve"
  Resolver();
  ~Resolver();
  // Numeric addresses, IPv4 first, at most 16.
  [[nodiscard]] Task<Result<std::vector<std::string>>> resolve(Loop& loop, std::string name, Millis timeout);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

[[nodiscard]] Task<Result<Socket>> dial_tcp(Loop& loop, std::string host, uint16_t port, Millis timeout,
                                            Resolver* resolver = nullptr);
[[nodiscard]] Task<Result<Socket>> dial_unix(Loop& loop, std::string path, Millis timeout);

}  // namespace entente::net
