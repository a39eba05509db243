// Which scripts characters are used with, and which characters identifiers usually have (Unicode). Private to
// the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace entente::policy {

struct ScriptRange {
  uint32_t first;  // up to the next range's first
  uint32_t set;    // index into kScriptSets
};
struct IdentifierRange {
  uint32_t first;
  uint32_t last;
};

extern const std::string_view
    kScriptSets[];  // four-letter codes, parted by blanks; "any" for common characters
extern const ScriptRange kScriptRanges[];
extern const size_t kScriptRangesCount;
extern const IdentifierRange kIdentifierRanges[];
extern const size_t kIdentifierRangesCount;

}  // namespace entente::policy
