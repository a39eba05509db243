// Reading any bytes as a link message never fails but by an error, and what is read is written and read the
// same.
#include "exchange/link.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::exchange;
  const auto json = Json::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  const auto envelope = link::from_json(*json);
  if (!envelope) return 0;
  const auto again = link::from_json(link::to_json(*envelope));
  ENTENTE_CHECK(again.has_value() && *again == *envelope);
  return 0;
}
