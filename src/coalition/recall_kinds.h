// What operators recall by: record recall/<kind>/<what>. Authors have a kind of their own (objects.h).
#pragma once

#include <array>
#include <string_view>

namespace entente::coalition {

inline constexpr std::array<std::string_view, 8> kRecallKinds{"object", "policy",  "partner", "person",
                                                              "device", "mission", "key",     "label"};

}  // namespace entente::coalition
