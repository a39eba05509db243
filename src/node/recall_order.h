// What an operator's order to recall becomes: the record that stands from then on. An order never takes back
// what is recalled already, and one that could match nothing is refused instead of being acknowledged; so is
// a question about releases that nothing could answer. Pure.
// Errors: "field.value" (where: the member), "recall.stands" (what stands cannot be joined with this).
#pragma once

#include "coalition/world.h"
#include "data/exposure.h"

#include <functional>
#include <string>
#include <string_view>

namespace entente::node {

// What it is recorded by: an object's id as objects are known by it.
[[nodiscard]] std::string recall_name(std::string_view kind, std::string what);

struct RecallFacts {                                // that no world has
  std::function<bool(std::string_view)> holds_key;  // whether this node's key service has a key of that kid
  // Whether apps here know one of that partner's people by this id: key services know them by another.
  std::function<bool(const PartnerCode&, const PersonId&)> in_an_app;
};
// `record`: reason, by, at, and as ordered partner? (only that nation's people), attributes?,
// classification?. `what`: by recall_name().
[[nodiscard]] Result<Json> recall_record(const coalition::World& world, std::string_view kind,
                                         std::string_view what, Json record, const RecallFacts& facts);
// Said of a recall that fits nothing that was released so far: it may have been ordered before anybody asks,
// and it may have a slip in it.
[[nodiscard]] std::string fits_nothing_yet(std::string_view kind, std::string_view what);

// Whether something released could fit. `released_to`: nations that are no partners any more, but were.
[[nodiscard]] Result<void> check_exposure(const coalition::World& world, const data::ExposureFilter& filter,
                                          const std::function<bool(std::string_view)>& released_to);

}  // namespace entente::node
