#include "store/watchers.h"

#include "base/log.h"

#include <algorithm>

namespace entente::store {
namespace {

constexpr size_t kPageRevisions = 256;  // told to one watcher from the tables before commits get their turn

}  // namespace

Watch make_watch(std::shared_ptr<WatchGate> gate) {
  void* const address = gate.get();
  return Watch(std::shared_ptr<void>(address, [gate = std::move(gate)](void*) {
    const std::scoped_lock lock(gate->mutex);
    gate->open = false;
  }));
}

void Watchers::add(std::shared_ptr<WatchGate> gate, Revision after, WatchEvents events) {
  watchers_.push_back({.gate = std::move(gate), .told = after, .events = std::move(events)});
}

template <class Call>
void Watchers::say(Watcher& watcher, Call call) {
  const std::scoped_lock lock(watcher.gate->mutex);
  if (watcher.gate->open) call(watcher.events);
}

bool Watchers::tell(Rows& rows, Revision head, std::span<const Change> fresh) {
  std::erase_if(watchers_, [](const Watcher& watcher) {
    const std::scoped_lock lock(watcher.gate->mutex);
    return !watcher.gate->open;
  });
  bool lagging = false;
  for (Watcher& watcher : watchers_) {
    if (watcher.told != head) lagging |= catch_up(watcher, rows, head, fresh);
  }
  return lagging;
}

bool Watchers::catch_up(Watcher& watcher, Rows& rows, Revision head, std::span<const Change> fresh) {
  const Result<Progress> progress = rows.progress();
  if (!progress) return false;  // the disk refuses: heartbeats go on, the next turn tries again
  const bool gone = watcher.told > head || watcher.told.value + 1 < progress->oldest.value;
  if (gone) {
    watcher.told = head;
    say(watcher, [&](const WatchEvents& events) {
      if (events.compacted) events.compacted({.snapshot = head});
    });
    return false;
  }
  for (size_t told = 0; watcher.told < head; ++told) {
    if (told == kPageRevisions) return true;
    const Revision next{watcher.told.value + 1};
    const bool is_fresh = !fresh.empty() && next >= fresh.front().rev;
    Result<Change> kept = is_fresh ? Result<Change>(Change{}) : rows.change(next);
    if (!kept) {
      log(LogLevel::error, "store", "a watch can't be served", {{"error", kept.error().text()}});
      return false;
    }
    const Change& change = is_fresh ? fresh[next.value - fresh.front().rev.value] : *kept;
    watcher.told = next;
    say(watcher, [&](const WatchEvents& events) {
      if (events.change) events.change(change);
    });
  }
  return false;
}

void Watchers::beat(Revision head) {
  for (Watcher& watcher : watchers_) {
    say(watcher, [&](const WatchEvents& events) {
      if (events.heartbeat) events.heartbeat({.head = head});
    });
  }
}

}  // namespace entente::store
