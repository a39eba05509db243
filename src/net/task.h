// Task<T>: a lazy coroutine with one awaiter. It starts when awaited (or when handed to Loop::spawn), runs on
// the loop that started it and resumes its awaiter there. Move only; destroying a Task that has not ended
// destroys its frame and whatever it waits for. Frames come from a small per-thread cache.
//
// An awaiter whose child ends without waiting goes on in the same call, so loops over ready operations use no
// stack, at every level of optimisation.
//
// Rules (g++ 12): one co_await to a statement, bound to a name; never inside ?:, &&, an initialiser list or a
// structured binding; coroutine lambdas capture nothing, parameters come by value or refer to what outlives
// the task.
#pragma once

#include "base/result.h"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace entente::net {

template <class T>
class Task;

namespace detail {

void* allocate_frame(size_t bytes);
void free_frame(void* frame, size_t bytes) noexcept;

class PromiseBase {
 public:
  static void* operator new(size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, size_t bytes) noexcept { free_frame(frame, bytes); }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      // Resuming may destroy this frame: nothing of it is touched after.
      PromiseBase& promise = self.promise();
      promise.ended_ = true;
      if (!promise.starting_) promise.continuation_.resume();
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

  // Starts the coroutine; true when it waits for something and will resume `continuation` at its end.
  template <class Promise>
  static bool start(std::coroutine_handle<Promise> self, std::coroutine_handle<> continuation) {
    PromiseBase& promise = self.promise();
    promise.continuation_ = continuation;
    promise.starting_ = true;
    self.resume();
    promise.starting_ = false;
    return !promise.ended_;
  }

 private:
  std::coroutine_handle<> continuation_ = std::noop_coroutine();
  std::exception_ptr exception_;
  bool starting_ = false;
  bool ended_ = false;
};

template <class T>
class Promise final : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const { rethrow(); }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using value_type = T;

  Task() = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }
  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(frame_); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> awaiting) { return promise_type::start(frame, awaiting); }
      T await_resume() { return frame.promise().take(); }
    };
    ENTENTE_DCHECK(static_cast<bool>(frame_));
    return Awaiter{frame_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_ = nullptr;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace entente::net
