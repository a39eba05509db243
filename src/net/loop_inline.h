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

// What two loops share while one works for the other.
template <class T>
struct Errand {
  explicit Errand(Loop& home) : done(home) {}
  Event done;  // on the home loop
  Outcome<T> outcome;
};

template <class T>
Task<void> do_errand(std::move_only_function<Task<T>()> work, std::shared_ptr<Errand<T>> errand, Loop* home) {
  co_await settle<T>(work(), &errand->outcome);
  // The event is touched at home only, and the errand's last owner there frees it.
  home->post([kept = std::move(errand)] { kept->done.set(); });
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
Task<T> run_on(Loop& there, std::move_only_function<Task<T>()> work) {
  Loop* home = Loop::current();
  ENTENTE_CHECK(home != nullptr);
  auto errand = std::make_shared<detail::Errand<T>>(*home);
  there.spawn(detail::do_errand<T>(std::move(work), errand, home));
  bool done = co_await errand->done.wait(kNoTimeout);
  while (!done) done = co_await errand->done.wait(kNoTimeout);
  co_return errand->outcome.take();
}

}  // namespace entente::net
