// A crosswalk turns a nation's own claims into the coalition's terms: pure data, signed, total, without
// scripts.
//
//   {"format": "entente.crosswalk/1", "nation": "XBB", "version": 1,
//    "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
//    "issuers": ["https://idp.xbb.localhost:8443"], "life_s": 3600,
//    "rules": [{"to": "clearance", "from": "sikkerhetsgrad", "normalise": ["trim", "casefold"],
//               "table": {"fortroleg-b": "CONFIDENTIAL"}, "ceiling": "SECRET", "onMissing": "deny",
//               "onUnknown": "deny"}],
//    "assurance": [{"when": {"acr": "nivaa-4", "amr": ["hwk"]}, "gives": {"aal": 3}}],
//    "authority": {"nationality": ["XBB"], "clearance": "SECRET"},
//    "examples": [{"claims": {...}, "facts": {"clearance": "CONFIDENTIAL", ...}}, {"claims": {...}, "deny":
//    "identity.unknown_value"}]}
//
// `to`: "clearance" (coalition::kLevels up to SECRET), "nationality" (a partner code), "role", "missions" and
// any other attribute (labels; a claim that is a list gives a set). "place" and "status" (kDeclaredFacts) are
// single (a list of one is that one), their rules may have a shorter "life_s" of their own, and with
// "onUnknown": "omit" a value that no table lists is as if nothing had been said. The first three are
// required and are never omitted. Any other value no table lists is denied; one that is not plain ASCII is
// looked up as it is, so that a look-alike letter is just another unknown value. Errors: "crosswalk.format"
// and the field errors on loading, "crosswalk.example" when an example disagrees, "identity.missing_claim",
// "identity.unknown_value", "identity.odd_value", "identity.foreign_person", "identity.assurance",
// "identity.issuer", "crosswalk.time" on applying.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "coalition/facts.h"
#include "crypto/jose.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entente::identity {

inline constexpr std::string_view kCrosswalkTyp = "entente-crosswalk+jws";
inline constexpr size_t kCrosswalkRulesMax = 32;
inline constexpr size_t kCrosswalkTableMax = 1024;
inline constexpr size_t kClaimValueBytesMax = 256;
inline constexpr size_t kClaimValuesMax = 64;

struct CrosswalkRule {
  std::string to;
  std::string from;
  bool trim = false;
  bool casefold = false;
  std::map<std::string, std::string, std::less<>> table;  // keys are normalised
  std::string ceiling;                                    // clearance only
  bool omit_when_missing = false;
  bool omit_when_unknown = false;  // declared facts only
  Seconds life{};  // how long what it gives holds, where that is less than everything else does
};

struct AssuranceRule {
  std::string acr;               // empty: any
  std::vector<std::string> amr;  // all of these
  int64_t aal = 1;               // 1 to 3
};

class Crosswalk {
 public:
  // Checks the shape and runs the examples: one that does not come out as written refuses the whole.
  [[nodiscard]] static Result<Crosswalk> load(const Json& json);
  // The same for one signed by its nation (JWS, typ kCrosswalkTyp, ES256 or ES384). `nation` must be the one
  // inside.
  [[nodiscard]] static Result<Crosswalk> open(std::string_view jws, const crypto::KeySet& keys,
                                              const PartnerCode& nation);

  [[nodiscard]] const PartnerCode& nation() const { return nation_; }
  [[nodiscard]] int64_t version() const { return version_; }
  [[nodiscard]] const std::vector<std::string>& issuers() const { return issuers_; }
  [[nodiscard]] Instant from() const { return from_; }
  [[nodiscard]] Instant until() const { return until_; }

  struct Given {
    std::string_view issuer;
    const Json& claims;         // of a verified ID token
    int64_t clearance_ceiling;  // the partner's, as a level
    Instant now;
  };
  // Facts whose source is "idp:<issuer>" and whose end is life_s ahead, never past the crosswalk's own.
  [[nodiscard]] Result<coalition::Facts> apply(const Given& given) const;

 private:
  [[nodiscard]] Result<coalition::Facts> map(const Given& given) const;
  [[nodiscard]] Result<void> run_examples(const Json& examples) const;

  PartnerCode nation_;
  int64_t version_ = 0;
  Instant from_;
  Instant until_;
  std::vector<std::string> issuers_;
  Seconds life_{3600};
  std::vector<CrosswalkRule> rules_;
  std::vector<AssuranceRule> assurance_;
  std::vector<PartnerCode> nationalities_;
  int64_t clearance_most_ = 0;
};

[[nodiscard]] Result<std::string> sign_crosswalk(const crypto::PrivateKey& key, const std::string& kid,
                                                 const Json& json);

}  // namespace entente::identity
