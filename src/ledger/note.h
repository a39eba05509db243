// Signed notes and checkpoints (C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0) with Ed25519 keys.
// Errors: "ledger.note" (shape), "ledger.signature" (no valid signature by the key asked for),
// "ledger.checkpoint", "ledger.key".
#pragma once

#include "base/bytes.h"
#include "crypto/key.h"
#include "ledger/merkle.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace entente::ledger {

inline constexpr size_t kNoteBytesMax = 64 * 1024;
inline constexpr size_t kNoteSignaturesMax = 100;

using KeyId = std::array<uint8_t, 4>;

// Who signs, and with which key: "name+hash+base64(0x01 || key)". A new key or a new name has a new id, so a
// change of keys shows.
class NoteVerifier {
 public:
  [[nodiscard]] static Result<NoteVerifier> make(std::string name, const crypto::PublicKey& key);
  [[nodiscard]] static Result<NoteVerifier> parse(std::string_view vkey);
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const KeyId& id() const { return id_; }
  [[nodiscard]] std::string vkey() const;
  [[nodiscard]] bool verify(ByteView message, ByteView signature) const;

 private:
  NoteVerifier(std::string name, crypto::PublicKey key, Bytes raw, KeyId id)
      : name_(std::move(name)), key_(std::move(key)), raw_(std::move(raw)), id_(id) {}
  std::string name_;
  crypto::PublicKey key_;
  Bytes raw_;
  KeyId id_;
};

class NoteSigner {
 public:
  [[nodiscard]] static Result<NoteSigner> make(std::string name, crypto::PrivateKey key);
  [[nodiscard]] const NoteVerifier& verifier() const { return verifier_; }
  // `text` ends with a newline; the whole note comes back.
  [[nodiscard]] Result<std::string> sign(std::string_view text) const;

 private:
  NoteSigner(crypto::PrivateKey key, NoteVerifier verifier)
      : key_(std::move(key)), verifier_(std::move(verifier)) {}
  crypto::PrivateKey key_;
  NoteVerifier verifier_;
};

struct NoteSignature {
  std::string name{};
  KeyId id{};
  Bytes signature{};
};

struct Note {
  std::string text{};  // signed, with its last newline
  std::vector<NoteSignature> signatures{};

  [[nodiscard]] static Result<Note> parse(std::string_view note);
  // Ok when a signature of that name and id verifies; one of that name and id that does not is a fault, and
  // signatures of others are passed over.
  [[nodiscard]] Result<void> verify(const NoteVerifier& verifier) const;
};

struct Checkpoint {
  std::string origin{};
  uint64_t size = 0;
  Hash root{};
  bool operator==(const Checkpoint&) const = default;

  [[nodiscard]] std::string text() const;  // three lines
  [[nodiscard]] static Result<Checkpoint> parse(std::string_view text);
  // A checkpoint whose note is signed by `verifier` and whose origin is its name.
  [[nodiscard]] static Result<Checkpoint> open(std::string_view note, const NoteVerifier& verifier);
};

}  // namespace entente::ledger
