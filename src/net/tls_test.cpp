#include "net/tls.h"

#include "net/dial.h"
#include "net/listener.h"
#include "net/net_for_test.h"
#include "net/stream_for_test.h"

#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace entente::net {

using testing::authority;
using testing::browser_config;
using testing::door_config;

namespace {

constexpr Millis kPatience{10'000};

struct Shaken {
  Result<std::unique_ptr<Stream>> server = fail("test", "no handshake");
  Result<std::unique_ptr<Stream>> client = fail("test", "no handshake");
};

Task<void> serve_one(Loop* loop, Listener* listener, const TlsServer* server, Shaken* into, Event* done) {
  Result<Socket> socket = co_await listener->accept();
  into->server = co_await server->accept(*loop, std::move(*socket));
  done->set();
}

Task<Shaken> shake(Loop& loop, const TlsServer& server, const TlsClient& client, TlsTarget target) {
  Shaken shaken;
  Event done(loop);
  auto listener = Listener::tcp(loop, 0).value();
  loop.spawn(serve_one(&loop, listener.get(), &server, &shaken, &done));
  Result<Socket> socket = co_await dial_tcp(loop, "127.0.0.1", listener->port(), kPatience);
  shaken.client = co_await client.connect(loop, std::move(*socket), target);
  if (!shaken.client) shaken.client.error().where().clear();
  bool set = co_await done.wait(kPatience);
  CHECK(set);
  co_return std::move(shaken);
}

const TlsTarget kDoor{.host = "door.xbb.localhost"};

Task<std::string> read_text(Stream& stream) {
  std::array<uint8_t, 4096> buffer;
  Result<size_t> got = co_await stream.read_some(buffer, kPatience);
  if (!got) co_return "!" + got.error().code();
  co_return *got == 0 ? std::string("!end") : std::string(as_text(ByteView(buffer).first(*got)));
}

Task<std::string> write_code(Stream& stream, std::string text) {
  Result<void> sent = co_await stream.write_all(as_bytes(text), kPatience);
  co_return sent ? "written" : sent.error().code();
}

Task<bool> end_writing(Stream& stream) {
  Result<void> ended = co_await stream.shutdown_write(kPatience);
  co_return ended.has_value();
}

Task<void> write_much(Stream* stream, size_t bytes) {
  const std::string head = "head";
  const std::string body(bytes, 'b');
  Result<void> sent = co_await stream->write_all(as_bytes(head), as_bytes(body), kPatience);
  CHECK(sent);
  Result<void> ended = co_await stream->shutdown_write(kPatience);
  CHECK(ended);
}

Task<std::string> read_all(Stream& stream) {
  std::string all;
  Bytes buffer(64 * 1024);
  for (;;) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got) co_return all + "!" + got.error().code();
    if (*got == 0) co_return all;
    all.append(as_text(ByteView(buffer).first(*got)));
  }
}

Task<void> abort_soon(Loop* loop, Stream* stream) {
  co_await loop->sleep(Millis(2));
  stream->abort();
}

Task<void> echo_on(Loop* loop, Parked parked) {
  std::unique_ptr<Stream> stream = adopt(*loop, std::move(parked));
  std::string text = co_await read_all(*stream);
  co_await write_much(stream.get(), text.size());
}

TlsClient make_client(std::vector<std::string> alpn, std::optional<TlsIdentity> identity = std::nullopt) {
  TlsClientConfig config = browser_config();
  config.alpn = std::move(alpn);
  config.identity = std::move(identity);
  return TlsClient::make(std::move(config)).value();
}

struct TlsTest {
  Loop loop;
  TlsServer server = TlsServer::make(door_config()).value();
  Shaken with(const TlsClient& client, TlsTarget target = kDoor) {
    return loop.run_until(shake(loop, server, client, std::move(target)));
  }
};

}  // namespace

TEST_CASE("the ALPN name decides, and a browser is never asked for a certificate") {
  TlsTest t;
  // This client would show a certificate if it were asked for one.
  const TlsClient browser = make_client({"http/1.1"}, authority().issue("XAA", {"xaa.localhost"}));
  Shaken shaken = t.with(browser);
  REQUIRE(shaken.server);
  REQUIRE(shaken.client);
  CHECK((*shaken.server)->tls()->alpn == "http/1.1");
  CHECK((*shaken.client)->tls()->alpn == "http/1.1");
  CHECK((*shaken.server)->tls()->thumbprint == Thumbprint{});
  CHECK((*shaken.client)->tls()->thumbprint != Thumbprint{});
}

TEST_CASE("a link shows its certificate, which the server hands up by thumbprint") {
  TlsTest t;
  TlsIdentity identity = authority().issue("XAA", {"xaa.localhost"});
  const Thumbprint own = testing::thumbprint_of(identity);
  Shaken shaken = t.with(make_client({"entente-link/1"}, std::move(identity)));
  REQUIRE(shaken.server);
  CHECK((*shaken.server)->tls()->alpn == "entente-link/1");
  CHECK((*shaken.server)->tls()->thumbprint == own);
}

TEST_CASE("a link without a certificate is refused by the handshake") {
  TlsTest t;
  Shaken shaken = t.with(make_client({"entente-link/1"}));
  CHECK(shaken.server.error().code() == "tls.handshake");
}

TEST_CASE("unknown protocols are refused, none at all means the default") {
  TlsTest t;
  CHECK(t.with(make_client({"h2"})).server.error().code() == "tls.handshake");
  Shaken shaken = t.with(make_client({}));
  REQUIRE(shaken.server);
  CHECK((*shaken.server)->tls()->alpn == "http/1.1");
}

TEST_CASE(
    "a client refuses a server with another name, another authority or another certificate than the pin") {
  TlsTest t;
  const TlsClient client = make_client({"http/1.1"});
  const Thumbprint own = testing::thumbprint_of(testing::door_identity());      // a renewed certificate
  CHECK(t.with(client, {.host = "cop-xaa.xbb.localhost"}).client.has_value());  // the wildcard
  CHECK(t.with(client, {.host = "door.xcc.localhost"}).client.error().code() == "tls.untrusted");
  CHECK(t.with(client, {.host = "127.0.0.1"}).client.error().code() == "tls.untrusted");
  CHECK(t.with(client, {.host = "door.xbb.localhost", .pins = {own}}).client.error().code() ==
        "tls.untrusted");
  CHECK(t.with(client, {}).client.error().code() == "tls.untrusted");
  TlsClientConfig trusts_nobody = browser_config();
  trusts_nobody.trust_pem.clear();
  CHECK(t.with(TlsClient::make(trusts_nobody).value()).client.error().code() == "tls.untrusted");
}

// OpenSSL's own check of a path lets it serve: a certificate that does not say its use counts for every one.
TEST_CASE("attack: a trusted certificate that is none of a server serves") {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 7);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509V3_CTX context;
  X509V3_set_ctx(&context, made.get(), made.get(), nullptr, nullptr, 0);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, "critical,DNS:door.xbb.localhost");
  X509_add_ext(made.get(), names, -1);
  X509_EXTENSION_free(names);
  REQUIRE(X509_sign(made.get(), key.get(), EVP_sha256()) > 0);
  const auto pem_of = [](auto write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    write(bio.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<size_t>(size));
  };
  const std::string pem = pem_of([&](BIO* out) { PEM_write_bio_X509(out, made.get()); });
  TlsServerConfig config = door_config();
  config.identity = {.chain_pem = pem, .key_pem = pem_of([&](BIO* out) {
                                         PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0,
                                                                       nullptr, nullptr);
                                       })};
  Loop loop;
  const TlsServer server = TlsServer::make(std::move(config)).value();
  const TlsClient client = TlsClient::make({.trust_pem = pem, .alpn = {"http/1.1"}}).value();
  const Shaken shaken = loop.run_until(shake(loop, server, client, kDoor));
  REQUIRE_FALSE(shaken.client.has_value());
  CHECK(shaken.client.error().code() == "tls.untrusted");
  CHECK(shaken.client.error().what().find("it does not say its use") != std::string::npos);
}

TEST_CASE("a pinned server needs no authority and no name") {
  Loop loop;
  TlsServerConfig config = door_config();
  const Thumbprint pin = testing::thumbprint_of(config.identity);
  const TlsServer server = TlsServer::make(std::move(config)).value();
  const TlsClient client = TlsClient::make({.alpn = {"http/1.1"}}).value();
  // Two while it is being changed: either may be the one that is shown, in any order.
  Thumbprint other{};
  for (const std::vector<Thumbprint>& pins : {std::vector{pin, other}, {other, pin}}) {
    Shaken both = loop.run_until(shake(loop, server, client, {.pins = pins}));
    CHECK(both.client.has_value());
  }
  Shaken neither = loop.run_until(shake(loop, server, client, {.pins = {other, other}}));
  CHECK(neither.client.error().code() == "tls.untrusted");
  Shaken shaken = loop.run_until(shake(loop, server, client, {.pins = {pin}}));
  REQUIRE(shaken.client);
  CHECK((*shaken.client)->tls()->thumbprint == pin);
}

TEST_CASE("TLS 1.2 is refused") {
  Loop loop;
  const TlsServer server = TlsServer::make(door_config()).value();
  auto sockets = socket_pair().value();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL* old = SSL_new(context);
  SSL_set_fd(old, sockets.second.fd());
  SSL_set_connect_state(old);
  SSL_do_handshake(old);  // sends its hello; the socket does not block
  auto refused = loop.run_until(server.accept(loop, std::move(sockets.first)));
  CHECK(refused.error().code() == "tls.handshake");
  SSL_free(old);
  SSL_CTX_free(context);
}

TEST_CASE("a ticket earned without a certificate does not open the link protocol") {
  Loop loop;
  const TlsServer server = TlsServer::make(door_config()).value();
  auto listener = Listener::tcp(loop, 0).value();
  // A client of its own that keeps the ticket and comes back with another protocol, without a certificate.
  std::string outcome;
  const uint16_t port = listener->port();
  std::thread client([&outcome, port] {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    static thread_local SSL_SESSION* ticket = nullptr;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, [](SSL*, SSL_SESSION* session) {
      if (ticket) SSL_SESSION_free(ticket);
      ticket = session;
      return 1;
    });
    for (const std::string alpn : {"\x08http/1.1", "\x08http/1.1",
                                   "\x0e"
                                   "entente-link/1"}) {
      BIO* bio = BIO_new_connect(("127.0.0.1:" + std::to_string(port)).c_str());
      SSL* ssl = SSL_new(context);
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
      if (ticket) SSL_set_session(ssl, ticket);
      SSL_set_bio(ssl, bio, bio);
      char byte = 0;
      const bool ok = SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1;
      outcome += ok ? (SSL_session_reused(ssl) ? "resumed " : "new ") : "refused ";
      SSL_shutdown(ssl);  // or OpenSSL forgets the session
      SSL_free(ssl);
    }
    if (ticket) SSL_SESSION_free(ticket);
    SSL_CTX_free(context);
  });
  std::string served;
  loop.run_until([](Loop* on, Listener* from, const TlsServer* by, std::string* log) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      Result<Socket> socket = co_await from->accept();
      Result<std::unique_ptr<Stream>> stream = co_await by->accept(*on, std::move(*socket));
      *log += stream ? "yes " : "no ";
      if (!stream) continue;
      std::string code = co_await write_code(**stream, "x");
      std::string rest = co_await read_text(**stream);
    }
  }(&loop, listener.get(), &server, &served));
  client.join();
  CHECK(outcome == "new resumed refused ");
  CHECK(served == "yes yes no ");
}

TEST_CASE("much data, small pieces beside large ones, and a clean end") {
  TlsTest t;
  Shaken s = t.with(make_client({"http/1.1"}));
  t.loop.spawn(write_much(s.server->get(), 5'000'000));
  CHECK(t.loop.run_until(read_all(**s.client)) == "head" + std::string(5'000'000, 'b'));
  CHECK(t.loop.run_until(write_code(**s.client, "back")) == "written");
  CHECK(t.loop.run_until(read_text(**s.server)) == "back");
  CHECK(t.loop.run_until(end_writing(**s.client)));
  CHECK(t.loop.run_until(read_text(**s.server)) == "!end");
}

TEST_CASE("a connection that ends without close_notify is not a clean end") {
  TlsTest t;
  Shaken s = t.with(make_client({"http/1.1"}));
  s.client->reset();
  CHECK(t.loop.run_until(read_text(**s.server)) == "!net.reset");
}

TEST_CASE("after the gate closes nothing more reaches the other side") {
  TlsTest t;
  Shaken s = t.with(make_client({"http/1.1"}));
  auto gate = std::make_shared<Gate>();
  (*s.server)->set_gate(gate);
  CHECK(t.loop.run_until(write_code(**s.server, "one")) == "written");
  gate->close();
  CHECK(t.loop.run_until(write_code(**s.server, "two")) == "net.fenced");
  CHECK_FALSE(t.loop.run_until(end_writing(**s.server)));
  CHECK(t.loop.run_until(read_text(**s.client)) == "one");
  (*s.server)->abort();
  CHECK(t.loop.run_until(read_text(**s.client)) == "!net.reset");
}

TEST_CASE("abort wakes a TLS reader") {
  TlsTest t;
  Shaken s = t.with(make_client({"http/1.1"}));
  t.loop.spawn(abort_soon(&t.loop, s.server->get()));
  CHECK(t.loop.run_until(read_text(**s.server)) == "!net.aborted");
}

TEST_CASE("both ends export the same keying material") {
  TlsTest t;
  Shaken s = t.with(make_client({"http/1.1"}));
  const auto label = "EXPORTER-Channel-Binding";
  const Bytes ours = (*s.server)->tls_exporter(label, {}, 32).value();
  CHECK(ours == (*s.client)->tls_exporter(label, {}, 32).value());
  CHECK(ours != (*s.client)->tls_exporter("EXPORTER-other", {}, 32).value());
}

TEST_CASE("a TLS stream moves to another thread's loop in mid flow") {
  TlsTest t;
  Loop there;
  std::thread other([&] { there.run(); });
  {
    Shaken s = t.with(make_client({"http/1.1"}));
    CHECK(t.loop.run_until(write_code(**s.client, "12345678")) == "written");
    CHECK(t.loop.run_until(end_writing(**s.client)));
    there.spawn(echo_on(&there, (*s.server)->park().value()));
    CHECK(t.loop.run_until(read_all(**s.client)) == "headbbbbbbbb");
  }
  there.stop();
  other.join();
}

TEST_CASE("a peer that does not finish its handshake is cut") {
  Loop loop;
  TlsServerConfig config = door_config();
  config.handshake_timeout = Millis(5);
  const TlsServer server = TlsServer::make(std::move(config)).value();
  auto sockets = socket_pair().value();
  auto result = loop.run_until(server.accept(loop, std::move(sockets.first)));
  CHECK(result.error().code() == "net.timeout");
}

TEST_CASE("reload shows the new certificate, and a faulty one changes nothing") {
  TlsTest t;
  const TlsClient client = make_client({"http/1.1"});
  TlsIdentity fresh = testing::door_identity();
  const Thumbprint expected = testing::thumbprint_of(fresh);
  CHECK(t.server.reload({.chain_pem = "nonsense", .key_pem = fresh.key_pem}).error().code() ==
        "tls.certificate");
  CHECK(t.server.reload({.chain_pem = fresh.chain_pem, .key_pem = "nonsense"}).error().code() == "tls.key");
  CHECK(t.server.reload({.chain_pem = fresh.chain_pem, .key_pem = testing::door_identity().key_pem})
            .error()
            .code() == "tls.mismatch");
  REQUIRE(t.with(client).client);
  REQUIRE(t.server.reload(std::move(fresh)));
  CHECK((*t.with(client).client)->tls()->thumbprint == expected);
}

}  // namespace entente::net
