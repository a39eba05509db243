// Reads the records of objects.h, strictly. Private to the room.
#pragma once

#include "base/fields.h"
#include "coalition/objects.h"

#include <string_view>

namespace entente::coalition {

// `rest` is the key behind its first part. Errors "coalition.record" for a key of no good form, those of
// SPIFs; what is wrong with the value is said to `fields`.
[[nodiscard]] Result<Attribute> read_attribute(std::string_view rest, Fields& fields);
[[nodiscard]] Result<LabelTerms> read_label_terms(std::string_view rest, Fields& fields);
[[nodiscard]] Result<Domain> read_domain(std::string_view rest, Fields& fields);
[[nodiscard]] Result<KeyService> read_key_service(std::string_view rest, Fields& fields);
[[nodiscard]] Result<Recall> read_recall(std::string_view rest, Fields& fields);

}  // namespace entente::coalition
