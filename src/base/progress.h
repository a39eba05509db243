// How far long work has come, as a line on standard error that is drawn over itself. Only on a terminal:
// elsewhere nothing is printed. Gone when the work ends, however it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace entente {

class ProgressBar {
 public:
  // `total` in bytes where it is known.
  ProgressBar(std::string what, std::optional<uint64_t> total);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void at(uint64_t done);  // cheap: drawn at most ten times a second

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  std::optional<uint64_t> total_;
  bool shown_ = false;  // on a terminal at all
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
};

// "1.2 GiB", for people.
[[nodiscard]] std::string bytes_text(uint64_t bytes);
// The line itself, without its carriage return.
[[nodiscard]] std::string progress_line(const std::string& what, uint64_t done, std::optional<uint64_t> total,
                                        std::chrono::milliseconds since);

}  // namespace entente
