// Where objects are read from and written to. Memory here; files in file.h. Errors: "data.io".
#pragma once

#include "base/bytes.h"

namespace entente::data {

// Bytes of a known number, read at any place; many threads may read one.
class Source {
 public:
  virtual ~Source() = default;
  [[nodiscard]] virtual uint64_t size() const = 0;
  // Fills all of `out` or fails; the caller stays within size().
  [[nodiscard]] virtual Result<void> read(uint64_t at, std::span<uint8_t> out) const = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  [[nodiscard]] virtual Result<void> write(ByteView bytes) = 0;
};

// Borrows its bytes.
class MemorySource final : public Source {
 public:
  explicit MemorySource(ByteView bytes) : bytes_(bytes) {}
  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] Result<void> read(uint64_t at, std::span<uint8_t> out) const override;

 private:
  ByteView bytes_;
};

class MemorySink final : public Sink {
 public:
  [[nodiscard]] Result<void> write(ByteView bytes) override;
  Bytes bytes;
};

}  // namespace entente::data
