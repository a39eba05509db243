#include "net/h2_fields.h"

#include "net/url.h"

#include <algorithm>
#include <array>

namespace entente::net {
namespace {

constexpr size_t kFieldsUsual = 16;  // with those that are added on the way

Failure refuse_head(std::string what) {
  return fail("h2.head", std::move(what), "header block");
}

bool is_connection_field(std::string_view name) {
  static constexpr std::string_view kNames[] = {"connection", "keep-alive",        "proxy-connection",
                                                "upgrade",    "transfer-encoding", "http2-settings"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

bool is_lower_token(std::string_view name) {
  return is_token(name) && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_path(std::string_view path, std::string_view method) {
  if (path == "*") return method == "OPTIONS";
  return path.starts_with('/') && std::ranges::all_of(path, [](char c) {
           return c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>';
         });
}

// Never in the table of known fields, where whoever else may send a field of that name could try guesses
// (RFC 7541 section 7.1). Ours ("entente-") nobody else may send: they go into the table, since an assertion
// is the longest field of all and the same for some seconds.
bool is_secret(std::string_view name) {
  return name == "cookie" || name == "set-cookie" || name == "authorization";
}

Result<void> check_content_length(const Headers& headers) {
  const size_t count = headers.count("content-length");
  if (count == 0) return {};
  const std::string_view value = headers.get("content-length");
  const bool plain = !value.empty() && value.size() < 19 && (value.size() == 1 || value.front() != '0') &&
                     std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (count > 1 || !plain) return refuse_head("content-length is not one plain number");
  return {};
}

// RFC 9113 section 8.3.1 and RFC 8441 section 4.
Result<void> check_request(const RequestHead& head) {
  if (!is_token(head.method)) return refuse_head(":method is not a token");
  if (head.method == "TRACE") return refuse_head("TRACE is not served here");
  if (head.method == "CONNECT" && head.protocol.empty())
    return refuse_head("CONNECT without :protocol is not served here");
  if (!head.protocol.empty() && (head.method != "CONNECT" || !is_token(head.protocol)))
    return refuse_head(":protocol is not a token, or stands beside a method other than CONNECT");
  if (head.scheme != "https" && head.scheme != "http") return refuse_head(":scheme is not https or http");
  if (!is_path(head.path, head.method)) return refuse_head(":path is not a path");
  if (!is_authority(head.authority)) return refuse_head(":authority is not name[:port]");
  return {};
}

Result<void> add_lines(const Headers& headers, std::vector<H2Line>& out) {
  for (const Field& field : headers) {
    if (equal_no_case(field.name, "host")) continue;  // said by :authority
    H2Line& line = out.emplace_back(lower_case(field.name), field.value, false);
    if (!is_token(line.name)) return refuse_head("a header field's name is not a token");
    if (!is_field_value(line.value))
      return refuse_head("the value of " + line.name + " can't stand in one line");
    if (is_connection_field(line.name))
      return refuse_head(line.name + " speaks of one HTTP/1.1 connection only");
    if (line.name == "te" && line.value != "trailers") return refuse_head("te may only say trailers");
    line.secret = is_secret(line.name);
  }
  return {};
}

// "100" to "599".
std::string_view status_text(int status) {
  static const std::array<std::array<char, 3>, 500> kTexts = [] {
    std::array<std::array<char, 3>, 500> out{};
    for (int i = 0; i < 500; ++i) {
      const int number = i + 100;
      out[static_cast<size_t>(i)] = {static_cast<char>('0' + number / 100),
                                     static_cast<char>('0' + number / 10 % 10),
                                     static_cast<char>('0' + number % 10)};
    }
    return out;
  }();
  return {kTexts[static_cast<size_t>(status - 100)].data(), 3};
}

}  // namespace

void H2HeadReader::begin() {
  bytes_ = fields_ = 0;
  pseudo_ = Pseudo();
  headers_ = Headers();
  cookie_.clear();
  has_cookie_ = too_large_ = false;
  fault_.reset();
}

void H2HeadReader::refuse(std::string what) {
  if (fault_) return;
  fault_ = std::move(what);
  headers_ = Headers();
  cookie_.clear();
}

std::string* H2HeadReader::pseudo_field(std::string_view name) {
  if (name == ":method") return &pseudo_.method;
  if (name == ":scheme") return &pseudo_.scheme;
  if (name == ":path") return &pseudo_.path;
  if (name == ":protocol") return &pseudo_.protocol;
  if (name == ":status") return &pseudo_.status;
  if (name != ":authority") return nullptr;
  pseudo_.has_authority = true;
  return &pseudo_.authority;
}

void H2HeadReader::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kFieldOverhead;
  ++fields_;
  if (refused()) return;
  too_large_ = bytes_ > bytes_max_ || fields_ > fields_max_;
  if (bytes_ > bytes_max_) return refuse("the head is larger than " + std::to_string(bytes_max_) + " bytes");
  if (fields_ > fields_max_)
    return refuse("the head has more than " + std::to_string(fields_max_) + " fields");
  if (name.starts_with(':')) {
    std::string* field = pseudo_field(name);
    if (field == nullptr || !field->empty()) return refuse("a pseudo field is unknown or comes twice");
    field->assign(value);
    return;
  }
  if (!is_lower_token(name)) return refuse("a header field's name is not a token in lower case");
  if (!is_field_value(value))
    return refuse("a header field's value holds a control character or outer white space");
  if (!underscore_names_ && name.find('_') != std::string_view::npos)
    return refuse("a header field's name holds an underscore");
  if (is_connection_field(name)) return refuse("a field came that speaks of one HTTP/1.1 connection only");
  if (name == "te" && value != "trailers") return refuse("te says something other than trailers");
  if (name == "cookie") {
    if (has_cookie_) cookie_ += "; ";
    cookie_ += value;
    has_cookie_ = true;
    return;
  }
  if (headers_.empty()) headers_.reserve(kFieldsUsual);
  headers_.add(std::string(name), std::string(value));
}

Result<Headers> H2HeadReader::take_fields() {
  if (fault_) return refuse_head(*fault_);
  TRY_VOID(check_content_length(headers_));
  if (has_cookie_) headers_.add("cookie", std::move(cookie_));
  return std::move(headers_);
}

Result<RequestHead> H2HeadReader::request() {
  RequestHead head;
  TRY(head.headers, take_fields());
  if (!pseudo_.status.empty()) return refuse_head("a request has a :status");
  head.method = std::move(pseudo_.method);
  head.scheme = std::move(pseudo_.scheme);
  head.path = std::move(pseudo_.path);
  head.protocol = std::move(pseudo_.protocol);
  head.authority = lower_case(pseudo_.authority);
  head.target = head.path;
  head.version = HttpVersion::http2;
  TRY_VOID(check_request(head));
  const size_t hosts = head.headers.count("host");
  if (hosts > 1 || (hosts == 1 && lower_case(head.headers.get("host")) != head.authority))
    return refuse_head("host is not what :authority says");
  head.headers.remove("host");
  return head;
}

Result<ResponseHead> H2HeadReader::response() {
  ResponseHead head;
  TRY(head.headers, take_fields());
  const std::string& status = pseudo_.status;
  const bool digits =
      status.size() == 3 && std::ranges::all_of(status, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || status[0] < '1' || status[0] > '5' || status == "101")
    return refuse_head(":status is not a number from 100 to 599, or is 101");
  if (!pseudo_.method.empty() || !pseudo_.path.empty() || !pseudo_.scheme.empty() || pseudo_.has_authority ||
      !pseudo_.protocol.empty())
    return refuse_head("an answer has pseudo fields of a request");
  head.status = (status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0');
  head.version = HttpVersion::http2;
  return head;
}

Result<std::vector<H2Line>> h2_lines(const RequestHead& head) {
  TRY_VOID(check_request(head));
  TRY_VOID(check_content_length(head.headers));
  std::vector<H2Line> out;
  out.reserve(head.headers.size() + 5);
  out.emplace_back(":method", head.method, false);
  if (!head.protocol.empty()) out.emplace_back(":protocol", head.protocol, false);
  out.emplace_back(":scheme", head.scheme, false);
  out.emplace_back(":authority", head.authority, false);
  out.emplace_back(":path", head.path, false);
  TRY_VOID(add_lines(head.headers, out));
  return out;
}

Result<std::vector<H2Line>> h2_lines(const ResponseHead& head) {
  if (head.status < 100 || head.status > 599 || head.status == 101)
    return refuse_head("the status is not a number from 100 to 599, or is 101");
  TRY_VOID(check_content_length(head.headers));
  std::vector<H2Line> out;
  out.reserve(head.headers.size() + 1);
  out.emplace_back(":status", status_text(head.status), false);
  TRY_VOID(add_lines(head.headers, out));
  return out;
}

}  // namespace entente::net
