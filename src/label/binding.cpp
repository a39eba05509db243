#include "label/binding.h"

#include "base/markup.h"
#include "label/label_element.h"
#include "label/xml.h"
#include "label/xml_signature.h"

#include <algorithm>

#include <fmt/format.h>
#include <libxml/tree.h>

namespace entente::label {
namespace {

constexpr std::string_view kMediaSpace = "http://www.w3.org/2005/05/xmlmime";

Failure misplaced(const XmlElement& at, std::string what, std::string hint = {}) {
  return fail("label.binding", std::move(what), at.where(), std::move(hint));
}

// A relative or absolute URI that can't be taken for a place inside a document.
Result<void> check_uri(std::string_view uri) {
  constexpr std::string_view known =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:?=&%+,@";
  if (uri.empty() || uri.size() > 512 || uri.find_first_not_of(known) != std::string::npos)
    return fail("label.binding", "the object's URI is empty, too long, or holds what it may not", {},
                "a plain URI without fragment, like report.pdf");
  return {};
}

Result<void> one_originator(std::span<const RoledLabel> labels) {
  const auto count = std::count_if(labels.begin(), labels.end(),
                                   [](const RoledLabel& one) { return one.role == LabelRole::originator; });
  if (count != 1 || labels.size() > kBoundLabelsMax)
    return fail("label.binding", "a binding holds exactly one originator's label", {},
                fmt::format("and at most {} others", kBoundLabelsMax - 1));
  return {};
}

std::string written(std::span<const RoledLabel> labels, std::string_view uri, std::string_view media_type,
                    std::string_view signature) {
  std::string out = fmt::format(
      "<mb:BindingInformation xmlns:mb=\"{}\" xmlns:xmime=\"{}\"><mb:MetadataBindingContainer>"
      "<mb:MetadataBinding><mb:Metadata>",
      kBindingSpace, kMediaSpace);
  for (const RoledLabel& one : labels) out += write_label_xml(one.label, one.role);
  out += fmt::format("</mb:Metadata><mb:DataReference URI=\"{}\"", escape_markup(uri));
  if (!media_type.empty()) out += fmt::format(" xmime:contentType=\"{}\"", escape_markup(media_type));
  out += "/></mb:MetadataBinding></mb:MetadataBindingContainer>";
  out += signature;
  return out + "</mb:BindingInformation>";
}

// Every element of that name anywhere, so that none hides from the reader.
void collect(const XmlElement& at, std::string_view space, std::string_view name,
             std::vector<XmlElement>& out) {
  if (at.is(space, name)) out.push_back(at);
  for (_xmlNode* one = at.native()->children; one != nullptr; one = one->next)
    if (one->type == XML_ELEMENT_NODE) collect(XmlElement(one), space, name, out);
}

// The one binding of a document: its root (detached), or a child of the root (embedded).
Result<XmlElement> only_binding(const XmlDocument& document, bool embedded) {
  std::vector<XmlElement> found;
  collect(document.root(), kBindingSpace, "BindingInformation", found);
  if (found.size() != 1)
    return misplaced(document.root(), fmt::format("{} bindings stand in this document", found.size()),
                     "exactly one belongs there");
  const XmlElement parent(found[0].native()->parent);
  const bool at_root = found[0].native() == document.root().native();
  if (at_root == embedded || (embedded && parent.native() != document.root().native()))
    return misplaced(found[0], "the binding stands at another place",
                     embedded ? "right inside the document's root" : "it is the document's root");
  return found[0];
}

struct Parts {
  Binding binding;
  std::optional<XmlElement> signature;
};

Result<Parts> read_parts(const XmlElement& at) {
  Parts out;
  TRY(const auto inside, at.children());
  if (inside.empty() || inside.size() > 2 || !inside[0].is(kBindingSpace, "MetadataBindingContainer") ||
      (inside.size() == 2 && !inside[1].is(kSignatureSpace, "Signature")))
    return misplaced(at, "a binding is one container and at most one signature");
  if (inside.size() == 2) out.signature = inside[1];
  TRY(const auto bindings, inside[0].children());
  if (bindings.size() != 1 || !bindings[0].is(kBindingSpace, "MetadataBinding"))
    return misplaced(inside[0], "exactly one MetadataBinding belongs here");
  TRY(const auto parts, bindings[0].children());
  if (parts.size() != 2 || !parts[0].is(kBindingSpace, "Metadata") ||
      !parts[1].is(kBindingSpace, "DataReference"))
    return misplaced(bindings[0], "a MetadataBinding is one Metadata and one DataReference");
  const auto uri = parts[1].attribute("URI");
  if (!uri) return misplaced(parts[1], "the DataReference has no URI", "\"\" for the document itself");
  out.binding.uri = *uri;
  out.binding.media_type = parts[1].attribute(kMediaSpace, "contentType").value_or("");
  TRY(const auto labels, parts[0].children());
  for (const XmlElement& one : labels) {
    if (out.binding.labels.size() >= kBoundLabelsMax) return misplaced(one, "there are too many labels");
    TRY(RoledLabel label, read_label_element(one));
    out.binding.labels.push_back(std::move(label));
  }
  TRY_VOID(one_originator(out.binding.labels));
  return out;
}

Result<Binding> verified(const XmlDocument& document, bool embedded, const crypto::PublicKey& key,
                         const Detached* object) {
  TRY(const XmlElement at, only_binding(document, embedded));
  TRY(Parts parts, read_parts(at));
  if (parts.binding.uri != (object != nullptr ? object->uri : ""))
    return misplaced(at, fmt::format("this binding is about \"{}\"", parts.binding.uri),
                     "give the object that it names");
  std::vector<XmlElement> signatures;
  collect(document.root(), kSignatureSpace, "Signature", signatures);
  if (!parts.signature || signatures.size() != 1)
    return fail("label.signature", fmt::format("{} signatures stand in this document", signatures.size()),
                at.where(), "exactly one belongs there, inside the binding");
  TRY_VOID(verify_in_place(*parts.signature, key, object));
  return std::move(parts.binding);
}

Result<void> sign(const XmlDocument& document, const crypto::PrivateKey* key, const Detached* object) {
  if (key == nullptr) return {};
  std::vector<XmlElement> signatures;
  collect(document.root(), kSignatureSpace, "Signature", signatures);
  if (signatures.size() != 1)
    return fail("label.binding", "this document has a signature of its own", {},
                "bind it beside the document instead");
  return sign_in_place(signatures[0], *key, object);
}

}  // namespace

const Label& Binding::originator() const {
  const auto at = std::find_if(labels.begin(), labels.end(),
                               [](const RoledLabel& one) { return one.role == LabelRole::originator; });
  ENTENTE_CHECK(at != labels.end());
  return at->label;
}

Result<std::string> bind_detached(std::span<const RoledLabel> labels, const BoundObject& object,
                                  const crypto::PrivateKey* key) {
  TRY_VOID(one_originator(labels));
  TRY_VOID(check_uri(object.uri));
  const Detached detached{object.uri, object.bytes};
  std::string signature;
  if (key != nullptr) {
    TRY(signature, signature_template(key->kind(), &detached));
  }
  TRY(const XmlDocument document,
      XmlDocument::parse(written(labels, object.uri, object.media_type, signature), kBoundBytesMax));
  TRY_VOID(sign(document, key, &detached));
  return document.dump();
}

Result<std::string> bind_embedded(std::string_view text, std::span<const RoledLabel> labels,
                                  const crypto::PrivateKey* key) {
  TRY_VOID(one_originator(labels));
  TRY(const XmlDocument document, XmlDocument::parse(text, kBoundBytesMax, kBoundDepthMax));
  std::vector<XmlElement> before;
  collect(document.root(), kBindingSpace, "BindingInformation", before);
  if (!before.empty())
    return misplaced(before[0], "this document has a binding already", "take it out first");
  std::string signature;
  if (key != nullptr) {
    TRY(signature, signature_template(key->kind(), nullptr));
  }
  TRY(const XmlDocument binding, XmlDocument::parse(written(labels, "", "", signature), kBoundBytesMax));
  xmlNode* copy = xmlDocCopyNode(binding.root().native(), document.native(), 1);
  ENTENTE_CHECK(copy != nullptr);
  xmlAddChild(document.root().native(), copy);
  TRY_VOID(sign(document, key, nullptr));
  return document.dump();
}

Result<Binding> verify_detached(std::string_view text, const BoundObject& object,
                                const crypto::PublicKey& key) {
  TRY_VOID(check_uri(object.uri));
  TRY(const XmlDocument document, XmlDocument::parse(text, kBoundBytesMax));
  const Detached detached{object.uri, object.bytes};
  return verified(document, false, key, &detached);
}

Result<Binding> verify_embedded(std::string_view text, const crypto::PublicKey& key) {
  TRY(const XmlDocument document, XmlDocument::parse(text, kBoundBytesMax, kBoundDepthMax));
  return verified(document, true, key, nullptr);
}

Result<Binding> read_unverified(std::string_view text) {
  TRY(const XmlDocument document, XmlDocument::parse(text, kBoundBytesMax, kBoundDepthMax));
  TRY(const XmlElement at, only_binding(document, !document.root().is(kBindingSpace, "BindingInformation")));
  TRY(Parts parts, read_parts(at));
  return std::move(parts.binding);
}

}  // namespace entente::label
