#include "net/listener.h"

#include "net/fd_stream.h"
#include "net/fd_watch.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace entente::net {

namespace {

// Counts over all loops that share a listener. Entries exist only for sources with open connections.
class Quota {
 public:
  explicit Quota(const ListenerLimits& limits) : limits_(limits) {}

  bool take(uint32_t source) {
    const std::lock_guard lock(mutex_);
    PerSource& from = sources_[source];
    const bool room = counts_.connections < limits_.connections_max &&
                      counts_.half_open < limits_.half_open_max &&
                      from.connections < limits_.connections_per_source_max &&
                      from.half_open < limits_.half_open_per_source_max;
    if (room) {
      ++counts_.connections, ++counts_.half_open, ++counts_.accepted;
      ++from.connections, ++from.half_open;
    } else {
      ++counts_.refused;
      drop_if_idle(source);
    }
    return room;
  }
  void established(uint32_t source) {
    const std::lock_guard lock(mutex_);
    --counts_.half_open;
    --sources_[source].half_open;
  }
  void closed(uint32_t source, bool half_open) {
    const std::lock_guard lock(mutex_);
    PerSource& from = sources_[source];
    --counts_.connections, --from.connections;
    if (half_open) --counts_.half_open, --from.half_open;
    drop_if_idle(source);
  }
  ListenerCounts counts() {
    const std::lock_guard lock(mutex_);
    return counts_;
  }
  [[nodiscard]] const ListenerLimits& limits() const { return limits_; }

 private:
  struct PerSource {
    size_t connections = 0;
    size_t half_open = 0;
  };
  void drop_if_idle(uint32_t source) {
    const auto found = sources_.find(source);
    if (found != sources_.end() && found->second.connections == 0) sources_.erase(found);
  }
  const ListenerLimits limits_;
  std::mutex mutex_;
  ListenerCounts counts_;
  std::unordered_map<uint32_t, PerSource> sources_;
};

class QuotaSlot final : public Socket::Slot {
 public:
  QuotaSlot(std::shared_ptr<Quota> quota, uint32_t source) : quota_(std::move(quota)), source_(source) {}
  ~QuotaSlot() override { quota_->closed(source_, half_open_); }
  void established() override {
    if (std::exchange(half_open_, false)) quota_->established(source_);
  }

 private:
  std::shared_ptr<Quota> quota_;
  uint32_t source_;
  bool half_open_ = true;
};

Failure listen_failure(int number, const std::string& where) {
  return fail("net.listen", std::string("can't listen: ") + std::strerror(number), where,
              number == EADDRINUSE ? "choose another address or stop what uses it" : "");
}

// Whether somebody accepts on that socket file.
bool is_served(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int done = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool served = done == 0 || errno != ECONNREFUSED;
  ::close(fd);
  return served;
}

Result<void> bind_unix(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail("net.listen", "a socket path has 1 to 107 bytes", path);
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode))
      return fail("net.listen", "the path exists and is no socket", path, "choose another path");
    if (is_served(address)) return listen_failure(EADDRINUSE, path);
    ::unlink(path.c_str());
  }
  // On Linux bind() gives the file the socket's mode: nobody else can connect in between.
  ::fchmod(fd, 0600);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return listen_failure(errno, path);
  ::chmod(path.c_str(), 0600);
  return {};
}

bool out_of_resources(int number) {
  return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

}  // namespace

struct Listener::Impl {
  Impl(Loop& owner, int fd, std::shared_ptr<Quota> shared)
      : loop(owner), watch(owner, fd), quota(std::move(shared)) {}
  ~Impl() {
    if (!path.empty()) ::unlink(path.c_str());
  }
  // The next connection the kernel has, within the quotas; an empty socket when it has none.
  Result<Socket> next();

  Loop& loop;
  FdWatch watch;
  std::shared_ptr<Quota> quota;
  std::string path;  // of the socket file to remove
  uint16_t port = 0;
};

Result<Socket> Listener::Impl::next() {
  for (;;) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const int fd =
        ::accept4(watch.fd(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
      if (errno == EAGAIN) {
        watch.used_up(FdWatch::Side::read);
        return Socket();
      }
      return fail(out_of_resources(errno) ? "net.exhausted" : "net.io",
                  std::string("can't accept: ") + std::strerror(errno));
    }
    const bool tcp = from.sin_family == AF_INET;
    const uint32_t source = tcp ? ntohl(from.sin_addr.s_addr) : 0;
    if (!quota->take(source)) {
      reset_on_close(fd);
      ::close(fd);
      continue;
    }
    std::string peer = "unix";
    if (tcp) {
      tune_tcp(fd);
      peer = fmt::format("{}.{}.{}.{}:{}", source >> 24, source >> 16 & 255, source >> 8 & 255, source & 255,
                         ntohs(from.sin_port));
    }
    Socket socket(fd, std::move(peer));
    socket.slot = std::make_unique<QuotaSlot>(quota, source);
    return socket;
  }
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;

Result<std::unique_ptr<Listener>> Listener::tcp(Loop& loop, uint16_t port, ListenerLimits limits) {
  const std::string where = fmt::format("127.0.0.1:{}", port);
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), where);
  if (!socket) return listen_failure(errno, where);
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(socket.fd(), limits.backlog) != 0 ||
      ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return listen_failure(errno, where);
  }
  auto impl = std::make_unique<Impl>(loop, socket.release(), std::make_shared<Quota>(limits));
  impl->port = ntohs(address.sin_port);
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Result<std::unique_ptr<Listener>> Listener::unix_path(Loop& loop, std::string path, ListenerLimits limits) {
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), path);
  if (!socket) return listen_failure(errno, path);
  TRY_VOID(bind_unix(socket.fd(), path));
  if (::listen(socket.fd(), limits.backlog) != 0) return listen_failure(errno, path);
  auto impl = std::make_unique<Impl>(loop, socket.release(), std::make_shared<Quota>(limits));
  impl->path = std::move(path);
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Result<std::unique_ptr<Listener>> Listener::share(Loop& loop) {
  if (impl_->watch.fd() < 0) return fail("net.closed", "the listener is closed");
  const int copy = ::fcntl(impl_->watch.fd(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return listen_failure(errno, "a listener's copy");
  auto impl = std::make_unique<Impl>(loop, copy, impl_->quota);
  impl->port = impl_->port;
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Task<Result<Socket>> Listener::accept() {
  for (;;) {
    if (impl_->watch.fd() < 0) co_return fail("net.closed", "the listener is closed");
    Result<Socket> socket = impl_->next();
    if (!socket && socket.error().code() == "net.exhausted") {
      co_await impl_->loop.sleep(impl_->quota->limits().backoff);
      continue;
    }
    CO_TRY(Socket accepted, std::move(socket));
    if (accepted) co_return std::move(accepted);
    detail::Woken woken = co_await impl_->watch.wait(FdWatch::Side::read, kNoTimeout);
    (void)woken;
  }
}

void Listener::close() {
  impl_->watch.close();
}
uint16_t Listener::port() const {
  return impl_->port;
}
ListenerCounts Listener::counts() const {
  return impl_->quota->counts();
}

}  // namespace entente::net
