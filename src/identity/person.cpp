#include "identity/person.h"

#include "identity/crosswalk.h"
#include "identity/oidc.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr size_t kDisplayNameBytesMax = 128;

// For people to read; what could play with a terminal or a page is left out entirely.
std::string display_name(const Json& claims) {
  const std::string_view name = claims.text_or("name", "");
  const bool calm = name.size() <= kDisplayNameBytesMax && std::ranges::none_of(name, [](unsigned char c) {
                      return c < ' ' || c == 0x7f || c == '<' || c == '>';
                    });
  return calm ? std::string(name) : std::string();
}

std::vector<std::string> methods(const Json& claims) {
  std::vector<std::string> out;
  const Json* amr = claims.find("amr");
  if (amr == nullptr || !amr->is_array()) return out;
  for (const Json& each : amr->items())
    if (each.is_string() && out.size() < kClaimValuesMax) out.push_back(each.string());
  return out;
}

}  // namespace

Result<PersonFacts> person_from(const SignedIn& signed_in, const Crosswalk& crosswalk,
                                int64_t clearance_ceiling, Instant now) {
  if (crosswalk.nation() != signed_in.nation)
    return fail("identity.issuer", "The crosswalk is not that of the provider's nation.", signed_in.issuer);
  TRY(auto facts, crosswalk.apply({signed_in.issuer, signed_in.claims, clearance_ceiling, now}));
  PersonFacts out;
  out.id = person_id(signed_in.nation, signed_in.issuer, signed_in.subject);
  out.issuer = signed_in.issuer;
  out.subject = signed_in.subject;
  out.display_name = display_name(signed_in.claims);
  out.partner = signed_in.nation;
  out.acr = signed_in.claims.text_or("acr", "");
  out.amr = methods(signed_in.claims);
  out.auth_time = signed_in.auth_time.value_or(now);
  out.end = kNever;
  for (const auto& [name, fact] : facts) out.end = std::min(out.end, fact.end);
  out.facts = std::move(facts);
  return out;
}

Bytes framed(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += sizeof(uint64_t) + part.size();
  Bytes out(size);
  uint8_t* to = out.data();
  for (const std::string_view part : parts) {
    const uint64_t length = part.size();
    for (int shift = 56; shift >= 0; shift -= 8) *to++ = static_cast<uint8_t>(length >> shift);
    to = std::copy(part.begin(), part.end(), to);
  }
  return out;
}

PersonId person_id(const PartnerCode& nation, std::string_view issuer, std::string_view subject) {
  const crypto::Digest digest = crypto::sha256(framed({"entente.person/1", nation.text(), issuer, subject}));
  return PersonId(base64url(ByteView(digest).first(18)));
}

}  // namespace entente::identity
