#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace entente {

std::string Error::text() const {
  std::string out;
  if (!where.empty()) out += where + ": ";
  out += what;
  if (!hint.empty()) out += " (" + hint + ")";
  if (!code.empty()) out += " [" + code + "]";
  return out;
}

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "entente: %s:%d: this must never be: %s\n", file, line, condition);
  std::abort();
}

void no_value(const Error& error) noexcept {
  std::fprintf(stderr, "entente: a value was expected, and there was an error: %s\n", error.text().c_str());
  std::abort();
}

}  // namespace entente
