#include "coalition/layers.h"

#include <algorithm>

namespace entente::coalition {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// `http` stands in the context. What never says its name can read it only by taking the context as a whole:
// `context` that is followed by neither a member nor `has`. Comments and strings count like code.
bool may_read_http(std::string_view text) {
  if (text.contains('\\') || text.contains("http")) return true;
  constexpr std::string_view name = "context";
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + name.size())) {
    std::string_view rest = text.substr(at + name.size());
    if ((at > 0 && is_word(text[at - 1])) || (!rest.empty() && is_word(rest.front()))) continue;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    const bool member = rest.starts_with('.') || rest.starts_with('[');
    const bool has = rest.starts_with("has") && rest.size() > 3 && !is_word(rest[3]);
    if (!member && !has) return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<const LayerPolicies>> LayerPolicies::load(
    const policy::Schema& schema, std::span<const policy::PolicySource> sources) {
  auto layer = std::make_shared<LayerPolicies>();
  TRY(layer->set_, policy::PolicySet::load(schema, sources));
  for (const policy::PolicySource& source : sources) {
    layer->may_read_request_ = layer->may_read_request_ || may_read_http(source.text);
    layer->escapes_ = layer->escapes_ || source.text.contains('\\');
    // Between any two neighbouring quotes, inside or outside of literals: a quote in a comment then shifts
    // nothing that matters.
    std::string_view rest = source.text;
    for (size_t quote = rest.find('"'); quote != std::string_view::npos; quote = rest.find('"')) {
      layer->quoted_.emplace(rest.substr(0, quote));
      rest.remove_prefix(quote + 1);
    }
  }
  return layer;
}

}  // namespace entente::coalition
