// Asks each layer's policies that concern this node, separately: one layer's permit never reaches into
// another. Private to the room.
#pragma once

#include "coalition/notes.h"
#include "coalition/things.h"
#include "coalition/verdict.h"
#include "coalition/world.h"

namespace entente::coalition {

// What structure has established, ready for policies.
struct Established {
  const World& world;
  const Ask& ask;
  policy::Overlay overlay;  // the person; then what is asked about, when it is an object
  int64_t risk = 0;
  std::string network;
  bool own_target = false;                 // the host layer concerns us
  bool own_person = false;                 // the home layer does
  const Grant* grant = nullptr;            // what policies read as context.grant
  const Delegation* delegation = nullptr;  // likewise
  const Release* release = nullptr;        // likewise
};

struct Opinion {
  bool permit = false;
  std::vector<Reason> reasons;  // of the permits when all layers permit; otherwise of the layers that do not
  std::vector<Obligation> obligations;  // only with permit
  std::vector<std::string> errors;
  GrantTerms terms;  // of the host's permits
};

// Asked for `action`; when that is not the ask's own, http facts are left out. All that was read goes to
// `notes`.
[[nodiscard]] Opinion ask_layers(const Established& known, Action action, Notes& notes);

}  // namespace entente::coalition
