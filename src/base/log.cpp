#include "base/log.h"

#include "base/time.h"

#include <cstdio>

namespace entente {
void log(LogLevel level, std::string_view room, std::string_view what, Json::Object details) {
  if (level < LogLevel::info) return;
  constexpr const char* names[] = {"debug", "info", "warning", "error"};
  Json line = Json::object({{"at", rfc3339(system_clock().now())},
                            {"level", names[static_cast<size_t>(level)]},
                            {"room", room},
                            {"what", what}});
  for (auto& [key, value] : details) line.set(std::move(key), std::move(value));
  const std::string text = line.dump() + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace entente
