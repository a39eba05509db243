// Who watches, and how far each has been told. Lives on the writer thread. For this room only.
#pragma once

#include "store/rows.h"
#include "store/store.h"

#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace entente::store {

// Shared between a Watch and its watcher: closing waits for a call that is under way, unless it is that call.
struct WatchGate {
  std::recursive_mutex mutex;
  bool open = true;
};
[[nodiscard]] Watch make_watch(std::shared_ptr<WatchGate> gate);

class Watchers {
 public:
  void add(std::shared_ptr<WatchGate> gate, Revision after, WatchEvents events);
  // Tells everyone up to `head`: from `fresh` (the newest revisions, in order) where it reaches, else from
  // the tables, a page at a time. True: somebody still lags.
  bool tell(Rows& rows, Revision head, std::span<const Change> fresh);
  void beat(Revision head);

 private:
  struct Watcher {
    std::shared_ptr<WatchGate> gate;
    Revision told;
    WatchEvents events;
  };
  template <class Call>
  static void say(Watcher& watcher, Call call);
  bool catch_up(Watcher& watcher, Rows& rows, Revision head, std::span<const Change> fresh);

  std::vector<Watcher> watchers_;
};

}  // namespace entente::store
