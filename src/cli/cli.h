// One command line, from arguments to exit code.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/text.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::cli {

// Stable: scripts rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;      // asked and refused, or it failed
inline constexpr int kExitUsage = 2;        // the command line is not understood
inline constexpr int kExitUnreachable = 3;  // the node does not answer
inline constexpr int kExitUntrue = 4;       // verification found a fault
inline constexpr int kExitUnfinished = 5;   // verified, but for a last write that was broken off

// A command line after its verb: words in order, options by name ("--reason x", "--json").
struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::string, std::less<>> options;
  std::map<std::string, std::vector<std::string>, std::less<>>
      lists;  // of options that may stand more than once
  [[nodiscard]] bool json() const { return options.contains("json"); }
  [[nodiscard]] std::optional<std::string> option(std::string_view name) const;
  [[nodiscard]] Result<std::string> need(std::string_view name) const;  // "cli.usage"
  // A whole number of none but digits, at most so many. "cli.usage", where it is not given too.
  [[nodiscard]] Result<int64_t> number(std::string_view name,
                                       int64_t most = std::numeric_limits<int64_t>::max()) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
};

[[nodiscard]] int run(std::span<char*> arguments);

// Prints an error as one line (or as JSON) on standard error and gives the exit code that belongs to it.
int report(const Error& error, bool json);
void print_json(const Json& json);
// Columns as wide as their longest cell; cells are made printable().
[[nodiscard]] std::string table_text(const std::vector<std::string>& heads,
                                     std::vector<std::vector<std::string>> rows);
// At most so many characters of it; what is cut off shows as two dots.
[[nodiscard]] std::string shortened(std::string text, size_t most);
void print_table(const std::vector<std::string>& heads, std::vector<std::vector<std::string>> rows);

}  // namespace entente::cli
