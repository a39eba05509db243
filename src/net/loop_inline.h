// The templates of loop.h. Include loop.h instead.
#pragma once

#include "net/loop.h"

namespace entente::net {

namespace detail {

template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr exception;
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};
template <>
struct Outcome<void> {
  std::exception_ptr exception;
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

template <class T>
Task<void> settle(Task<T> task, Outcome<T>* into) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
    } else {
      T value = co_await std::move(task);
      into->value.emplace(std::move(value));
    }
  } catch (...) {
    into->exception = std::current_exception();
  }
}

template <class T>
Task<void> settle_and_stop(Task<T> task, Outcome<T>* into, bool* done, Loop* loop) {
  co_await settle<T>(std::move(task), into);
  *done = true;
  loop->stop();
}

template <class T>
Task<void> do_errand(std::move_only_function<Task<T>()> work, std::move_only_function<void(Outcome<T>)> taker,
                     Loop* home) {
  Outcome<T> outcome;
  co_await settle<T>(work(), &outcome);
  // Taken at home only, and what took it is freed there.
  home->post([take = std::move(taker), kept = std::move(outcome)]() mutable { take(std::move(kept)); });
}

}  // namespace detail

template <class T>
T Loop::run_until(Task<T> task) {
  detail::Outcome<T> outcome;
  bool done = false;
  spawn(detail::settle_and_stop<T>(std::move(task), &outcome, &done, this));
  while (!done) run();
  return outcome.take();
}

template <class T>
Task<std::optional<T>> run_on(Loop& there, Millis within, std::move_only_function<Task<T>()> work) {
  Loop* home = Loop::current();
  ENTENTE_CHECK(home != nullptr);
  Reply<detail::Outcome<T>> reply(*home);
  there.spawn(detail::do_errand<T>(std::move(work), reply.taker(), home));
  std::optional<detail::Outcome<T>> outcome = co_await reply.within(within);
  if (!outcome) co_return std::nullopt;
  co_return outcome->take();
}

}  // namespace entente::net
