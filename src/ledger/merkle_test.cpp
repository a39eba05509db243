#include "ledger/merkle.h"

#include "base/json.h"
#include "ledger/note.h"
#include "ledger/segment.h"
#include "ledger/tiles.h"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::ledger;

namespace {

std::filesystem::path conformance() {
  const char* set = std::getenv("ENTENTE_CONFORMANCE");
  return std::filesystem::path(set != nullptr ? set : "../shared/conformance") / "ledger";
}

bool there(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return true;
  MESSAGE("skipped: no conformance data at " << path.string());
  return false;
}

constexpr std::string_view kHuge = "18446744073709551615";

Json json_file(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  REQUIRE(bytes);
  // Json has no integers above 2^63 - 1; the one index beyond is kept as text.
  std::string text(as_text(*bytes));
  const size_t huge = text.find(kHuge);
  if (huge != std::string::npos) text.replace(huge, kHuge.size(), "\"" + std::string(kHuge) + "\"");
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
  if (value != nullptr && *value == Json(kHuge)) return UINT64_MAX;
  if (value == nullptr || !value->is_int() || value->integer() < 0) return std::nullopt;
  return static_cast<uint64_t>(value->integer());
}

template <class Check>
int run_vectors(const std::filesystem::path& folder, Check check) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().string());
    const Json json = json_file(entry.path());
    const bool wrong = *json.find("wantErr") == Json(true);
    CHECK(check(json) == !wrong);
    ++count;
  }
  return count;
}

Hash leaf_of(uint64_t n) {
  return leaf_hash(as_bytes("leaf " + std::to_string(n)));
}

}  // namespace

TEST_CASE("the inclusion vectors of transparency-dev/merkle hold") {
  const auto folder = conformance() / "merkle/testdata/inclusion";
  if (!there(folder)) return;
  const int count = run_vectors(folder, [](const Json& json) {
    const auto index = size_in(json, "leafIdx");
    const auto size = size_in(json, "treeSize");
    const auto leaf = hash_in(json, "leafHash");
    const auto root = root_in(json, "root");
    const auto proof = proof_in(json);
    return index && size && leaf && root && proof &&
           verify_inclusion(*index, *size, *leaf, *proof, *root).has_value();
  });
  CHECK(count == 98);
}

TEST_CASE("the consistency vectors of transparency-dev/merkle hold, refusing size 0") {
  const auto folder = conformance() / "merkle/testdata/consistency";
  if (!there(folder)) return;
  const int count = run_vectors(folder, [](const Json& json) {
    const auto size1 = size_in(json, "size1");
    const auto size2 = size_in(json, "size2");
    const auto root1 = root_in(json, "root1");
    const auto root2 = root_in(json, "root2");
    const auto proof = proof_in(json);
    return size1 && size2 && root1 && root2 && proof &&
           verify_consistency(*size1, *size2, *proof, *root1, *root2).has_value();
  });
  CHECK(count == 98);
}

TEST_CASE("Tessera's test log: checkpoints are signed, bundles and tiles lead to their roots") {
  const auto folder = conformance() / "tessera-testlog/testdata/log";
  if (!there(folder)) return;
  const auto key =
      NoteVerifier::parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx");
  REQUIRE(key);
  int signed_checkpoints = 0;
  for (uint64_t size = 0; size < 16; ++size) {
    const auto path = folder / ("checkpoint." + std::to_string(size));
    if (!std::filesystem::exists(path)) continue;
    const auto note = read_file(path);
    const auto checkpoint = Checkpoint::open(as_text(*note), *key);
    REQUIRE_MESSAGE(checkpoint, path.string());
    ++signed_checkpoints;
    if (checkpoint->size == 0) continue;
    const auto bundle = read_file(folder / tile_path(-1, 0, checkpoint->size));
    const auto tile = read_file(folder / tile_path(0, 0, checkpoint->size));
    if (!bundle || !tile) continue;
    Tree tree;
    Bytes again;
    for (size_t at = 0; at < bundle->size();) {
      const size_t length = static_cast<size_t>((*bundle)[at] << 8U | (*bundle)[at + 1]);
      const ByteView entry = ByteView(*bundle).subspan(at + 2, length);
      tree.append(leaf_hash(entry));
      add_to_bundle(again, entry);
      at += 2 + length;
    }
    CHECK(tree.size() == checkpoint->size);
    CHECK(tree.root() == checkpoint->root);
    CHECK(again == *bundle);
    const auto files = hash_tiles(tree, 0, tree.size());
    REQUIRE(files.size() == 1);
    CHECK(files[0].bytes == *tile);
  }
  CHECK(signed_checkpoints == 16);
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
