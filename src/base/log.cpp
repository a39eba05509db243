#include "base/log.h"

#include "base/time.h"

#include <atomic>
#include <cstdio>

namespace entente {
namespace {

std::atomic<LogLevel> least_level{LogLevel::info};

}  // namespace

void set_log_level(LogLevel least) {
  least_level.store(least);
}

void log(LogLevel level, std::string_view room, std::string_view what, Json::Object details) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
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
