#include "base/json.h"

#include <cstdlib>

// What parses must print to something that parses to the same value, in each layout.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto value = entente::Json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  for (const std::string& text : {value->dump(), value->pretty(), value->canonical()}) {
    const auto again = entente::Json::parse(text);
    if (!again) std::abort();
    if (again->canonical() != value->canonical()) std::abort();
  }
  return 0;
}
