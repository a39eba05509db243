#include "crypto/x509_names.h"

#include "crypto/openssl.h"

#include <algorithm>

#include <openssl/x509v3.h>

namespace entente::crypto {
namespace {

constexpr size_t kNamesMax = 64;

using GeneralNames = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

std::string_view text_of(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<size_t>(ASN1_STRING_length(value))};
}

bool is_visible_ascii(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

AlternativeNames read_names(const GENERAL_NAMES* names) {
  AlternativeNames out;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* each = sk_GENERAL_NAME_value(names, i);
    if (each->type == GEN_DNS) out.dns.emplace_back(text_of(each->d.dNSName));
    if (each->type == GEN_URI) out.uris.emplace_back(text_of(each->d.uniformResourceIdentifier));
  }
  return out;
}

bool is_host_name(std::string_view host) {
  if (host.starts_with("*.")) host.remove_prefix(2);
  if (host.empty() || host.size() > 253) return false;
  size_t label = 0;
  char before = '.';
  for (const char c : host) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else {
      if (!plain && (c != '-' || label == 0)) return false;
      if (++label > 63) return false;
    }
    before = c;
  }
  return label > 0 && before != '-';
}

bool is_host_name_of_any_case(std::string_view host) {
  std::string folded(host);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return is_host_name(folded);
}

using NameConstraints = std::unique_ptr<NAME_CONSTRAINTS, Freed<NAME_CONSTRAINTS_free>>;

bool has_plain_subtrees(const STACK_OF(GENERAL_SUBTREE) * trees) {
  for (int i = 0; trees != nullptr && i < sk_GENERAL_SUBTREE_num(trees); ++i) {
    const GENERAL_NAME* base = sk_GENERAL_SUBTREE_value(trees, i)->base;
    if (base->type != GEN_DNS) continue;
    const std::string_view name = text_of(base->d.dNSName);
    if (!name.empty() && (name.starts_with("*") || !is_host_name_of_any_case(name))) return false;
  }
  return true;
}

bool is_uri(std::string_view uri) {
  const size_t colon = uri.find(':');
  return is_visible_ascii(uri) && uri.size() <= 2048 && colon != std::string_view::npos && colon > 0;
}

}  // namespace

AlternativeNames read_alternative_names(const X509* certificate) {
  const GeneralNames names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  return read_names(names.get());
}

AlternativeNames read_alternative_names(const STACK_OF(X509_EXTENSION) * extensions) {
  const GeneralNames names(
      static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  return read_names(names.get());
}

Result<void> check_alternative_names(const X509* certificate) {
  const AlternativeNames names = read_alternative_names(certificate);
  if (!std::ranges::all_of(names.dns, is_visible_ascii) || !std::ranges::all_of(names.uris, is_visible_ascii))
    return openssl_fail("x509.parse", "The certificate has a name that is not visible ASCII.");
  return {};
}

bool has_plain_dns_names(const X509* certificate) {
  const NameConstraints constraints(
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(certificate, NID_name_constraints, nullptr, nullptr)));
  if (constraints) {
    const auto* permitted = constraints->permittedSubtrees;
    const auto* excluded = constraints->excludedSubtrees;
    const bool some = (permitted != nullptr && sk_GENERAL_SUBTREE_num(permitted) > 0) ||
                      (excluded != nullptr && sk_GENERAL_SUBTREE_num(excluded) > 0);
    if (!some || !has_plain_subtrees(permitted) || !has_plain_subtrees(excluded)) return false;
  }
  return std::ranges::all_of(read_alternative_names(certificate).dns, is_host_name_of_any_case);
}

std::string common_name_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return {};
  uint8_t* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string out(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return out;
}

Result<void> check_wanted_names(const std::string& common_name, const AlternativeNames& names) {
  if (common_name.empty() || common_name.size() > 64 ||
      !std::ranges::all_of(common_name, [](char c) { return c >= ' ' && c < 0x7f; }))
    return fail("x509.issue", "The common name is not 1 to 64 characters of ASCII.");
  if (names.dns.size() + names.uris.size() > kNamesMax)
    return fail("x509.issue", "More than 64 names were asked for.");
  for (const std::string& dns : names.dns)
    if (!is_host_name(dns))
      return fail("x509.issue", "A host name is not one a certificate can carry.", {},
                  "Use a-z, 0-9, hyphens, dots.");
  for (const std::string& uri : names.uris)
    if (!is_uri(uri))
      return fail("x509.issue", "A URI is not one a certificate can carry.", {},
                  "Use visible ASCII with a scheme.");
  return {};
}

}  // namespace entente::crypto
