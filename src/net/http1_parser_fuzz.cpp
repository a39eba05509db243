// What the parser takes must mean the same when written and read again, however the bytes were cut.
#include "net/http1_parser.h"
#include "net/url.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace entente::net;

namespace {

void must(bool condition) {
  if (!condition) std::abort();
}

void requests(std::string_view text, size_t piece) {
  RequestParser whole;
  const auto used = whole.feed(text);
  RequestParser pieces;
  size_t at = 0;
  bool refused = false;
  while (at < text.size() && !pieces.done() && !refused) {
    const auto step = pieces.feed(text.substr(at, piece));
    refused = !step;
    if (step) at += *step;
  }
  must(whole.done() == pieces.done());
  if (!used || !whole.done()) return;
  must(at == *used && pieces.head() == whole.head() && pieces.framing() == whole.framing());
  const auto written = write_request_head(whole.head());
  must(written.has_value());
  RequestParser again;
  must(again.feed(*written) == written->size() && again.done());
  must(again.framing() == whole.framing() && again.head().path == whole.head().path);
  if (const auto path = normal_path(whole.head().path)) must(normal_path(*path) == *path);
}

void responses(std::string_view text) {
  ResponseParser parser;
  parser.expect("GET", true);
  if (!parser.feed(text) || !parser.done()) return;
  must(write_response_head(parser.head()).has_value());
}

void chunks(std::string_view text, size_t piece) {
  ChunkedDecoder decoder;
  size_t at = 0;
  while (at < text.size() && !decoder.done()) {
    const std::string_view input = text.substr(at, piece);
    const auto step = decoder.next(input);
    if (!step) return;
    must(step->used > 0 && step->used <= input.size() && step->data.size() <= step->used);
    at += step->used;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = 1 + data[0] % 32;
  requests(text, piece);
  responses(text);
  chunks(text, piece);
  (void)parse_url(text.substr(0, 512));
  (void)parse_form(text.substr(0, 512));
  (void)find_cookie(Headers{{"Cookie", std::string(text.substr(0, 512))}}, "__Host-a");
  return 0;
}
