// Runs collections in the layout of Cedar's integration tests: a test names policies, a schema and entities,
// and gives requests with the decision, reasons and errors expected. Schemas as JSON and validation verdicts
// that lie beside a test (as in cedar-go's collection) are compared, too. Pure: whoever calls reads the
// files.
#pragma once

#include "base/json.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct ConformanceFiles {
  std::vector<std::string> paths;  // all there are, with forward slashes
  std::function<std::optional<std::string>(const std::string& path)> read;
};

struct ConformanceFailure {
  std::string file;
  std::string what;  // one line: which check, what was expected, what was found
};

struct ConformanceReport {
  size_t tests = 0;
  size_t passed = 0;  // checks
  size_t failed = 0;
  std::map<std::string, size_t, std::less<>> checks;  // how many of which kind
  std::vector<ConformanceFailure> failures;           // the first kConformanceFailuresMax
};
inline constexpr size_t kConformanceFailuresMax = 1000;

[[nodiscard]] ConformanceReport run_conformance(const ConformanceFiles& files);

}  // namespace entente::policy
