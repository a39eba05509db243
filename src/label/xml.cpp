#include "label/xml.h"

#include "label/marking_shape.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

namespace entente::label {
namespace {

constexpr int kOptions =
    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_COMPACT | XML_PARSE_BIG_LINES;

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

struct FreeContext {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

// A document type can bring entities, defaults and files of others: whoever writes labels needs none. Looked
// for in the bytes, so that the parser never sees one; XML knows no other spelling.
Result<void> refuse_doctype(std::string_view text) {
  for (const std::string_view word : {"<!DOCTYPE", "<!ENTITY", "<!ELEMENT", "<!ATTLIST"}) {
    const size_t at = text.find(word);
    if (at == std::string_view::npos) continue;
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return fail("label.doctype", fmt::format("{} stands in this XML", word), fmt::format("line {}", line),
                "write it without a document type");
  }
  return {};
}

// UTF-8 only, so that the search above sees what the parser sees.
Result<void> refuse_encoding(std::string_view text) {
  const auto wrong = [] {
    return fail("label.xml", "this XML is not declared as UTF-8", "line 1", "write it in UTF-8");
  };
  if (text.size() < 4) return fail("label.xml", "this is no XML document", "line 1", "give a whole document");
  if (text.find('\0') != std::string_view::npos) return wrong();
  if (static_cast<uint8_t>(text[0]) >= 0xfe) return wrong();
  if (!text.starts_with("<?xml") && !text.starts_with("\xef\xbb\xbf<?xml")) return {};
  const std::string_view head = text.substr(0, std::min(text.find("?>"), text.size()));
  const size_t at = head.find("encoding");
  if (at == std::string_view::npos) return {};
  const size_t open = head.find_first_of("\"'", at);
  if (open == std::string_view::npos) return wrong();
  std::string name(head.substr(open + 1, 5));
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return name == "UTF-8" ? Result<void>{} : Result<void>(wrong());
}

bool too_deep(const xmlNode* root, size_t depth_max) {
  size_t depth = 1;
  for (const xmlNode* at = root; at != nullptr;) {
    if (depth > depth_max) return true;
    if (at->children != nullptr && at->type == XML_ELEMENT_NODE) {
      at = at->children;
      ++depth;
      continue;
    }
    while (at != root && at->next == nullptr) {
      at = at->parent;
      --depth;
    }
    if (at == root) break;
    at = at->next;
  }
  return false;
}

std::string attribute_text(const xmlAttr* attribute) {
  std::string out;
  for (const xmlNode* part = attribute->children; part != nullptr; part = part->next)
    if (part->type == XML_TEXT_NODE) out += view(part->content);
  return out;
}

bool is_space(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

void XmlDocument::Free::operator()(_xmlDoc* doc) const {
  xmlFreeDoc(doc);
}

Result<XmlDocument> XmlDocument::parse(std::string_view text, size_t bytes_max, size_t depth_max) {
  static const bool ready = (xmlInitParser(), true);
  ENTENTE_CHECK(ready);
  if (text.size() > bytes_max)
    return fail("label.xml", fmt::format("this XML is longer than {} bytes", bytes_max), {},
                "give the label or policy alone");
  TRY_VOID(refuse_encoding(text));
  TRY_VOID(refuse_doctype(text));
  const std::unique_ptr<xmlParserCtxt, FreeContext> context(xmlNewParserCtxt());
  ENTENTE_CHECK(context != nullptr);
  XmlDocument out(xmlCtxtReadMemory(context.get(), text.data(), static_cast<int>(text.size()), nullptr,
                                    "UTF-8", kOptions));
  if (!out.doc_ || context->wellFormed != 1 || context->nsWellFormed != 1 || out.root().native() == nullptr) {
    std::string what(view(reinterpret_cast<const xmlChar*>(context->lastError.message)));
    while (!what.empty() && (what.back() == '\n' || what.back() == ' ')) what.pop_back();
    for (char& c : what)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    return fail("label.xml", what.empty() ? "this is no well-formed XML" : std::string(beginning(what, 200)),
                fmt::format("line {}", std::max(context->lastError.line, 1)), "correct it there");
  }
  if (xmlGetIntSubset(out.doc_.get()) != nullptr)
    return fail("label.doctype", "this XML has a document type", {}, "write it without one");
  if (too_deep(out.root().native(), depth_max))
    return fail("label.xml", fmt::format("this XML is nested deeper than {}", depth_max), {},
                "make it flatter");
  return out;
}

XmlElement XmlDocument::root() const {
  return XmlElement(xmlDocGetRootElement(doc_.get()));
}

std::string XmlDocument::dump() const {
  xmlChar* bytes = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(doc_.get(), &bytes, &size, "UTF-8");
  std::string out(view(bytes));
  xmlFree(bytes);
  return out;
}

std::string_view XmlElement::name() const {
  return view(node_->name);
}

std::string_view XmlElement::space() const {
  return node_->ns == nullptr ? std::string_view{} : view(node_->ns->href);
}

bool XmlElement::is(std::string_view wanted_space, std::string_view wanted_name) const {
  return name() == wanted_name && space() == wanted_space;
}

std::string XmlElement::where() const {
  return fmt::format("line {}", xmlGetLineNo(node_));
}

std::optional<std::string> XmlElement::attribute(std::string_view wanted) const {
  for (const xmlAttr* at = node_->properties; at != nullptr; at = at->next)
    if (at->ns == nullptr && view(at->name) == wanted) return attribute_text(at);
  return std::nullopt;
}

std::string XmlElement::attribute_or(std::string_view wanted, std::string_view otherwise) const {
  auto found = attribute(wanted);
  return found ? *std::move(found) : std::string(otherwise);
}

std::optional<std::string> XmlElement::attribute(std::string_view wanted_space,
                                                 std::string_view wanted) const {
  for (const xmlAttr* at = node_->properties; at != nullptr; at = at->next)
    if (at->ns != nullptr && view(at->name) == wanted && view(at->ns->href) == wanted_space)
      return attribute_text(at);
  return std::nullopt;
}

std::string XmlElement::language() const {
  for (const xmlAttr* at = node_->properties; at != nullptr; at = at->next)
    if (at->ns != nullptr && view(at->name) == "lang" && view(at->ns->prefix) == "xml")
      return attribute_text(at);
  return {};
}

std::vector<std::string_view> XmlElement::attribute_names() const {
  std::vector<std::string_view> out;
  for (const xmlAttr* at = node_->properties; at != nullptr; at = at->next)
    if (at->ns == nullptr) out.push_back(view(at->name));
  return out;
}

Result<std::vector<XmlElement>> XmlElement::children() const {
  std::vector<XmlElement> out;
  for (xmlNode* at = node_->children; at != nullptr; at = at->next) {
    if (at->type == XML_ELEMENT_NODE) {
      out.emplace_back(at);
    } else if (at->type == XML_COMMENT_NODE || at->type == XML_PI_NODE) {
      continue;
    } else if (at->type != XML_TEXT_NODE || !is_space(view(at->content))) {
      return misshapen(*this, fmt::format("text stands loose in {}", name()), "only elements belong there");
    }
  }
  return out;
}

Result<std::string> XmlElement::text() const {
  std::string out;
  for (const xmlNode* at = node_->children; at != nullptr; at = at->next) {
    if (at->type != XML_TEXT_NODE && at->type != XML_CDATA_SECTION_NODE)
      return misshapen(*this, fmt::format("{} holds more than text", name()),
                       "write the value alone, without comments");
    out += view(at->content);
  }
  return out;
}

Result<Instant> parse_xml_time(std::string_view text) {
  const auto wrong = [&] {
    return fail("label.format", fmt::format("{} is no time", beginning(text, 40)), {},
                "write it like 2026-11-21T22:45:00Z");
  };
  while (!text.empty() && is_space(text.substr(0, 1))) text.remove_prefix(1);
  while (!text.empty() && is_space(text.substr(text.size() - 1))) text.remove_suffix(1);
  if (text.size() < 20 || text.size() > 40) return wrong();
  std::string plain(text.substr(0, 19));
  std::string_view rest = text.substr(19);
  std::string fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0) return wrong();
    fraction = std::string(rest.substr(0, std::min<size_t>(digits, 3)));
    fraction.resize(3, '0');
    rest.remove_prefix(digits);
  }
  // The end of a day is the beginning of the next.
  const bool ends_day = plain.ends_with("T24:00:00") && fraction.find_first_not_of('0') == std::string::npos;
  if (ends_day) plain.replace(11, 2, "00");
  int shift = 0;  // minutes east of UTC
  if (rest != "Z") {
    const auto digit = [&](size_t at) { return rest[at] >= '0' && rest[at] <= '9' ? rest[at] - '0' : 99; };
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return wrong();
    const int hours = digit(1) * 10 + digit(2);
    const int minutes = digit(4) * 10 + digit(5);
    if (hours * 60 + minutes > 14 * 60 || minutes > 59) return wrong();  // XML Schema 1.1, 3.3.7
    shift = (hours * 60 + minutes) * (rest[0] == '-' ? -1 : 1);
  }
  const auto at = parse_rfc3339(plain + (fraction.empty() ? "" : "." + fraction) + "Z");
  if (!at) return wrong();
  return *at - std::chrono::minutes(shift) + std::chrono::hours(ends_day ? 24 : 0);
}

Failure misshapen(const XmlElement& at, std::string what, std::string hint) {
  return fail("label.format", std::move(what), at.where(), std::move(hint));
}

}  // namespace entente::label
