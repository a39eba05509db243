// The Merkle tree of RFC 6962 section 2 with SHA-256: leaves 0x00, nodes 0x01. Pure.
// Errors: "ledger.proof" (a proof that does not hold), "ledger.range" (an index or size that is not there).
#pragma once

#include "base/bytes.h"
#include "crypto/digest.h"

#include <cstdint>
#include <span>
#include <vector>

namespace entente::ledger {

using Hash = crypto::Digest;
using Proof = std::vector<Hash>;  // at most 64 + 64 hashes

[[nodiscard]] Hash leaf_hash(ByteView entry);
[[nodiscard]] Hash node_hash(const Hash& left, const Hash& right);
[[nodiscard]] Hash empty_root();  // SHA-256 of nothing

[[nodiscard]] Result<void> verify_inclusion(uint64_t index, uint64_t size, const Hash& leaf,
                                            std::span<const Hash> proof, const Hash& root);
// Refuses size1 = 0: from an empty tree everything follows, so there is nothing to prove. Whoever accepts
// "old 0" (a witness that meets a log for the first time) does so without asking here.
[[nodiscard]] Result<void> verify_consistency(uint64_t size1, uint64_t size2, std::span<const Hash> proof,
                                              const Hash& root1, const Hash& root2);

// The right edge of a growing tree: enough for its root, in 64 hashes.
class Edge {
 public:
  // `complete(height, hash)` is told each subtree that the leaf completes, from height 0 up.
  template <class Complete>
  void append(const Hash& leaf, Complete complete);
  void append(const Hash& leaf) {
    append(leaf, [](unsigned, const Hash&) {});
  }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] Hash root() const;

 private:
  uint64_t size_ = 0;
  std::vector<Hash> subtrees_;  // complete ones, largest first
};

// A whole tree in memory, 32 bytes a leaf: keeps the hashes that tiles hold (heights 0, 8, 16, ...).
class Tree {
 public:
  void append(const Hash& leaf);
  [[nodiscard]] uint64_t size() const { return edge_.size(); }
  [[nodiscard]] Hash root() const { return edge_.root(); }
  [[nodiscard]] Result<Hash> root_at(uint64_t size) const;
  [[nodiscard]] Result<Hash> leaf(uint64_t index) const;
  [[nodiscard]] Result<Proof> inclusion_proof(uint64_t index, uint64_t size) const;
  [[nodiscard]] Result<Proof> consistency_proof(uint64_t size1, uint64_t size2) const;
  // The hashes of tile level `level` (subtrees of height 8 * level), until the next append.
  [[nodiscard]] std::span<const Hash> row(unsigned level) const;

 private:
  [[nodiscard]] Hash subtree(unsigned height, uint64_t index) const;
  [[nodiscard]] Hash range(uint64_t begin, uint64_t end) const;
  void prove(uint64_t index, uint64_t begin, uint64_t end, Proof& proof) const;
  void prove_old(uint64_t old, uint64_t begin, uint64_t end, bool known, Proof& proof) const;

  Edge edge_;
  std::vector<std::vector<Hash>> rows_;
};

template <class Complete>
void Edge::append(const Hash& leaf, Complete complete) {
  Hash hash = leaf;
  unsigned height = 0;
  complete(height, hash);
  for (uint64_t n = size_; (n & 1U) != 0; n >>= 1U) {
    hash = node_hash(subtrees_.back(), hash);
    subtrees_.pop_back();
    complete(++height, hash);
  }
  subtrees_.push_back(hash);
  ++size_;
}

}  // namespace entente::ledger
