#include "coalition/ask.h"

namespace entente::coalition {

std::string_view action_name(Action action) {
  switch (action) {
    case Action::open:
      return "open";
    case Action::view:
      return "view";
    case Action::edit:
      return "edit";
    case Action::forward:
      return "forward";
    case Action::relabel:
      return "relabel";
    case Action::release:
      return "release";
    case Action::share:
      return "share";
    case Action::administer:
      return "administer";
    case Action::approve:
      return "approve";
    case Action::recall:
      return "recall";
  }
  return "";
}

std::string target_text(const Target& target) {
  if (const auto* app = std::get_if<AppRef>(&target)) return "app " + app->text();
  if (const auto* node = std::get_if<NodeRef>(&target)) return "node " + node->partner.text();
  if (const auto* partner = std::get_if<PartnerCode>(&target)) return "partner " + partner->text();
  if (const auto* object = std::get_if<ObjectRef>(&target)) return "object " + object->id;
  return "mission " + std::get<MissionId>(target).text();
}

}  // namespace entente::coalition
