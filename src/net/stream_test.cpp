#include "net/stream.h"

#include "net/dial.h"
#include "net/listener.h"
#include "net/stream_for_test.h"

#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace entente::net {

namespace {

constexpr Millis kPatience{10'000};

StreamPair unix_streams(Loop& loop) {
  auto sockets = socket_pair().value();
  return {make_stream(loop, std::move(sockets.first)), make_stream(loop, std::move(sockets.second))};
}

Task<std::string> read_all(Stream& stream) {
  std::string all;
  std::array<uint8_t, 4096> buffer;
  for (;;) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got) co_return all + "!" + got.error().code();
    if (*got == 0) co_return all;
    all.append(as_text(ByteView(buffer).first(*got)));
  }
}

Task<std::string> read_code(Stream& stream, Millis timeout) {
  std::array<uint8_t, 16> buffer;
  Result<size_t> got = co_await stream.read_some(buffer, timeout);
  co_return got ? "read " + std::to_string(*got) : got.error().code();
}

Task<std::string> write_code(Stream& stream, std::string text, Millis timeout) {
  Result<void> sent = co_await stream.write_all(as_bytes(text), timeout);
  co_return sent ? "written" : sent.error().code();
}

Task<void> write_and_end(Stream* stream, std::string text) {
  Result<void> sent = co_await stream->write_all(as_bytes(text).first(text.size() / 2),
                                                 as_bytes(text).subspan(text.size() / 2), kPatience);
  CHECK(sent);
  Result<void> ended = co_await stream->shutdown_write(kPatience);
  CHECK(ended);
}

Task<void> abort_soon(Loop* loop, Stream* stream) {
  co_await loop->sleep(Millis(2));
  stream->abort();
}

template <class Make>
void check_stream(Make make) {
  Loop loop;
  SUBCASE("all bytes arrive, then a clean end, and the other direction goes on") {
    StreamPair pair = make(loop);
    const std::string text(300'000, 'x');
    loop.spawn(write_and_end(pair.a.get(), text));
    CHECK(loop.run_until(read_all(*pair.b)) == text);
    loop.spawn(write_and_end(pair.b.get(), "back"));
    CHECK(loop.run_until(read_all(*pair.a)) == "back");
  }
  SUBCASE("a read that gets nothing times out and the stream stays usable") {
    StreamPair pair = make(loop);
    CHECK(loop.run_until(read_code(*pair.a, Millis(1))) == "net.timeout");
    CHECK(loop.run_until(write_code(*pair.b, "abc", kPatience)) == "written");
    CHECK(loop.run_until(read_code(*pair.a, kPatience)) == "read 3");
  }
  SUBCASE("a write nobody reads times out") {
    StreamPair pair = make(loop);
    CHECK(loop.run_until(write_code(*pair.a, std::string(8 << 20, 'x'), Millis(5))) == "net.timeout");
  }
  SUBCASE("abort wakes a waiting reader") {
    StreamPair pair = make(loop);
    loop.spawn(abort_soon(&loop, pair.a.get()));
    CHECK(loop.run_until(read_code(*pair.a, kPatience)) == "net.aborted");
    CHECK(loop.run_until(write_code(*pair.a, "x", kPatience)) == "net.aborted");
  }
  SUBCASE("abort wakes a waiting writer") {
    StreamPair pair = make(loop);
    loop.spawn(abort_soon(&loop, pair.a.get()));
    CHECK(loop.run_until(write_code(*pair.a, std::string(8 << 20, 'x'), kPatience)) == "net.aborted");
  }
  SUBCASE("a closed gate lets no byte and no clean end pass") {
    StreamPair pair = make(loop);
    auto gate = std::make_shared<Gate>();
    pair.a->set_gate(gate);
    CHECK(loop.run_until(write_code(*pair.a, "before", kPatience)) == "written");
    gate->close();
    CHECK(loop.run_until(write_code(*pair.a, "after", kPatience)) == "net.fenced");
    pair.a->set_gate(nullptr);
    loop.spawn(write_and_end(pair.a.get(), "freed"));
    CHECK(loop.run_until(read_all(*pair.b)) == "beforefreed");
  }
}

Task<StreamPair> tcp_streams_on(Loop& loop) {
  auto listener = Listener::tcp(loop, 0).value();
  Result<Socket> dialled = co_await dial_tcp(loop, "door.xbb.localhost", listener->port(), kPatience);
  Result<Socket> accepted = co_await listener->accept();
  co_return StreamPair{make_stream(loop, std::move(*dialled)), make_stream(loop, std::move(*accepted))};
}

Task<std::string> dial_code(Loop& loop, std::string host, uint16_t port, Resolver* resolver = nullptr) {
  Result<Socket> socket = co_await dial_tcp(loop, host, port, kPatience, resolver);
  co_return socket ? "connected" : socket.error().code();
}

Task<StreamPair> unix_path_streams(Loop& loop, Listener& listener, std::string path) {
  Result<Socket> dialled = co_await dial_unix(loop, path, kPatience);
  Result<Socket> accepted = co_await listener.accept();
  co_return StreamPair{make_stream(loop, std::move(*dialled)), make_stream(loop, std::move(*accepted))};
}

Task<void> echo_on(Loop* loop, Parked parked) {
  std::unique_ptr<Stream> stream = adopt(*loop, std::move(parked));
  std::string text = co_await read_all(*stream);
  co_await write_and_end(stream.get(), text);
}

Task<std::string> send_and_read(Stream& stream, std::string text) {
  co_await write_and_end(&stream, text);
  std::string back = co_await read_all(stream);
  co_return back;
}

std::string temporary_folder() {
  char name[] = "/tmp/entente-net-XXXXXX";
  return ::mkdtemp(name);
}

}  // namespace

TEST_CASE("a plain stream over a Unix socket") {
  check_stream(unix_streams);
}
TEST_CASE("a plain stream over TCP") {
  check_stream([](Loop& loop) { return loop.run_until(tcp_streams_on(loop)); });
}
TEST_CASE("a stream in memory") {
  check_stream([](Loop& loop) { return memory_pair(loop); });
}

TEST_CASE("aborting a TCP stream resets it for the other side") {
  Loop loop;
  StreamPair pair = loop.run_until(tcp_streams_on(loop));
  pair.a->abort();
  CHECK(loop.run_until(read_code(*pair.b, kPatience)) == "net.reset");
}

TEST_CASE("localhost names are 127.0.0.1 without any resolver, others need one") {
  Loop loop;
  Resolver resolver;
  auto listener = Listener::tcp(loop, 0).value();
  CHECK(loop.run_until(dial_code(loop, "LOCALHOST", listener->port())) == "connected");
  CHECK(loop.run_until(dial_code(loop, "a.b.localhost", listener->port())) == "connected");
  CHECK(loop.run_until(dial_code(loop, "127.0.0.1", listener->port())) == "connected");
  CHECK(loop.run_until(dial_code(loop, "notlocalhost", listener->port())) == "net.resolve");
  CHECK(loop.run_until(dial_code(loop, "name.invalid", listener->port(), &resolver)) == "net.resolve");
  const uint16_t port = listener->port();
  listener.reset();
  CHECK(loop.run_until(dial_code(loop, "localhost", port)) == "net.refused");
}

TEST_CASE("a Unix listener's file is for its owner only, and gone afterwards") {
  Loop loop;
  const std::string folder = temporary_folder();
  const std::string path = folder + "/app.sock";
  {
    auto listener = Listener::unix_path(loop, path).value();
    struct stat found{};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
    StreamPair pair = loop.run_until(unix_path_streams(loop, *listener, path));
    loop.spawn(write_and_end(pair.a.get(), "hello"));
    CHECK(loop.run_until(read_all(*pair.b)) == "hello");
    CHECK(Listener::unix_path(loop, path).error().code() == "net.listen");  // in use
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
  // A socket file left behind by a killed process is replaced; a file that is no socket is not.
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::copy(path.begin(), path.end(), address.sun_path);
  const int left_behind = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(left_behind, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left_behind);
  CHECK(Listener::unix_path(loop, path).has_value());
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  ::close(file);
  CHECK(Listener::unix_path(loop, path).error().code() == "net.listen");
  ::unlink(path.c_str());
  ::rmdir(folder.c_str());
}

TEST_CASE("a stream moves to another loop with what was sent before") {
  Loop here;
  Loop there;
  std::thread other([&] { there.run(); });
  {
    StreamPair pair = unix_streams(here);
    Parked parked = pair.b->park().value();
    CHECK(here.run_until(read_code(*pair.b, kPatience)) == "net.closed");
    there.spawn(echo_on(&there, std::move(parked)));
    CHECK(here.run_until(send_and_read(*pair.a, "over there")) == "over there");
  }
  there.stop();
  other.join();
}

}  // namespace entente::net
