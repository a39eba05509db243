// A confidentiality label as a value (STANAG 4774). Releasability and caveats are categories under well-known
// tags, so that no wire form, rule or digest knows them in two ways. What names mean is said by a
// LabelPolicy.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::label {

inline constexpr size_t kTextMax = 256;       // bytes of one name or value
inline constexpr size_t kCategoriesMax = 64;  // categories of one label
inline constexpr size_t kValuesMax = 512;     // values of one category

inline constexpr std::string_view kReleasableTo = "Releasable To";  // permissive: any one of these may read
inline constexpr std::string_view kCaveats = "Caveats";             // restrictive: each of these must be held

enum class CategoryType : uint8_t {
  restrictive,  // a reader holds all values
  permissive,   // a reader holds at least one
  informative,  // says something, restricts nobody
};
[[nodiscard]] std::string_view name(CategoryType type);  // "RESTRICTIVE"
[[nodiscard]] std::optional<CategoryType> category_type(std::string_view name);

struct Category {
  std::string tag;
  CategoryType type = CategoryType::restrictive;
  std::vector<std::string> values;  // never empty in normal form
  auto operator<=>(const Category&) const = default;
};

struct Originator {
  std::string id;
  std::string id_type;  // "userPrincipalName", ...; may be empty
  auto operator<=>(const Originator&) const = default;
};

struct Label {
  std::string policy;     // its name; may be empty when `policy_id` is not
  std::string policy_id;  // "1.3.6.1.4.1.99999.7" or a URI; may be empty when `policy` is not
  std::string classification;
  std::string privacy_mark;
  std::vector<Category> categories;
  Originator originator;
  std::optional<Instant> created;
  std::optional<Instant> review;     // when the originator wants it looked at again
  std::optional<Instant> succeeded;  // from then on `successor` holds
  std::vector<Label> successor;      // none or one, which has none itself

  [[nodiscard]] const Category* find(std::string_view tag, CategoryType type) const;
  [[nodiscard]] const std::vector<std::string>& releasable_to() const;  // empty when it says nothing
  [[nodiscard]] const std::vector<std::string>& caveats() const;
  bool operator==(const Label&) const = default;
};

// The one form that equal labels share: spaces trimmed and single, categories of one tag and type merged, all
// sorted and once each. Error "label.value": empty, too long, control characters, too many.
[[nodiscard]] Result<Label> normalised(Label label);
[[nodiscard]] bool is_clean(std::string_view text);  // not empty, and as that leaves it

// What holds at `now`: the successor once its time has come.
[[nodiscard]] const Label& in_force(const Label& label, Instant now);

// Our own JSON form ("entente.label/1"), for records and APIs: docs/wire-formats/label.md. Errors "field.*".
[[nodiscard]] Json to_json(const Label& label);
[[nodiscard]] Result<Label> from_json(const Json& json);

// RFC 8785 bytes of to_json() of a label in normal form, and their SHA-256.
[[nodiscard]] std::string canonical(const Label& label);
[[nodiscard]] crypto::Digest digest(const Label& label);

// ASCII letters compared without case: names that differ in nothing else are refused in label policies.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
[[nodiscard]] std::string folded_name(std::string_view text);  // lower case ASCII, as a key

}  // namespace entente::label
