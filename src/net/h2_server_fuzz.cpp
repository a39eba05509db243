// A browser that sends anything after its preface: whatever a handler gets to see could stand in HTTP/1.1 as
// one request, its body has the length that was said, and the connection ends when the browser's side does.
#include "net/http1_parser.h"
#include "net/http_server_internal.h"
#include "net/loop.h"
#include "net/stream_for_test.h"

#include <array>
#include <cstdlib>

using namespace entente;
using namespace entente::net;

namespace {

constexpr Millis kPatience{5'000};
constexpr size_t kBodyMax = 64 * 1024;

void must(bool condition) {
  if (!condition) std::abort();
}

void must_be_one_request(const HttpCall& call, const RequestHead& seen) {
  RequestHead head = seen;
  head.target = head.path;
  head.version = HttpVersion::http1_1;
  const Result<std::string> text = write_request_head(head);
  must(text.has_value());
  RequestParser parser(HttpLimits{.fields_max = 200, .head_bytes_max = 64 * 1024});
  const Result<size_t> used = parser.feed(*text);
  // What HTTP/1.1 refuses it refuses as a whole; what it takes ends where it should.
  must(!used || !parser.done() || *used == text->size());
  must(head.headers.count("host") == 0 && call.framing().kind != BodyKind::chunked);
}

Task<void> serve(HttpCall& call) {
  must_be_one_request(call, call.head());
  if (!call.upgrade().empty()) {
    Headers none;
    Result<std::unique_ptr<Tunnel>> tunnel = co_await call.take_over(std::move(none));
    if (!tunnel) co_return;
    [[maybe_unused]] const Result<uint64_t> moved =
        co_await pump(call.loop(), (*tunnel)->source(), (*tunnel)->sink());
    co_return;
  }
  Result<std::string> body = co_await call.read_all(kBodyMax);
  if (body && call.framing().kind == BodyKind::length) must(body->size() == call.framing().length);
  ResponseHead head = head_of(200);
  std::string text = body ? std::move(*body) : std::string();
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(text));
}

Task<void> browse(Stream& stream, Bytes bytes, size_t piece) {
  ByteView rest(bytes);
  while (!rest.empty()) {
    const size_t count = std::min(piece, rest.size());
    Result<void> sent = co_await stream.write_all(rest.first(count), kPatience);
    if (!sent) co_return;
    rest = rest.subspan(count);
  }
  Result<void> ended = co_await stream.shutdown_write(kPatience);
  std::array<uint8_t, 4096> buffer;
  while (ended) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got || *got == 0) break;
  }
  stream.abort();
}

Task<void> serve_and_say(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service,
                         bool* over) {
  co_await serve_h2(std::move(stream), std::move(service));
  *over = true;
}

Task<void> let_end(Loop& loop, const bool& over) {
  for (int turn = 0; turn < 2'000 && !over; ++turn) co_await loop.sleep(Millis(0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > kBodyMax) return 0;
  Loop loop;
  StreamPair pair = memory_pair(loop);
  const auto service = std::make_shared<HttpService>();
  service->handle = [](HttpCall& call) { return serve(call); };
  Bytes bytes = to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  bytes.insert(bytes.end(), data + 1, data + size);
  bool over = false;
  loop.spawn(serve_and_say(std::move(pair.b), service, &over));
  loop.run_until(browse(*pair.a, std::move(bytes), 1 + data[0] * 16U));
  loop.run_until(let_end(loop, over));
  return 0;
}
