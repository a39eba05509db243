// The event loop: one per thread, run by that thread. What lives on a loop (streams, events, tasks) is
// touched on its thread only; post() and stop() may be called from any thread. Constructing a Loop makes the
// process ignore SIGPIPE.
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "net/task.h"

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace entente::net {

using Call = std::move_only_function<void()>;

// For waits that have no limit of their own. Prefer a real one.
inline constexpr Millis kNoTimeout = std::chrono::duration_cast<Millis>(std::chrono::hours(24 * 365));

class Loop;

namespace detail {

// A deadline in a loop's heap. Leaves the heap when destroyed.
class TimerNode {
 public:
  TimerNode() = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  virtual ~TimerNode() { cancel(); }
  void start(Loop& loop, Millis after);
  void cancel();
  [[nodiscard]] bool pending() const { return loop_ != nullptr; }

 private:
  friend class entente::net::Loop;
  friend class TimerHeap;
  virtual void fire() = 0;
  Loop* loop_ = nullptr;
  size_t index_ = 0;
  Tick due_{};
};

enum class Woken : uint8_t { no, ready, timeout, closed };

// Those who wait for one thing. Waking resumes them on the loop's next turn, never inside the call that
// wakes.
class WaitList {
 public:
  class Awaiter : TimerNode {
   public:
    Awaiter(Loop& loop, WaitList& list, Millis timeout) : loop_(loop), list_(list), timeout_(timeout) {}
    ~Awaiter() override { leave(); }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    [[nodiscard]] Woken await_resume() const noexcept { return woken_; }

   private:
    friend class WaitList;
    friend class entente::net::Loop;
    void fire() override { wake(Woken::timeout); }
    void wake(Woken how);
    void leave();
    Loop& loop_;
    WaitList& list_;
    Millis timeout_;
    std::coroutine_handle<> handle_;
    Awaiter* next_ = nullptr;
    Awaiter* previous_ = nullptr;
    bool linked_ = false;
    bool queued_ = false;  // in the loop's list of coroutines to resume
    Woken woken_ = Woken::no;
  };

  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList() { wake_all(Woken::closed); }
  [[nodiscard]] Awaiter wait(Loop& loop, Millis timeout) { return {loop, *this, timeout}; }
  void wake_all(Woken how);
  bool wake_one(Woken how);
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
};

}  // namespace detail

// A pending call. Cancelled when destroyed or when cancel() is called, on its loop.
class Timer {
 public:
  Timer() = default;
  void cancel() { node_.reset(); }
  [[nodiscard]] bool pending() const { return node_ && node_->pending(); }

 private:
  friend class Loop;
  std::unique_ptr<detail::TimerNode> node_;
};

// A buffer lent by a loop and given back when destroyed, on that loop.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)),
        bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { give_back(); }
  void give_back();
  [[nodiscard]] explicit operator bool() const { return bytes_ != nullptr; }
  [[nodiscard]] std::span<uint8_t> span() const { return {bytes_.get(), size_}; }

 private:
  friend class Loop;
  Loop* loop_ = nullptr;
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

class Loop {
 public:
  static constexpr size_t kBufferBytes = 16 * 1024;       // one TLS record
  static constexpr size_t kRelayBufferBytes = 64 * 1024;  // what one direction of a relay holds at most
  static constexpr size_t kBuffersKept = 64;              // spare buffers of each size; more are freed

  Loop();
  ~Loop();  // destroys the tasks that have not ended; no other thread may use the loop any more
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();            // until stop(); may be called again
  void stop();           // from any thread
  void post(Call call);  // from any thread; runs on the loop's next turn, in the order posted
  void spawn(
      Task<void> task);  // from any thread; starts on the next turn. An exception in it ends the process
  // Runs the loop until the task has ended, and gives its value: for main() and tests.
  template <class T>
  T run_until(Task<T> task);

  [[nodiscard]] Task<void> sleep(Millis time);
  [[nodiscard]] Timer after(Millis time, Call call);
  [[nodiscard]] Tick tick() const;       // the monotonic clock now
  [[nodiscard]] bool in_loop() const;    // the calling thread runs this loop
  [[nodiscard]] static Loop* current();  // the loop this thread runs, or nullptr

  [[nodiscard]] Buffer lend(size_t bytes = kBufferBytes);  // kBufferBytes or kRelayBufferBytes; not zeroed
  [[nodiscard]] size_t tasks() const;                      // spawned and not ended

  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  friend class detail::TimerNode;
  friend class detail::WaitList;
  friend class Buffer;
  void resume_soon(detail::WaitList::Awaiter& awaiter);
  void forget(detail::WaitList::Awaiter& awaiter);
  std::unique_ptr<Impl> impl_;
};

// Something coroutines of one loop wait for. set() stays until clear(); pulse() wakes those who wait now.
// Destroying it wakes all waiters with false.
class Event {
 public:
  class Awaiter {
   public:
    Awaiter(Event& event, Millis timeout) : set_(event.set_), inner_(event.loop_, event.waiters_, timeout) {}
    [[nodiscard]] bool await_ready() const noexcept { return set_; }
    void await_suspend(std::coroutine_handle<> handle) { inner_.await_suspend(handle); }
    [[nodiscard]] bool await_resume() const { return set_ || inner_.await_resume() == detail::Woken::ready; }

   private:
    bool set_;
    detail::WaitList::Awaiter inner_;
  };

  explicit Event(Loop& loop) : loop_(loop) {}
  void set();
  void clear() { set_ = false; }
  void pulse();
  [[nodiscard]] bool is_set() const { return set_; }
  // True when set or pulsed, false at the timeout or when the event is destroyed.
  [[nodiscard]] Awaiter wait(Millis timeout) { return {*this, timeout}; }
  [[nodiscard]] Task<void> wait_set();  // however long it takes

 private:
  Loop& loop_;
  bool set_ = false;
  detail::WaitList waiters_;
};

// What a callback on this loop brings: give taker() away, then wait.
template <class T>
class Reply {
 public:
  explicit Reply(Loop& loop) : held_(std::make_shared<Held>(loop)) {}
  // Takes one value; it may come when nobody waits for it any more.
  [[nodiscard]] auto taker() const {
    return [held = held_](T value) {
      held->value.emplace(std::move(value));
      held->come.set();
    };
  }
  [[nodiscard]] Task<std::optional<T>> within(Millis time) { return wait(held_, time); }

 private:
  struct Held {
    explicit Held(Loop& loop) : come(loop) {}
    Event come;
    std::optional<T> value;
  };
  static Task<std::optional<T>> wait(std::shared_ptr<Held> held, Millis time) {
    [[maybe_unused]] const bool come = co_await held->come.wait(time);
    co_return std::move(held->value);
  }
  std::shared_ptr<Held> held_;
};

// Runs work() on `there` and gives its value back here, or nothing when it takes longer: then the value is
// dropped. Call it on a loop; both loops must outlive the work.
template <class T>
Task<std::optional<T>> run_on(Loop& there, Millis within, std::move_only_function<Task<T>()> work);

}  // namespace entente::net

#include "net/loop_inline.h"  // IWYU pragma: export
