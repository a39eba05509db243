#include "ledger/merkle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

namespace entente::ledger {
namespace {

constexpr uint8_t kLeafPrefix = 0x00;
constexpr uint8_t kNodePrefix = 0x01;
constexpr unsigned kRowHeight = 8;  // tlog-tiles: a tile is 8 levels high

Failure wrong_proof(std::string what) {
  return fail("ledger.proof", std::move(what));
}

// The largest power of two below n, for n above 1.
uint64_t split(uint64_t n) {
  return std::bit_floor(n - 1);
}

}  // namespace

Hash leaf_hash(ByteView entry) {
  Bytes message;
  message.reserve(entry.size() + 1);
  message.push_back(kLeafPrefix);
  message.insert(message.end(), entry.begin(), entry.end());
  return crypto::sha256(message);
}

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<uint8_t, 65> message{};
  message[0] = kNodePrefix;
  std::ranges::copy(left, message.begin() + 1);
  std::ranges::copy(right, message.begin() + 33);
  return crypto::sha256(ByteView(message));
}

Hash empty_root() {
  return crypto::sha256(ByteView{});
}

// RFC 9162 section 2.1.3.2.
Result<void> verify_inclusion(uint64_t index, uint64_t size, const Hash& leaf, std::span<const Hash> proof,
                              const Hash& root) {
  if (index >= size) return wrong_proof("the index is not below the tree's size");
  uint64_t first = index;
  uint64_t last = size - 1;
  Hash hash = leaf;
  for (const Hash& step : proof) {
    if (last == 0) return wrong_proof("the proof is too long");
    if ((first & 1U) != 0 || first == last) {
      hash = node_hash(step, hash);
      while ((first & 1U) == 0 && first != 0) {
        first >>= 1U;
        last >>= 1U;
      }
    } else {
      hash = node_hash(hash, step);
    }
    first >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return wrong_proof("the proof is too short");
  if (hash != root) return wrong_proof("the proof leads to another root");
  return {};
}

// RFC 9162 section 2.1.4.2.
Result<void> verify_consistency(uint64_t size1, uint64_t size2, std::span<const Hash> proof,
                                const Hash& root1, const Hash& root2) {
  if (size1 == 0) return wrong_proof("the older tree is empty: there is nothing to prove");
  if (size1 > size2) return wrong_proof("the older tree is larger than the newer one");
  if (size1 == size2) {
    if (!proof.empty()) return wrong_proof("a proof between equal sizes is empty");
    if (root1 != root2) return wrong_proof("two roots of one size");
    return {};
  }
  // The older tree's own root starts the path when it is a complete subtree of the newer one.
  const bool complete = std::has_single_bit(size1);
  if (!complete && proof.empty()) return wrong_proof("the proof is too short");
  Hash old_hash = complete ? root1 : proof.front();
  Hash new_hash = old_hash;
  if (!complete) proof = proof.subspan(1);
  uint64_t first = size1 - 1;
  uint64_t last = size2 - 1;
  while ((first & 1U) != 0) {
    first >>= 1U;
    last >>= 1U;
  }
  for (const Hash& step : proof) {
    if (last == 0) return wrong_proof("the proof is too long");
    if ((first & 1U) != 0 || first == last) {
      old_hash = node_hash(step, old_hash);
      new_hash = node_hash(step, new_hash);
      while ((first & 1U) == 0 && first != 0) {
        first >>= 1U;
        last >>= 1U;
      }
    } else {
      new_hash = node_hash(new_hash, step);
    }
    first >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return wrong_proof("the proof is too short");
  if (old_hash != root1) return wrong_proof("the proof does not lead to the older root");
  if (new_hash != root2) return wrong_proof("the proof does not lead to the newer root");
  return {};
}

Hash Edge::root() const {
  if (subtrees_.empty()) return empty_root();
  Hash hash = subtrees_.back();
  for (size_t i = subtrees_.size() - 1; i > 0; --i) hash = node_hash(subtrees_[i - 1], hash);
  return hash;
}

void Tree::append(const Hash& leaf) {
  edge_.append(leaf, [this](unsigned height, const Hash& hash) {
    if (height % kRowHeight != 0) return;
    const size_t level = height / kRowHeight;
    if (rows_.size() <= level) rows_.resize(level + 1);
    rows_[level].push_back(hash);
  });
}

std::span<const Hash> Tree::row(unsigned level) const {
  if (level >= rows_.size()) return {};
  return rows_[level];
}

Hash Tree::subtree(unsigned height, uint64_t index) const {
  if (height % kRowHeight == 0) return rows_[height / kRowHeight][index];
  return node_hash(subtree(height - 1, 2 * index), subtree(height - 1, 2 * index + 1));
}

// MTH(D[begin:end]) where begin is a multiple of the largest power of two that fits.
Hash Tree::range(uint64_t begin, uint64_t end) const {
  const uint64_t n = end - begin;
  if (std::has_single_bit(n)) {
    const auto height = static_cast<unsigned>(std::countr_zero(n));
    return subtree(height, begin >> height);
  }
  const uint64_t k = split(n);
  return node_hash(range(begin, begin + k), range(begin + k, end));
}

Result<Hash> Tree::root_at(uint64_t at) const {
  if (at > size()) return fail("ledger.range", "the log is not that large", "size " + std::to_string(at));
  return at == 0 ? empty_root() : range(0, at);
}

Result<Hash> Tree::leaf(uint64_t index) const {
  if (index >= size())
    return fail("ledger.range", "the log has no such entry", "index " + std::to_string(index));
  return rows_[0][index];
}

void Tree::prove(uint64_t index, uint64_t begin, uint64_t end, Proof& proof) const {
  if (end - begin == 1) return;
  const uint64_t middle = begin + split(end - begin);
  if (index < middle) {
    prove(index, begin, middle, proof);
    proof.push_back(range(middle, end));
  } else {
    prove(index, middle, end, proof);
    proof.push_back(range(begin, middle));
  }
}

Result<Proof> Tree::inclusion_proof(uint64_t index, uint64_t at) const {
  if (at > size() || index >= at) {
    return fail("ledger.range", "the log has no such entry at that size", "index " + std::to_string(index));
  }
  Proof out;
  prove(index, 0, at, out);
  return out;
}

// RFC 6962 section 2.1.2, SUBPROOF(old - begin, D[begin:end], known).
void Tree::prove_old(uint64_t old, uint64_t begin, uint64_t end, bool known, Proof& proof) const {
  if (old == end) {
    if (!known) proof.push_back(range(begin, end));
    return;
  }
  const uint64_t middle = begin + split(end - begin);
  if (old <= middle) {
    prove_old(old, begin, middle, known, proof);
    proof.push_back(range(middle, end));
  } else {
    prove_old(old, middle, end, false, proof);
    proof.push_back(range(begin, middle));
  }
}

Result<Proof> Tree::consistency_proof(uint64_t size1, uint64_t size2) const {
  if (size1 == 0 || size1 > size2 || size2 > size()) {
    return fail("ledger.range", "the log can't be proved to have grown between these sizes",
                std::to_string(size1) + " to " + std::to_string(size2));
  }
  Proof out;
  prove_old(size1, 0, size2, true, out);
  return out;
}

}  // namespace entente::ledger
