// The inside of a Loop, for the files of this room that need the reactor.
#pragma once

#include "net/loop.h"

#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace entente::net {

namespace detail {

// A binary heap of deadlines; one reactor timer is armed for the earliest it has seen.
class TimerHeap {
 public:
  void add(TimerNode& node);
  void remove(TimerNode& node);
  [[nodiscard]] TimerNode* first() const { return nodes_.empty() ? nullptr : nodes_.front(); }

 private:
  void up(size_t index);
  void down(size_t index);
  void place(size_t index, TimerNode* node);
  std::vector<TimerNode*> nodes_;
};

// A spawned task: owns itself, ends with its task or with the loop.
struct Root {
  struct promise_type {
    promise_type(Loop::Impl& owner, Task<void>& task);
    ~promise_type();
    static void* operator new(size_t bytes) { return allocate_frame(bytes); }
    static void operator delete(void* frame, size_t bytes) noexcept { free_frame(frame, bytes); }
    Root get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() noexcept;
    Loop::Impl& loop;
    promise_type* next = nullptr;
    promise_type* previous = nullptr;
  };
  std::coroutine_handle<promise_type> frame;
};

}  // namespace detail

struct Loop::Impl {
  explicit Impl(Loop& self);
  void arm();
  void fire_timers();
  void drain();         // resumes the coroutines that were woken
  void drain_inside();  // the same at the end of a reactor callback: no post needed

  Loop& loop;
  Tick armed_for = Tick::max();
  detail::TimerHeap timers;
  std::vector<detail::WaitList::Awaiter*> woken;  // nullptr where one was forgotten
  std::vector<detail::WaitList::Awaiter*> resuming;
  bool drain_posted = false;
  bool inside = false;
  detail::Root::promise_type* roots = nullptr;
  size_t root_count = 0;
  std::vector<std::unique_ptr<uint8_t[]>> small_buffers;
  std::vector<std::unique_ptr<uint8_t[]>> large_buffers;
  // Last, so gone first: calls it still holds may own frames, timers and buffers.
  boost::asio::io_context reactor{1};
  boost::asio::steady_timer timer{reactor};
};

}  // namespace entente::net
