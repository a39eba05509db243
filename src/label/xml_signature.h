// XML signatures of one fixed shape: the whole document that holds the signature, and at most one object
// beside it. Exclusive canonical XML, SHA-384 digests; the signature's algorithm follows from the key's kind
// (RSA: RSA-SHA256, P-256: ECDSA-SHA256, P-384: ECDSA-SHA384). Whatever a document says of keys is not read.
// Private to the room: xmlsec stays behind it.
#pragma once

#include "base/bytes.h"
#include "crypto/key.h"
#include "label/xml.h"

#include <optional>
#include <string>

namespace entente::label {

// The object beside the document: its URI as the signature names it, and its bytes.
struct Detached {
  std::string uri;
  ByteView bytes;
};

// A ds:Signature without values. Error "label.key" for a key of another kind.
[[nodiscard]] Result<std::string> signature_template(crypto::KeyKind kind, const Detached* object);
// Fills it in. Error "label.signature".
[[nodiscard]] Result<void> sign_in_place(const XmlElement& signature, const crypto::PrivateKey& key,
                                         const Detached* object);
// Errors: "label.key", "label.binding" when it is not of our shape, "label.signature" when it does not hold.
[[nodiscard]] Result<void> verify_in_place(const XmlElement& signature, const crypto::PublicKey& key,
                                           const Detached* object);

}  // namespace entente::label
