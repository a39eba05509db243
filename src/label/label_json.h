// Labels as they stand in assertions of real TDF objects: the "ocl" object of STANAG 5636's JSON elements,
// and the JSON shape of STANAG 4774 that the TDF specification shows. Written: the first.
#pragma once

#include "label/label.h"

namespace entente::label {

// `statement` is an assertion's statement.value: an object, or a text that holds one. Errors: "json.*",
// "label.format", "label.value". In normal form.
[[nodiscard]] Result<Label> read_label_json(const Json& statement);
// Error "label.format" when the label says what this form can't: privacy mark, originator, review, successor.
[[nodiscard]] Result<Json> write_label_json(const Label& label);

// A label as a file holds it, with or without a byte order mark: XML, our own JSON, or that of assertions.
[[nodiscard]] Result<Label> read_label_text(std::string_view text);
[[nodiscard]] bool may_be_label_text(std::string_view text);  // begins as one of these, so is no marking line

}  // namespace entente::label
