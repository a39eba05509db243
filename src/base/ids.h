// Strong types for names and numbers, so that two of them can't be swapped.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace entente {

template <class Tag>
class TextId {
 public:
  TextId() = default;
  explicit TextId(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& text() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  auto operator<=>(const TextId&) const = default;
  bool operator==(const TextId&) const = default;

 private:
  std::string value_;
};

using PartnerCode = TextId<struct PartnerCodeTag>;  // "XAA"
using AppId = TextId<struct AppIdTag>;              // "cop": unique under its owner
using MissionId = TextId<struct MissionIdTag>;      // "harbor-light"
using SegmentId = TextId<struct SegmentIdTag>;
using ConnectorId = TextId<struct ConnectorIdTag>;
using PersonId = TextId<struct PersonIdTag>;    // issuer-bound at home; pairwise at a host
using SessionId = TextId<struct SessionIdTag>;  // 128 random bits, base64url
using VerdictId = TextId<struct VerdictIdTag>;
using OperatorName = TextId<struct OperatorNameTag>;

// The world's version: grows by one with each commit, never skips.
struct Revision {
  uint64_t value = 0;
  auto operator<=>(const Revision&) const = default;
};

// True for a name made of a-z, 0-9 and single inner hyphens, at most 63 characters: what a host name label
// can carry.
[[nodiscard]] bool is_label(std::string_view text);
// True for a partner code: three capital letters.
[[nodiscard]] bool is_partner_code(std::string_view text);

}  // namespace entente

template <class Tag>
struct std::hash<entente::TextId<Tag>> {
  size_t operator()(const entente::TextId<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.text());
  }
};
template <>
struct std::hash<entente::Revision> {
  size_t operator()(const entente::Revision& r) const noexcept { return std::hash<uint64_t>()(r.value); }
};
