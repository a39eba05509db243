// The policy inside a sealed object (OpenTDF 4.3.0): who may open it, in words that key services judge. It
// travels as base64 of JSON, and it is that text which the key's share is bound to. Errors: "data.policy".
#pragma once

#include "base/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::data {

inline constexpr size_t kPolicyBytesMax = 256 * 1024;  // of the base64 text
inline constexpr size_t kAttributesMax = 256;
inline constexpr size_t kDissemMax = 1024;

// "https://xaa.example/attr/releasable/value/xbb", in lower case; percent-decoding is not done.
class AttributeName {
 public:
  [[nodiscard]] const std::string& fqn() const { return fqn_; }
  [[nodiscard]] std::string_view attribute() const;  // "https://xaa.example/attr/releasable"
  [[nodiscard]] std::string_view name() const;       // "releasable"
  [[nodiscard]] std::string_view value() const;      // "xbb"
  bool operator==(const AttributeName&) const = default;

 private:
  friend Result<AttributeName> parse_attribute(std::string_view fqn);
  explicit AttributeName(std::string fqn) : fqn_(std::move(fqn)) {}
  std::string fqn_;
};
[[nodiscard]] Result<AttributeName> parse_attribute(std::string_view fqn);

struct DataPolicy {
  std::string uuid = {};                       // the sealer's own choice, as plain_policy_id() has it
  std::vector<AttributeName> attributes = {};  // as given; may be empty
  std::vector<std::string> dissem = {};        // people named; may be empty
  std::string author = {};                     // the mark of whoever sealed it; may be empty
  bool operator==(const DataPolicy&) const = default;
};

// From the base64 text. Members that are not known are passed over: they were sealed by somebody's software,
// and key services judge what they know.
[[nodiscard]] Result<DataPolicy> read_policy(std::string_view text);
[[nodiscard]] std::string write_policy(const DataPolicy& policy);  // base64

// Ours, in the policy: who sealed it, for those alone who know `code`, which is that person's as their own
// node makes it and nobody else could. Anybody can copy a mark, or write one that they know: it proves
// nothing about who sealed an object, and gives the person it is of the right to take that object back.
[[nodiscard]] std::string author_mark(std::string_view code, std::string_view uuid);
// By its form: a code or a mark, base64url of a SHA-256.
[[nodiscard]] bool is_author_text(std::string_view text);

}  // namespace entente::data
