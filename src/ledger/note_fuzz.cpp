#include "ledger/note.h"

#include <cstddef>
#include <cstdint>

// A note, a checkpoint or a key from anywhere: parsed or refused, and what is parsed has one text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto note = ledger::Note::parse(text);
  const auto checkpoint = ledger::Checkpoint::parse(note ? std::string_view(note->text) : text);
  if (checkpoint) ENTENTE_CHECK(ledger::Checkpoint::parse(checkpoint->text()).value() == *checkpoint);
  const auto key = ledger::NoteVerifier::parse(text);
  if (key) ENTENTE_CHECK(key->vkey() == text);
  return 0;
}
