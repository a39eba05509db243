#include "label/label_xml.h"

#include "base/markup.h"
#include "label/label_element.h"
#include "label/label_policy.h"
#include "label/xml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::label {
namespace {

struct RoleName {
  LabelRole role;
  std::string_view name;
};
// As ADatP-4774 writes them; other implementations begin them with a capital letter.
constexpr std::array<RoleName, 4> kRoles{{{LabelRole::originator, "originatorConfidentialityLabel"},
                                          {LabelRole::alternative, "alternativeConfidentialityLabel"},
                                          {LabelRole::metadata, "metadataConfidentialityLabel"},
                                          {LabelRole::plain, "ConfidentialityLabel"}}};

std::optional<LabelRole> role_of(const XmlElement& at) {
  if (at.space() != kLabelSpace) return std::nullopt;
  for (const RoleName& one : kRoles)
    if (same_name(one.name, at.name()) && one.name.substr(1) == at.name().substr(1)) return one.role;
  return std::nullopt;
}

Result<void> only_attributes(const XmlElement& at, std::initializer_list<std::string_view> known) {
  for (const std::string_view name : at.attribute_names())
    if (std::find(known.begin(), known.end(), name) == known.end())
      return misshapen(at, fmt::format("the attribute {} of {} is not known", name, at.name()),
                       "leave it out");
  return {};
}

Failure unknown(const XmlElement& at, const XmlElement& inside) {
  return misshapen(at, fmt::format("{} in {} is not known here", at.name(), inside.name()),
                   "STANAG 4774 has no such element there, or it stands twice");
}

class LabelReader {
 public:
  Result<Label> read(const XmlElement& at, bool may_have_successor) {
    TRY_VOID(only_attributes(at, {"ReviewDateTime", "Id", "ConfidentialityLabelVersion"}));
    if (const auto review = at.attribute("ReviewDateTime")) {
      TRY(label_.review, time(at, *review));
    }
    TRY(const auto parts, at.children());
    bool informed = false;
    bool originated = false;
    for (const XmlElement& part : parts) {
      if (part.space() != kLabelSpace) return unknown(part, at);
      if (part.name() == "ConfidentialityInformation" && !informed) {
        informed = true;
        TRY_VOID(information(part));
      } else if (part.name() == "OriginatorID" && !originated) {
        originated = true;
        TRY_VOID(only_attributes(part, {"IDType"}));
        TRY(label_.originator.id, part.text());
        label_.originator.id_type = part.attribute_or("IDType", "");
      } else if (part.name() == "CreationDateTime" && !label_.created) {
        TRY(const std::string text, part.text());
        TRY(label_.created, time(part, text));
      } else if (part.name() == "SuccessionHandling" && may_have_successor && label_.successor.empty()) {
        TRY_VOID(succession(part));
      } else {
        return unknown(part, at);
      }
    }
    if (!informed) return misshapen(at, "ConfidentialityInformation is missing", "it names the policy");
    return std::move(label_);
  }

 private:
  static Result<std::optional<Instant>> time(const XmlElement& at, std::string_view text) {
    const auto read = parse_xml_time(text);
    if (!read) return misshapen(at, read.error().what(), read.error().hint());
    return std::optional<Instant>(*read);
  }

  Result<void> information(const XmlElement& at) {
    TRY_VOID(only_attributes(at, {}));
    TRY(const auto parts, at.children());
    bool classified = false;
    bool named = false;
    bool private_mark = false;
    for (const XmlElement& part : parts) {
      if (part.space() != kLabelSpace) return unknown(part, at);
      if (part.name() == "PolicyIdentifier" && !named) {
        named = true;
        TRY_VOID(only_attributes(part, {"URI", "URL"}));
        if (part.attribute("URI") && part.attribute("URL"))
          return misshapen(part, "URI and URL both stand here", "write one of them");
        TRY(label_.policy, part.text());
        label_.policy_id = part.attribute_or("URI", part.attribute_or("URL", ""));
      } else if (part.name() == "Classification" && !classified) {
        classified = true;
        TRY_VOID(only_attributes(part, {"URI"}));
        TRY(label_.classification, part.text());
      } else if (part.name() == "PrivacyMark" && !private_mark) {
        private_mark = true;
        TRY(label_.privacy_mark, part.text());
      } else if (part.name() == "Category") {
        TRY_VOID(category(part));
      } else {
        return unknown(part, at);
      }
    }
    if (!named) return misshapen(at, "PolicyIdentifier is missing", "say whose rules the label follows");
    if (!classified) return misshapen(at, "Classification is missing", "say how sensitive it is");
    return {};
  }

  Result<void> category(const XmlElement& at) {
    TRY_VOID(only_attributes(at, {"Type", "TagName", "URI"}));
    if (label_.categories.size() >= kCategoriesMax) return misshapen(at, "the label has too many categories");
    Category out;
    out.tag = at.attribute_or("TagName", "");
    const auto type = category_type(at.attribute_or("Type", ""));
    if (!type)
      return misshapen(at, "the category's Type is missing or not known",
                       "RESTRICTIVE, PERMISSIVE or INFORMATIVE");
    out.type = *type;
    TRY(const auto values, at.children());
    for (const XmlElement& one : values) {
      if (!one.is(kLabelSpace, "GenericValue")) return unknown(one, at);
      if (out.values.size() >= kValuesMax) return misshapen(at, "the category has too many values");
      TRY_VOID(only_attributes(one, {"URI"}));
      TRY(std::string text, one.text());
      out.values.push_back(std::move(text));
    }
    label_.categories.push_back(std::move(out));
    return {};
  }

  Result<void> succession(const XmlElement& at) {
    TRY(const auto parts, at.children());
    if (parts.size() != 2 || !parts[0].is(kLabelSpace, "SuccessionDateTime") ||
        !parts[1].is(kLabelSpace, "SuccessorConfidentialityLabel"))
      return misshapen(at, "a succession is one SuccessionDateTime and one SuccessorConfidentialityLabel");
    TRY(const std::string text, parts[0].text());
    TRY(label_.succeeded, time(parts[0], text));
    TRY(Label next, LabelReader().read(parts[1], false));
    label_.successor.push_back(std::move(next));
    return {};
  }

  Label label_;
};

void write(std::string& out, const Label& label, std::string_view element, bool outermost) {
  const auto add = [&](std::string_view name, std::string_view text, std::string_view attributes = "") {
    out += fmt::format("<{}{}>{}</{}>", name, attributes, escape_markup(text), name);
  };
  const auto attribute = [](std::string_view name, std::string_view value) {
    return value.empty() ? std::string() : fmt::format(" {}=\"{}\"", name, escape_markup(value));
  };
  out += fmt::format("<{}{}{}><ConfidentialityInformation>", element,
                     outermost ? attribute("xmlns", kLabelSpace) : "",
                     label.review ? attribute("ReviewDateTime", rfc3339(*label.review)) : "");
  const bool oid = label.policy_id.find_first_not_of("0123456789.") == std::string::npos;
  add("PolicyIdentifier", label.policy,
      attribute("URI", label.policy_id.empty() || !oid ? label.policy_id : "urn:oid:" + label.policy_id));
  add("Classification", label.classification);
  if (!label.privacy_mark.empty()) add("PrivacyMark", label.privacy_mark);
  for (const Category& category : label.categories) {
    out += fmt::format("<Category{}{}>", attribute("TagName", category.tag),
                       attribute("Type", name(category.type)));
    for (const std::string& value : category.values) add("GenericValue", value);
    out += "</Category>";
  }
  out += "</ConfidentialityInformation>";
  if (!label.originator.id.empty())
    add("OriginatorID", label.originator.id, attribute("IDType", label.originator.id_type));
  if (label.created) add("CreationDateTime", rfc3339(*label.created));
  if (label.succeeded && !label.successor.empty()) {
    out += "<SuccessionHandling>";
    add("SuccessionDateTime", rfc3339(*label.succeeded));
    write(out, label.successor.front(), "SuccessorConfidentialityLabel", false);
    out += "</SuccessionHandling>";
  }
  out += fmt::format("</{}>", element);
}

}  // namespace

bool is_label_element(const XmlElement& at) {
  return role_of(at).has_value();
}

Result<RoledLabel> read_label_element(const XmlElement& at) {
  const auto role = role_of(at);
  if (!role)
    return misshapen(at, fmt::format("{} is no confidentiality label", at.name()),
                     fmt::format("originatorConfidentialityLabel in the namespace {}", kLabelSpace));
  TRY(Label label, LabelReader().read(at, true));
  label.policy_id = std::string(plain_id(label.policy_id));
  for (Label& next : label.successor) next.policy_id = std::string(plain_id(next.policy_id));
  TRY(label, normalised(std::move(label)));
  return RoledLabel{*role, std::move(label)};
}

Result<RoledLabel> read_label_xml(std::string_view xml) {
  TRY(const XmlDocument document, XmlDocument::parse(xml, kLabelBytesMax));
  return read_label_element(document.root());
}

std::string write_label_xml(const Label& label, LabelRole role) {
  const auto at =
      std::find_if(kRoles.begin(), kRoles.end(), [&](const RoleName& one) { return one.role == role; });
  std::string out;
  write(out, label, at->name, true);
  return out;
}

}  // namespace entente::label
