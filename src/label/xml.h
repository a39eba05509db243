// Hostile XML, read strictly: UTF-8, no DOCTYPE, no entities, no network, bounded in bytes and depth. Private
// to the room: libxml2 stays behind it. An XmlElement is a view into its XmlDocument, which must outlive it.
#pragma once

#include "base/result.h"
#include "base/time.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// libxml2's own names.
struct _xmlDoc;   // NOLINT(bugprone-reserved-identifier)
struct _xmlNode;  // NOLINT(bugprone-reserved-identifier)

namespace entente::label {

inline constexpr std::string_view kLabelSpace = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0";
inline constexpr std::string_view kBindingSpace = "urn:nato:stanag:4778:bindinginformation:1:0";
inline constexpr std::string_view kSignatureSpace = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view kSpifSpace = "http://www.xmlspif.org/spif";
inline constexpr size_t kXmlDepthMax = 24;

class XmlElement {
 public:
  XmlElement() = default;
  explicit XmlElement(_xmlNode* node) : node_(node) {}

  [[nodiscard]] std::string_view name() const;  // without prefix
  [[nodiscard]] std::string_view space() const;
  [[nodiscard]] bool is(std::string_view space, std::string_view name) const;
  [[nodiscard]] std::string where() const;  // "line 12"
  // An attribute without a namespace; nothing when it is not there.
  [[nodiscard]] std::optional<std::string> attribute(std::string_view name) const;
  [[nodiscard]] std::string attribute_or(std::string_view name, std::string_view otherwise) const;
  [[nodiscard]] std::optional<std::string> attribute(std::string_view space, std::string_view name) const;
  [[nodiscard]] std::string language() const;  // xml:lang or empty
  // Names of attributes without a namespace.
  [[nodiscard]] std::vector<std::string_view> attribute_names() const;
  // The elements inside. Error "label.format" when text other than space stands between them.
  [[nodiscard]] Result<std::vector<XmlElement>> children() const;
  // The text inside. Error "label.format" when anything else, even a comment, stands in it: two readers could
  // see two texts.
  [[nodiscard]] Result<std::string> text() const;
  [[nodiscard]] _xmlNode* native() const { return node_; }

 private:
  _xmlNode* node_ = nullptr;
};

class XmlDocument {
 public:
  // Errors: "label.xml" (not well-formed, another encoding, too long, too deep) with line and column,
  // "label.doctype".
  [[nodiscard]] static Result<XmlDocument> parse(std::string_view text, size_t bytes_max,
                                                 size_t depth_max = kXmlDepthMax);

  [[nodiscard]] XmlElement root() const;
  [[nodiscard]] std::string dump() const;  // the document again, UTF-8
  [[nodiscard]] _xmlDoc* native() const { return doc_.get(); }

 private:
  struct Free {
    void operator()(_xmlDoc* doc) const;
  };
  explicit XmlDocument(_xmlDoc* doc) : doc_(doc) {}
  std::unique_ptr<_xmlDoc, Free> doc_;
};

// xs:dateTime with a zone. Fractions beyond milliseconds are cut. Error "label.format".
[[nodiscard]] Result<Instant> parse_xml_time(std::string_view text);
[[nodiscard]] Failure misshapen(const XmlElement& at, std::string what, std::string hint = {});

}  // namespace entente::label
