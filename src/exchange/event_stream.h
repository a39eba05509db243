// Server-sent events (HTML standard, section 9.2) to one page, whose browser asks anew when they end. Control
// loop.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "net/http_server.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace entente::exchange {

class EventStream {
 public:
  using Listening = std::map<PersonId, size_t>;  // pages that listen, by person
  static constexpr size_t kOfOneMax = 8;
  static constexpr Seconds kLife{600};

  [[nodiscard]] static bool has_room(const Listening& listening, const PersonId& person);

  // A `beat` is said every so often, whatever else is: a page tells silence from quiet. A page that was away
  // names the last number that it saw.
  EventStream(net::HttpCall& call, Listening& listening, PersonId person, const Clock& clock, Millis beat);
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // What was started is counted among the person's pages until it is finished.
  [[nodiscard]] Result<void> start();
  void say(std::string_view kind, std::string_view data = "{}",
           std::optional<uint64_t> number = std::nullopt);
  // What was said, and a beat where it is time for one. False: nobody listens any more, or it was long
  // enough.
  [[nodiscard]] net::Task<bool> send(std::optional<uint64_t> number = std::nullopt);
  [[nodiscard]] Millis until_beat() const;
  net::Task<void> finish();

 private:
  net::HttpCall& call_;
  Listening& listening_;
  PersonId person_;
  const Clock& clock_;
  Millis beat_;
  Tick end_;
  Tick next_beat_;
  std::string text_;
};

}  // namespace entente::exchange
