// What is recorded, and what of it a partner may see. The log's leaf is a commitment: class, time and one
// salted digest a field. Plaintext and the record's key, from which the salts come, stay with the owner. Any
// field can be disclosed later with its salt and proved against the leaf. Bytes: docs/wire-formats/ledger.md.
// Errors: "ledger.record" (cannot be recorded), "ledger.leaf" (bytes that are no leaf), "ledger.disclosure".
#pragma once

#include "base/bytes.h"
#include "base/json.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "ledger/merkle.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace entente::ledger {

inline constexpr size_t kEntryBytesMax = 65'535;  // tlog-tiles: a 16 bit length
inline constexpr size_t kFieldsMax = 256;
inline constexpr size_t kFieldNameBytesMax = 256;
inline constexpr size_t kRecordBytesMax = 256 * 1024;  // of plaintext
inline constexpr size_t kRecordKeyBytes = 32;
inline constexpr size_t kSaltBytes = 16;

struct Record {
  std::string event_class{};  // "verdict", "change", "store.commit": a-z, 0-9, inner '.', '-', '_'
  Instant time{};
  std::vector<std::pair<std::string, Json>> fields{};  // names unique; order does not matter

  // The bytes a store commit carries as a leaf until the ledger has it: canonical JSON
  // {"class","fields","time"}.
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<Record> parse(ByteView bytes);
};

struct Leaf {
  std::string event_class{};
  Instant time{};
  std::vector<crypto::Digest> digests{};  // ascending
  bool operator==(const Leaf&) const = default;

  [[nodiscard]] std::string encode() const;                 // {"class","digests","n","time","v":1}
  [[nodiscard]] static Result<Leaf> parse(ByteView entry);  // refuses all but the canonical bytes
};

// Class and time alone, of an entry that is known to be a leaf: for looking through many. Views into it.
struct Glance {
  std::string_view event_class;
  Instant time{};
};
[[nodiscard]] Result<Glance> glance(ByteView entry);

// The owner's side of a leaf.
struct Sealed {
  Leaf leaf{};
  crypto::Secret key;
  std::string plain{};  // canonical JSON object of the fields
};
[[nodiscard]] Result<Sealed> seal(const Record& record, crypto::Secret key);
// The leaf that this key and plaintext make, or an error.
[[nodiscard]] Result<Leaf> reseal(const Leaf& leaf, ByteView key, std::string_view plain);

struct DisclosedField {
  std::string name{};
  Json value{};
  Bytes salt{};
};

// Evidence that can be checked offline: the leaf, chosen fields, and the way up to a signed checkpoint.
struct Disclosure {
  uint64_t index = 0;
  Bytes entry{};
  std::vector<DisclosedField> fields{};
  Proof proof{};
  std::string checkpoint{};  // a signed note

  [[nodiscard]] Json json() const;
  [[nodiscard]] static Result<Disclosure> from_json(const Json& json);
};

[[nodiscard]] Result<std::vector<DisclosedField>> disclose_fields(ByteView key, std::string_view plain,
                                                                  std::span<const std::string> names);
[[nodiscard]] Result<void> verify_fields(const Leaf& leaf, std::span<const DisclosedField> fields);

}  // namespace entente::ledger
