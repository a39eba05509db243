// What the answers of the operators' API have in common. Private to the room.
#pragma once

#include "base/fields.h"
#include "node/api.h"

#include <string>

namespace entente::node {

inline constexpr size_t kCountedMax = 64;  // decided about for a number that stands on every page

[[nodiscard]] Api::Answer refusal(int status, const Error& error);
// And which verb shows what there is.
[[nodiscard]] Api::Answer not_found(std::string what, std::string_view see = "help");
// Which status an error of a change deserves: 400 for what is none, 403 and 404 for what is not theirs or not
// there, 409 for what is not so, 507 for no space, 503 for what may work later.
[[nodiscard]] int status_of(const Error& error);
// Every change takes one: a line of text in the member "reason", which a preview may leave out.
[[nodiscard]] std::string take_reason(Fields& fields, bool preview);
// And no other member.
[[nodiscard]] Result<std::string> read_reason(const Json& body, bool preview = false);
// The member of that name: a line of text that can be shown. What is wrong with it is said to `fields`.
[[nodiscard]] std::string take_line(Fields& fields, std::string_view name);
// Of a partner that nobody gets in from: "suspended" or "isolated", and why.
[[nodiscard]] const char* shut_name(const coalition::Partner& partner);
[[nodiscard]] const std::string& shut_reason(const coalition::Partner& partner);
// How far a connector is, as it is shown: null of one that was not measured yet, which is not near.
[[nodiscard]] Json round_trip_json(int64_t round_trip_us);

}  // namespace entente::node
