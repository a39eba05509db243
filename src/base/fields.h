// Reads a JSON object into typed values once, at the edge: what is missing, of the wrong type, out of bounds
// or unknown is said with its path and with what would be right. The first fault is kept; ask for it at the
// end:
//
//   Fields f(json, "");
//   Door door{.host = f.text("host"), .idle = Seconds(f.integer_or("idle_s", 60, 1, 3600))};
//   TRY_VOID(f.done());
#pragma once

#include "base/json.h"
#include "base/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entente {

class Fields {
 public:
  Fields(const Json& value, std::string path);  // `value` must outlive this

  std::string text(std::string_view key, size_t length_max = 4096);
  std::string text_or(std::string_view key, std::string otherwise, size_t length_max = 4096);
  int64_t integer(std::string_view key, int64_t lowest, int64_t highest);
  int64_t integer_or(std::string_view key, int64_t otherwise, int64_t lowest, int64_t highest);
  bool boolean_or(std::string_view key, bool otherwise);
  Instant instant(std::string_view key);  // RFC 3339
  std::vector<std::string> texts(std::string_view key, size_t count_max = 256);
  std::vector<std::string> texts_or_none(std::string_view key, size_t count_max = 256);
  const Json& value(std::string_view key);     // any JSON; a null when missing
  const Json* value_if(std::string_view key);  // any JSON or nullptr
  Fields object(std::string_view key);         // its faults count here too; ask it for done() as well
  std::vector<Fields> objects(std::string_view key, size_t count_max = 1024);
  bool has(std::string_view key) const;

  // Says that a value that was read is not right after all.
  void wrong(std::string_view key, std::string what, std::string hint = {});
  // The first fault, or an error "field.unknown" for a member nobody asked for.
  [[nodiscard]] Result<void> done();
  // Like done(), but members nobody asked for are let through: for tokens, which others may extend.
  [[nodiscard]] Result<void> done_open();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const Json* take(std::string_view key);
  const Json* need(std::string_view key);
  void wrong_at(std::string path, std::string code, std::string what, std::string hint);

  struct Shared;  // the first fault, shared with the Fields made from this one
  const Json* value_;
  std::string path_;
  std::vector<std::string> asked_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace entente
