// Who signed a sealed object, as far as the keys that are given, or a key service says, can tell.
#include "cli/object_files.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::cli {
namespace {

struct NamedKey {
  std::string name;
  std::string where;
};
Result<NamedKey> named_key(std::string_view option, const std::string& word) {
  const size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail("cli.usage", fmt::format("--{} {} names no key", option, word), {}, "NAME=PUBLIC.pem");
  return NamedKey{word.substr(0, equals), word.substr(equals + 1)};
}

// By its own attributes; one without any of origin says nothing against anybody.
bool is_of(const data::Manifest& manifest, std::string code) {
  const auto policy = data::read_policy(manifest.policy_text);
  if (!policy) return false;
  std::ranges::transform(code, code.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::vector<std::string_view> origins;
  for (const data::AttributeName& one : policy->attributes)
    if (one.name() == kOriginatorAttribute) origins.push_back(one.value());
  return origins.empty() || std::ranges::find(origins, code) != origins.end();
}

}  // namespace

Result<data::OpenExpect> expectations_of(const Arguments& arguments) {
  data::OpenExpect out;
  for (const std::string& word : arguments.all("originator")) {
    TRY(const NamedKey named, named_key("originator", word));
    TRY(crypto::PublicKey key, read_public_key_file(named.where));
    out.originators.emplace(named.name, std::move(key));
  }
  for (const std::string& word : arguments.all("pin")) {
    TRY(const NamedKey named, named_key("pin", word));
    TRY(crypto::PublicKey key, read_public_key_file(named.where));
    out.pinned.insert_or_assign(named.name, std::move(key));
  }
  return out;
}

Result<data::OriginatorKeys> known_originators(const Arguments& arguments, const data::Manifest& manifest) {
  data::OriginatorKeys known;
  const std::string claimed = data::claimed_originator(manifest).value_or("");
  for (const std::string& word : arguments.all("known-originator")) {
    TRY(const NamedKey named, named_key("known-originator", word));
    if (named.name != claimed) continue;
    if (named.where.starts_with("https://")) {
      TRY(const std::vector<crypto::PublicKey> keys, originator_keys_of_service(arguments, named.where));
      for (const crypto::PublicKey& key : keys) known.emplace(named.name, key);
    } else {
      TRY(crypto::PublicKey key, read_public_key_file(named.where));
      known.emplace(named.name, std::move(key));
    }
  }
  return known;
}

Signer signer_of_object(const data::OriginatorSeen& seen, const data::Manifest& manifest) {
  return {seen, is_of(manifest, seen.said)};
}

std::string signer_words(const Signer& signer) {
  const std::string who = printable(signer.seen.said);
  if (who.empty())
    return "not signed by its originator: whoever could open it could have written what it says of itself";
  if (!signer.seen.verified)
    return fmt::format("says that {0} signed it: not verified, no key of {0}'s is known here", who);
  if (!signer.of_origin)
    return fmt::format(
        "not signed by its originator: signed by {0}'s key, and its attributes do not say that "
        "it is of {0}",
        who);
  return fmt::format("signed by {}'s originator key: content, policy and statements are as they sealed them",
                     who);
}

Json signature_json(const Signer& signer) {
  const char* state = signer.seen.said.empty() ? "unsigned"
                      : !signer.seen.verified  ? "unknown"
                      : signer.of_origin       ? "signed"
                                               : "stranger";
  return Json::object({{"state", state}, {"name", signer.seen.said}});
}

Json signer_json(const Signer& signer) {
  return signer.verified() ? Json(signer.seen.said) : Json();
}

}  // namespace entente::cli
