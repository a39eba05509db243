// Sealed objects as decisions see them. An object is no record of the world: what is known of it is what its
// own policy says, which its key is bound to. The world gives the vocabulary that policy is read in: which
// attributes there are and what each value stands for, label policies, data domains; and what was recalled.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "label/label.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::label {
class LabelPolicy;
}

namespace entente {
using DomainId = TextId<struct DomainIdTag>;  // "logistics"
}

namespace entente::coalition {

inline constexpr size_t kObjectAttributesMax = 64;  // of one object
inline constexpr size_t kDissemMax = 256;
inline constexpr size_t kObjectIdBytesMax = 128;
inline constexpr size_t kLabelRecallsMax = 256;  // are looked at for each object
// By authors, each of one object: what stands of one person, and of all. Operators have room beside it.
inline constexpr size_t kAuthorRecallsOfOneMax = 256;
inline constexpr std::string_view kAuthorRecall = "author";  // the kind
inline constexpr size_t kAuthorRecallsMax = 10'000;
// Informative: what a reader may do with it, "ORCON" among them. Caveats are restrictive: a reader holds
// them.
inline constexpr std::string_view kHandlingTag = "Handling";
inline constexpr std::string_view kOriginatorControl = "ORCON";

// An object by the id in its policy, which its sealer chose: what is recalled is also named by its key.
struct ObjectRef {
  std::string id;
  auto operator<=>(const ObjectRef&) const = default;
};

// What an object's own policy says, as it stands there; that it is bound to the object's key is for the
// caller to check before anything is released.
struct SealedObject {
  std::vector<std::string> attributes{};  // FQNs: "https://xaa.example/attr/classification/value/secret"
  // If any: nobody else. "XBB", "XBB/<id or address>" as that nation knows them; an address alone is one of
  // the originators' own people's.
  std::vector<std::string> dissem{};
  std::optional<label::Label> label{};  // where it carries one: must be the one the attributes amount to
  bool in_shares = true;                // this key is one share of several, and opens nothing alone
  bool labelled = false;                // something stands under its share, where a label would
  std::string key_digest{};             // base64url SHA-256 of the wrapped key
  std::string kid{};                    // of the key that wrapped it
  std::string author{};                 // whose mark it bears as its author's; may be nobody's
  std::string text_digest{};            // where it bears one: base64url SHA-256 of its policy's text
};

// By whose hand an object's key is asked for.
struct KeyUse {
  std::string device{};  // thumbprint of the key the person proved to hold; empty: a bare bearer token
  std::string client{};  // the program, as the identity provider knows it
  MissionId mission{};   // what for, if they say so: must be one of theirs
  std::vector<std::string> named{};  // entries of the object's dissem that are them, as their nation says
  // What the object bears if they are its author: said here of our own people, by no asker and no partner.
  std::string author{};
  bool unwraps = false;  // with this node's own key: then the object must be of this nation's origin, too
  PartnerCode service{};  // or whose key service is to be asked for it: of whose origin the object must be
};

// What the values of an attribute stand for.
enum class Meaning : uint8_t {
  classification,  // of the label policy
  releasable_to,   // partners
  caveat,          // restrictive values of the label policy's "Caveats"
  handling,        // informative values of its "Handling"
  originator,      // partners, each of whom must agree
  mission,
  domain,
};
[[nodiscard]] std::string_view meaning_name(Meaning meaning);

// Record attribute/<name>: fqn, meaning, policy? (a label-policy record), rule ("any_of", "all_of",
// "hierarchy"), values: [{"value", "means"}], highest first where there is an order.
struct Attribute {
  struct Value {
    std::string value;  // last part of the FQN
    std::string means;  // "SECRET", "XBB", "harbor-light"
  };
  std::string name;
  std::string fqn;  // "https://xaa.example/attr/classification"
  Meaning meaning = Meaning::classification;
  std::string policy;  // of classification, releasable_to, caveat, handling
  std::string rule;
  std::vector<Value> values;

  [[nodiscard]] const Value* find(std::string_view value) const;
};

// Record label-policy/<name>: spif (XML), levels: {"SECRET": "SECRET"}: what each of its classifications is
// in the coalition's terms. One that is not named there can be borne by nothing that is opened here.
struct LabelTerms {
  std::string name;
  std::shared_ptr<const label::LabelPolicy> policy;
  std::vector<std::pair<std::string, std::string>> levels;

  [[nodiscard]] std::optional<int64_t> level(std::string_view classification) const;
};

// Record domain/<name>: name, owner, mission, attributes (what is sealed into it bears by default), partners
// (nobody else may be given anything of it; the owner is implied), highest (a level).
struct Domain {
  DomainId id;
  std::string name;
  PartnerCode owner;
  MissionId mission;
  std::vector<std::string> attributes;
  std::vector<PartnerCode> partners;
  std::string highest;
};

// Record key-service/<partner>: url, keys? (public ones; node/told_keys.h), told? (when its node last told
// others), originator_keys? (public ones in PEM), bearer_ceiling? (a level; UNCLASSIFIED), labels?
// ("optional", "required"). Where that nation's key service is, as key access objects name it; which keys
// sign what that nation seals;
// up to what its own opens for a token that is bound to no key;
// and whether it opens what has no label under its share.
struct KeyService {
  PartnerCode partner;
  std::string url;
  std::vector<std::string> originator_keys;
  std::string bearer_ceiling;
  bool labels_required = false;
  Instant told{};
};

// Record recall/<kind>/<what>: reason, by, at, partners? (only for these nations' people; or one "partner"),
// and for a label: attributes?, classification? (that level and above). Kinds: object (digest of the wrapped
// key), policy (id), partner, person ("XBB/<id>"), device, mission, key (kid), label (a name of its own),
// author (digest of the policy's text: whoever it names as its author took it back; object: its id).
struct Recall {
  std::string key;  // the record's
  std::string reason;
  std::string by;
  Instant at;
  std::vector<PartnerCode> partners;  // none: for everybody
  std::vector<std::string> attributes;
  std::string classification;
  std::string object{};
};

}  // namespace entente::coalition
