#include "ledger/batch.h"
#include "ledger/record.h"

#include <cstddef>
#include <cstdint>

// Leaves, records, disclosures and batches from anywhere: refused, or the very bytes they encode to.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  const ByteView bytes(data, size);
  if (const auto leaf = ledger::Leaf::parse(bytes)) ENTENTE_CHECK(leaf->encode() == as_text(bytes));
  if (const auto record = ledger::Record::parse(bytes)) {
    ENTENTE_CHECK(record->encode() == Bytes(bytes.begin(), bytes.end()));
    (void)ledger::seal(*record, crypto::Secret(Bytes(ledger::kRecordKeyBytes)));
  }
  if (const auto json = Json::parse(as_text(bytes))) (void)ledger::Disclosure::from_json(*json);
  (void)ledger::LogBatch::parse(bytes);
  (void)ledger::OwnBatch::parse(bytes);
  return 0;
}
