#include "identity/crosswalk.h"

#include "base/fields.h"
#include "coalition/levels.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

namespace entente::identity {
namespace {

constexpr std::string_view kFormat = "entente.crosswalk/1";
constexpr std::array<std::string_view, 3> kRequired{"clearance", "nationality", "role"};
constexpr std::string_view kHighestByCrosswalk = "SECRET";
constexpr size_t kExamplesMax = 64;
constexpr int64_t kLifeMaxSeconds = 12 * 3600;

bool is_plain(char c) {
  return c >= ' ' && c < 0x7f;
}

// Trims and folds plain ASCII. Anything else stays as it is, byte for byte: a table may list it, and nothing
// else can come to look like it. Control characters are never right.
Result<std::string> normal(std::string_view value, const CrosswalkRule& rule) {
  if (value.size() > kClaimValueBytesMax ||
      std::ranges::any_of(value, [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    return fail("identity.odd_value",
                "A value of the claim \"" + rule.from + "\" is too long or holds control characters.");
  if (!std::ranges::all_of(value, is_plain)) return std::string(value);
  if (rule.trim) {
    const size_t first = value.find_first_not_of(' ');
    value = first == std::string_view::npos ? std::string_view()
                                            : value.substr(first, value.find_last_not_of(' ') - first + 1);
  }
  std::string out(value);
  if (rule.casefold)
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool fits_attribute(const std::string& to, const std::string& value) {
  if (to == "clearance") {
    const auto level = coalition::level_of(value);
    return level && *level <= *coalition::level_of(kHighestByCrosswalk);
  }
  if (to == "nationality") return is_partner_code(value);
  return is_label(value);
}

bool is_declared(std::string_view attribute) {
  return std::ranges::find(coalition::kDeclaredFacts, attribute) != coalition::kDeclaredFacts.end();
}

void read_normalise(Fields& fields, CrosswalkRule& rule) {
  for (const std::string& step : fields.texts_or_none("normalise", 4)) {
    if (step == "trim")
      rule.trim = true;
    else if (step == "casefold")
      rule.casefold = true;
    else
      fields.wrong("normalise", "\"" + step + "\" is not a step known here",
                   "write \"trim\" or \"casefold\"");
  }
}

void read_table(Fields& fields, CrosswalkRule& rule) {
  const Json& table = fields.value("table");
  if (!table.is_object() || table.members().empty() || table.members().size() > kCrosswalkTableMax)
    return fields.wrong("table",
                        "this is not a table of 1 to " + std::to_string(kCrosswalkTableMax) + " values");
  for (const auto& [from, to] : table.members()) {
    if (!to.is_string() || !fits_attribute(rule.to, to.string()))
      return fields.wrong("table", "\"" + from + "\" leads to something that \"" + rule.to + "\" can't be");
    const auto key = normal(from, rule);
    if (!key) return fields.wrong("table", "\"" + from + "\" is too long or holds control characters");
    if (!rule.table.emplace(*key, to.string()).second)
      return fields.wrong("table", "\"" + from + "\" is there twice once it is normalised");
  }
}

CrosswalkRule read_rule(Fields& fields) {
  CrosswalkRule rule;
  rule.to = fields.text("to", 63);
  rule.from = fields.text("from", 256);
  const bool required = std::ranges::find(kRequired, rule.to) != kRequired.end();
  if (!is_label(rule.to) || rule.to == "assurance") fields.wrong("to", "this is no name of an attribute");
  read_normalise(fields, rule);
  read_table(fields, rule);
  rule.ceiling = fields.text_or("ceiling", "");
  if (!rule.ceiling.empty() && (rule.to != "clearance" || !fits_attribute("clearance", rule.ceiling)))
    fields.wrong("ceiling", "only \"clearance\" has a ceiling, and it is one of the levels up to SECRET");
  const std::string missing = fields.text_or("onMissing", "deny");
  if (missing != "deny" && (missing != "omit" || required))
    fields.wrong("onMissing", "what is missing is denied here", "write \"deny\"");
  rule.omit_when_missing = missing == "omit";
  rule.life = Seconds(fields.integer_or("life_s", 0, 60, kLifeMaxSeconds));
  if (rule.life != Seconds{} && !is_declared(rule.to))
    fields.wrong("life_s", "only \"place\" and \"status\" have a life of their own");
  const std::string unknown = fields.text_or("onUnknown", "deny");
  if (unknown != "deny" && (unknown != "omit" || !is_declared(rule.to)))
    fields.wrong("onUnknown", "an unknown value is denied, but of \"place\" and \"status\"",
                 "write \"deny\"");
  rule.omit_when_unknown = unknown == "omit";
  static_cast<void>(fields.done());
  return rule;
}

AssuranceRule read_assurance(Fields& fields) {
  Fields when = fields.object("when");
  AssuranceRule rule;
  rule.acr = when.text_or("acr", "", kClaimValueBytesMax);
  rule.amr = when.texts_or_none("amr", 16);
  if (rule.acr.empty() && rule.amr.empty())
    when.wrong("acr", "a rule for everybody gives nobody's assurance");
  static_cast<void>(when.done());
  Fields gives = fields.object("gives");
  rule.aal = gives.integer("aal", 1, 3);
  static_cast<void>(gives.done());
  static_cast<void>(fields.done());
  return rule;
}

// The texts of a claim: one, or a list of them. Nothing when it is missing.
Result<std::optional<std::vector<std::string>>> claim_values(const Json& claims, const std::string& name) {
  const Json* claim = claims.find(name);
  if (claim == nullptr || claim->is_null()) return std::nullopt;
  const Failure odd =
      fail("identity.odd_value", "The claim \"" + name + "\" is neither a text nor a list of texts.");
  if (claim->is_string()) return std::vector<std::string>{claim->string()};
  if (!claim->is_array() || claim->items().empty() || claim->items().size() > kClaimValuesMax) return odd;
  std::vector<std::string> out;
  for (const Json& each : claim->items()) {
    if (!each.is_string()) return odd;
    out.push_back(each.string());
  }
  return out;
}

// The rule's outcome: a text for a text, a set for a list, nothing when it may be left out.
Result<std::optional<coalition::FactValue>> apply_rule(const CrosswalkRule& rule, const Json& claims) {
  TRY(const auto values, claim_values(claims, rule.from));
  if (!values) {
    if (rule.omit_when_missing) return std::nullopt;
    return fail("identity.missing_claim", "The provider said nothing about \"" + rule.from + "\".", {},
                "The provider must release this claim.");
  }
  std::vector<std::string> out;
  for (const std::string& value : *values) {
    TRY(const std::string key, normal(value, rule));
    const auto found = rule.table.find(key);
    if (found == rule.table.end() && rule.omit_when_unknown) return std::nullopt;
    if (found == rule.table.end())
      return fail("identity.unknown_value", "A value of \"" + rule.from + "\" is not in the crosswalk.", {},
                  "The crosswalk's keeper decides what it means.");
    out.push_back(found->second);
  }
  if (claims.find(rule.from)->is_string()) return std::move(out.front());
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::string> single(const coalition::FactValue& value, std::string_view attribute) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto* set = std::get_if<std::vector<std::string>>(&value);
  if (set != nullptr && set->size() == 1 && is_declared(attribute)) return set->front();
  return fail("identity.odd_value",
              "One " + std::string(attribute) + " is wanted, as a text and not as a list.");
}

Result<int64_t> assurance_of(const std::vector<AssuranceRule>& rules, const Json& claims) {
  TRY(const auto amr, claim_values(claims, "amr"));
  const std::string_view acr = claims.text_or("acr", "");
  int64_t best = 0;
  for (const AssuranceRule& rule : rules) {
    const bool all = std::ranges::all_of(rule.amr, [&amr](const std::string& method) {
      return amr && std::ranges::find(*amr, method) != amr->end();
    });
    if (all && (rule.acr.empty() || rule.acr == acr)) best = std::max(best, rule.aal);
  }
  if (best == 0)
    return fail("identity.assurance", "How the person signed in is not in the crosswalk.", {},
                "Sign in with a stronger method.");
  return best;
}

// {"clearance": "SECRET", "assurance": 3, ...} of facts, to compare with what an example says.
Json plain_values(const coalition::Facts& facts) {
  Json out = Json::object();
  const Json full = coalition::facts_to_json(facts);
  for (const auto& [name, fact] : full.members()) out.set(name, *fact.find("value"));
  return out;
}

}  // namespace

Result<Crosswalk> Crosswalk::load(const Json& json) {
  Fields fields(json, "");
  if (fields.text("format", 64) != kFormat)
    fields.wrong("format", "this is another format", "write \"entente.crosswalk/1\"");
  Crosswalk out;
  out.nation_ = PartnerCode(fields.text("nation", 3));
  if (!is_partner_code(out.nation_.text()))
    fields.wrong("nation", "this is no partner code", "write three capital letters");
  out.version_ = fields.integer("version", 1, int64_t{1} << 53);
  Fields valid = fields.object("valid");
  out.from_ = valid.instant("from");
  out.until_ = valid.instant("until");
  if (out.until_ <= out.from_) valid.wrong("until", "it would end before it begins");
  static_cast<void>(valid.done());
  out.issuers_ = fields.texts("issuers", 16);
  if (out.issuers_.empty()) fields.wrong("issuers", "no provider is named");
  out.life_ = Seconds(fields.integer_or("life_s", 3600, 60, kLifeMaxSeconds));

  for (Fields& rule : fields.objects("rules", kCrosswalkRulesMax)) out.rules_.push_back(read_rule(rule));
  for (const std::string_view required : kRequired)
    if (std::ranges::count(out.rules_, required, &CrosswalkRule::to) != 1)
      fields.wrong("rules", "there must be one rule to \"" + std::string(required) + "\"");
  for (const CrosswalkRule& rule : out.rules_)
    if (std::ranges::count(out.rules_, rule.to, &CrosswalkRule::to) != 1)
      fields.wrong("rules", "there are two rules to \"" + rule.to + "\"");
  for (Fields& rule : fields.objects("assurance", kCrosswalkRulesMax))
    out.assurance_.push_back(read_assurance(rule));

  Fields authority = fields.object("authority");
  for (const std::string& code : authority.texts("nationality", 1)) out.nationalities_.emplace_back(code);
  if (out.nationalities_ != std::vector{out.nation_})
    authority.wrong("nationality", "a nation vouches for its own people only",
                    "write [\"" + out.nation_.text() + "\"]");
  const std::string most = authority.text("clearance", 32);
  if (!fits_attribute("clearance", most))
    authority.wrong("clearance", "this is not one of the levels up to SECRET");
  else
    out.clearance_most_ = *coalition::level_of(most);
  static_cast<void>(authority.done());

  const Json examples = fields.value("examples");
  TRY_VOID(fields.done());
  TRY_VOID(out.run_examples(examples));
  return out;
}

Result<Crosswalk> Crosswalk::open(std::string_view jws, const crypto::KeySet& keys,
                                  const PartnerCode& nation) {
  TRY(const crypto::Jws signed_text,
      crypto::verify_jws(jws, keys,
                         {.algs = {crypto::SignatureAlg::ES256, crypto::SignatureAlg::ES384},
                          .typ = std::string(kCrosswalkTyp)}));
  TRY(const Json json, Json::parse(as_text(signed_text.payload)));
  TRY(Crosswalk out, load(json));
  if (out.nation_ != nation)
    return fail("crosswalk.format", "The crosswalk is another nation's.", {},
                "A nation signs its own crosswalk only.");
  return out;
}

Result<coalition::Facts> Crosswalk::apply(const Given& given) const {
  if (given.now < from_ || given.now >= until_)
    return fail("crosswalk.time", "The crosswalk of " + nation_.text() + " is not valid now.", {},
                "Activate a newer version.");
  if (std::ranges::find(issuers_, given.issuer) == issuers_.end())
    return fail("identity.issuer", "The crosswalk of " + nation_.text() + " is not for this provider.");
  return map(given);
}

Result<coalition::Facts> Crosswalk::map(const Given& given) const {
  ENTENTE_CHECK(given.clearance_ceiling >= 0);
  const std::string source = "idp:" + std::string(given.issuer);
  const Instant end = std::min(given.now + life_, until_);
  coalition::Facts out;
  for (const CrosswalkRule& rule : rules_) {
    TRY(auto value, apply_rule(rule, given.claims));
    if (!value) continue;
    if (rule.to == "nationality") {
      TRY(const std::string nation, single(*value, rule.to));
      if (std::ranges::find(nationalities_, PartnerCode(nation)) == nationalities_.end())
        return fail("identity.foreign_person",
                    "The provider of " + nation_.text() + " vouched for a person of another nation.", {},
                    "Only " + nation_.text() + "'s own people can sign in here.");
    }
    if (rule.to == "clearance") {
      TRY(const std::string level, single(*value, rule.to));
      int64_t most = std::min(clearance_most_, given.clearance_ceiling);
      if (!rule.ceiling.empty()) most = std::min(most, *coalition::level_of(rule.ceiling));
      value =
          std::string(coalition::kLevels[static_cast<size_t>(std::min(*coalition::level_of(level), most))]);
    }
    if (is_declared(rule.to)) {
      TRY(value, single(*value, rule.to));
    }
    const Instant ends = rule.life == Seconds{} ? end : std::min(end, given.now + rule.life);
    out.emplace(rule.to, coalition::Fact{*std::move(value), source, ends});
  }
  TRY(const int64_t aal, assurance_of(assurance_, given.claims));
  out.emplace("assurance", coalition::Fact{aal, source, end});
  return out;
}

// What the crosswalk's keeper wrote down as right must come out, or the table is not what they meant.
Result<void> Crosswalk::run_examples(const Json& examples) const {
  if (!examples.is_array() || examples.items().empty() || examples.items().size() > kExamplesMax)
    return fail("crosswalk.format", "The crosswalk has no list of 1 to 64 examples.", "/examples");
  for (size_t i = 0; i < examples.items().size(); ++i) {
    const std::string where = "/examples/" + std::to_string(i);
    Fields fields(examples.items()[i], where);
    const Json claims = fields.value("claims");
    const Json* facts = fields.value_if("facts");
    const std::string deny = fields.text_or("deny", "", 64);
    TRY_VOID(fields.done());
    if ((facts == nullptr) == deny.empty())
      return fail("crosswalk.format", "An example says either what comes out or why it is denied.", where);
    const auto result =
        map({issuers_.front(), claims, static_cast<int64_t>(coalition::kLevels.size()) - 1, from_});
    const std::string got = result ? plain_values(*result).canonical() : result.error().code();
    const std::string wanted = facts != nullptr ? facts->canonical() : deny;
    if (got != wanted)
      return fail("crosswalk.example", fmt::format("The example gives {} and not {}.", got, wanted), where,
                  "Correct the tables or the example.");
  }
  return {};
}

Result<std::string> sign_crosswalk(const crypto::PrivateKey& key, const std::string& kid, const Json& json) {
  return crypto::sign_jws(
      key, {.alg = crypto::default_alg(key.kind()), .typ = std::string(kCrosswalkTyp), .kid = kid},
      as_bytes(json.dump()));
}

}  // namespace entente::identity
