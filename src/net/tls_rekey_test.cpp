// What a peer can do with the one thing of TLS that makes reading write: a key update that wants an answer.
#include "net/net_for_test.h"
#include "net/stream.h"
#include "net/stream_for_test.h"
#include "net/tls.h"

#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/ssl.h>

namespace entente::net {
namespace {

// A server's stream, and a client that is OpenSSL alone.
struct Rekeying {
  Loop loop;
  TlsServer server = TlsServer::make(testing::door_config()).value();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  Socket end;
  std::unique_ptr<Stream> stream;

  Rekeying() {
    auto sockets = socket_pair().value();
    end = std::move(sockets.second);
    SSL_set_fd(ssl, end.fd());
    const int flags = ::fcntl(end.fd(), F_GETFL);
    ::fcntl(end.fd(), F_SETFL, flags & ~O_NONBLOCK);
    std::thread shaking([this] { SSL_connect(ssl); });
    stream = loop.run_until(server.accept(loop, std::move(sockets.first))).value();
    shaking.join();
    ::fcntl(end.fd(), F_SETFL, flags | O_NONBLOCK);
  }
  ~Rekeying() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  Rekeying(const Rekeying&) = delete;
  Rekeying& operator=(const Rekeying&) = delete;

  bool ask_for_new_keys() {
    return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
  }
  // Twice: OpenSSL answers the first with its next write.
  void ask_and_read() {
    for (int i = 0; i < 2; ++i) {
      REQUIRE(ask_for_new_keys());
      turn();
      CHECK(read() == Stream::Next::readable);
    }
  }
  // What a read that never waits comes to; nothing but key updates is sent here.
  Stream::Next read() {
    std::array<uint8_t, 1024> into;
    const Result<Stream::Attempt> attempt = stream->try_read(into);
    REQUIRE(attempt);
    return attempt->next;
  }
  // All that is there for the client now.
  std::string take() {
    std::string all;
    std::array<char, 4096> into;
    for (;;) {
      const int got = SSL_read(ssl, into.data(), into.size());
      if (got <= 0) return all;
      all.append(into.data(), static_cast<size_t>(got));
    }
  }
  // Hands over `text` until it is all taken or the socket is full; what is left.
  std::string_view write(std::string_view text) {
    while (!text.empty()) {
      const Result<Stream::Attempt> attempt = stream->try_write(Gather{{as_bytes(text)}});
      REQUIRE(attempt);
      if (attempt->next != Stream::Next::done) break;
      text.remove_prefix(attempt->bytes);
    }
    return text;
  }
  void turn() {
    loop.run_until([](Loop* on) -> Task<void> { co_await on->sleep(Millis(0)); }(&loop));
  }
};

std::string pattern(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += std::to_string(text.size()) + " ";
  return text;
}

}  // namespace

TEST_CASE("attack: who asks for new keys and reads no answer does not keep the loop busy") {
  Rekeying t;
  Stream::Next next = Stream::Next::readable;
  for (int asked = 0; asked < 100'000 && next == Stream::Next::readable; ++asked) {
    REQUIRE(t.ask_for_new_keys());
    t.turn();
    next = t.read();
  }
  REQUIRE(next == Stream::Next::writable);  // no room for another answer
  CHECK(t.take().empty());
  REQUIRE(t.ask_for_new_keys());
  t.turn();
  // There is room again: one attempt after another may not come to nothing for ever.
  for (int tried = 0; tried < 1'000 && next == Stream::Next::writable; ++tried) {
    t.take();
    t.turn();
    next = t.read();
  }
  CHECK(next == Stream::Next::readable);
}

TEST_CASE("attack: an answer to a key update takes no bytes of a held session along") {
  Rekeying t;
  auto gate = std::make_shared<Gate>();
  t.stream->set_gate(gate);
  const std::string text = pattern(2'000'000);
  std::string_view left = t.write(text);
  REQUIRE(!left.empty());
  gate->close();
  std::string got = t.take();
  t.ask_and_read();
  CHECK(t.take().empty());
  gate->open();
  for (int turns = 0; turns < 10'000 && got.size() < text.size(); ++turns) {
    t.turn();
    left = t.write(left);
    got += t.take();
  }
  const bool whole = got == text;
  CHECK(whole);
}

TEST_CASE("an answer to a key update in the middle of a write doubles nothing of it") {
  Rekeying t;
  const std::string text = pattern(2'000'000);
  std::string_view left = t.write(text);
  REQUIRE(!left.empty());
  std::string got = t.take();
  t.ask_and_read();
  got += t.take();
  for (int turns = 0; turns < 10'000 && got.size() < text.size(); ++turns) {
    t.turn();
    left = t.write(left);
    got += t.take();
  }
  const bool whole = got == text;
  CHECK(whole);
}

}  // namespace entente::net
