#include "coalition/marking.h"

#include "coalition/object_view.h"
#include "label/marking.h"

namespace entente::coalition {

std::string marking_of(const World& world, const SealedObject& object, Instant now) {
  Notes notes(now);
  const ObjectRead read = read_object(world, object, now, notes);
  if (!read.reading) return {};
  const ObjectView& view = read.reading->view;
  return label::MarkingGrammar(*view.terms->policy, {}).print(view.label, now).value_or("");
}

}  // namespace entente::coalition
