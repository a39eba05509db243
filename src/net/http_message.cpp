#include "net/http_message.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace entente::net {
namespace {

constexpr auto kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr auto kCookieBytes = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (char c : std::string_view("\",;\\")) table[static_cast<unsigned char>(c)] = false;
  return table;
}();

bool is_cookie_octet(char c) {
  return kCookieBytes[static_cast<unsigned char>(c)];
}

bool is_prefixed(std::string_view name) {
  return name.starts_with("__Host-") || name.starts_with("__Secure-");
}

// Calls visit(name, value, pair) for each "name=value" between semicolons until it returns false.
template <class Visit>
void each_cookie(std::string_view line, Visit visit) {
  while (!line.empty()) {
    const size_t end = line.find(';');
    const std::string_view pair = trim(line.substr(0, end));
    line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
    const size_t equals = pair.find('=');
    const std::string_view name = trim(pair.substr(0, equals));
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : trim(pair.substr(equals + 1));
    if (!visit(name, value, pair)) return;
  }
}

// What the next hop's safety rests on can't be declared a matter of one connection.
bool stays_end_to_end(std::string_view name) {
  static constexpr std::string_view kKept[] = {"host",          "content-length", "content-type", "cookie",
                                               "authorization", "set-cookie",     "origin"};
  return lower_case(name.substr(0, 8)) == "entente-" ||
         std::ranges::any_of(kKept, [&](std::string_view kept) { return equal_no_case(kept, name); });
}

}  // namespace

const std::string* Headers::find(std::string_view name) const {
  for (const Field& field : fields_)
    if (equal_no_case(field.name, name)) return &field.value;
  return nullptr;
}

std::string_view Headers::get(std::string_view name) const {
  const std::string* value = find(name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

size_t Headers::count(std::string_view name) const {
  return static_cast<size_t>(
      std::ranges::count_if(fields_, [&](const Field& field) { return equal_no_case(field.name, name); }));
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string name, std::string value) {
  remove(name);
  add(std::move(name), std::move(value));
}

size_t Headers::remove(std::string_view name) {
  return std::erase_if(fields_, [&](const Field& field) { return equal_no_case(field.name, name); });
}

ResponseHead head_of(int status) {
  ResponseHead head;
  head.status = status;
  return head;
}

std::optional<uint64_t> content_length(const Headers& headers) {
  const std::string_view text = headers.get("content-length");
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return kTokenBytes[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  if (!text.empty() &&
      (text.front() == ' ' || text.front() == '\t' || text.back() == ' ' || text.back() == '\t'))
    return false;
  const auto fits = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  };
  // Sixteen bytes at once: values, assertions among them, go through here several times on their way. Where
  // a byte is below 0x20 or is 0x7f, all are looked at one by one; it may be a tab.
  using Lanes = uint8_t __attribute__((vector_size(16)));
  if (text.size() < sizeof(Lanes)) return std::ranges::all_of(text, fits);
  Lanes seen{};
  const auto look = [&](size_t at) {
    Lanes bytes;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    seen |= Lanes((bytes < 0x20) | (bytes == 0x7f));
  };
  for (size_t at = 0; at + sizeof seen < text.size(); at += sizeof seen) look(at);
  look(text.size() - sizeof seen);
  const auto any = std::bit_cast<std::array<uint64_t, 2>>(seen);
  return (any[0] | any[1]) == 0 || std::ranges::all_of(text, fits);
}

bool equal_no_case_of_one_size(std::string_view a, std::string_view b) {
  // Mostly they differ in the first byte, or not at all.
  if (a.empty() || lower(a[0]) != lower(b[0])) return a.empty();
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return true;
  for (size_t i = 1; i < a.size(); ++i)
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

bool has_list_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const Field& field : headers) {
    if (!equal_no_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const size_t end = rest.find(',');
      if (equal_no_case(trim(rest.substr(0, end)), token)) return true;
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  return false;
}

void remove_hop_by_hop(Headers& headers) {
  Headers connection;
  for (const Field& field : headers)
    if (equal_no_case(field.name, "connection")) connection.add(field.name, field.value);
  headers.remove_if([&](const Field& field) {
    static constexpr std::string_view kAlways[] = {"connection", "te",      "transfer-encoding",
                                                   "keep-alive", "upgrade", "http2-settings"};
    if (std::ranges::any_of(kAlways, [&](std::string_view name) { return equal_no_case(name, field.name); }))
      return true;
    if (equal_no_case(std::string_view(field.name).substr(0, 6), "proxy-")) return true;
    return !connection.empty() && !stays_end_to_end(field.name) &&
           has_list_token(connection, "connection", field.name);
  });
}

Result<std::optional<std::string>> find_cookie(const Headers& headers, std::string_view name) {
  std::optional<std::string> found;
  std::optional<Error> fault;
  const auto refuse = [&](std::string what) {
    fault = Error{"http.cookie", std::move(what), std::string(name),
                  "clear this site's cookies and sign in again"};
    return false;
  };
  for (const Field& field : headers) {
    if (!equal_no_case(field.name, "cookie")) continue;
    each_cookie(field.value, [&](std::string_view its_name, std::string_view value, std::string_view pair) {
      // A prefixed name is the browser's promise; another spelling of it can only be somebody's trick.
      if (its_name != name) {
        if (is_prefixed(name) && equal_no_case(its_name, name))
          return refuse("the cookie comes in another spelling");
        return true;
      }
      if (pair.size() != name.size() + 1 + value.size() || !std::ranges::all_of(value, is_cookie_octet))
        return refuse("the cookie is malformed");
      if (found && (is_prefixed(name) || *found != value)) return refuse("the cookie came twice");
      found = std::string(value);
      return true;
    });
    if (fault) return Failure(*std::move(fault));
  }
  return found;
}

void remove_cookies(Headers& headers, std::span<const std::string_view> names) {
  headers.keep_if([&](Field& field) {
    if (!equal_no_case(field.name, "cookie")) return true;
    std::string line;
    bool removed = false;
    each_cookie(field.value, [&](std::string_view its_name, std::string_view, std::string_view pair) {
      const bool goes = pair.empty() || std::ranges::any_of(names, [&](std::string_view name) {
                          return equal_no_case(its_name, name);
                        });
      removed = removed || goes;
      if (goes) return true;
      if (!line.empty()) line += "; ";
      line += pair;
      return true;
    });
    if (line.empty()) return false;
    if (removed) field.value = std::move(line);
    return true;
  });
}

}  // namespace entente::net
