// What the files of the access desk share. Private to them.
#pragma once

#include "exchange/access_desk.h"

#include <string>

namespace entente::exchange {

inline Failure unknown() {
  return fail("access.unknown", "there is no such request for you", {}, "look at the list again");
}

inline Failure refusal_error(const coalition::Verdict& verdict) {
  const coalition::Verdict seen = coalition::shown(verdict);
  if (seen.reasons.empty()) return fail("access.refused", "no rule permits this");
  return fail("access.refused", seen.reasons.front().text, {}, seen.reasons.front().change);
}

inline std::string name_of(const Acting& by) {
  return by.who.id.text();
}

}  // namespace entente::exchange
