#include "base/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace entente {
namespace {

constexpr std::chrono::milliseconds kPause{100};
constexpr size_t kBarWidth = 24;

}  // namespace

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string progress_line(const std::string& what, uint64_t done, std::optional<uint64_t> total,
                          std::chrono::milliseconds since) {
  const double seconds = std::max(0.001, std::chrono::duration<double>(since).count());
  const std::string rate = bytes_text(static_cast<uint64_t>(static_cast<double>(done) / seconds)) + "/s";
  if (!total || *total == 0) return fmt::format("{}  {}  {}", what, bytes_text(done), rate);
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
  const auto full = static_cast<size_t>(part * kBarWidth);
  return fmt::format("{}  [{}{}] {:3.0f} %  {} of {}  {}", what, std::string(full, '#'),
                     std::string(kBarWidth - full, '.'), part * 100, bytes_text(done), bytes_text(*total),
                     rate);
}

ProgressBar::ProgressBar(std::string what, std::optional<uint64_t> total)
    : what_(std::move(what)), total_(total), shown_(::isatty(STDERR_FILENO) == 1), start_(Clock::now()) {
  next_ = start_ + kPause;  // work that is done at once shows nothing
}

ProgressBar::~ProgressBar() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressBar::at(uint64_t done) {
  if (!shown_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  drawn_ = true;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - start_);
  fmt::print(stderr, "\r{}\x1b[K", progress_line(what_, done, total_, since));
  std::fflush(stderr);
}

}  // namespace entente
