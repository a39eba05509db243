#include "exchange/host_names.h"

#include "net/http_message.h"

#include <fmt/format.h>

namespace entente::exchange {

namespace {
constexpr std::string_view kKeyServiceLabel = "kas";
}

HostNames::HostNames(std::string_view door_name, uint16_t port)
    : suffix_(port == 443 ? fmt::format(".{}", door_name) : fmt::format(".{}:{}", door_name, port)) {}

bool HostNames::is_ours(std::string_view authority) const {
  return authority.size() > suffix_.size() && authority.ends_with(suffix_);
}

std::string HostNames::origin_of(std::string_view first_label) const {
  return std::string("https://").append(first_label).append(suffix_);
}

std::string HostNames::lobby_origin() const {
  return origin_of("lobby");
}

std::string HostNames::app_origin(const coalition::AppRef& app) const {
  return origin_of(app_label(app));
}

std::string HostNames::app_label(const coalition::AppRef& app) {
  return app.app.text() + "-" + net::lower_case(app.owner.text());
}

std::optional<coalition::AppRef> HostNames::read_app_label(std::string_view label) {
  if (!is_label(label) || label.size() < 5 || label[label.size() - 4] != '-') return std::nullopt;
  std::string owner(label.substr(label.size() - 3));
  for (char& c : owner) {
    if (c < 'a' || c > 'z') return std::nullopt;
    c = static_cast<char>(c - 'a' + 'A');
  }
  return coalition::AppRef{PartnerCode(owner), AppId(std::string(label.substr(0, label.size() - 4)))};
}

HostName HostNames::read(std::string_view authority) const {
  if (!is_ours(authority)) return NoHost{};
  const std::string_view label = authority.substr(0, authority.size() - suffix_.size());
  if (label == "lobby") return LobbyHost{};
  if (label == kKeyServiceLabel) return KeyServiceHost{};
  if (label == kConsoleLabel) return ConsoleHost{};
  const std::optional<coalition::AppRef> app = read_app_label(label);
  if (!app) return NoHost{};
  if (app->app.text() == kKeyServiceLabel) return KeyServiceHost{app->owner};
  return AppHost{*app};
}

}  // namespace entente::exchange
