// The label as an element of a larger document. Private to the room.
#pragma once

#include "label/label_xml.h"
#include "label/xml.h"

namespace entente::label {

[[nodiscard]] bool is_label_element(const XmlElement& at);
[[nodiscard]] Result<RoledLabel> read_label_element(const XmlElement& at);

}  // namespace entente::label
