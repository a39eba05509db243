#include "coalition/layers.h"

namespace entente::coalition {

Result<std::shared_ptr<const LayerPolicies>> LayerPolicies::load(
    const policy::Schema& schema, std::span<const policy::PolicySource> sources) {
  auto layer = std::make_shared<LayerPolicies>();
  TRY(layer->set_, policy::PolicySet::load(schema, sources));
  for (const policy::PolicySource& source : sources) {
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
