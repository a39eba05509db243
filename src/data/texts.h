// Many small things, each kept once and known by a number, at a few bytes each: for tables of millions. What
// they hold stays where it is when they grow, and they grow in parts, so that none of it ever holds up a turn
// of a loop.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace entente::data {

inline constexpr uint32_t kNoNumber = UINT32_MAX;

// Of a few numbers, alike in all its bits.
[[nodiscard]] inline uint64_t hash_of(std::initializer_list<uint32_t> numbers) {
  constexpr uint64_t kMix = 0x9E3779B97F4A7C15;
  uint64_t out = 0;
  for (const uint32_t number : numbers) {
    out = (out ^ number) * kMix;
    out ^= out >> 32;
  }
  return out;
}

// Finds a number by the hash of what it stands for; what that is, its owner knows. Nothing is ever taken out.
class NumberTable {
 public:
  // The one with this hash of which `is(number)`, or kNoNumber.
  template <class Is>
  [[nodiscard]] uint32_t find(uint64_t hash, const Is& is) const {
    const auto mark = static_cast<uint32_t>(hash >> 32);
    const auto& slots = parts_[mark % kParts].slots;
    if (slots.empty()) return kNoNumber;
    for (size_t at = mark / kParts;; ++at) {
      const Slot& slot = slots[at & (slots.size() - 1)];
      if (slot.number == kNoNumber || (slot.mark == mark && is(slot.number))) return slot.number;
    }
  }
  void add(uint64_t hash, uint32_t number) {
    const auto mark = static_cast<uint32_t>(hash >> 32);
    Part& part = parts_[mark % kParts];
    if (8 * (part.used + 1) > 7 * part.slots.size()) {
      std::vector<Slot> wider(std::max<size_t>(16, 2 * part.slots.size()));
      for (const Slot& slot : part.slots)
        if (slot.number != kNoNumber) put(wider, slot);
      part.slots = std::move(wider);
    }
    put(part.slots, {mark, number});
    ++part.used;
  }

 private:
  static constexpr uint32_t kParts = 64;
  struct Slot {
    uint32_t mark = 0;  // half of the hash: what it stands for is looked at only where this is right
    uint32_t number = kNoNumber;
  };
  struct Part {
    std::vector<Slot> slots;  // a power of two, or none
    size_t used = 0;
  };
  static void put(std::vector<Slot>& slots, const Slot& slot) {
    size_t at = slot.mark / kParts;
    while (slots[at & (slots.size() - 1)].number != kNoNumber) ++at;
    slots[at & (slots.size() - 1)] = slot;
  }

  std::array<Part, kParts> parts_;
};

// Texts that many share, each at most kTextMax.
class Texts {
 public:
  static constexpr size_t kTextMax = 2'048;
  static constexpr size_t kTextBytes = 40;  // what one takes besides itself, at most

  Texts() = default;
  Texts(Texts&&) noexcept = default;
  Texts& operator=(Texts&&) noexcept = default;
  Texts(const Texts&) = delete;  // its texts are seen where they are
  Texts& operator=(const Texts&) = delete;
  ~Texts() = default;

  [[nodiscard]] uint32_t find(std::string_view text) const {
    return table_.find(hash_of(text), [&](uint32_t number) { return texts_[number] == text; });
  }
  uint32_t add(std::string_view text) {
    text = text.substr(0, kTextMax);
    if (const uint32_t known = find(text); known != kNoNumber) return known;
    if (chunks_.empty() || text.size() > left_) {
      chunks_.emplace_back();
      left_ = chunks_.back().size();
    }
    char* const to = chunks_.back().data() + (chunks_.back().size() - left_);
    std::ranges::copy(text, to);
    left_ -= text.size();
    const auto number = static_cast<uint32_t>(texts_.size());
    texts_.emplace_back(to, text.size());
    table_.add(hash_of(text), number);
    return number;
  }
  [[nodiscard]] std::string_view operator[](uint32_t number) const { return texts_[number]; }
  [[nodiscard]] size_t size() const { return texts_.size(); }

 private:
  // By a secret of this process: others choose some of these texts, and could choose many that meet.
  [[nodiscard]] static uint64_t hash_of(std::string_view text);

  std::deque<std::array<char, 8 * kTextMax>> chunks_;
  size_t left_ = 0;  // of the last chunk
  std::deque<std::string_view> texts_;
  NumberTable table_;
};

}  // namespace entente::data
