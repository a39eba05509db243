#include "exchange/app_headers.h"

#include "base/bytes.h"
#include "exchange/browsers.h"
#include "identity/identity_headers.h"

#include <algorithm>

namespace entente::exchange {
namespace {

bool has_prefix_no_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && net::equal_no_case(text.substr(0, prefix.size()), prefix);
}

// By which many frameworks take a request for another than its first line says: what was decided is that
// line.
bool is_override(std::string_view name) {
  constexpr std::string_view kNames[] = {"x-http-method",     "x-http-method-override", "x-method-override",
                                         "x-original-method", "x-original-url",         "x-original-uri",
                                         "x-rewrite-url",     "x-override-url",         "x-host"};
  return std::ranges::any_of(kNames, [&](std::string_view each) { return net::equal_no_case(each, name); });
}

}  // namespace

void clean_request(net::Headers& headers) {
  net::remove_hop_by_hop(headers);
  headers.remove_if([](const net::Field& field) {
    return identity::is_identity_header(field.name) || is_override(field.name) ||
           has_prefix_no_case(field.name, "sec-websocket-key") || net::equal_no_case(field.name, "Expect") ||
           net::equal_no_case(field.name, "Host") || net::equal_no_case(field.name, "Max-Forwards") ||
           net::equal_no_case(field.name, "Via");
  });
  static constexpr std::string_view kOurs[] = {kLobbyCookie, kLoginCookie, kBindCookie, kAppCookie};
  net::remove_cookies(headers, kOurs);
}

std::optional<std::string> own_origin_cookie(std::string_view set_cookie) {
  std::string out;
  bool first = true;
  while (true) {
    const size_t end = std::min(set_cookie.find(';'), set_cookie.size());
    const std::string_view part = net::trim(set_cookie.substr(0, end));
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = net::trim(part.substr(0, equals));
    // One without a name is sent back as its value alone, which may look like any cookie.
    if (first && equals == 0) return std::nullopt;
    if (first && (has_prefix_no_case(name, "__Host-entente") || has_prefix_no_case(name, "__Secure-entente")))
      return std::nullopt;
    if (first || !net::equal_no_case(name, "Domain")) {
      if (!first) out += "; ";
      out += part;
    }
    first = false;
    if (end == set_cookie.size()) return out;
    set_cookie.remove_prefix(end + 1);
  }
}

void clean_response(net::Headers& headers) {
  net::remove_hop_by_hop(headers);
  headers.keep_if([](net::Field& field) {
    if (has_prefix_no_case(field.name, "entente-") ||
        net::equal_no_case(field.name, "Service-Worker-Allowed") ||
        net::equal_no_case(field.name, "Alt-Svc") || net::equal_no_case(field.name, "Clear-Site-Data") ||
        net::equal_no_case(field.name, "Server") || net::equal_no_case(field.name, "Cache-Control") ||
        net::equal_no_case(field.name, "Expires") || net::equal_no_case(field.name, "Date") ||
        net::equal_no_case(field.name, "Strict-Transport-Security")) {
      return false;
    }
    if (!net::equal_no_case(field.name, "Set-Cookie")) return true;
    std::optional<std::string> cookie = own_origin_cookie(field.value);
    if (!cookie) return false;
    field.value = *std::move(cookie);
    return true;
  });
  headers.set("Cache-Control", "no-store");
}

bool is_relayed_method(std::string_view method) {
  return method != "CONNECT" && method != "TRACE" && method != "TRACK";
}

bool is_relayed_upgrade(std::string_view protocol) {
  constexpr std::string_view kNever[] = {"h2", "h3", "http", "tls", "ssl", "entente-"};
  for (const std::string_view prefix : kNever) {
    if (has_prefix_no_case(protocol, prefix)) return false;
  }
  return true;
}

bool is_safe_method(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PROPFIND" ||
         method == "REPORT";
}

namespace {

// What a page of another origin loads with this person's cookies, to look at it or to show it inside of
// itself. To bring them here by a link is another matter.
bool goes_to_a_page(const net::Headers& headers) {
  const std::string_view into = headers.get("Sec-Fetch-Dest");
  return headers.get("Sec-Fetch-Mode") == "navigate" && (into.empty() || into == "document");
}

bool is_embedded_elsewhere(const net::Headers& headers) {
  const std::string_view site = headers.get("Sec-Fetch-Site");
  return !site.empty() && site != "same-origin" && site != "none" && !goes_to_a_page(headers);
}

}  // namespace

bool is_own_navigation(const net::RequestHead& head) {
  return head.method == "GET" && (head.headers.get("Sec-Fetch-Mode").empty() || goes_to_a_page(head.headers));
}

bool origin_fits(const net::RequestHead& head, std::string_view own_origin, bool upgrade) {
  if (is_embedded_elsewhere(head.headers)) return false;
  const size_t count = head.headers.count("Origin");
  if (count > 1) return false;
  if (count == 0) return is_safe_method(head.method) && !upgrade;
  return head.headers.get("Origin") == own_origin;
}

}  // namespace entente::exchange
