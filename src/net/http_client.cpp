#include "net/http_client.h"

#include "net/http_body.h"
#include "net/url.h"

namespace entente::net {

struct HttpClient::Impl {
  Impl(std::unique_ptr<Stream> to, HttpClientLimits given)
      : limits(given),
        stream(std::move(to)),
        ahead(*stream),
        parser(limits.heads),
        body(ahead, {.heads = limits.heads, .timeout = limits.body_timeout}),
        writer(*stream, limits.write_timeout) {}
  Task<Result<ResponseHead>> read_one_head();
  [[nodiscard]] Loop& loop() const { return ahead.stream().loop(); }

  HttpClientLimits limits;
  std::unique_ptr<Stream> stream;
  ReadAhead ahead;
  ResponseParser parser;
  BodyReader body;
  BodyWriter writer;
  std::string method;
  BodyFraming request_framing;
  BodyFraming framing;
  bool upgrade_wanted = false;
  bool asked = false;     // a request has begun whose answer's head has not come
  bool answered = false;  // its head has come
  bool broken = false;    // nothing more may be asked
};

HttpClient::HttpClient(std::unique_ptr<Stream> stream, HttpClientLimits limits)
    : impl_(std::make_unique<Impl>(std::move(stream), limits)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<void> HttpClient::start(RequestHead head, BodyFraming body) {
  Impl& me = *impl_;
  if (!me.stream || me.broken || me.asked || (me.answered && !(me.body.done() && me.writer.finished()))) {
    return fail("http.state", "the connection can't carry another request now");
  }
  if (head.path.empty()) head.path = head.target;
  for (const char* name : {"content-length", "transfer-encoding", "connection", "keep-alive"})
    head.headers.remove(name);
  me.upgrade_wanted = head.headers.has("upgrade");
  if (me.upgrade_wanted) head.headers.add("Connection", "upgrade");
  const bool expects_body = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  if (body.kind == BodyKind::length || (body.kind == BodyKind::none && expects_body)) {
    head.headers.add("Content-Length", std::to_string(body.length));
  } else if (body.kind == BodyKind::chunked) {
    head.headers.add("Transfer-Encoding", "chunked");
  } else if (body.kind != BodyKind::none) {
    return fail("http.state", "a request's body is none, of known length or in chunks");
  }
  TRY(std::string text, write_request_head(head));
  me.method = std::move(head.method);
  me.request_framing = body;
  me.framing = {};
  me.asked = true;
  me.answered = false;
  me.writer.begin(std::move(text), body, false);
  return {};
}

ByteSink& HttpClient::request_body() {
  return impl_->writer;
}
ByteSource& HttpClient::response_body() {
  return impl_->body;
}
BodyFraming HttpClient::framing() const {
  return impl_->framing;
}

Task<Result<ResponseHead>> HttpClient::Impl::read_one_head() {
  parser.expect(method, upgrade_wanted);
  Tick deadline = loop().tick() + limits.head_timeout;
  for (;;) {
    CO_TRY(const size_t used, parser.feed(ahead.text()));
    ahead.take(used);
    if (parser.done()) co_return parser.take_head();
    const Millis left = std::max(Millis(1), std::chrono::duration_cast<Millis>(deadline - loop().tick()));
    Result<size_t> more = co_await ahead.more(left);
    if (!more && more.error().code() == "net.timeout" && !writer.finished()) {
      deadline = loop().tick() + limits.head_timeout;  // the request's body is still on its way
      continue;
    }
    CO_TRY(const size_t count, std::move(more));
    if (count == 0)
      co_return fail("net.reset", "the server ended the connection without an answer", stream->peer());
  }
}

Task<Result<ResponseHead>> HttpClient::read_head() {
  Impl& me = *impl_;
  if (!me.stream || !me.asked) co_return fail("http.state", "nothing was asked");
  me.broken = true;  // until it went well
  // Whoever writes a body sends the head with it, or before they wait for it: two who write at once would
  // have it overtaken by its body.
  if (me.request_framing.kind == BodyKind::none) {
    Result<void> sent = co_await me.writer.finish();
    CO_TRY_VOID(std::move(sent));
  }
  for (size_t i = 0; i <= me.limits.interim_max; ++i) {
    Result<ResponseHead> got = co_await me.read_one_head();
    CO_TRY(ResponseHead head, std::move(got));
    if (head.status < 200 && head.status != 101) continue;
    me.framing = me.parser.framing();
    me.body.begin(me.framing, false, me.limits.write_timeout);
    me.asked = false;
    me.answered = true;
    me.broken = !me.parser.keep_alive() || me.framing.kind == BodyKind::until_end ||
                me.framing.kind == BodyKind::upgrade;
    co_return std::move(head);
  }
  co_return fail("http.interim", "the server sent too many interim answers", me.stream->peer());
}

Result<Upgraded> HttpClient::take_over() {
  Impl& me = *impl_;
  if (!me.stream || me.framing.kind != BodyKind::upgrade)
    return fail("http.state", "the connection was not upgraded");
  Upgraded upgraded{nullptr, me.ahead.take_all()};
  upgraded.stream = std::move(me.stream);
  return upgraded;
}

bool HttpClient::reusable() {
  Impl& me = *impl_;
  if (!me.stream || me.broken || me.asked || me.stream->aborted() || !me.ahead.empty()) return false;
  if (me.answered && !(me.body.done() && me.writer.finished())) return false;
  uint8_t unasked = 0;
  Result<Stream::Attempt> attempt = me.stream->try_read({&unasked, 1});
  me.broken = !attempt || attempt->next != Stream::Next::readable;
  return !me.broken;
}

Stream& HttpClient::stream() {
  ENTENTE_CHECK(impl_->stream != nullptr);
  return *impl_->stream;
}

void HttpClient::abort() {
  if (impl_->stream) impl_->stream->abort();
}

Task<Result<FetchResponse>> ask(HttpClient& client, RequestHead head, std::string body, size_t body_max) {
  BodyFraming framing;
  if (!body.empty()) framing = {.kind = BodyKind::length, .length = body.size()};
  CO_TRY_VOID(client.start(std::move(head), framing));
  if (!body.empty()) {
    Result<void> written = co_await client.request_body().write(as_bytes(body));
    CO_TRY_VOID(std::move(written));
    Result<void> finished = co_await client.request_body().finish();
    CO_TRY_VOID(std::move(finished));
  }
  Result<ResponseHead> got = co_await client.read_head();
  CO_TRY(ResponseHead answer, std::move(got));
  FetchResponse response{.status = answer.status, .headers = std::move(answer.headers), .body = {}};
  Buffer buffer = client.stream().loop().lend();
  for (;;) {
    Result<size_t> read = co_await client.response_body().read(buffer.span());
    CO_TRY(const size_t count, std::move(read));
    if (count == 0) break;
    if (count > body_max - response.body.size()) {
      client.abort();
      co_return fail("http.body_too_large", "the answer is longer than it may be", client.stream().peer());
    }
    response.body.append(as_text(buffer.span().first(count)));
  }
  co_return std::move(response);
}

namespace {

Task<Result<std::unique_ptr<Stream>>> open_stream(Loop& loop, const Url& url, Tick deadline,
                                                  const TlsClient& tls, Resolver* resolver) {
  const Millis left = std::chrono::duration_cast<Millis>(deadline - loop.tick());
  Result<Socket> dialled = co_await dial_tcp(loop, url.host, url.port, left, resolver);
  CO_TRY(Socket socket, std::move(dialled));
  TlsTarget target{.host = url.host, .timeout = std::chrono::duration_cast<Millis>(deadline - loop.tick())};
  Result<std::unique_ptr<Stream>> secured = co_await tls.connect(loop, std::move(socket), std::move(target));
  co_return std::move(secured);
}

}  // namespace

Task<Result<FetchResponse>> fetch(Loop& loop, FetchRequest request, const TlsClient& tls,
                                  Resolver* resolver) {
  CO_TRY(const Url url, parse_url(request.url));
  if (url.scheme != "https") {
    co_return fail("net.plain", "only https is allowed here", request.url, "use an https address");
  }
  const Tick deadline = loop.tick() + request.timeout;
  Result<std::unique_ptr<Stream>> opened = co_await open_stream(loop, url, deadline, tls, resolver);
  CO_TRY(std::unique_ptr<Stream> stream, std::move(opened));
  HttpClient client(std::move(stream));
  bool late = false;
  Timer timer = loop.after(std::chrono::duration_cast<Millis>(deadline - loop.tick()), [&client, &late] {
    late = true;
    client.abort();
  });
  RequestHead head;
  head.method = std::move(request.method);
  head.path = head.target = url.target();
  head.authority = url.authority();
  head.headers = std::move(request.headers);
  head.headers.set("Host", url.authority());
  Result<FetchResponse> response =
      co_await ask(client, std::move(head), std::move(request.body), request.body_max);
  if (late) co_return fail("net.timeout", "the answer took too long", url.authority());
  co_return std::move(response);
}

}  // namespace entente::net
