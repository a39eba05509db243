// Seals plain text into an object, segment by segment: nothing of it is kept but one segment. Errors:
// "data.seal", "data.io", "data.wrap", "data.assertion", "data.originator".
#pragma once

#include "data/data_policy.h"
#include "data/originator.h"

#include <memory>

namespace entente::data {

// One share of the key, wrapped for each of these: any one of them opens it.
using AnyOf = std::vector<Recipient>;

enum class ObjectVersion { v4_3_0, v4_2_2 };

struct SealPlan {
  DataPolicy policy = {};
  // All shares are needed. Their `sid` is set here: none for one share, "1", "2", ... for more.
  std::vector<AnyOf> shares = {};
  std::string metadata = {};  // for the key services, under each share; may be empty
  std::vector<Assertion> assertions = {};
  std::optional<OriginatorKey> originator = {};
  std::string mime_type = "application/octet-stream";
  ObjectVersion version = ObjectVersion::v4_3_0;
  uint32_t segment_bytes = 0;  // 0: fits the size
};

// 2 MiB, what others take; longer where the list of segments would become too long.
[[nodiscard]] uint32_t segment_bytes_for(std::optional<uint64_t> size);

class Sealer {
 public:
  // `size` of the plain text where it is known. `sink` must outlive this. An object that was not finished is
  // no object.
  [[nodiscard]] static Result<Sealer> begin(Sink& sink, SealPlan plan, std::optional<uint64_t> size);
  Sealer(Sealer&&) noexcept;
  ~Sealer();

  [[nodiscard]] Result<void> write(ByteView plain);
  [[nodiscard]] Result<Manifest> finish();

 private:
  struct Inside;
  explicit Sealer(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// Wraps the key's shares for a plan, bound to `policy_text`.
[[nodiscard]] Result<std::vector<KeyAccess>> wrap_key(const crypto::Secret& key, const SealPlan& plan,
                                                      std::string_view policy_text);

}  // namespace entente::data
