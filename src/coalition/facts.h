// What is known about the moment of an ask. Each fact says who says so and until when; a fact past its end is
// missing, and missing means no.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace entente::coalition {

using FactValue = std::variant<bool, int64_t, std::string, std::vector<std::string>>;  // a vector is a set

struct Fact {
  FactValue value;
  std::string source;  // who says so: "idp.xbb", "node:xaa", "statement:XBB#12"
  Instant end;         // never kNever for a fact that widens
  bool operator==(const Fact&) const = default;
};

// By the coalition's attribute name: "clearance", "role", "nationality", "missions", "assurance", ...
using Facts = std::map<std::string, Fact, std::less<>>;

[[nodiscard]] Json facts_to_json(const Facts& facts);
[[nodiscard]] Result<Facts> facts_from_json(const Json& json);

// A person as the asking node knows them: at home the issuer-bound id, at a host the pairwise id made for
// that host and app.
struct Person {
  PersonId id;
  PartnerCode partner;  // whose person: never taken from the person's own claims, but from who vouches
  Facts facts;
  bool operator==(const Person&) const = default;
};

}  // namespace entente::coalition
