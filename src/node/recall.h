// What a node goes on with when it starts: the sessions and sign-ins that its ledger says still stand, if it
// was not away for long and no clock went back. Everything else that was open ends, and is recorded as ended.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "exchange/kept.h"
#include "ledger/ledger.h"

#include <filesystem>
#include <optional>
#include <string>

namespace entente::node {

// The latest time that decisions were made by, noted now and then without a sync: after a power cut it shows
// too early a time, which only makes the node seem to have been away for longer.
class AliveMark {
 public:
  static constexpr Seconds kEvery{5};
  struct Noted {
    Instant at;
    bool recorded = true;  // the ledger has the leaf of that life's start; else nothing of it goes on
  };
  explicit AliveMark(std::filesystem::path file) : file_(std::move(file)) {}
  AliveMark(const AliveMark&) = delete;
  AliveMark& operator=(const AliveMark&) = delete;
  ~AliveMark();
  [[nodiscard]] std::optional<Noted> last() const;
  void note(Noted now);

 private:
  std::filesystem::path file_;
  int open_ = -1;
};

struct Recalled {
  exchange::Kept kept;
  std::string why_not;            // empty: it goes on. Else in words for people
  std::optional<Instant> seen{};  // the clock went back: the latest time that was seen here
  Error refused{};                // what the disk said, where it refused to be read or written
  // The leaf that says so, where the ledger did not take it: then nothing goes on, and no batch of requests
  // may be written before it.
  std::optional<ledger::Record> owed{};
};

inline constexpr Seconds kClockBackMax{60};

// `last`: when the node was last known to run. Reads the ledger, and adds the leaf that says what came of it.
[[nodiscard]] Recalled recall(ledger::Ledger& ledger, const PartnerCode& self,
                              std::optional<AliveMark::Noted> last, Instant now, Seconds away_max);

}  // namespace entente::node
