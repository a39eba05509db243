// The inside of a Loop, for the files of this room that need the reactor.
#pragma once

#include "net/fd_watch.h"
#include "net/loop.h"

#include <array>
#include <mutex>
#include <vector>

#include <sys/epoll.h>

namespace entente::net {

namespace detail {

// A binary heap of deadlines; the loop sleeps no longer than to the earliest.
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
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // One turn: those woken, calls posted, deadlines, then what the kernel has to say.
  void turn();
  void drain();  // resumes the coroutines that were woken
  void run_posted();
  void fire_timers();
  void poll();
  [[nodiscard]] int poll_ms();  // how long the kernel may be waited for; 0 when there is work here
  void post(Call call);
  void watch(FdWatch& fd_watch, int fd);
  void unwatch(FdWatch& fd_watch, int fd);  // also what the kernel has said of it in this turn

  static constexpr unsigned kDrainsMax =
      4;  // in a turn: what is woken by those woken need not wait for the kernel
  static constexpr size_t kEventsMax = 256;

  Loop& loop;
  int epoll_fd = -1;
  int wake_fd = -1;  // readable when another thread has posted
  detail::TimerHeap timers;
  std::vector<detail::WaitList::Awaiter*> woken;  // nullptr where one was forgotten
  std::vector<detail::WaitList::Awaiter*> resuming;
  std::array<epoll_event, kEventsMax> events{};
  size_t event_at = 0;
  size_t event_count = 0;
  bool stopping = false;
  detail::Root::promise_type* roots = nullptr;
  size_t root_count = 0;
  std::vector<std::unique_ptr<uint8_t[]>> small_buffers;
  std::vector<std::unique_ptr<uint8_t[]>> large_buffers;

  std::mutex mutex;
  std::vector<Call> posted;  // under the mutex, as is:
  bool told = false;         // wake_fd has been written to since it was read
  std::vector<Call> running;
  size_t running_at = 0;
};

}  // namespace entente::net
