// Waiting for a file descriptor on a loop. Inside this room only.
#pragma once

#include "net/loop.h"

#include <memory>

namespace entente::net {

class FdWatch {
 public:
  enum class Side : uint8_t { read, write };
  struct State;

  FdWatch(Loop& loop, int fd);  // owns the descriptor from now on; it must not block
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  class Awaiter {
   public:
    Awaiter(Loop& loop, State& state, Side side, Millis timeout);
    [[nodiscard]] bool await_ready();
    void await_suspend(std::coroutine_handle<> handle) { inner_.await_suspend(handle); }
    [[nodiscard]] detail::Woken await_resume() const {
      return early_ != detail::Woken::no ? early_ : inner_.await_resume();
    }

   private:
    State& state_;
    Side side_;
    detail::Woken early_ = detail::Woken::no;
    detail::WaitList::Awaiter inner_;
  };
  // May wake early; `closed` after close().
  [[nodiscard]] Awaiter wait(Side side, Millis timeout);
  [[nodiscard]] int fd() const;  // -1 after close() or release()
  [[nodiscard]] bool waited_on() const;
  void close();                 // wakes all waiters
  [[nodiscard]] int release();  // gives the descriptor back, open

 private:
  Loop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace entente::net
