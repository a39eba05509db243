// Waiting for a file descriptor on a loop. Inside this room only.
//
// The kernel tells of edges only. A watch therefore takes its descriptor for ready until whoever reads or
// writes says that it was not: used_up() after a call that would have blocked, or that gave less than was
// asked for. Without that, wait() does not wait.
#pragma once

#include "net/loop.h"

#include <memory>

namespace entente::net {

class FdWatch {
 public:
  enum class Side : uint8_t { read, write };

  FdWatch(Loop& loop, int fd);  // owns the descriptor from now on; it must not block
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  class Awaiter {
   public:
    Awaiter(FdWatch& watch, Side side, Millis timeout)
        : watch_(watch), side_(side), inner_(watch.loop_, watch.of(side).waiters, timeout) {}
    [[nodiscard]] bool await_ready();
    void await_suspend(std::coroutine_handle<> handle) { inner_.await_suspend(handle); }
    [[nodiscard]] detail::Woken await_resume() const {
      return early_ != detail::Woken::no ? early_ : inner_.await_resume();
    }

   private:
    FdWatch& watch_;
    Side side_;
    detail::Woken early_ = detail::Woken::no;
    detail::WaitList::Awaiter inner_;
  };
  // May wake early; `closed` after close().
  [[nodiscard]] Awaiter wait(Side side, Millis timeout) { return {*this, side, timeout}; }
  [[nodiscard]] bool ready(Side side) { return of(side).ready; }
  // Nothing more to be had, or no room, until the kernel says otherwise. An end or a fault stays to be read.
  void used_up(Side side) {
    if (!of(side).over) of(side).ready = false;
  }
  [[nodiscard]] int fd() const { return fd_; }  // -1 after close() or release()
  [[nodiscard]] bool waited_on() const { return !read_.waiters.empty() || !write_.waiters.empty(); }
  void close();                 // wakes all waiters
  [[nodiscard]] int release();  // gives the descriptor back, open
  void heard(uint32_t events);  // for the loop

 private:
  struct Direction {
    detail::WaitList waiters;
    bool ready = true;
    bool over = false;  // ended or at fault: reads and writes say how
  };
  Direction& of(Side side) { return side == Side::read ? read_ : write_; }
  int leave();

  Loop& loop_;
  int fd_;
  Direction read_;
  Direction write_;
};

}  // namespace entente::net
