#include "coalition/object_records.h"

#include "coalition/levels.h"
#include "coalition/recall_kinds.h"
#include "label/label_policy.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kObjectNameMax = 200;
constexpr size_t kFqnMax = 512;
constexpr size_t kAttributeValuesMax = 1024;
constexpr size_t kDomainPartnersMax = 256;
constexpr size_t kReasonMax = 1024;
constexpr size_t kServiceKeysMax = 64;
constexpr size_t kOriginatorKeysMax = 8;  // the one in use, and those that still vouch for what is older
constexpr std::array<std::string_view, 7> kMeanings{"classification", "releasable_to", "caveat", "handling",
                                                    "originator",     "mission",       "domain"};
constexpr std::array<std::string_view, 3> kAttributeRules{"any_of", "all_of", "hierarchy"};

bool is_value(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

// "https://<name>/attr/<attribute>", lower case: what clients make of an attribute's name.
bool is_fqn(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  constexpr std::string_view kPart = "/attr/";
  if (text.size() > kFqnMax || !text.starts_with(kScheme)) return false;
  const size_t part = text.find(kPart, kScheme.size());
  return part != std::string_view::npos && is_value(text.substr(kScheme.size(), part - kScheme.size())) &&
         is_value(text.substr(part + kPart.size()));
}

Failure bad_object_key(std::string_view rest, std::string_view form) {
  return fail("coalition.record", "this is no key of such a record", std::string(rest),
              fmt::format("write {}", form));
}

std::string read_level_name(Fields& fields, std::string_view key, std::string text) {
  if (!level_of(text)) {
    fields.wrong(key, fmt::format("\"{}\" is no level", text),
                 fmt::format("one of {}", fmt::join(kLevels, ", ")));
  }
  return text;
}

PartnerCode read_partner_code(Fields& fields, std::string_view key, std::string text) {
  if (!is_partner_code(text)) {
    fields.wrong(key, fmt::format("\"{}\" is no partner code", text), "write three capital letters");
  }
  return PartnerCode(std::move(text));
}

// What a value may stand for is said by the meaning; whether that exists is asked when somebody asks.
bool is_good_meaning(Meaning meaning, std::string_view means) {
  if (meaning == Meaning::originator || meaning == Meaning::releasable_to) return is_partner_code(means);
  if (meaning == Meaning::mission || meaning == Meaning::domain) return is_label(means);
  return !means.empty();
}

}  // namespace

std::string_view meaning_name(Meaning meaning) {
  return kMeanings[static_cast<size_t>(meaning)];
}

const Attribute::Value* Attribute::find(std::string_view value) const {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const Value& one) { return one.value == value; });
  return found == values.end() ? nullptr : &*found;
}

std::optional<int64_t> LabelTerms::level(std::string_view classification) const {
  for (const auto& [its, level_name] : levels) {
    if (label::same_name(its, classification)) return level_of(level_name);
  }
  return std::nullopt;
}

Result<Attribute> read_attribute(std::string_view rest, Fields& fields) {
  if (!is_label(rest)) return bad_object_key(rest, "attribute/ and a name of a-z, 0-9 and hyphens");
  Attribute out;
  out.name = rest;
  out.fqn = fields.text("fqn", kFqnMax);
  if (!is_fqn(out.fqn)) {
    fields.wrong("fqn", "this is no name of an attribute", "write https://name/attr/name in lower case");
  }
  const std::string meaning = fields.text("meaning", 32);
  const auto* known = std::find(kMeanings.begin(), kMeanings.end(), meaning);
  if (known == kMeanings.end()) {
    fields.wrong("meaning", fmt::format("\"{}\" is no meaning", meaning),
                 fmt::format("one of {}", fmt::join(kMeanings, ", ")));
  } else {
    out.meaning = static_cast<Meaning>(known - kMeanings.begin());
  }
  const bool of_label = out.meaning <= Meaning::handling;
  out.policy = fields.text_or("policy", "", 64);
  if (of_label != is_label(out.policy)) {
    fields.wrong("policy", "a label policy is named where values are a label's, and only there");
  }
  const bool of_origin = out.meaning == Meaning::originator;
  out.rule = fields.text_or("rule", of_origin ? "all_of" : "any_of", 16);
  if (std::find(kAttributeRules.begin(), kAttributeRules.end(), out.rule) == kAttributeRules.end()) {
    fields.wrong("rule", "this is no rule", fmt::format("one of {}", fmt::join(kAttributeRules, ", ")));
  } else if (of_origin && out.rule != "all_of") {
    // Clients split a key by this rule: under any other the nations of origin would be alternatives.
    fields.wrong("rule", "each nation of origin has a say of its own", "all_of");
  }
  std::set<std::string, std::less<>> seen;
  for (Fields& item : fields.objects("values", kAttributeValuesMax)) {
    Attribute::Value value{item.text("value", 128), item.text("means", label::kTextMax)};
    if (!is_value(value.value)) item.wrong("value", "this is no value's name", "a-z, 0-9, '-', '_' and '.'");
    if (!seen.insert(value.value).second) item.wrong("value", "this value stands here twice");
    if (!is_good_meaning(out.meaning, value.means)) {
      item.wrong("means", fmt::format("\"{}\" is no {}", value.means, meaning_name(out.meaning)));
    }
    TRY_VOID(item.done());
    out.values.push_back(std::move(value));
  }
  return out;
}

Result<LabelTerms> read_label_terms(std::string_view rest, Fields& fields) {
  if (!is_label(rest)) return bad_object_key(rest, "label-policy/ and a name of a-z, 0-9 and hyphens");
  LabelTerms out;
  out.name = rest;
  const std::string spif = fields.text("spif", label::kSpifBytesMax);
  Result<label::LabelPolicy> read = label::LabelPolicy::from_spif(spif);
  if (!read) {
    fields.wrong("spif", read.error().text());
    return out;
  }
  out.policy = std::make_shared<const label::LabelPolicy>(*std::move(read));
  const Json& levels = fields.value("levels");
  if (!levels.is_object()) {
    fields.wrong("levels", "this is no table of levels", "write {\"SECRET\": \"SECRET\", ...}");
    return out;
  }
  for (const auto& [name, level] : levels.members()) {
    if (out.policy->classification(name) == nullptr) {
      fields.wrong("levels", fmt::format("the label policy has no classification \"{}\"", name));
    }
    std::string text(level.is_string() ? level.string() : "");
    out.levels.emplace_back(name, read_level_name(fields, "levels", std::move(text)));
  }
  return out;
}

Result<Domain> read_domain(std::string_view rest, Fields& fields) {
  if (!is_label(rest)) return bad_object_key(rest, "domain/ and a name of a-z, 0-9 and hyphens");
  Domain out;
  out.id = DomainId(std::string(rest));
  out.name = fields.text("name", kObjectNameMax);
  out.owner = read_partner_code(fields, "owner", fields.text("owner", 16));
  std::string mission = fields.text("mission", 64);
  if (!is_label(mission)) fields.wrong("mission", "this is no mission's name");
  out.mission = MissionId(std::move(mission));
  out.attributes = fields.texts_or_none("attributes", kObjectAttributesMax);
  for (std::string& code : fields.texts_or_none("partners", kDomainPartnersMax)) {
    out.partners.push_back(read_partner_code(fields, "partners", std::move(code)));
  }
  out.highest = read_level_name(fields, "highest", fields.text("highest", 64));
  return out;
}

Result<KeyService> read_key_service(std::string_view rest, Fields& fields) {
  if (!is_partner_code(rest)) return bad_object_key(rest, "key-service/ and three capital letters");
  KeyService out;
  out.partner = PartnerCode(std::string(rest));
  out.url = fields.text("url", kFqnMax);
  if (!out.url.starts_with("https://") || out.url.ends_with('/')) {
    fields.wrong("url", "this is no address of a key service", "write https://kas.name:port");
  }
  // Its public keys, for whoever seals for that nation: told to clients as they stand.
  const Json* keys = fields.value_if("keys");
  if (keys != nullptr && (!keys->is_array() || keys->items().size() > kServiceKeysMax)) {
    fields.wrong("keys", "these are no keys of a key service",
                 "write [{\"kid\", \"algorithm\", \"pem\"}, ...]");
  }
  if (fields.has("told")) out.told = fields.instant("told");
  out.originator_keys = fields.texts_or_none("originator_keys", kOriginatorKeysMax);
  for (const std::string& pem : out.originator_keys) {
    if (!pem.starts_with("-----BEGIN PUBLIC KEY-----"))
      fields.wrong("originator_keys", "this is no public key of an originator", "write P-256 keys in PEM");
  }
  out.bearer_ceiling = read_level_name(fields, "bearer_ceiling",
                                       fields.text_or("bearer_ceiling", std::string(kLevels[0]), 64));
  const std::string labels = fields.text_or("labels", "optional", 16);
  if (labels != "optional" && labels != "required")
    fields.wrong("labels", fmt::format("\"{}\" says nothing of labels", labels), "optional or required");
  out.labels_required = labels == "required";
  return out;
}

Result<Recall> read_recall(std::string_view rest, Fields& fields) {
  const size_t slash = rest.find('/');
  const std::string_view kind = rest.substr(0, slash);
  const bool is_kind = kind == kAuthorRecall || std::ranges::find(kRecallKinds, kind) != kRecallKinds.end();
  if (slash == std::string_view::npos || slash + 1 == rest.size() || !is_kind) {
    return bad_object_key(rest, fmt::format("recall/, one of {}, {}, / and what",
                                            fmt::join(kRecallKinds, ", "), kAuthorRecall));
  }
  Recall out;
  out.key = fmt::format("recall/{}", rest);
  out.reason = fields.text("reason", kReasonMax);
  out.by = fields.text("by", 128);
  out.at = fields.instant("at");
  if (fields.has("partner")) {
    out.partners.push_back(read_partner_code(fields, "partner", fields.text("partner", 16)));
  }
  for (std::string& code : fields.texts_or_none("partners", kDomainPartnersMax)) {
    out.partners.push_back(read_partner_code(fields, "partners", std::move(code)));
  }
  if (kind == kAuthorRecall) out.object = fields.text("object", kObjectIdBytesMax);
  if (kind != "label") return out;
  out.attributes = fields.texts_or_none("attributes", kObjectAttributesMax);
  if (fields.has("classification")) {
    out.classification = read_level_name(fields, "classification", fields.text("classification", 64));
  }
  if (out.attributes.empty() && out.classification.empty()) {
    fields.wrong("attributes", "this would recall everything", "name attributes or a classification");
  }
  return out;
}

}  // namespace entente::coalition
