#include "label/spif_values.h"

#include "label/label.h"

#include <charconv>

#include <fmt/format.h>

namespace entente::label {

std::string trimmed(const std::string& text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string plain_lacv(std::string text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return text;
  const size_t first = text.find_first_not_of('0');
  return first == std::string::npos ? "0" : text.substr(first);
}

Result<std::string> need(const XmlElement& at, std::string_view name) {
  auto found = at.attribute(name);
  if (!found || found->empty() || found->size() > kTextMax)
    return misshapen(at, fmt::format("{} has no right {}", at.name(), name), "write 1 to 256 bytes");
  return *std::move(found);
}

std::string single_spaced(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Result<std::string> need_name(const XmlElement& at, std::string_view name) {
  TRY(const std::string written, need(at, name));
  std::string out = single_spaced(written);
  if (out.empty()) return misshapen(at, fmt::format("{} has no right {}", at.name(), name), "write it");
  return out;
}

Result<bool> flag(const XmlElement& at, std::string_view name) {
  const std::string text = trimmed(at.attribute_or(name, "false"));
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return misshapen(at, fmt::format("{} of {} is neither true nor false", name, at.name()));
}

Result<int64_t> integer(const XmlElement& at, std::string_view name) {
  TRY(std::string text, need(at, name));
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.erase(0, 1);
  int64_t out = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), out);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size())
    return misshapen(at, fmt::format("{} of {} is no integer", name, at.name()));
  return out;
}

Result<std::optional<Instant>> time_if(const XmlElement& at, std::string_view name) {
  const auto text = at.attribute(name);
  if (!text) return std::optional<Instant>{};
  if (const auto read = parse_xml_time(*text)) return std::optional<Instant>(*read);
  const auto bare = parse_xml_time(trimmed(*text) + "Z");
  if (!bare) return misshapen(at, fmt::format("{} is no time", name));
  constexpr auto kFarthestZone = std::chrono::hours(14);  // XML Schema 1.1, 3.3.7
  return std::optional<Instant>(name == "notAfter" ? *bare - kFarthestZone : *bare + kFarthestZone);
}

}  // namespace entente::label
