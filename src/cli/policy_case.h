// Tables of asks and expected verdicts for policy authors (docs/policy.md). Private to the room.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::cli {

struct CaseReport {
  size_t passed = 0;
  size_t failed = 0;
  bool validated = false;             // it names a schema
  std::vector<std::string> failures;  // "file:line: expected ..., found ..."
};

// Files named in it lie beside it. Errors "policy.case" with file:line, and those of what it names.
[[nodiscard]] Result<CaseReport> run_case_file(const std::string& path, std::string_view text);

}  // namespace entente::cli
