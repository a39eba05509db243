#include "ledger/merkle.h"

#include "base/conformance_for_test.h"
#include "base/json.h"
#include "ledger/note.h"
#include "ledger/segment.h"
#include "ledger/tiles.h"

#include <bit>
#include <charconv>
#include <map>
#include <regex>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::ledger;

namespace {

Json json_file(const std::filesystem::path& path) {
  // Json has no integers above 2^63 - 1; longer ones are kept as text.
  static const std::regex kHuge(R"((:\s*)(\d{19,}))");
  const std::string text = std::regex_replace(conformance_text(path), kHuge, "$1\"$2\"");
  auto json = Json::parse(text);
  REQUIRE_MESSAGE(json, path.string());
  return *std::move(json);
}

std::optional<Hash> hash_in(const Json& json, std::string_view key) {
  const auto bytes = from_base64(json.text_or(key, ""));
  if (!bytes || bytes->size() != 32) return std::nullopt;
  Hash out{};
  std::ranges::copy(*bytes, out.begin());
  return out;
}

// A root of another length than a hash's can't be given to us at all: its digest stands for it, equal where
// it is.
std::optional<Hash> root_in(const Json& json, std::string_view key) {
  const auto bytes = from_base64(json.text_or(key, ""));
  if (!bytes || bytes->size() == 32) return bytes ? hash_in(json, key) : std::nullopt;
  return crypto::sha256(ByteView(*bytes));
}

std::optional<Proof> proof_in(const Json& json) {
  Proof out;
  const Json* list = json.find("proof");
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : list->items()) {
    const auto hash = hash_in(Json::object({{"h", item}}), "h");
    if (!hash) return std::nullopt;
    out.push_back(*hash);
  }
  return out;
}

std::optional<uint64_t> size_in(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (value != nullptr && value->is_string()) {
    uint64_t out = 0;
    const std::string& text = value->string();
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
    return fault == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
  }
  if (value == nullptr || !value->is_int() || value->integer() < 0) return std::nullopt;
  return static_cast<uint64_t>(value->integer());
}

template <class Check>
void run_vectors(const std::string& kind, Check check) {
  size_t accepted = 0;
  size_t refused = 0;
  for (const auto& path : conformance_files(conformance("ledger/merkle/testdata") / kind, ".json")) {
    CAPTURE(path.string());
    const Json json = json_file(path);
    const Json* wrong = json.find("wantErr");
    REQUIRE((wrong != nullptr && wrong->is_bool()));
    // Older vectors let anything follow from the empty tree, which proves nothing; newer ones do not.
    const bool valid = !wrong->boolean() && size_in(json, "size1") != 0U;
    CHECK(check(json) == valid);
    ++(valid ? accepted : refused);
  }
  if (accepted + refused > 0) MESSAGE(kind << ": " << accepted << " proofs hold, " << refused << " refused");
}

Hash leaf_of(uint64_t n) {
  return leaf_hash(as_bytes("leaf " + std::to_string(n)));
}

}  // namespace

TEST_CASE("the inclusion vectors of transparency-dev/merkle hold") {
  run_vectors("inclusion", [](const Json& json) {
    const auto index = size_in(json, "leafIdx");
    const auto size = size_in(json, "treeSize");
    const auto leaf = hash_in(json, "leafHash");
    const auto root = root_in(json, "root");
    const auto proof = proof_in(json);
    return index && size && leaf && root && proof &&
           verify_inclusion(*index, *size, *leaf, *proof, *root).has_value();
  });
}

TEST_CASE("the consistency vectors of transparency-dev/merkle hold, refusing size 0") {
  run_vectors("consistency", [](const Json& json) {
    const auto size1 = size_in(json, "size1");
    const auto size2 = size_in(json, "size2");
    const auto root1 = root_in(json, "root1");
    const auto root2 = root_in(json, "root2");
    const auto proof = proof_in(json);
    return size1 && size2 && root1 && root2 && proof &&
           verify_consistency(*size1, *size2, *proof, *root1, *root2).has_value();
  });
}

// A whole subtree is a tree of its own, if it stands where one of its size can (its start is a multiple of
// the power of two that holds it).
TEST_CASE("the subtree vectors of transparency-dev/merkle hold as trees of their own") {
  run_vectors("subtreeinclusion", [](const Json& json) {
    const auto index = size_in(json, "leafIdx");
    const auto start = size_in(json, "start");
    const auto end = size_in(json, "end");
    const auto leaf = hash_in(json, "leafHash");
    const auto root = root_in(json, "root");
    const auto proof = proof_in(json);
    if (!index || !start || !end || !leaf || !root || !proof) return false;
    if (*start >= *end || *index < *start) return false;
    const uint64_t width = *end - *start;
    if (width > UINT64_MAX / 2 || *start % std::bit_ceil(width) != 0) return false;
    return verify_inclusion(*index - *start, *end - *start, *leaf, *proof, *root).has_value();
  });
}

namespace {

// A log's tree from its entry bundles; what of them is missing ends it. `again` gets what we would write.
Tree tree_of(const std::filesystem::path& log, uint64_t size, bool& same) {
  Tree tree;
  for (uint64_t tile = 0; tile * kTileWidth < size; ++tile) {
    const uint64_t width = std::min(kTileWidth, size - tile * kTileWidth);
    const std::string bundle = conformance_text(log / tile_path(-1, tile, width));
    Bytes again;
    for (size_t at = 0; at + 2 <= bundle.size();) {
      const auto length =
          static_cast<size_t>(static_cast<uint8_t>(bundle[at]) << 8U | static_cast<uint8_t>(bundle[at + 1]));
      REQUIRE(at + 2 + length <= bundle.size());
      const ByteView entry = as_bytes(bundle).subspan(at + 2, length);
      tree.append(leaf_hash(entry));
      add_to_bundle(again, entry);
      at += 2 + length;
    }
    same = same && as_text(again) == bundle;
  }
  return tree;
}

// The keys of public test logs; a log of another origin is read without looking at its signatures.
constexpr std::string_view kLogKeys[] = {
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"};

Checkpoint checkpoint_of(const std::string& text, size_t& verified) {
  for (const std::string_view key : kLogKeys)
    if (key.substr(0, key.find('+')) == text.substr(0, text.find('\n'))) {
      const auto read = Checkpoint::open(text, NoteVerifier::parse(key).value());
      REQUIRE_MESSAGE(read, read.error().text());
      ++verified;
      return *read;
    }
  const auto note = Note::parse(text);
  REQUIRE_MESSAGE(note, note.error().text());
  return Checkpoint::parse(note->text).value();
}

}  // namespace

TEST_CASE("Tessera's test log: checkpoints are signed, bundles and tiles lead to their roots") {
  size_t verified = 0;
  size_t rebuilt = 0;
  std::map<std::filesystem::path, std::map<uint64_t, Hash>> logs;
  for (const auto& path : conformance_files(conformance("ledger/tessera-testlog"), "")) {
    if (!path.filename().string().starts_with("checkpoint")) continue;
    CAPTURE(path.string());
    const std::filesystem::path log = path.parent_path();
    const Checkpoint checkpoint = checkpoint_of(conformance_text(path), verified);
    bool same = true;
    const Tree tree = tree_of(log, checkpoint.size, same);
    if (tree.size() != checkpoint.size) continue;  // not all of its bundles are there
    CHECK(same);
    CHECK(tree.root() == checkpoint.root);
    for (const TileFile& tile : hash_tiles(tree, 0, tree.size()))
      if (std::filesystem::exists(log / tile.path))
        CHECK(as_text(tile.bytes) == conformance_text(log / tile.path));
    logs[log][checkpoint.size] = checkpoint.root;
    for (const auto& [size, root] : logs[log])
      if (size > 0 && size <= checkpoint.size)
        CHECK(verify_consistency(size, checkpoint.size, tree.consistency_proof(size, checkpoint.size).value(),
                                 root, checkpoint.root));
    ++rebuilt;
  }
  CHECK((verified == 0 || rebuilt > 0));
  if (!logs.empty())
    MESSAGE("test logs: " << verified << " signed checkpoints verified, " << rebuilt << " trees rebuilt");
}

TEST_CASE("every proof of a growing tree holds, and no proof holds for another") {
  constexpr uint64_t kSize = 70;
  Tree tree;
  std::vector<Hash> roots{empty_root()};
  for (uint64_t n = 0; n < kSize; ++n) {
    tree.append(leaf_of(n));
    roots.push_back(tree.root());
  }
  for (uint64_t size = 1; size <= kSize; ++size) {
    CHECK(tree.root_at(size).value() == roots[size]);
    for (uint64_t index = 0; index < size; ++index) {
      const Proof proof = tree.inclusion_proof(index, size).value();
      CHECK(verify_inclusion(index, size, leaf_of(index), proof, roots[size]));
      CHECK(!verify_inclusion(index, size, leaf_of(index + 1), proof, roots[size]));
    }
    for (uint64_t old = 1; old <= size; ++old) {
      const Proof proof = tree.consistency_proof(old, size).value();
      CHECK(verify_consistency(old, size, proof, roots[old], roots[size]));
      if (old < size) CHECK(!verify_consistency(old, size, proof, roots[old - 1], roots[size]));
    }
  }
  CHECK(!tree.inclusion_proof(kSize, kSize));
  CHECK(!tree.consistency_proof(0, 1));
  CHECK(!tree.root_at(kSize + 1));
}

TEST_CASE("proofs cross tile borders") {
  Tree tree;
  Hash old{};
  for (uint64_t n = 0; n < 70'000; ++n) {
    tree.append(leaf_of(n));
    if (n == 65'600) old = tree.root();
  }
  for (const uint64_t index : {0U, 255U, 256U, 65'535U, 65'536U, 69'999U}) {
    const Proof proof = tree.inclusion_proof(index, 70'000).value();
    CHECK(verify_inclusion(index, 70'000, leaf_of(index), proof, tree.root()));
  }
  CHECK(tree.root_at(65'601).value() == old);
  CHECK(verify_consistency(65'601, 70'000, tree.consistency_proof(65'601, 70'000).value(), old, tree.root()));
  CHECK(tree.row(2).size() == 1);
}

TEST_CASE("tiles are where tlog-tiles says") {
  CHECK(tile_path(0, 0, 256) == "tile/0/000");
  CHECK(tile_path(1, 1'234'067, 256) == "tile/1/x001/x234/067");
  CHECK(tile_path(-1, 5, 17) == "tile/entries/005.p/17");
}

TEST_CASE("a note is bound to its text, its name and its key") {
  const auto signer =
      NoteSigner::make("entente.xaa/ledger", crypto::PrivateKey::generate(crypto::KeyKind::ed25519));
  const auto other =
      NoteSigner::make("entente.xaa/ledger", crypto::PrivateKey::generate(crypto::KeyKind::ed25519));
  const Checkpoint checkpoint{.origin = "entente.xaa/ledger", .size = 3, .root = leaf_of(1)};
  const std::string note = signer->sign(checkpoint.text()).value();
  CHECK(Checkpoint::open(note, signer->verifier()).value() == checkpoint);
  CHECK(Checkpoint::open(note, other->verifier()).error().code() == "ledger.signature");
  CHECK(signer->verifier().id() != other->verifier().id());
  const auto again = NoteVerifier::parse(signer->verifier().vkey());
  CHECK(Checkpoint::open(note, *again));
  for (size_t at = 0; at < note.size(); ++at) {
    std::string changed = note;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(!Checkpoint::open(changed, signer->verifier()));
  }
  const auto elsewhere =
      NoteSigner::make("entente.xbb/ledger", crypto::PrivateKey::generate(crypto::KeyKind::ed25519));
  CHECK(Checkpoint::open(elsewhere->sign(checkpoint.text()).value(), elsewhere->verifier()).error().code() ==
        "ledger.checkpoint");
  CHECK(!Checkpoint::parse("a\n01\n" + base64(leaf_of(1)) + "\n"));
  CHECK(!Checkpoint::parse("a\n1\n" + base64(leaf_of(1)) + "\nmore\n"));
  CHECK(!NoteVerifier::parse("a+00000000+AAAA"));
}

TEST_CASE("the checksum is CRC-32C") {
  CHECK(crc32c(as_bytes("123456789")) == 0xe3069283U);
}

TEST_CASE("the checksum is the same with the processor's instruction and by table") {
  const Bytes all = crypto::random_bytes(300);
  for (size_t from = 0; from < 9; ++from) {
    for (size_t count = 0; count + from <= all.size(); count += 7) {
      const ByteView some = ByteView(all).subspan(from, count);
      CHECK(crc32c(some) == crc32c_by_table(some));
      CHECK(crc32c(some.subspan(count / 3), crc32c(some.first(count / 3))) == crc32c_by_table(some));
    }
  }
}
