// What happened that a page may be waiting for, numbered, the newest kept: a page that was away for a moment
// goes on after the last number it saw. What is for one person alone is kept by person and wakes nobody
// else's page, so that nobody's events push out another's. Control loop.
#pragma once

#include "base/json.h"
#include "coalition/ask.h"
#include "net/loop.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace entente::exchange {

inline constexpr std::string_view kObjectShut = "object-shut";  // what one looks at has to go
inline constexpr std::string_view kReleased = "release";   // how what one asked a nation to release stands
inline constexpr std::string_view kSessions = "sessions";  // which are open: the newest alone is kept

struct Announcement {
  uint64_t number = 0;
  // "request" (one's own changed), "answer" (something waits for an answer, or no longer does), "reminder",
  // kObjectShut, kReleased, kSessions (one's own, or of others on an app)
  std::string kind{};
  PersonId person{};  // whom it is about; empty: whoever may answer for the app
  std::optional<coalition::AppRef> app{};
  Json data{};  // for the page; nothing that its reader may not know
};

class Announcements {
 public:
  static constexpr size_t kKept = 4'096;  // for all
  static constexpr size_t kKeptOfOne = 256;
  static constexpr size_t kPeopleMax = 8'192;  // with events of their own

  Announcements(net::Loop& loop, Instant now);

  void announce(Announcement event);
  // Those after `number` that are for all or for `person`, oldest first, as references for the time of the
  // call. False, and none is told, when some are no longer kept: then load all again.
  using Visit = std::function<void(const Announcement&)>;
  [[nodiscard]] bool since(uint64_t number, const PersonId& person, const Visit& visit) const;
  [[nodiscard]] uint64_t newest() const { return newest_; }
  // True when something was announced (to `person`, or to all), false after `longest`.
  [[nodiscard]] net::Task<bool> wait(Millis longest);
  [[nodiscard]] net::Task<bool> wait(PersonId person, Millis longest);

 private:
  struct Kept {
    std::deque<Announcement> events{};
    uint64_t dropped = 0;  // the newest that is not kept any more
    void add(Announcement event, size_t most);
  };
  struct Pages {
    explicit Pages(net::Loop& loop) : moved(loop) {}
    net::Event moved;
    size_t waiting = 0;
  };
  void keep(Announcement event);
  void keep_sessions(const Announcement& event);

  net::Loop& loop_;
  // Begins with the time, so that numbers go on over a restart of the node.
  uint64_t newest_;
  Kept for_all_;
  std::map<PersonId, Kept> for_one_;
  uint64_t people_dropped_;                // the newest event of anybody who is not kept any more
  std::map<PersonId, uint64_t> sessions_;  // the newest of each
  uint64_t sessions_dropped_;              // the same: whoever is not kept is told once more
  std::map<PersonId, Pages> pages_;
  net::Event moved_;
};

}  // namespace entente::exchange
