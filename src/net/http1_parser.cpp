#include "net/http1_parser.h"

#include "net/url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace entente::net {
namespace {

constexpr size_t kMethodBytesMax = 32;
constexpr size_t kChunkSizeDigitsMax = 15;  // 2^60 bytes: no sum of chunk sizes overflows
constexpr std::string_view kVersion = "HTTP/1.1";

Failure head_fault(std::string code, std::string what, std::string where, std::string hint = {}) {
  return fail(std::move(code), std::move(what), std::move(where), std::move(hint));
}

// What may stand in a request target. Browsers send '|', '^', '{' and the like raw in queries; spaces,
// controls, fragments, quotes, angle brackets and anything beyond ASCII they always encode.
constexpr auto kTargetBytes = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (char c : std::string_view("#\"<>")) table[static_cast<unsigned char>(c)] = false;
  return table;
}();

std::string field_place(size_t index) {
  return "header field " + std::to_string(index + 1);
}

// Splits off one line, without its CRLF. The scanner has made sure that it ends in CRLF.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

Result<Field> parse_field(std::string_view line, size_t index, bool request) {
  if (line.front() == ' ' || line.front() == '\t')
    return head_fault("http.obs_fold", "a header field is folded over two lines", field_place(index),
                      "send each field on one line");
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name))
    return head_fault("http.field_name", "a header field's name is not a token followed by a colon",
                      field_place(index));
  // CGI-like apps take "a_b" for "a-b", which dodges header removal.
  if (request && name.find('_') != std::string_view::npos)
    return head_fault("http.field_name", "a header field's name holds an underscore", field_place(index),
                      "use hyphens: many programs take the two for the same");
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_field_value(value))
    return head_fault("http.field_value", "a header field's value holds a control character",
                      field_place(index));
  return Field{std::string(name), std::string(value)};
}

Result<Headers> parse_fields(std::string_view text, const HttpLimits& limits, bool request) {
  Headers out;
  out.reserve(16);
  while (true) {
    const std::string_view line = take_line(text);
    if (line.empty()) return out;
    if (out.size() == limits.fields_max)
      return head_fault("http.too_many_fields",
                        "more than " + std::to_string(limits.fields_max) + " header fields",
                        field_place(out.size()));
    TRY(Field field, parse_field(line, out.size(), request));
    out.add(std::move(field.name), std::move(field.value));
  }
}

Result<uint64_t> parse_content_length(std::string_view value, uint64_t most) {
  uint64_t length = 0;
  const bool digits =
      !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || (value.size() > 1 && value.front() == '0'))
    return head_fault("http.content_length", "Content-Length is not one plain number", "Content-Length");
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (fault != std::errc() || length > most)
    return head_fault("http.body_too_large", "the body is larger than " + std::to_string(most) + " bytes",
                      "Content-Length");
  return length;
}

// RFC 9112 section 6.3, without its leniency: every doubt about where a body ends is a refusal.
Result<BodyFraming> field_framing(const Headers& headers, const HttpLimits& limits) {
  const size_t lengths = headers.count("content-length");
  const size_t codings = headers.count("transfer-encoding");
  if (lengths > 0 && codings > 0)
    return head_fault("http.framing", "both Content-Length and Transfer-Encoding came", "header fields",
                      "send one of them");
  if (lengths > 1)
    return head_fault("http.content_length", "Content-Length came more than once", "header fields");
  if (codings > 1)
    return head_fault("http.framing", "Transfer-Encoding came more than once", "header fields");
  if (codings == 1) {
    if (!equal_no_case(headers.get("transfer-encoding"), "chunked"))
      return head_fault("http.transfer_coding", "the transfer coding is not a single \"chunked\"",
                        "Transfer-Encoding");
    return BodyFraming{BodyKind::chunked, 0};
  }
  if (lengths == 0) return BodyFraming{};
  TRY(const uint64_t length, parse_content_length(headers.get("content-length"), limits.content_length_max));
  return BodyFraming{length == 0 ? BodyKind::none : BodyKind::length, length};
}

Result<void> take_absolute_target(RequestHead& head) {
  TRY(Url url, [&]() -> Result<Url> {
    auto parsed = parse_url(head.target);
    if (!parsed) return head_fault("http.target", parsed.error().what(), "request line");
    return parsed;
  }());
  const size_t start = head.target.find("://") + 3;
  const std::string_view rest = std::string_view(head.target).substr(start);
  head.authority = lower_case(rest.substr(0, rest.find_first_of("/?")));
  head.scheme = url.scheme;
  head.path = url.target();
  return {};
}

// RFC 9112 section 3.2: which of the four forms the target has.
Result<void> take_target(RequestHead& head, const HttpLimits& limits) {
  const auto refuse = [](std::string what) {
    return head_fault("http.target", std::move(what), "request line");
  };
  if (head.target.empty()) return refuse("the request has no target");
  if (!std::ranges::all_of(head.target, [](char c) { return kTargetBytes[static_cast<unsigned char>(c)]; }))
    return refuse("the target holds a character that must be percent-encoded, or a fragment");
  if (head.method == "CONNECT") {
    if (!limits.connect) return head_fault("http.method", "CONNECT is not served here", "request line");
    auto authority = parse_authority(head.target);
    if (!authority || authority->port == 0) return refuse("CONNECT asks for something other than host:port");
    head.authority = lower_case(head.target);
    return {};
  }
  if (head.target == "*") {
    if (head.method != "OPTIONS") return refuse("only OPTIONS may ask for \"*\"");
    head.path = "*";
    return {};
  }
  if (head.target.front() == '/') {
    head.path = head.target;
    return {};
  }
  return take_absolute_target(head);
}

Result<void> parse_request_line(std::string_view line, RequestHead& head, const HttpLimits& limits) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return head_fault("http.request_line", "the request line is not \"METHOD target HTTP/1.1\"",
                      "request line");
  const std::string_view version = line.substr(last + 1);
  const std::string_view method = line.substr(0, first);
  if (!is_token(method) || method.size() > kMethodBytesMax)
    return head_fault("http.method_token", "the method is not a short token", "request line");
  if (version != kVersion) {
    const bool other = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.';
    return other
               ? head_fault("http.version", "the request is not HTTP/1.1", "request line", "speak HTTP/1.1")
               : head_fault("http.request_line", "the request line does not end in HTTP/1.1", "request line");
  }
  // TRACE gives back what it was sent, cookies and credentials included.
  if (method == "TRACE") return head_fault("http.method", "TRACE is not served here", "request line");
  head.method = std::string(method);
  head.target = std::string(line.substr(first + 1, last - first - 1));
  return take_target(head, limits);
}

Result<void> take_host(RequestHead& head) {
  const size_t hosts = head.headers.count("host");
  if (hosts != 1)
    return head_fault("http.host", hosts == 0 ? "the request has no Host" : "Host came more than once",
                      "header fields");
  std::string host = lower_case(head.headers.get("host"));
  if (!is_authority(host)) return head_fault("http.host", "Host is not name[:port]", "Host");
  if (!head.authority.empty() && head.authority != host)
    return head_fault("http.host", "Host is not what the request line names", "Host");
  head.authority = std::move(host);
  return {};
}

// Feeds the scanner, keeps pieces in `buffer`, and calls parse(whole head) once it is complete.
template <class Parse>
Result<size_t> feed_head(HeadScanner& scanner, std::string& buffer, std::string_view bytes, Parse parse) {
  TRY(const size_t used, scanner.feed(bytes));
  const std::string_view taken = bytes.substr(0, used);
  if (!scanner.done()) {
    buffer += taken;
    return used;
  }
  if (buffer.empty()) {
    TRY_VOID(parse(taken));
    return used;
  }
  buffer += taken;
  TRY_VOID(parse(std::string_view(buffer)));
  buffer.clear();
  return used;
}

bool is_forbidden_trailer(std::string_view name) {
  static constexpr std::string_view kNames[] = {"content-length",
                                                "transfer-encoding",
                                                "host",
                                                "authorization",
                                                "cookie",
                                                "set-cookie",
                                                "connection",
                                                "te",
                                                "trailer",
                                                "expect",
                                                "content-encoding",
                                                "content-type",
                                                "content-range",
                                                "upgrade",
                                                "cache-control",
                                                "max-forwards",
                                                "origin",
                                                "location"};
  return lower_case(name.substr(0, 8)) == "entente-" ||
         std::ranges::any_of(kNames, [&](std::string_view known) { return equal_no_case(known, name); });
}

}  // namespace

Result<size_t> HeadScanner::feed(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && !done_) {
    const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    const size_t end =
        found == nullptr ? bytes.size() : static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    line_bytes_ += end - at;
    taken_ += end - at;
    if (end > at) last_was_cr_ = bytes[end - 1] == '\r';
    const size_t line_max = lines_ == 0 ? limits_.start_line_bytes_max : limits_.field_line_bytes_max;
    if (line_bytes_ > line_max + 1)
      return lines_ == 0
                 ? head_fault("http.start_line_too_long", "the first line is too long", "request line")
                 : head_fault("http.head_too_large", "a header field is too long", field_place(lines_ - 1));
    if (taken_ > limits_.head_bytes_max)
      return head_fault("http.head_too_large", "the head is too large", field_place(lines_));
    at = end;
    if (found == nullptr) break;
    if (!last_was_cr_)
      return head_fault("http.bare_lf", "a line ends without a carriage return",
                        "line " + std::to_string(lines_ + 1));
    if (lines_ == 0 && line_bytes_ == 1)
      return head_fault("http.request_line", "an empty line stands before the head", "line 1");
    done_ = line_bytes_ == 1;
    ++at;
    ++taken_;
    ++lines_;
    line_bytes_ = 0;
    last_was_cr_ = false;
  }
  return at;
}

Result<size_t> RequestParser::feed(std::string_view bytes) {
  if (done_) return size_t{0};
  return feed_head(scanner_, buffer_, bytes, [this](std::string_view text) { return parse(text); });
}

Result<void> RequestParser::parse(std::string_view text) {
  TRY_VOID(parse_request_line(take_line(text), head_, limits_));
  TRY(head_.headers, parse_fields(text, limits_, true));
  TRY_VOID(take_host(head_));
  TRY(framing_, field_framing(head_.headers, limits_));
  upgrade_ = upgrade_asked(head_.headers);
  keep_alive_ = !has_list_token(head_.headers, "connection", "close");
  if (const std::string* expect = head_.headers.find("expect"); expect != nullptr) {
    if (!equal_no_case(*expect, "100-continue") || head_.headers.count("expect") > 1)
      return head_fault("http.expectation", "the request expects something other than 100-continue",
                        "Expect");
    expects_continue_ = framing_.kind != BodyKind::none;
  }
  const bool body = framing_.kind != BodyKind::none;
  if (body && (!upgrade_.empty() || head_.method == "CONNECT"))
    return head_fault("http.framing", "a request to change protocols carries a body", "header fields");
  done_ = true;
  return {};
}

void RequestParser::reset() {
  scanner_.reset();
  buffer_.clear();
  head_ = RequestHead();
  framing_ = BodyFraming();
  upgrade_.clear();
  keep_alive_ = true;
  expects_continue_ = done_ = false;
}

void ResponseParser::expect(std::string request_method, bool upgrade_asked) {
  *this = ResponseParser(limits_);
  request_method_ = std::move(request_method);
  upgrade_asked_ = upgrade_asked;
}

Result<size_t> ResponseParser::feed(std::string_view bytes) {
  if (done_) return size_t{0};
  return feed_head(scanner_, buffer_, bytes, [this](std::string_view text) { return parse(text); });
}

Result<void> ResponseParser::parse(std::string_view text) {
  const std::string_view line = take_line(text);
  const auto refuse = [](std::string what) {
    return head_fault("http.status_line", std::move(what), "status line");
  };
  if (line.size() < 9 || !line.starts_with("HTTP/") || line[8] != ' ')
    return refuse("the answer does not begin with \"HTTP/1.1 \" and a status");
  if (!line.starts_with(kVersion))
    return head_fault("http.version", "the answer is not HTTP/1.1", "status line");
  const std::string_view code = line.substr(9, 3);
  const bool digits =
      code.size() == 3 && std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || code[0] < '1' || code[0] > '5') return refuse("the status is not a number from 100 to 599");
  if (line.size() > 12 && line[12] != ' ') return refuse("something other than a space follows the status");
  const std::string_view reason = line.size() > 13 ? trim(line.substr(13)) : std::string_view();
  if (!is_field_value(reason)) return refuse("the reason phrase holds a control character");
  head_.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  head_.reason = std::string(reason);
  TRY(head_.headers, parse_fields(text, limits_, false));
  TRY_VOID(frame());
  keep_alive_ = framing_.kind != BodyKind::until_end && !has_list_token(head_.headers, "connection", "close");
  done_ = true;
  return {};
}

Result<void> ResponseParser::frame() {
  const int status = head_.status;
  if (status == 101) {
    if (!upgrade_asked_)
      return head_fault("http.upgrade", "the answer changes protocols though nobody asked", "status line");
    framing_ = BodyFraming{BodyKind::upgrade, 0};
    return {};
  }
  TRY(framing_, field_framing(head_.headers, limits_));
  if (status < 200 || status == 204) {
    if (framing_.kind != BodyKind::none)
      return head_fault("http.framing", "an answer that has no body announces one", "header fields");
    return {};
  }
  if (request_method_ == "CONNECT" && status < 300) {
    framing_ = BodyFraming{BodyKind::upgrade, 0};
    return {};
  }
  if (request_method_ == "HEAD" || status == 304) {
    framing_ = BodyFraming{};
    return {};
  }
  if (framing_.kind == BodyKind::none && !head_.headers.has("content-length"))
    framing_ = BodyFraming{BodyKind::until_end, 0};
  return {};
}

Result<void> ChunkedDecoder::take_size_byte(char byte) {
  const auto refuse = [](std::string what) { return fail("http.chunk", std::move(what), "chunk size"); };
  int digit = -1;
  if (byte >= '0' && byte <= '9') digit = byte - '0';
  if (byte >= 'a' && byte <= 'f') digit = byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') digit = byte - 'A' + 10;
  if (digit >= 0) {
    if (++size_digits_ > kChunkSizeDigitsMax) return refuse("a chunk size has too many digits");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    return {};
  }
  if (size_digits_ == 0 || (byte != '\r' && byte != ';'))
    return refuse("a chunk size is not a plain hex number");
  state_ = byte == ';' ? State::extension : State::size_lf;
  return {};
}

Result<size_t> ChunkedDecoder::take_trailer(std::string_view input) {
  const auto refuse = [](std::string what) { return fail("http.trailer", std::move(what), "trailers"); };
  const size_t newline = input.find('\n');
  const size_t used = newline == std::string_view::npos ? input.size() : newline + 1;
  trailer_bytes_ += used;
  if (trailer_bytes_ > limits_.trailer_bytes_max)
    return fail("http.head_too_large", "the trailers are too large", "trailers");
  line_ += input.substr(0, used);
  if (newline == std::string_view::npos) return used;
  if (!line_.ends_with("\r\n"))
    return fail("http.bare_lf", "a line ends without a carriage return", "trailers");
  line_.resize(line_.size() - 2);
  if (line_.empty()) {
    state_ = State::done;
    return used;
  }
  if (trailers_.size() == limits_.trailers_max)
    return fail("http.too_many_fields", "too many trailers", "trailers");
  TRY(Field field, parse_field(line_, trailers_.size(), true));
  if (is_forbidden_trailer(field.name))
    return refuse("a field came as a trailer that may only stand in a head");
  trailers_.add(std::move(field.name), std::move(field.value));
  line_.clear();
  return used;
}

Result<ChunkedDecoder::Step> ChunkedDecoder::next(std::string_view input) {
  const auto refuse = [](std::string what) { return fail("http.chunk", std::move(what), "chunk"); };
  Step step;
  while (step.used < input.size() && state_ != State::done) {
    const char byte = input[step.used];
    switch (state_) {
      case State::size:
        TRY_VOID(take_size_byte(byte));
        ++step.used;
        break;
      case State::extension:
        if (byte != '\r' && byte != '\t' && (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f))
          return refuse("a chunk extension holds a control character");
        if (++extension_bytes_ > limits_.chunk_extension_bytes_max)
          return refuse("the chunk extensions are too long");
        if (byte == '\r') state_ = State::size_lf;
        ++step.used;
        break;
      case State::size_lf:
        if (byte != '\n') return refuse("a chunk size does not end in CRLF");
        state_ = left_ == 0 ? State::trailer : State::data;
        size_digits_ = 0;
        ++step.used;
        break;
      case State::data: {
        const uint64_t here = std::min<uint64_t>(left_, input.size() - step.used);
        step.data = input.substr(step.used, static_cast<size_t>(here));
        step.used += static_cast<size_t>(here);
        left_ -= here;
        if (left_ == 0) state_ = State::data_cr;
        return step;
      }
      case State::data_cr:
      case State::data_lf:
        if (byte != (state_ == State::data_cr ? '\r' : '\n'))
          return refuse("a chunk is not followed by CRLF");
        state_ = state_ == State::data_cr ? State::data_lf : State::size;
        ++step.used;
        break;
      case State::trailer: {
        TRY(const size_t used, take_trailer(input.substr(step.used)));
        step.used += used;
        break;
      }
      case State::done:
        break;
    }
  }
  return step;
}

std::string upgrade_asked(const Headers& headers) {
  if (!has_list_token(headers, "connection", "upgrade") || headers.count("upgrade") != 1) return {};
  return is_token(headers.get("upgrade")) ? lower_case(headers.get("upgrade")) : std::string();
}

int http_status(const Error& error) {
  static constexpr std::pair<std::string_view, int> kStatuses[] = {
      {"http.method", 405},
      {"http.timeout", 408},
      {"http.body_too_large", 413},
      {"http.expectation", 417},
      {"http.start_line_too_long", 414},
      {"http.head_too_large", 431},
      {"http.too_many_fields", 431},
      {"http.transfer_coding", 501},
      {"http.version", 505},
  };
  for (const auto& [code, status] : kStatuses)
    if (code == error.code()) return status;
  return 400;
}

}  // namespace entente::net
