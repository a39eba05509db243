#include "ledger/batch.h"
#include "ledger/segment.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

// Recovery over any bytes ends, stays inside them, and never counts a batch twice. The header is made right,
// since nothing is read behind a wrong one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::ledger;
  Bytes file = segment_header(kSegmentMagicLog, {}, kSegmentHeaderBytes + size);
  file.insert(file.end(), data, data + size);
  auto reader = SegmentReader::open(file, kSegmentMagicLog, {});
  ENTENTE_CHECK(reader.has_value());
  uint64_t index = 0;
  for (uint64_t batch = 0;; ++batch) {
    const auto frame = reader->next(index);
    if (!frame || !*frame) break;
    ENTENTE_CHECK((*frame)->batch == batch);
    const auto entries = LogBatch::parse((*frame)->payload);
    if (!entries) break;
    index += entries->entries.size();
  }
  ENTENTE_CHECK(reader->end() <= file.size() && reader->dirty_end() <= file.size());
  (void)SegmentReader::open(ByteView(data, size), kSegmentMagicLog, {});
  return 0;
}
