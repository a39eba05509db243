// The lobby's static files from web/lobby, built into the program: nothing is read from disk while serving.
#pragma once

#include <span>
#include <string_view>

namespace entente::exchange {

struct Asset {
  std::string_view name;  // "lobby.css"
  std::string_view text;
};
[[nodiscard]] std::span<const Asset> assets();

}  // namespace entente::exchange
