#include "net/dial.h"

#include "net/fd_stream.h"
#include "net/fd_watch.h"
#include "net/http_message.h"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace entente::net {

namespace {

constexpr size_t kAddressesMax = 16;

// A name somebody waits for. `asker` is empty once nobody does any more.
struct LookUp {
  LookUp(Loop& loop, std::string wanted) : name(std::move(wanted)), asker(&loop), done(loop) {}
  std::string name;
  std::mutex mutex;
  Loop* asker;
  Event done;  // on the asker's loop, as is `found`
  Result<std::vector<std::string>> found = fail("net.resolve", "not looked up yet");
};

// Tells the helper thread when the coroutine that asked is gone.
struct LookUpGuard {
  std::shared_ptr<LookUp> look_up;
  ~LookUpGuard() {
    const std::lock_guard lock(look_up->mutex);
    look_up->asker = nullptr;
  }
};

Result<std::vector<std::string>> look_up_now(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); failed != 0) {
    return fail("net.resolve", std::string("the name can't be resolved: ") + ::gai_strerror(failed), name);
  }
  std::vector<std::string> addresses;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* entry = found; entry && addresses.size() < kAddressesMax; entry = entry->ai_next) {
      char text[NI_MAXHOST];
      if (entry->ai_family == family && ::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text,
                                                      nullptr, 0, NI_NUMERICHOST) == 0) {
        addresses.emplace_back(text);
      }
    }
  }
  ::freeaddrinfo(found);
  return addresses;
}

void answer(const std::shared_ptr<LookUp>& look_up, Result<std::vector<std::string>> found) {
  const std::lock_guard lock(look_up->mutex);
  if (!look_up->asker) return;
  look_up->asker->post([look_up, result = std::move(found)]() mutable {
    look_up->found = std::move(result);
    look_up->done.set();
  });
}

bool is_localhost(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.size() < kName.size() || !equal_no_case(host.substr(host.size() - kName.size()), kName))
    return false;
  return host.size() == kName.size() || host[host.size() - kName.size() - 1] == '.';
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<Address> numeric_address(const std::string& host, uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
    return address;
  }
  return std::nullopt;
}

Failure dial_failure(int number, const std::string& where) {
  if (number == ECONNRESET) return fail_with_errno(number, where);
  const char* code =
      number == ECONNREFUSED || number == ENOENT || number == EACCES ? "net.refused" : "net.unreachable";
  return fail(code, std::string("can't connect: ") + std::strerror(number), where);
}

Task<Result<Socket>> connect_to(Loop& loop, Address address, std::string where, Millis timeout) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return dial_failure(errno, where);
  Socket socket(fd, where);
  if (address.storage.ss_family != AF_UNIX) {
    tune_tcp(fd);
    // Also of data on the way. Not of what the door accepts: a browser may be given longer to read.
    const int silence_ms = static_cast<int>(Millis(kTcpSilenceMax).count());
    ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
  }
  const int done = ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  if (done == 0) co_return std::move(socket);
  // EAGAIN: a Unix listener's backlog is full, and there is nothing to wait for.
  if (errno != EINPROGRESS) co_return dial_failure(errno == EAGAIN ? ECONNREFUSED : errno, where);
  FdWatch watch(loop, socket.release());
  watch.used_up(FdWatch::Side::write);
  detail::Woken woken = co_await watch.wait(FdWatch::Side::write, timeout);
  if (woken != detail::Woken::ready) co_return fail("net.timeout", "the connection took too long", where);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(watch.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) co_return dial_failure(error, where);
  co_return Socket(watch.release(), where);
}

}  // namespace

struct Resolver::Impl {
  void work();
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<LookUp>> pending;
  bool stopping = false;
  std::thread thread;  // started by the first look-up
};

void Resolver::Impl::work() {
  for (;;) {
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return stopping || !pending.empty(); });
    if (stopping) return;
    std::shared_ptr<LookUp> next = std::move(pending.front());
    pending.pop_front();
    lock.unlock();
    answer(next, look_up_now(next->name));
  }
}

Resolver::Resolver() : impl_(std::make_shared<Impl>()) {}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Task<Result<std::vector<std::string>>> Resolver::resolve(Loop& loop, std::string name, Millis timeout) {
  LookUpGuard guard{std::make_shared<LookUp>(loop, std::move(name))};
  LookUp& look_up = *guard.look_up;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->pending.size() >= kPendingMax) {
      co_return fail("net.resolve", "too many names wait to be resolved", look_up.name,
                     "try again in a moment");
    }
    impl_->pending.push_back(guard.look_up);
    if (!impl_->thread.joinable()) impl_->thread = std::thread([impl = impl_.get()] { impl->work(); });
  }
  impl_->wake.notify_one();
  bool done = co_await look_up.done.wait(timeout);
  if (!done) co_return fail("net.timeout", "resolving the name took too long", look_up.name);
  co_return std::move(look_up.found);
}

Task<Result<Socket>> dial_tcp(Loop& loop, std::string host, uint16_t port, Millis timeout,
                              Resolver* resolver) {
  const Tick deadline = loop.tick() + timeout;
  const std::string where = fmt::format("{}:{}", host, port);
  std::vector<std::string> addresses;
  if (is_localhost(host)) {
    addresses.emplace_back("127.0.0.1");
  } else if (numeric_address(host, port)) {
    addresses.push_back(host);
  } else if (resolver) {
    Result<std::vector<std::string>> found = co_await resolver->resolve(loop, host, timeout);
    CO_TRY(addresses, std::move(found));
  }
  Result<Socket> socket = fail("net.resolve", "the name has no address here", where);
  for (size_t i = 0; i < addresses.size(); ++i) {
    const std::optional<Address> address = numeric_address(addresses[i], port);
    if (!address) continue;
    const Millis left = std::chrono::duration_cast<Millis>(deadline - loop.tick());
    if (left <= Millis(0)) co_return fail("net.timeout", "the connection took too long", where);
    socket = co_await connect_to(loop, *address, where, left);
    if (socket) break;
  }
  co_return std::move(socket);
}

Task<Result<Socket>> dial_unix(Loop& loop, std::string path, Millis timeout) {
  Address address;
  auto* to = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof to->sun_path) {
    co_return fail("net.unreachable", "a socket path has 1 to 107 bytes", path);
  }
  to->sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), to->sun_path);
  address.length = sizeof *to;
  Result<Socket> socket = co_await connect_to(loop, address, path, timeout);
  co_return std::move(socket);
}

}  // namespace entente::net
