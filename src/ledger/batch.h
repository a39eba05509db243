// What one frame of each segment holds. Pure, for this room only. Errors: "ledger.corrupt".
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "ledger/record.h"

#include <string_view>
#include <vector>

namespace entente::ledger {

// Of the log, for everyone: the entries and the checkpoint after them.
struct LogBatch {
  std::vector<ByteView> entries{};
  std::string_view note;

  [[nodiscard]] static Result<LogBatch> parse(ByteView payload);  // views into `payload`
};
[[nodiscard]] Bytes encode_log_batch(std::span<const std::string> entries, std::string_view note);

// Of the owner's segment: each entry's key and plaintext, and the newest store revision recorded so far.
struct OwnBatch {
  struct Item {
    ByteView key;
    std::string_view plain;
  };
  Revision store{};
  std::vector<Item> items{};

  [[nodiscard]] static Result<OwnBatch> parse(ByteView payload);
};
[[nodiscard]] Bytes encode_own_batch(std::span<const Sealed* const> items, Revision store);
[[nodiscard]] size_t own_item_bytes(const Sealed& item);

}  // namespace entente::ledger
