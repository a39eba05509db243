// What a resealed object was made of, as whoever made it says: its reader. An object is named by the digests
// of its wrapped keys, as the ledgers of its key services and recalls name it. Bound with the object's key:
// any reader can write another, or leave it out; a signature of the originator's covers it.
#pragma once

#include "data/assertion.h"

namespace entente::data {

inline constexpr size_t kDigestsMax = 8;  // of an object with more wrapped keys, those of the first
using KeyDigests = std::vector<std::string>;
[[nodiscard]] std::string key_digest(const KeyAccess& access);  // base64url SHA-256 of the wrapped key
[[nodiscard]] KeyDigests key_digests(const Manifest& manifest);
[[nodiscard]] Json to_json(const KeyDigests& digests);
// Nothing where it is not of that shape.
[[nodiscard]] KeyDigests read_key_digests(const Json& json);

struct Lineage {
  KeyDigests original = {};  // the first that is known
  KeyDigests previous = {};  // what it was made of
  bool operator==(const Lineage&) const = default;
};
inline constexpr std::string_view kLineageAssertionId = "entente-lineage";
[[nodiscard]] Assertion lineage_assertion(const Lineage& lineage);
// As it stands there: whether it is bound is verify_assertions' to say. Nothing: it says of none.
[[nodiscard]] std::optional<Lineage> read_lineage(const Manifest& manifest);
// Of what is made of that object.
[[nodiscard]] Lineage lineage_after(const Manifest& old);

// What stands under each share, for key services: a label, and of what was made of another object, of which.
[[nodiscard]] std::string key_metadata(const label::Label& label, const KeyDigests& from = {});
[[nodiscard]] KeyDigests read_key_metadata_from(const Json& metadata);

}  // namespace entente::data
