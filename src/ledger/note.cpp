#include "ledger/note.h"

#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace entente::ledger {
namespace {

constexpr uint8_t kEd25519 = 0x01;
constexpr size_t kEd25519KeyBytes = 32;
constexpr size_t kIdBytes = 4;
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash, space

Failure bad_note(std::string what) {
  return fail("ledger.note", std::move(what));
}

// signed-note: no spaces (Unicode's either) and no plus. Ours are ASCII; others' may be more.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && std::ranges::all_of(name, [](char c) {
    return static_cast<uint8_t>(c) > ' ' && c != '+' && c != 0x7f;
  });
}

KeyId id_of(std::string_view name, ByteView raw) {
  const std::string head = std::string(name) + "\n" + static_cast<char>(kEd25519);
  const crypto::Digest digest = crypto::Sha256().add(head).add(raw).digest();
  KeyId out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

Result<Bytes> raw_key(const crypto::PublicKey& key) {
  if (key.kind() != crypto::KeyKind::ed25519) {
    return fail("ledger.key", "a checkpoint key is an Ed25519 key", {}, "make one for this purpose alone");
  }
  return from_base64url(key.jwk().text_or("x", ""));
}

// One JSON reader for keys: Ed25519 in its JWK form (RFC 8037).
Result<crypto::PublicKey> key_of(ByteView raw) {
  return crypto::PublicKey::from_jwk(
      Json::object({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", base64url(raw)}}));
}

Result<NoteSignature> parse_line(std::string_view line) {
  if (!line.starts_with(kDash)) return bad_note("a signature line starts with a dash and a space");
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_name(line.substr(0, space))) {
    return bad_note("a signature line has no key name");
  }
  const Result<Bytes> bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kIdBytes)
    return bad_note("a signature is not base64 of an id and a signature");
  NoteSignature out{.name = std::string(line.substr(0, space)), .signature = {}};
  std::copy_n(bytes->begin(), kIdBytes, out.id.begin());
  out.signature.assign(bytes->begin() + kIdBytes, bytes->end());
  return out;
}

// Decimal without sign or leading zeros.
std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || (text.size() > 1 && text[0] == '0') || out > INT64_MAX) return std::nullopt;
  return out;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<uint8_t>(c) < ' ' && c != '\n'; });
}

}  // namespace

Result<NoteVerifier> NoteVerifier::make(std::string name, const crypto::PublicKey& key) {
  if (!is_name(name)) return fail("ledger.key", "a key name has no spaces and no plus", name);
  TRY(Bytes raw, raw_key(key));
  const KeyId id = id_of(name, raw);
  return NoteVerifier(std::move(name), key, std::move(raw), id);
}

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey) {
  const auto bad = [] {
    return fail("ledger.key", "this is no note verifier key", {},
                "it reads name+hash+base64, as in signed-note");
  };
  const size_t first = vkey.find('+');
  const size_t second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return bad();
  const Result<Bytes> bytes = from_base64(vkey.substr(second + 1));
  if (!bytes || bytes->size() != 1 + kEd25519KeyBytes || bytes->front() != kEd25519) return bad();
  TRY(const crypto::PublicKey key, key_of(ByteView(*bytes).subspan(1)));
  TRY(NoteVerifier out, make(std::string(vkey.substr(0, first)), key));
  if (vkey.substr(first + 1, second - first - 1) != hex(out.id())) return bad();
  return out;
}

std::string NoteVerifier::vkey() const {
  Bytes key{kEd25519};
  key.insert(key.end(), raw_.begin(), raw_.end());
  return name_ + "+" + hex(id_) + "+" + base64(key);
}

bool NoteVerifier::verify(ByteView message, ByteView signature) const {
  return key_.verify(crypto::SignatureAlg::EdDSA, message, signature);
}

Result<NoteSigner> NoteSigner::make(std::string name, crypto::PrivateKey key) {
  TRY(NoteVerifier verifier, NoteVerifier::make(std::move(name), key.public_key()));
  return NoteSigner(std::move(key), std::move(verifier));
}

Result<std::string> NoteSigner::sign(std::string_view text) const {
  ENTENTE_CHECK(text.ends_with('\n'));
  TRY(const Bytes signature, key_.sign(crypto::SignatureAlg::EdDSA, as_bytes(text)));
  Bytes line(verifier_.id().begin(), verifier_.id().end());
  line.insert(line.end(), signature.begin(), signature.end());
  return std::string(text) + "\n" + std::string(kDash) + verifier_.name() + " " + base64(line) + "\n";
}

Result<Note> Note::parse(std::string_view note) {
  if (note.size() > kNoteBytesMax) return bad_note("the note is above 64 KiB");
  if (!note.ends_with('\n') || has_control(note)) return bad_note("the note is not plain lines of text");
  // The last empty line parts text from signatures: a text may hold empty lines of its own.
  const size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos) return bad_note("the note has no signatures");
  Note out{.text = std::string(note.substr(0, gap + 1)), .signatures = {}};
  std::string_view rest = note.substr(gap + 2);
  if (rest.empty()) return bad_note("the note has no signatures");
  while (!rest.empty()) {
    if (out.signatures.size() == kNoteSignaturesMax) return bad_note("the note has more than 100 signatures");
    const size_t end = rest.find('\n');
    TRY(NoteSignature signature, parse_line(rest.substr(0, end)));
    out.signatures.push_back(std::move(signature));
    rest.remove_prefix(end + 1);
  }
  return out;
}

Result<void> Note::verify(const NoteVerifier& verifier) const {
  bool found = false;
  for (const NoteSignature& signature : signatures) {
    if (signature.name != verifier.name() || signature.id != verifier.id()) continue;
    if (!verifier.verify(as_bytes(text), signature.signature)) {
      return fail("ledger.signature", "the note's signature does not hold", verifier.name());
    }
    found = true;
  }
  if (found) return {};
  return fail("ledger.signature", "the note is not signed by the key asked for", verifier.name());
}

std::string Checkpoint::text() const {
  return origin + "\n" + std::to_string(size) + "\n" + base64(root) + "\n";
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  const auto bad = [](std::string what) { return fail("ledger.checkpoint", std::move(what)); };
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return bad("a checkpoint has origin, size and root on a line each");
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  // Extension lines after the root are allowed by tlog-checkpoint; our logs never have any and refuse them,
  // since nobody would check what they say.
  if (!text.empty()) return bad("the checkpoint has extension lines");
  const std::optional<uint64_t> size = parse_size(lines[1]);
  if (!is_name(lines[0]) || !size) return bad("the checkpoint's origin or size is not right");
  const Result<Bytes> root = from_base64(lines[2]);
  Checkpoint out{.origin = std::string(lines[0]), .size = *size};
  if (!root || root->size() != out.root.size()) return bad("the checkpoint's root is not base64 of 32 bytes");
  std::ranges::copy(*root, out.root.begin());
  if (out.size == 0 && out.root != empty_root()) return bad("an empty log has another root");
  return out;
}

Result<Checkpoint> Checkpoint::open(std::string_view note, const NoteVerifier& verifier) {
  TRY(const Note parsed, Note::parse(note));
  TRY_VOID(parsed.verify(verifier));
  TRY(Checkpoint out, parse(parsed.text));
  if (out.origin != verifier.name()) {
    return fail("ledger.checkpoint", "the checkpoint is of another log", out.origin,
                "asked for " + verifier.name());
  }
  return out;
}

}  // namespace entente::ledger
