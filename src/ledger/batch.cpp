#include "ledger/batch.h"

namespace entente::ledger {
namespace {

constexpr size_t kEntriesMax = 1 << 20;  // a frame of 16 MiB can't hold more

void put(Bytes& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<uint8_t>(value >> shift));
}

// Takes big-endian numbers and runs of bytes from the front; past the end everything is empty and ok() false.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : left_(bytes) {}
  ByteView take(size_t count) {
    if (count > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const ByteView out = left_.first(count);
    left_ = left_.subspan(count);
    return out;
  }
  uint64_t number(size_t bytes) {
    uint64_t out = 0;
    for (const uint8_t byte : take(bytes)) out = (out << 8U) | byte;
    return out;
  }
  [[nodiscard]] ByteView left() const { return left_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteView left_;
  bool ok_ = true;
};

Failure bad_batch() {
  return fail("ledger.corrupt", "a batch is not what its lengths say");
}

}  // namespace

Result<LogBatch> LogBatch::parse(ByteView payload) {
  Cursor in(payload);
  const uint64_t count = in.number(4);
  if (!in.ok() || count == 0 || count > kEntriesMax) return bad_batch();
  LogBatch out;
  for (uint64_t i = 0; i < count && in.ok(); ++i) out.entries.push_back(in.take(in.number(2)));
  if (!in.ok()) return bad_batch();
  out.note = as_text(in.left());
  return out;
}

Bytes encode_log_batch(std::span<const std::string> entries, std::string_view note) {
  Bytes out;
  put(out, entries.size(), 4);
  for (const std::string& entry : entries) {
    put(out, entry.size(), 2);
    out.insert(out.end(), entry.begin(), entry.end());
  }
  out.insert(out.end(), note.begin(), note.end());
  return out;
}

Result<OwnBatch> OwnBatch::parse(ByteView payload) {
  Cursor in(payload);
  OwnBatch out;
  out.store = Revision{in.number(8)};
  const uint64_t count = in.number(4);
  if (!in.ok() || count == 0 || count > kEntriesMax) return bad_batch();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const ByteView key = in.take(kRecordKeyBytes);
    out.items.push_back({.key = key, .plain = as_text(in.take(in.number(4)))});
  }
  if (!in.ok() || !in.left().empty()) return bad_batch();
  return out;
}

Bytes encode_own_batch(std::span<const Sealed* const> items, Revision store) {
  Bytes out;
  put(out, store.value, 8);
  put(out, items.size(), 4);
  for (const Sealed* item : items) {
    out.insert(out.end(), item->key.bytes().begin(), item->key.bytes().end());
    put(out, item->plain.size(), 4);
    out.insert(out.end(), item->plain.begin(), item->plain.end());
  }
  return out;
}

size_t own_item_bytes(const Sealed& item) {
  return kRecordKeyBytes + 4 + item.plain.size();
}

}  // namespace entente::ledger
