// Labels bound to what they speak of (STANAG 4778): inside an XML document, or beside an object of any kind.
// A binding that is signed covers the whole document it stands in and, when detached, the object's bytes.
// The key always comes from the caller; what a document says of keys is not read.
#pragma once

#include "base/bytes.h"
#include "crypto/key.h"
#include "label/label_xml.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::label {

inline constexpr size_t kBoundBytesMax = 16U << 20U;  // of a document with a binding inside
inline constexpr size_t kBoundDepthMax = 128;
inline constexpr size_t kBoundLabelsMax = 16;

// The object that a detached binding speaks of.
struct BoundObject {
  std::string uri;         // as both sides name it: "report.pdf"; a relative or absolute URI without fragment
  std::string media_type;  // may be empty
  ByteView bytes;
};

struct Binding {
  std::vector<RoledLabel> labels;  // exactly one of them is the originator's
  std::string uri;                 // empty: the document that holds it
  std::string media_type;
  [[nodiscard]] const Label& originator() const;
};

// `key` may be nullptr: then the binding is not signed. Errors: "label.binding" (labels, URI, or a document
// that has a binding already), "label.key", and those of reading XML.
[[nodiscard]] Result<std::string> bind_detached(std::span<const RoledLabel> labels, const BoundObject& object,
                                                const crypto::PrivateKey* key);
[[nodiscard]] Result<std::string> bind_embedded(std::string_view document, std::span<const RoledLabel> labels,
                                                const crypto::PrivateKey* key);

// Read and verified. Errors: "label.binding" (shape, or it is about something else), "label.signature" (none,
// or it does not hold), "label.key", and those of reading labels and XML.
[[nodiscard]] Result<Binding> verify_detached(std::string_view binding, const BoundObject& object,
                                              const crypto::PublicKey& key);
[[nodiscard]] Result<Binding> verify_embedded(std::string_view document, const crypto::PublicKey& key);

// Read only: anybody could have written it. For showing and for choosing the key.
[[nodiscard]] Result<Binding> read_unverified(std::string_view document);

}  // namespace entente::label
