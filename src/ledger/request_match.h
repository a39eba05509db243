// How the requests of sessions are counted in the ledger: numbered records of class "requests" (numbers begin
// anew with each start, class "restart") say first to last of each session, its "ending" how many there were.
// The check that none between counted ones is left out and none counted twice. What no batch was ever made
// of, at most one interval before an ending or a kill, it cannot know. A record that the disk refused at
// first may stand behind later ones. For this room only.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "ledger/merkle.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace entente::ledger {

// Fed with every record in order; keeps its faults for the end, so that they hide no other of the ledger:
// counts them, and names the first and the newest, for a fault stays in a ledger and must not hide what comes
// after it. Holds one entry for each session that the ledger ever had.
class RequestMatch {
 public:
  // `moving`: a node is at work, and what is missing may still come.
  explicit RequestMatch(bool moving = false) : moving_(moving) {}
  void feed(uint64_t index, std::string_view event_class, const Json& fields);
  // Once, after the last record: "ledger.requests", the first fault; in `where` how many there are, if more
  // than one, and the newest.
  [[nodiscard]] Result<void> finish();

 private:
  struct Batch {
    uint64_t life = 0;  // of the node: how many starts before it
    int64_t number = 0;
  };
  struct Span {
    int64_t last = 0;
    Batch in{};
  };
  struct Counted {
    int64_t whole = 0;  // 1 to this
    Batch whole_in{};
    std::map<int64_t, Span> ahead{};  // behind a gap, by the first
    std::optional<int64_t> ended{};   // how many its ending says
    [[nodiscard]] int64_t newest() const { return ahead.empty() ? whole : ahead.rbegin()->second.last; }
  };
  struct Life {
    uint64_t begin = 0;
    int64_t whole = 0;          // batches 1 to this are here
    std::set<int64_t> ahead{};  // behind a gap
    int64_t lost = 0;           // records that the node itself said it had to drop
    std::map<int64_t, Hash> recent{};
  };
  struct Dropped {  // batches that are missing, as the node itself said
    uint64_t life = 0;
    int64_t first = 0;
    int64_t last = 0;
  };
  struct Faults {
    uint64_t count = 0;
    std::optional<Error> first{};
    std::optional<Error> newest{};  // if there is more than one
    void keep(Error fault);
  };
  void keep(std::string what, std::string where);
  void batch(uint64_t index, const Json& fields);
  [[nodiscard]] bool is_new(uint64_t index, int64_t number, const Json& fields);
  void count(uint64_t index, const Json& item, Batch in);
  void ending(uint64_t index, const Json& fields);
  void close_life();
  [[nodiscard]] bool excused(Batch before, Batch after) const;
  void gaps();

  bool moving_;
  Faults faults_;
  std::map<std::string, Counted, std::less<>> sessions_;
  Life life_;
  uint64_t lives_ = 0;
  std::vector<Dropped> dropped_;
  Faults left_out_;  // lives that lack batches
};

}  // namespace entente::ledger
