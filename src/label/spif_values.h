// Values of a SPIF's attributes, by the lexical rules of XML Schema. Errors as misshapen(). Private to the
// room.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "label/xml.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace entente::label {

[[nodiscard]] std::string trimmed(const std::string& text);
[[nodiscard]] std::string plain_lacv(std::string text);  // without leading zeros, if it is a number
[[nodiscard]] Result<std::string> need(const XmlElement& at, std::string_view name);
// The same as a name: spaces trimmed and single, as in labels.
[[nodiscard]] Result<std::string> need_name(const XmlElement& at, std::string_view name);
[[nodiscard]] std::string single_spaced(std::string_view text);
[[nodiscard]] Result<bool> flag(const XmlElement& at, std::string_view name);  // false where it is missing
[[nodiscard]] Result<int64_t> integer(const XmlElement& at, std::string_view name);
// A time without a zone is one in some zone: what begins then does so when it is that time everywhere, and
// what ends then when it is that time anywhere.
[[nodiscard]] Result<std::optional<Instant>> time_if(const XmlElement& at, std::string_view name);

}  // namespace entente::label
