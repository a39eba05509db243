// What tests of HTTP/2 share: the two sides of a connection, and frames made by hand.
#pragma once

#include "net/h2_session.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace entente::net::testing {

inline constexpr size_t kRecord = 16 * 1024;

inline Tick at(int64_t ms) {
  return Tick(Millis(ms));
}

// One side and what it was told.
struct Side {
  explicit Side(H2Role role, const H2Config& config = {}) : session(role, config) {}
  H2Session session;
  std::vector<H2Request> requests;
  std::vector<H2Response> responses;
  std::map<H2StreamId, H2Code> resets;
  std::map<H2StreamId, int> writable;
  std::vector<uint64_t> acks;
  bool goaway = false;
  std::string fault;

  void poll() {
    while (auto event = session.poll_event()) {
      if (auto* request = std::get_if<H2Request>(&*event)) requests.push_back(std::move(*request));
      if (auto* response = std::get_if<H2Response>(&*event)) responses.push_back(std::move(*response));
      if (auto* reset = std::get_if<H2Reset>(&*event)) resets[reset->stream] = reset->code;
      if (auto* ready = std::get_if<H2Writable>(&*event)) ++writable[ready->stream];
      if (auto* ack = std::get_if<H2PingAck>(&*event)) acks.push_back(ack->opaque);
      if (std::get_if<H2GoAway>(&*event) != nullptr) goaway = true;
    }
  }
  void hear(ByteView bytes, Tick now = at(0)) {
    if (const auto heard = session.receive(bytes, now); !heard) fault = heard.error().code();
    poll();
  }
  Bytes say(Tick now = at(0)) {
    Bytes out;
    session.produce(out, kRecord, now);
    poll();
    return out;
  }
};

// Carries bytes both ways until nobody has anything to say.
inline void settle(Side& a, Side& b, Tick now = at(0)) {
  for (int turn = 0; turn < 10000; ++turn) {
    const Bytes from_a = a.say(now);
    if (!from_a.empty()) b.hear(from_a, now);
    const Bytes from_b = b.say(now);
    if (!from_b.empty()) a.hear(from_b, now);
    if (from_a.empty() && from_b.empty()) return;
  }
  FAIL("the two never fall silent");
}

// What has come of a body; an error stands at its end as "!code".
inline std::string read_all(H2Session& session, H2StreamId id, bool* end = nullptr) {
  std::string out;
  std::vector<uint8_t> buffer(4096);
  while (true) {
    const auto got = session.read(id, buffer);
    if (!got) return out + "!" + got.error().code();
    out.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got->bytes));
    if (end != nullptr) *end = got->end;
    if (got->bytes == 0) return out;
  }
}

inline RequestHead get(std::string path) {
  RequestHead head;
  head.method = "GET";
  head.scheme = "https";
  head.authority = "cop-xaa.xbb.localhost:8443";
  head.path = std::move(path);
  head.headers.add("Accept", "*/*");
  return head;
}

inline ResponseHead ok() {
  ResponseHead head;
  head.status = 200;
  return head;
}

// Frames made by hand, for a peer that doesn't keep the rules.
struct Attacker {
  Bytes bytes = to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

  Attacker() { frame(4, 0, 0, {}); }
  Attacker& frame(uint8_t type, uint8_t flags, uint32_t stream, const Bytes& payload) {
    const auto size = static_cast<uint32_t>(payload.size());
    for (const uint32_t byte : {size >> 16, size >> 8, size, uint32_t{type}, uint32_t{flags}, stream >> 24,
                                stream >> 16, stream >> 8, stream})
      bytes.push_back(static_cast<uint8_t>(byte));
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return *this;
  }
  static void line(Bytes& block, std::string_view name, std::string_view value) {  // RFC 7541 section 6.2.2
    block.push_back(0);
    for (std::string_view text : {name, value}) {
      if (text.size() < 127) {
        block.push_back(static_cast<uint8_t>(text.size()));
      } else {
        block.push_back(127);
        size_t rest = text.size() - 127;
        for (; rest >= 128; rest /= 128) block.push_back(static_cast<uint8_t>(rest % 128 + 128));
        block.push_back(static_cast<uint8_t>(rest));
      }
      block.insert(block.end(), text.begin(), text.end());
    }
  }
  using Lines = std::vector<std::pair<std::string, std::string>>;
  static Bytes block(const Lines& lines) {
    Bytes out;
    for (const auto& [name, value] : lines) line(out, name, value);
    return out;
  }
  Attacker& headers(uint32_t stream, const Lines& lines, bool end = true) {
    return frame(1, static_cast<uint8_t>(4 | (end ? 1 : 0)), stream, block(lines));
  }
};

inline const Attacker::Lines kGet = {
    {":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}};

inline Attacker::Lines with(Attacker::Lines lines, const Attacker::Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

}  // namespace entente::net::testing
