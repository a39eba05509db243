// Heads as bytes, and the one spelling of a path.
#include "base/form.h"
#include "base/json.h"
#include "net/http1_parser.h"
#include "net/url.h"

#include <algorithm>
#include <charconv>

namespace entente::net {
namespace {

Failure refuse_head(std::string what) {
  return fail("http.unwritable", std::move(what), "head",
              "a value from outside was put into a head unchecked");
}

Result<void> write_fields(const Headers& headers, bool skip_host, std::string& out) {
  size_t lengths = 0;
  size_t codings = 0;
  for (const Field& field : headers) {
    if (!is_token(field.name)) return refuse_head("a header field's name is not a token");
    if (!is_field_value(field.value))
      return refuse_head("the value of " + field.name + " can't stand in one line");
    lengths += equal_no_case(field.name, "content-length") ? 1 : 0;
    codings += equal_no_case(field.name, "transfer-encoding") ? 1 : 0;
    if (skip_host && equal_no_case(field.name, "host")) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (lengths + codings > 1) return refuse_head("the body's length is said more than once");
  out += "\r\n";
  return {};
}

bool is_target(std::string_view target) {
  return !target.empty() &&
         std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

}  // namespace

Result<std::string> write_request_head(const RequestHead& head) {
  if (!is_token(head.method)) return refuse_head("the method is not a token");
  const bool connect = head.method == "CONNECT" && head.protocol.empty();
  const std::string& target = connect ? head.authority : head.path;
  if (!is_target(target) || (!connect && target != "*" && target.front() != '/'))
    return refuse_head("the target can't stand in a request line");
  if (!is_authority(head.authority)) return refuse_head("the authority is not name[:port]");
  for (const Field& field : head.headers)
    if (equal_no_case(field.name, "host") && lower_case(field.value) != lower_case(head.authority))
      return refuse_head("Host is not the authority");
  std::string out;
  out.reserve(512);
  out.append(head.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  out.append("Host: ").append(head.authority).append("\r\n");
  TRY_VOID(write_fields(head.headers, true, out));
  return out;
}

Result<std::string> write_response_head(const ResponseHead& head) {
  if (head.status < 100 || head.status > 599)
    return refuse_head("the status is not a number from 100 to 599");
  if (!is_field_value(head.reason)) return refuse_head("the reason phrase can't stand in one line");
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  out.append(head.reason.empty() ? reason_phrase(head.status) : std::string_view(head.reason)).append("\r\n");
  TRY_VOID(write_fields(head.headers, false, out));
  return out;
}

std::string chunk_prefix(size_t bytes) {
  if (bytes == 0) return "0\r\n\r\n";
  char digits[16];
  const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, bytes, 16);
  return std::string(digits, fault == std::errc() ? end : digits) + "\r\n";
}

namespace {

Failure refuse_path(std::string what) {
  return fail("http.path", std::move(what), "path", "ask for the plain path, with each name encoded once");
}

// One percent code at `text`: into `out` as policy is to see it, its byte into `decoded`.
Result<void> take_percent(std::string_view text, std::string& out, std::string& decoded) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const int high = text.size() > 2 ? hex_value(text[1]) : -1;
  const int low = text.size() > 2 ? hex_value(text[2]) : -1;
  if (high < 0 || low < 0) return refuse_path("a percent sign is not followed by two hex digits");
  const auto byte = static_cast<unsigned char>(high * 16 + low);
  if (byte == '/' || byte == '\\') return refuse_path("the path holds an encoded slash");
  if (byte < 0x20 || byte == 0x7f) return refuse_path("the path holds an encoded control character");
  decoded += static_cast<char>(byte);
  if (is_unreserved(static_cast<char>(byte))) {
    out += static_cast<char>(byte);
  } else {
    out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return {};
}

// A percent code that decodes to a percent code: one reader decodes once, the next one twice.
bool is_encoded_twice(std::string_view decoded) {
  for (size_t at = decoded.find('%'); at != std::string_view::npos; at = decoded.find('%', at + 1))
    if (decoded.size() > at + 2 && hex_value(decoded[at + 1]) >= 0 && hex_value(decoded[at + 2]) >= 0)
      return true;
  return false;
}

// "." and "..", also before ";": some servers cut path parameters off before they climb.
bool climbs(std::string_view segment) {
  const std::string_view name = segment.substr(0, segment.find(';'));
  return name == "." || name == "..";
}

// What most requests ask for: nothing in it is coded, and no segment is empty or begins with a dot.
bool is_plain_path(std::string_view path) {
  char before = 'a';
  for (const char c : path) {
    if (!is_unreserved(c) && c != '/') return false;
    if (before == '/' && (c == '/' || c == '.')) return false;
    before = c;
  }
  return true;
}

}  // namespace

Result<NormalTarget> normal_target(std::string_view target) {
  NormalTarget out;
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (path.empty() || path.front() != '/') return refuse_path("the path does not begin with a slash");
  if (question == std::string_view::npos && is_plain_path(path)) {
    out.path = std::string(path);
    return out;
  }
  std::string decoded;
  size_t segment_at = 1;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto byte = static_cast<unsigned char>(path[i]);
    if (byte == '%') {
      TRY_VOID(take_percent(path.substr(i), out.path, decoded));
      i += 2;
      continue;
    }
    if (byte == '\\') return refuse_path("the path holds a backslash");
    if (byte <= 0x20 || byte >= 0x7f || byte == '#')
      return refuse_path("the path holds a character that must be encoded");
    if (byte == '/' && i > 0) {
      if (path[i - 1] == '/') return refuse_path("the path holds an empty segment");
      if (climbs(std::string_view(decoded).substr(segment_at)))
        return refuse_path("the path holds a dot segment");
      segment_at = decoded.size() + 1;
    }
    out.path += path[i];
    decoded += path[i];
  }
  if (climbs(std::string_view(decoded).substr(segment_at)))
    return refuse_path("the path holds a dot segment");
  if (is_encoded_twice(decoded)) return refuse_path("the path is encoded twice");
  // Overlong forms and surrogates are how "/" hides from those who compare bytes.
  if (!is_utf8(decoded)) return refuse_path("the path is not UTF-8");
  out.has_query = question != std::string_view::npos;
  if (out.has_query) out.query = std::string(target.substr(question + 1));
  if (out.has_query && !out.query.empty() && !is_target(out.query))
    return refuse_path("the query holds a character that must be encoded");
  return out;
}

Result<std::string> normal_path(std::string_view target) {
  TRY(NormalTarget normal, normal_target(target));
  return std::move(normal.path);
}

}  // namespace entente::net
