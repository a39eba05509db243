// How the requests of sessions are counted in the ledger: records of class "requests" say first to last of
// each session, its "ending" how many there were. The check that none is left out and none counted twice. A
// record that the disk refused at first may stand behind later ones. For this room only.
#pragma once

#include "base/json.h"
#include "base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace entente::ledger {

// Fed with every record in order; complains about the first number that is counted twice, and at the end
// about what is in no record. Holds one entry for each session of the ledger, as that itself is bounded.
class RequestMatch {
 public:
  // `moving`: a node is at work, and what is missing may still come.
  explicit RequestMatch(bool moving = false) : moving_(moving) {}
  [[nodiscard]] Result<void> feed(uint64_t index, std::string_view event_class, const Json& fields);
  [[nodiscard]] Result<void> finish() const;

 private:
  struct Counted {
    int64_t whole = 0;                   // 1 to this
    std::map<int64_t, int64_t> ahead{};  // behind a gap: first -> last
  };
  Result<void> count(uint64_t index, const Json& item);
  Result<void> ending(uint64_t index, const Json& fields) const;

  bool moving_;
  bool lost_ = false;  // the node itself said that it had to drop records
  std::map<std::string, Counted, std::less<>> sessions_;
};

}  // namespace entente::ledger
