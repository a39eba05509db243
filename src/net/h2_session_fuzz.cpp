// A peer that sends anything: nothing crashes, nothing grows beyond its limit, and what is announced is
// well-formed. The first byte chooses the side and how the bytes are cut; a server is given the client's
// preface.
#include "net/h2_session.h"
#include "net/http1_parser.h"

#include <algorithm>
#include <cstdlib>

using namespace entente;
using namespace entente::net;

namespace {

void must(bool condition) {
  if (!condition) std::abort();
}

void on_request(H2Session& session, const H2Request& request) {
  must(write_request_head(request.head).has_value());
  ResponseHead head = head_of(200);
  (void)session.respond(request.stream, head, false);
  (void)session.write(request.stream, as_bytes("some bytes of an answer"));
  if (request.stream % 4 == 1) (void)session.finish(request.stream);
}

void poll(H2Session& session) {
  while (auto event = session.poll_event()) {
    if (const auto* request = std::get_if<H2Request>(&*event)) on_request(session, *request);
    if (const auto* response = std::get_if<H2Response>(&*event))
      must(write_response_head(response->head).has_value());
    if (const auto* readable = std::get_if<H2Readable>(&*event)) {
      uint8_t buffer[512];
      (void)session.read(readable->stream, buffer);
    }
    if (const auto* reset = std::get_if<H2Reset>(&*event)) session.release(reset->stream);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const bool server = (data[0] & 1) == 0;
  const size_t piece = 1 + (data[0] >> 1) * 16U;
  H2Config config;
  config.streams_max = 16;
  H2Session session(server ? H2Role::server : H2Role::client, config);
  if (server) (void)session.receive(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Tick());
  if (!server) {
    RequestHead head;
    head.method = "GET";
    head.scheme = "https";
    head.authority = "a";
    head.path = "/";
    must(session.request(head, false).has_value());
  }
  Bytes out;
  for (size_t from = 1; from < size; from += piece) {
    const bool alive = session.receive({data + from, std::min(piece, size - from)}, Tick()).has_value();
    poll(session);
    out.clear();
    session.produce(out, 16 * 1024, Tick());
    poll(session);
    must(session.streams() <= config.streams_max + 1);
    if (!alive || session.over()) break;
  }
  return 0;
}
