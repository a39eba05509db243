// What happened that a page may be waiting for, in order and numbered, the newest kept: a page that was away
// for a moment goes on after the last number it saw. Control loop.
#pragma once

#include "base/json.h"
#include "coalition/ask.h"
#include "net/loop.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::exchange {

inline constexpr std::string_view kObjectShut = "object-shut";  // what one looks at has to go

struct Announcement {
  uint64_t number = 0;
  // "request" (one's own changed), "answer" (something waits for an answer, or no longer does), "reminder",
  // kObjectShut
  std::string kind{};
  PersonId person{};  // whom it is about; empty: whoever may answer for the app
  std::optional<coalition::AppRef> app{};
  Json data{};  // for the page; nothing that its reader may not know
};

class Announcements {
 public:
  static constexpr size_t kKept = 4'096;

  Announcements(net::Loop& loop, Instant now);

  void announce(Announcement event);
  // Those after `number`, oldest first; nothing when some of them are no longer kept: then load all again.
  [[nodiscard]] std::optional<std::vector<Announcement>> since(uint64_t number) const;
  [[nodiscard]] uint64_t newest() const { return newest_; }
  // True when something was announced, false after `longest`.
  [[nodiscard]] net::Task<bool> wait(Millis longest);

 private:
  std::deque<Announcement> kept_;
  // Begins with the time, so that numbers go on over a restart of the node.
  uint64_t newest_;
  net::Event moved_;
};

}  // namespace entente::exchange
