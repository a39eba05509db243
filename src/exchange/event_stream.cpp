#include "exchange/event_stream.h"

#include "exchange/lobby_pages.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {

bool EventStream::has_room(const Listening& listening, const PersonId& person) {
  const auto found = listening.find(person);
  return found == listening.end() || found->second < kOfOneMax;
}

EventStream::EventStream(net::HttpCall& call, Listening& listening, PersonId person, const Clock& clock,
                         Millis beat)
    : call_(call),
      listening_(listening),
      person_(std::move(person)),
      clock_(clock),
      beat_(beat),
      end_(clock.tick() + kLife),
      next_beat_(clock.tick()),
      text_("retry: 2000\n\n") {}

Result<void> EventStream::start() {
  net::ResponseHead head;
  head.status = 200;
  add_page_headers(head.headers);
  head.headers.set("Content-Type", "text/event-stream; charset=utf-8");
  TRY_VOID(call_.start(std::move(head), std::nullopt));
  ++listening_[person_];
  return {};
}

void EventStream::say(std::string_view kind, std::string_view data, std::optional<uint64_t> number) {
  if (number) text_ += fmt::format("id: {}\n", *number);
  text_ += fmt::format("event: {}\ndata: {}\n\n", kind, data);
}

net::Task<bool> EventStream::send(std::optional<uint64_t> number) {
  if (clock_.tick() >= next_beat_) {
    say("beat", "{}", number);
    next_beat_ = clock_.tick() + beat_;
  }
  if (!text_.empty()) {
    Result<void> sent = co_await call_.answer_body().write(as_bytes(text_));
    if (sent) sent = co_await call_.answer_body().flush();
    if (!sent) co_return false;
    text_.clear();
  }
  co_return clock_.tick() < end_;
}

Millis EventStream::until_beat() const {
  return std::max(std::chrono::duration_cast<Millis>(next_beat_ - clock_.tick()), Millis(1));
}

net::Task<void> EventStream::finish() {
  [[maybe_unused]] const Result<void> finished = co_await call_.answer_body().finish();
  if (--listening_[person_] == 0) listening_.erase(person_);
}

}  // namespace entente::exchange
