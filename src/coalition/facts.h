// What is known about the moment of an ask. Each fact says who says so and until when; a fact past its end is
// missing, and missing means no.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
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

inline constexpr size_t kFactsMax = 64;     // facts read at once
inline constexpr size_t kFactSetMax = 256;  // members of one set

// Without these about the person, each with its end ahead, nobody is permitted anything. clearance: one of
// kLevels (levels.h); nationality: a partner code; role: a text or a set; assurance: 1 to 4. "missions" (a
// set of mission ids) says where the person has a role; none when missing.
inline constexpr std::array<std::string_view, 4> kIdentityFacts{"clearance", "nationality", "role",
                                                                "assurance"};
// What a nation declares of its own people beside these: where they are and whether they are on duty, each
// one text. They may end before the sign-in does; policies say what holds where they are missing.
inline constexpr std::array<std::string_view, 2> kDeclaredFacts{"place", "status"};
// Likewise about the moment: "network", a text, and "risk", 0 (calm) to 100. No signal sources are connected
// yet: risk stands at its baseline until `end`.
inline constexpr std::string_view kDoorNetwork = "door";
[[nodiscard]] Facts calm_moment(std::string_view network, std::string_view source, Instant end);

// {"clearance": {"value": "SECRET", "source": "idp.xbb", "end": "2026-11-21T22:45:00.000Z"}, ...}. An end is
// required: what a statement leaves open is refused. Errors "field....", "coalition.facts".
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
