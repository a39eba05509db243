// Looks after what people are shown (data/views.h): watches, over the links, what other nations released for
// this node's people; answers partners' watches of what was released here for theirs; tells pages, and the
// ledger, what ended and why. Lives on the control loop. docs/wire-formats/kas.md.
#pragma once

#include "base/budget.h"
#include "data/views.h"
#include "ledger/record.h"
#include "net/loop.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace entente::node {

class ViewDesk {
 public:
  struct Parts {
    std::function<const coalition::World&()> world;  // what counts now
    std::function<void(ledger::Record)> record;
    const Clock& clock;
    net::Loop& loop;
    PartnerCode self;
    // Asks a partner's node over the link.
    std::function<net::Task<Result<std::string>>(PartnerCode, std::string)> ask_partner;
    std::function<bool(const std::string& sign_in)> signed_in;
    // Tells the pages of that person.
    std::function<void(const PersonId&, const std::string& view, const std::string& why)> tell;
  };
  explicit ViewDesk(Parts parts);

  [[nodiscard]] data::Views& views() { return views_; }
  void world_published(const coalition::World& acting, const coalition::Touch& touch);
  void sign_ins_changed(const PersonId& person);
  void sign_ins_changed();
  void end_all(const data::ViewEnd& why);
  bool close(const PersonId& person, const std::string& view);

  // A partner's node watches what was released for its people: {"watch": [ids], "closed": [ids]}. Answered at
  // once when one of the first is over, else after kHold, with all of them that are; of the others nobody
  // there looks at any more. Errors: "exchange.busy", asked too often, or it cannot be said now.
  [[nodiscard]] net::Task<Result<Json>> watched(PartnerCode from, std::vector<std::string> ids,
                                                std::vector<std::string> closed);

  static constexpr size_t kWatchedMax = 4'096;  // views of one watch
  static constexpr Millis kHold{1000};
  static constexpr size_t kWatchesMax = 3;                               // of one nation's, under way at once
  static constexpr Millis kAgain{250};                                   // after a watch that failed
  static constexpr size_t kToldAgainMax = 8;                             // that closed views are said again
  static constexpr Millis kPace{50};                                     // between the beginnings of two
  static constexpr uint32_t kWatchesPerSecond = 40, kWatchesBurst = 80;  // that a partner may ask for here
  static constexpr Millis kTickEvery{250};
  static constexpr Millis kTurnEvery{1};  // of work that is more than one turn's

 private:
  struct Watch {  // what is asked of one nation
    uint64_t newest = 0;
    size_t under_way = 0;
    bool again = false;  // one more is due, as soon as one comes back
    Tick begun{};        // the last one
    size_t failed = 0;   // one after another
  };
  struct Watcher {  // who asks here
    explicit Watcher(net::Loop& loop) : moved(loop) {}
    uint64_t newest = 0;
    net::Event moved;
    Budget budget{kWatchesBurst, kWatchesPerSecond};
  };
  void opened(const data::View& view);
  void ended(const data::View& view, const data::ViewEnd& why);
  void watch_now(const PartnerCode& service);
  net::Task<void> watch(PartnerCode service, uint64_t number);
  net::Task<void> keep_pace(PartnerCode service);
  [[nodiscard]] bool hear(const PartnerCode& service, const std::vector<std::string>& asked_about,
                          const Result<std::string>& said, Tick asked);
  void keep_time();
  void go_on();
  void record(std::string kind, const data::View& view, const data::ViewEnd& why);
  [[nodiscard]] data::ViewMoment at() const { return {parts_.clock.now(), parts_.clock.tick()}; }

  Parts parts_;
  data::Views views_;
  std::map<PartnerCode, Watch> watches_;
  std::map<PartnerCode, Watcher> watchers_;
  net::Timer timer_;
  net::Timer turn_;
};

}  // namespace entente::node
