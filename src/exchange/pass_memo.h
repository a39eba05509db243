// What one pass spares the requests after the first: verdicts that cannot have changed, and the assertion
// that names its person to the app. A pass never changes, so neither outlives a change of facts: the next
// pass begins with an empty memo. Shared by loops; every call may come from any thread.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "coalition/ask.h"
#include "coalition/verdict.h"

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace entente::exchange {

// An Entente-Assertion and how long it may go out again; not at all when `keep_until` is not ahead.
struct SignedAssertion {
  std::string text{};
  Instant keep_until{};
};

class PassMemo {
 public:
  static constexpr size_t kVerdictsKept = 16;  // the paths that an app is asked for again and again
  static constexpr size_t kPathBytesMax = 256;

  // A permit made under this world for the same method and path (or for any, where no policy could read
  // them), while it is good: from when it was made to before its `valid_until`.
  [[nodiscard]] std::shared_ptr<const coalition::Verdict> verdict(
      Revision world, const std::optional<coalition::HttpFacts>& http, Instant now) const;
  // Only permits are kept: a refusal is decided, and recorded, each time.
  void keep(std::shared_ptr<const coalition::Verdict> verdict,
            const std::optional<coalition::HttpFacts>& http, Instant now);

  // For this connector, made under this world; nullptr when there is none or its time is over.
  [[nodiscard]] std::shared_ptr<const std::string> assertion(Revision world, const ConnectorId& connector,
                                                             Instant now) const;
  void keep(SignedAssertion assertion, Revision world, ConnectorId connector, Instant now);

 private:
  struct KeptVerdict {
    std::shared_ptr<const coalition::Verdict> verdict{};
    std::optional<coalition::HttpFacts>
        http{};  // not looked at where the verdict is the same for any request
    Instant made{};
  };
  struct KeptAssertion {
    std::shared_ptr<const std::string> text{};
    Revision world{};
    ConnectorId connector{};
    Instant made{};
    Instant until{};
  };

  mutable std::mutex mutex_;
  std::array<KeptVerdict, kVerdictsKept> verdicts_{};
  size_t next_ = 0;  // the one that goes next
  KeptAssertion assertion_{};
};

}  // namespace entente::exchange
