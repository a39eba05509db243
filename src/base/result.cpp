#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace entente {

Error::Error(std::string code, std::string what, std::string where, std::string hint)
    : words_(new Words{std::move(code), std::move(what), std::move(where), std::move(hint)}) {}

Failure fail(std::string_view code, std::string_view what, std::string_view where, std::string_view hint) {
  return Failure(Error(std::string(code), std::string(what), std::string(where), std::string(hint)));
}

Error::Error(const Error& other) : words_(other.words_ ? std::make_unique<Words>(*other.words_) : nullptr) {}

Error& Error::operator=(Error other) noexcept {
  words_ = std::move(other.words_);
  return *this;
}

const Error::Words& Error::said() const {
  static const Words nothing;
  return words_ ? *words_ : nothing;
}

Error::Words& Error::to_say() {
  if (!words_) words_ = std::make_unique<Words>();
  return *words_;
}

std::string Error::text() const {
  const Words& words = said();
  std::string out;
  if (!words.where.empty()) out += words.where + ": ";
  out += words.what;
  if (!words.hint.empty()) out += " (" + words.hint + ")";
  if (!words.code.empty()) out += " [" + words.code + "]";
  return out;
}

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "entente: %s:%d: this must never be: %s\n", file, line, condition);
  std::abort();
}

}  // namespace entente
