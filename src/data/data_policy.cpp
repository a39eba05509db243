#include "data/data_policy.h"

#include "base/bytes.h"
#include "crypto/digest.h"
#include "data/policy_id.h"
#include "identity/person.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kFqnBytesMax = 1024;
constexpr size_t kUuidBytesMax = 128;
constexpr size_t kAuthorBytes = 32;
constexpr std::string_view kAuthorMember = "ententeAuthor";
constexpr std::string_view kNamePart = "/attr/";
constexpr std::string_view kValuePart = "/value/";

Failure wrong(std::string what, std::string where, std::string hint = {}) {
  return fail("data.policy", std::move(what), std::move(where), std::move(hint));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// What may stand in an attribute's name: no space, no control character, no quote, nothing that splits it.
bool is_plain(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, [](char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != '"' && c != '\\' && c != '<' && c != '>';
  });
}

// An absent list and null are the same in what others write.
Result<const Json::Array*> list_of(const Json& body, std::string_view key, size_t count_max) {
  static const Json::Array none;
  const Json* list = body.find(key);
  if (list == nullptr || list->is_null()) return &none;
  if (!list->is_array() || list->items().size() > count_max)
    return wrong(fmt::format("\"{}\" is not a list of at most {}.", key, count_max),
                 fmt::format("/body/{}", key));
  return &list->items();
}

}  // namespace

bool is_policy_id(std::string_view text) {
  return text.size() <= kUuidBytesMax && is_plain(text);
}

std::string plain_policy_id(std::string_view text) {
  std::string out(text);
  constexpr std::string_view kForm = "........-....-....-....-............";
  const auto fits = [](char form, char c) {
    const char d = lower(c);
    return form == '-' ? c == '-' : (d >= '0' && d <= '9') || (d >= 'a' && d <= 'f');
  };
  if (std::ranges::equal(kForm, out, fits)) std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string_view AttributeName::attribute() const {
  const std::string_view text = fqn_;
  return text.substr(0, text.find(kValuePart, text.find(kNamePart) + kNamePart.size()));
}

std::string_view AttributeName::name() const {
  const std::string_view text = attribute();
  return text.substr(text.find(kNamePart) + kNamePart.size());
}

std::string_view AttributeName::value() const {
  return std::string_view(fqn_).substr(attribute().size() + kValuePart.size());
}

Result<AttributeName> parse_attribute(std::string_view fqn) {
  const auto refuse = [] {
    return wrong("The text is no attribute's full name.", {},
                 "Write https://xaa.example/attr/NAME/value/VALUE.");
  };
  if (fqn.size() > kFqnBytesMax) return refuse();
  std::string text(fqn);
  std::ranges::transform(text, text.begin(), lower);
  const size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  const size_t attr = text.find(kNamePart);
  if (scheme == 0 || attr == std::string::npos || attr <= scheme) return refuse();
  const size_t name = attr + kNamePart.size();
  const size_t value = text.find(kValuePart, name);
  if (value == std::string::npos) return refuse();
  const std::string_view all = text;
  if (!is_plain(all.substr(scheme, attr - scheme)) || !is_plain(all.substr(name, value - name)) ||
      !is_plain(all.substr(value + kValuePart.size())))
    return refuse();
  return AttributeName(std::move(text));
}

Result<DataPolicy> read_policy(std::string_view text) {
  if (text.size() > kPolicyBytesMax) return wrong("The policy is too long.", {});
  auto bytes = from_base64(text);
  if (!bytes) return wrong("The policy is not base64.", {});
  auto parsed = Json::parse(as_text(*bytes), {.bytes_max = kPolicyBytesMax, .depth_max = 8});
  if (!parsed) return wrong("The policy is not JSON: " + parsed.error().what(), parsed.error().where());
  DataPolicy out;
  out.uuid = plain_policy_id(parsed->text_or("uuid", ""));
  if (!is_policy_id(out.uuid)) return wrong("The policy has no usable \"uuid\".", "/uuid");
  const Json* body = parsed->find("body");
  if (body == nullptr || !body->is_object()) return wrong("The policy has no body.", "/body");
  TRY(const Json::Array* attributes, list_of(*body, "dataAttributes", kAttributesMax));
  for (size_t i = 0; i < attributes->size(); ++i) {
    auto name = parse_attribute((*attributes)[i].text_or("attribute", ""));
    if (!name)
      return wrong(name.error().what(), fmt::format("/body/dataAttributes/{}", i), name.error().hint());
    out.attributes.push_back(*std::move(name));
  }
  TRY(const Json::Array* dissem, list_of(*body, "dissem", kDissemMax));
  for (const Json& one : *dissem) {
    if (!one.is_string() || one.string().empty())
      return wrong("\"dissem\" holds what is no text.", "/body/dissem");
    out.dissem.push_back(one.string());
  }
  // What cannot be a mark is somebody else's member of that name: nobody's mark, and no fault.
  const std::string_view author = parsed->text_or(kAuthorMember, "");
  if (is_author_text(author)) out.author = author;
  return out;
}

std::string write_policy(const DataPolicy& policy) {
  Json attributes = Json::array();
  for (const AttributeName& one : policy.attributes)
    attributes.push(Json::object({{"attribute", one.fqn()}}));
  Json dissem = Json::array();
  for (const std::string& one : policy.dissem) dissem.push(one);
  Json out = Json::object(
      {{"uuid", policy.uuid},
       {"body", Json::object({{"dataAttributes", std::move(attributes)}, {"dissem", std::move(dissem)}})}});
  if (!policy.author.empty()) out.set(std::string(kAuthorMember), policy.author);
  return base64(as_bytes(out.dump()));
}

std::string author_mark(std::string_view code, std::string_view uuid) {
  return base64url(crypto::sha256(identity::framed({"entente.author/1", code, plain_policy_id(uuid)})));
}

bool is_author_text(std::string_view text) {
  const auto bytes = from_base64url(text);
  return bytes && bytes->size() == kAuthorBytes;
}

}  // namespace entente::data
