#include "net/listener.h"

#include "net/dial.h"
#include "net/net_for_test.h"

#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace entente::net {

namespace {

constexpr Millis kPatience{10'000};

// Blocking: the kernel answers for the listener, whatever that does with the connection afterwards.
Socket dial(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return {fd, "test"};
}

Task<Socket> take(Listener& listener) {
  Result<Socket> socket = co_await listener.accept();
  CHECK(socket);
  co_return std::move(*socket);
}

Task<void> accept_all(Listener* listener, std::vector<Socket>* into) {
  for (;;) {
    Result<Socket> socket = co_await listener->accept();
    if (!socket) co_return;
    into->push_back(std::move(*socket));
  }
}

Task<std::string> read_code(Loop& loop, Socket socket) {
  std::unique_ptr<Stream> stream = make_stream(loop, std::move(socket));
  std::array<uint8_t, 8> buffer;
  Result<size_t> got = co_await stream->read_some(buffer, kPatience);
  co_return got ? "read " + std::to_string(*got) : got.error().code();
}

Task<void> handshake_all(Loop* loop, Listener* listener, const TlsServer* server, int* finished) {
  for (;;) {
    Result<Socket> socket = co_await listener->accept();
    if (!socket) co_return;
    loop->spawn([](Loop* on, Socket fresh, const TlsServer* by, int* count) -> Task<void> {
      Result<std::unique_ptr<Stream>> stream = co_await by->accept(*on, std::move(fresh));
      ++*count;
    }(loop, std::move(*socket), server, finished));
  }
}

Task<bool> connect_tls(Loop& loop, const TlsClient& client, uint16_t port) {
  Result<Socket> socket = co_await dial_tcp(loop, "localhost", port, kPatience);
  if (!socket) co_return false;
  TlsTarget target{.host = "door.xbb.localhost"};
  Result<std::unique_ptr<Stream>> stream =
      co_await client.connect(loop, std::move(*socket), std::move(target));
  co_return stream.has_value();
}

Task<void> wait_until(Loop& loop, std::function<bool()> done) {
  for (int i = 0; i < 5000 && !done(); ++i) co_await loop.sleep(Millis(1));
  CHECK(done());
}

}  // namespace

TEST_CASE("connections over the limit are reset, and fit again once others close") {
  Loop loop;
  auto listener = Listener::tcp(loop, 0, {.connections_max = 2}).value();
  std::vector<Socket> accepted;
  loop.spawn(accept_all(listener.get(), &accepted));
  Socket a = dial(listener->port());
  Socket b = dial(listener->port());
  Socket c = dial(listener->port());
  CHECK(loop.run_until(read_code(loop, std::move(c))) == "net.reset");
  CHECK(accepted.size() == 2);
  CHECK(listener->counts().refused == 1);
  accepted.pop_back();
  Socket d = dial(listener->port());
  loop.run_until(wait_until(loop, [&] { return accepted.size() == 2; }));
  CHECK(listener->counts().connections == 2);
  accepted.clear();
  CHECK(listener->counts().connections == 0);
  CHECK(listener->counts().half_open == 0);
  listener->close();
  loop.run_until(wait_until(loop, [&] { return loop.tasks() == 1; }));
}

TEST_CASE("a TCP peer that is gone without a word is given up, accepted or dialed") {
  Loop loop;
  auto listener = Listener::tcp(loop, 0).value();
  std::vector<Socket> accepted;
  loop.spawn(accept_all(listener.get(), &accepted));
  Result<Socket> dialed = loop.run_until(dial_tcp(loop, "localhost", listener->port(), kPatience));
  REQUIRE(dialed);
  loop.run_until(wait_until(loop, [&] { return accepted.size() == 1; }));
  const auto option = [](const Socket& socket, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    REQUIRE(::getsockopt(socket.fd(), level, name, &value, &length) == 0);
    return value;
  };
  accepted.push_back(std::move(*dialed));
  for (const Socket& socket : accepted) {
    CHECK(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPCNT) * option(socket, IPPROTO_TCP, TCP_KEEPINTVL) == 30);
  }
  CHECK(option(accepted[1], IPPROTO_TCP, TCP_USER_TIMEOUT) == 90'000);
}

TEST_CASE("one source has its own limit") {
  Loop loop;
  auto listener = Listener::tcp(loop, 0, {.connections_per_source_max = 1}).value();
  std::vector<Socket> accepted;
  loop.spawn(accept_all(listener.get(), &accepted));
  Socket a = dial(listener->port());
  Socket b = dial(listener->port());
  CHECK(loop.run_until(read_code(loop, std::move(b))) == "net.reset");
}

TEST_CASE("a flood of silent connections is bounded and cut, and honest clients get in again") {
  Loop loop;
  TlsServerConfig config = testing::door_config();
  config.handshake_timeout = Millis(300);
  const TlsServer server = TlsServer::make(std::move(config)).value();
  const TlsClient client = TlsClient::make(testing::browser_config()).value();
  auto listener = Listener::tcp(loop, 0, {.half_open_max = 4}).value();
  int finished = 0;
  loop.spawn(handshake_all(&loop, listener.get(), &server, &finished));
  std::vector<Socket> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(dial(listener->port()));
  loop.run_until(wait_until(loop, [&] { return listener->counts().refused == 6; }));
  CHECK(listener->counts().half_open == 4);
  CHECK(finished == 0);
  loop.run_until(wait_until(loop, [&] { return finished == 4; }));
  CHECK(listener->counts().half_open == 0);
  CHECK(listener->counts().connections == 0);
  CHECK(loop.run_until(connect_tls(loop, client, listener->port())));
}

TEST_CASE("an established connection is not half open") {
  Loop loop;
  auto listener = Listener::tcp(loop, 0, {.half_open_max = 1}).value();
  Socket a = dial(listener->port());
  auto first = make_stream(loop, loop.run_until(take(*listener)));
  Socket b = dial(listener->port());
  auto second = make_stream(loop, loop.run_until(take(*listener)));
  CHECK(listener->counts().connections == 2);
  CHECK(listener->counts().half_open == 0);
}

TEST_CASE("a listener shared by two loops has one quota, and sockets may close on any thread") {
  Loop here;
  Loop there;
  auto listener = Listener::tcp(here, 0, {.connections_max = 50}).value();
  auto shared = listener->share(there).value();
  CHECK(shared->port() == listener->port());
  std::vector<Socket> here_accepted;
  std::vector<Socket> there_accepted;
  here.spawn(accept_all(listener.get(), &here_accepted));
  there.spawn(accept_all(shared.get(), &there_accepted));
  std::thread other([&] { there.run(); });
  std::vector<Socket> dialled;
  for (int i = 0; i < 60; ++i) dialled.push_back(dial(listener->port()));
  here.run_until(
      wait_until(here, [&] { return listener->counts().accepted + listener->counts().refused == 60; }));
  CHECK(listener->counts().connections == 50);
  there.stop();
  other.join();
  CHECK(here_accepted.size() + there_accepted.size() == 50);
  there_accepted.clear();
  here_accepted.clear();
  CHECK(listener->counts().connections == 0);
}

TEST_CASE("out of file descriptors, the listener pauses and goes on") {
  Loop loop;
  auto listener = Listener::tcp(loop, 0, {.backoff = Millis(5)}).value();
  std::vector<Socket> accepted;
  Socket waiting = dial(listener->port());
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int next_free = ::dup(0);
  ::close(next_free);
  const rlimit none{.rlim_cur = static_cast<rlim_t>(next_free), .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  loop.spawn(accept_all(listener.get(), &accepted));
  loop.run_until([](Loop* on) -> Task<void> { co_await on->sleep(Millis(15)); }(&loop));
  CHECK(accepted.empty());
  ::setrlimit(RLIMIT_NOFILE, &before);
  loop.run_until(wait_until(loop, [&] { return accepted.size() == 1; }));
}

}  // namespace entente::net
