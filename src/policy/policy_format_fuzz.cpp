// Policy text from anywhere, laid out: the meaning and the comments stay, and so does the layout.
#include "policy/document.h"
#include "policy/format.h"

#include <cstdint>

using namespace entente;
using namespace entente::policy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = PolicyDocument::parse({"fuzz", text}, PolicyDocument::Names::numbered);
  const auto laid_out = format_policies(text, "fuzz");
  ENTENTE_CHECK(document.has_value() == laid_out.has_value());
  if (!laid_out) return 0;
  const auto again = format_policies(*laid_out, "again", {.width = 80, .indent = 2});
  ENTENTE_CHECK(again.has_value() && *again == *laid_out);
  const auto json = document->json();
  if (!json) return 0;
  const auto back = PolicyDocument::parse_json({"back", json->dump()});
  ENTENTE_CHECK(back.has_value() && back->text() == document->text());
  return 0;
}
