#include "node/recall_order.h"

#include "base/bytes.h"
#include "coalition/objects.h"
#include "coalition/recall_kinds.h"
#include "data/policy_id.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kDigestBytes = 32;
constexpr std::string_view kSignIn = "browser:";  // by which a page of ours asks, instead of a key

Failure matches_nothing(std::string_view where, std::string what, std::string hint) {
  return fail("field.value", std::move(what), std::string(where), std::move(hint));
}

std::vector<std::string> texts_of(const Json& record, std::string_view name) {
  std::vector<std::string> out;
  const Json* list = record.find(name);
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : list->items()) out.push_back(item.is_string() ? item.string() : std::string());
  std::sort(out.begin(), out.end());
  return out;
}

Result<void> check_partner(const coalition::World& world, std::string_view where, std::string_view code) {
  if (world.partner(PartnerCode(std::string(code))) != nullptr) return {};
  return matches_nothing(where, fmt::format("there is no partner {} here", code),
                         "`entente partner list` has their codes");
}

Result<void> check_label(const coalition::World& world, std::string_view what, const Json& record) {
  const bool is_new = world.recall("label", what) == nullptr;
  if (is_new && world.recalls("label").size() >= coalition::kLabelRecallsMax) {
    return matches_nothing("kind",
                           fmt::format("there are {} recalls by label already", coalition::kLabelRecallsMax),
                           "lift one that is no longer needed, or recall by policy, key or mission");
  }
  constexpr std::string_view kValuePart = "/value/";
  for (const std::string& fqn : texts_of(record, "attributes")) {
    const size_t part = fqn.rfind(kValuePart);
    const coalition::Attribute* attribute =
        part == std::string::npos ? nullptr : world.attribute(fqn.substr(0, part));
    if (attribute == nullptr || attribute->find(fqn.substr(part + kValuePart.size())) == nullptr) {
      return matches_nothing("attributes", "no object here can bear this attribute: " + fqn,
                             "write a value of the vocabulary, in lower case, as objects have it");
    }
  }
  return {};
}

// A digest or a thumbprint: what it is of can be anybody's, so only its form can be looked at.
Result<void> check_digest(std::string_view where, std::string_view kind, std::string_view what) {
  if (kind == "device" && what.starts_with(kSignIn)) return {};
  const auto bytes = from_base64url(what);
  if (bytes && bytes->size() == kDigestBytes) return {};
  return matches_nothing(where, fmt::format("this is no {} that is known by its SHA-256", kind),
                         "43 characters of base64url, as `entente exposure --json` and the ledger have them");
}

Result<std::string_view> partner_of_person(std::string_view where, std::string_view person) {
  const size_t slash = person.find('/');
  if (slash != std::string_view::npos && slash + 1 != person.size()) return person.substr(0, slash);
  return matches_nothing(where, "this names no person", "write CODE/ID, as `entente exposure` has them");
}

Result<void> check_person(const coalition::World& world, std::string_view what, const RecallFacts& facts) {
  TRY(const std::string_view partner, partner_of_person("what", what));
  TRY_VOID(check_partner(world, "what", partner));
  const PartnerCode code{std::string(partner)};
  const PersonId person{std::string(what.substr(partner.size() + 1))};
  if (code == world.self() || !facts.in_an_app(code, person)) return {};
  return matches_nothing("what", "apps know them by this id, and the key service by another",
                         fmt::format("take the one that `entente exposure --partner {}` has", partner));
}

Result<void> check_what(const coalition::World& world, std::string_view kind, std::string_view what,
                        const Json& record, const RecallFacts& facts) {
  if (kind == coalition::kAuthorRecall)
    return matches_nothing("kind", "authors recall what they sealed, and nobody in their name",
                           "recall it by policy, with the id that it has");
  if (std::ranges::find(coalition::kRecallKinds, kind) == coalition::kRecallKinds.end())
    return matches_nothing("kind", fmt::format("nothing is recalled by \"{}\"", kind),
                           fmt::format("one of {}", fmt::join(coalition::kRecallKinds, ", ")));
  if (kind == "label") return check_label(world, what, record);
  if (kind == "object" || kind == "device") return check_digest("what", kind, what);
  if (kind == "policy" && what.size() > coalition::kObjectIdBytesMax)
    return matches_nothing("what", "no object's policy has so long an id",
                           "write the id as the object has it");
  if (kind == "partner") return check_partner(world, "what", what);
  if (kind == "person") return check_person(world, what, facts);
  if (kind == "mission" && world.mission(MissionId(std::string(what))) == nullptr)
    return matches_nothing("what", fmt::format("there is no mission {} here", what),
                           "`entente mission ls` has their names");
  if (kind == "key" && !facts.holds_key(what))
    return matches_nothing("what", fmt::format("this node's key service has no key {}", what),
                           "the key's kid, as its file is named; other nations recall their own");
  return {};
}

Failure stands(std::string what, std::string hint) {
  return fail("recall.stands", std::move(what), {}, std::move(hint));
}

}  // namespace

std::string recall_name(std::string_view kind, std::string what) {
  return kind == "policy" ? data::plain_policy_id(what) : what;
}

std::string fits_nothing_yet(std::string_view kind, std::string_view what) {
  if (kind == "person")
    return fmt::format(
        "no key was released here to anybody of this id so far: people have another id at the key service "
        "than in apps, and `entente exposure --partner {}` has it",
        what.substr(0, what.find('/')));
  return fmt::format(
      "no key was released here so far of what this {} names: compare it with `entente exposure`", kind);
}

Result<Json> recall_record(const coalition::World& world, std::string_view kind, std::string_view what,
                           Json record, const RecallFacts& facts) {
  TRY_VOID(check_what(world, kind, what, record, facts));
  std::vector<std::string> partners;
  if (const Json* partner = record.find("partner")) {
    partners.push_back(partner->is_string() ? partner->string() : std::string());
    TRY_VOID(check_partner(world, "partner", partners.front()));
    if (kind == "partner" || kind == "person")
      return matches_nothing("partner", "a recall of a partner or a person is for them alone",
                             "leave the partner out");
    std::erase_if(record.members(), [](const auto& member) { return member.first == "partner"; });
  }
  if (const coalition::Recall* standing = world.recall(kind, what)) {
    std::vector<std::string> attributes = standing->attributes;
    std::sort(attributes.begin(), attributes.end());
    if (attributes != texts_of(record, "attributes") ||
        standing->classification != record.text_or("classification", ""))
      return stands("a recall of this name stands, of another label",
                    "recall under another name; or lift the one that stands first");
    if (standing->partners.empty() && !partners.empty())
      return stands("this is recalled for everybody already",
                    "nothing needs to be done; lift the recall first if it is meant for one nation only");
    if (!partners.empty())
      for (const PartnerCode& code : standing->partners) partners.push_back(code.text());
  }
  std::sort(partners.begin(), partners.end());
  partners.erase(std::unique(partners.begin(), partners.end()), partners.end());
  if (!partners.empty()) {
    Json list = Json::array();
    for (std::string& code : partners) list.push(std::move(code));
    record.set("partners", std::move(list));
  }
  return record;
}

Result<void> check_exposure(const coalition::World& world, const data::ExposureFilter& filter,
                            const std::function<bool(std::string_view)>& released_to) {
  const auto check = [&](std::string_view where, std::string_view partner) {
    return released_to(partner) ? Result<void>() : check_partner(world, where, partner);
  };
  if (!filter.partner.empty()) TRY_VOID(check("partner", filter.partner));
  if (!filter.person.empty()) {
    TRY(const std::string_view partner, partner_of_person("person", filter.person));
    TRY_VOID(check("person", partner));
    if (!filter.partner.empty() && filter.partner != partner)
      return matches_nothing("person", fmt::format("this is nobody of {}", filter.partner),
                             "name the person alone");
  }
  if (!filter.device.empty()) TRY_VOID(check_digest("device", "device", filter.device));
  if (!filter.object.empty() && !data::is_policy_id(filter.object))
    return matches_nothing("object", "no object's policy has such an id",
                           "write the id as the object has it, or the digest of its wrapped key");
  return {};
}

}  // namespace entente::node
