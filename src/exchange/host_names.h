// Which of the door's names an authority is. Pure. Routing is by authority and never by SNI.
// "lobby.<door>" is the lobby; "console.<door>" the operators' console, which is nothing to everybody else;
// "lobby.<door>" is the lobby; "kas.<door>" its key service and "kas-<owner>.<door>" the way to another's;
// "<app>-<owner>.<door>" is an app's own name, one origin to each app; all else is nothing.
#pragma once

#include "coalition/ask.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace entente::exchange {

struct LobbyHost {};
struct ConsoleHost {};
// A well-formed app name. Whether there is such an app is for the world to say, and not for a stranger to
// learn.
struct AppHost {
  coalition::AppRef app;
};
// The key service of that nation, or the way to it through this node's door.
struct KeyServiceHost {
  PartnerCode of;  // empty: this node's own nation
};
struct NoHost {};
using HostName = std::variant<LobbyHost, ConsoleHost, AppHost, KeyServiceHost, NoHost>;

class HostNames {
 public:
  static constexpr std::string_view kConsoleLabel = "console";
  // `port` is what browsers see; the scheme's own (443) is left out of addresses.
  HostNames(std::string_view door_name, uint16_t port);
  // The authority is one under this door, whether or not it is anything.
  [[nodiscard]] bool is_ours(std::string_view authority) const;
  [[nodiscard]] HostName read(std::string_view authority) const;
  [[nodiscard]] std::string lobby_origin() const;
  [[nodiscard]] std::string console_origin() const { return origin_of(kConsoleLabel); }
  [[nodiscard]] std::string app_origin(const coalition::AppRef& app) const;
  [[nodiscard]] static std::string app_label(const coalition::AppRef& app);  // "cop-xaa"
  [[nodiscard]] static std::optional<coalition::AppRef> read_app_label(std::string_view label);
  [[nodiscard]] std::string origin_of(std::string_view first_label) const;

 private:
  std::string suffix_;  // ".<door>[:port]"
};

}  // namespace entente::exchange
