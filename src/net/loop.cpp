#include "base/log.h"
#include "net/loop_internal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>

#include <sys/eventfd.h>
#include <unistd.h>

namespace entente::net {

namespace {
thread_local Loop* current_loop = nullptr;

Tick now() {
  return std::chrono::steady_clock::now();
}

detail::Root run_root(Loop::Impl&, Task<void> task) {
  co_await std::move(task);
}

class CallTimer final : public detail::TimerNode {
 public:
  explicit CallTimer(Call call) : call_(std::move(call)) {}

 private:
  void fire() override {
    Call call = std::move(call_);  // it may destroy this timer
    call();
  }
  Call call_;
};
}  // namespace

namespace detail {

void TimerHeap::place(size_t index, TimerNode* node) {
  nodes_[index] = node;
  node->index_ = index;
}

void TimerHeap::up(size_t index) {
  TimerNode* node = nodes_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (nodes_[parent]->due_ <= node->due_) break;
    place(index, nodes_[parent]);
    index = parent;
  }
  place(index, node);
}

void TimerHeap::down(size_t index) {
  TimerNode* node = nodes_[index];
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= nodes_.size()) break;
    if (child + 1 < nodes_.size() && nodes_[child + 1]->due_ < nodes_[child]->due_) ++child;
    if (node->due_ <= nodes_[child]->due_) break;
    place(index, nodes_[child]);
    index = child;
  }
  place(index, node);
}

void TimerHeap::add(TimerNode& node) {
  nodes_.push_back(&node);
  up(nodes_.size() - 1);
}

void TimerHeap::remove(TimerNode& node) {
  const size_t index = node.index_;
  TimerNode* last = nodes_.back();
  nodes_.pop_back();
  if (last == &node) return;
  place(index, last);
  up(index);
  down(last->index_);
}

void TimerNode::start(Loop& loop, Millis after) {
  cancel();
  loop_ = &loop;
  due_ = now() + std::clamp(after, Millis(0), kNoTimeout);
  loop.impl_->timers.add(*this);
}

void TimerNode::cancel() {
  if (Loop* loop = std::exchange(loop_, nullptr)) loop->impl_->timers.remove(*this);
}

void WaitList::Awaiter::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  previous_ = list_.last_;
  (previous_ ? previous_->next_ : list_.first_) = this;
  list_.last_ = this;
  linked_ = true;
  if (timeout_ < kNoTimeout) start(loop_, timeout_);
}

void WaitList::Awaiter::leave() {
  if (linked_) {
    (previous_ ? previous_->next_ : list_.first_) = next_;
    (next_ ? next_->previous_ : list_.last_) = previous_;
    linked_ = false;
  }
  if (queued_) loop_.forget(*this);
}

void WaitList::Awaiter::wake(Woken how) {
  leave();
  cancel();
  woken_ = how;
  loop_.resume_soon(*this);
}

void WaitList::wake_all(Woken how) {
  while (wake_one(how)) {
  }
}

bool WaitList::wake_one(Woken how) {
  if (!first_) return false;
  first_->wake(how);
  return true;
}

Root::promise_type::promise_type(Loop::Impl& owner, Task<void>&) : loop(owner), next(owner.roots) {
  if (next) next->previous = this;
  loop.roots = this;
  ++loop.root_count;
}

Root::promise_type::~promise_type() {
  (previous ? previous->next : loop.roots) = next;
  if (next) next->previous = previous;
  --loop.root_count;
}

void Root::promise_type::unhandled_exception() noexcept {
  log(LogLevel::error, "net", "an exception left a task", {});
  std::terminate();
}

}  // namespace detail

Loop::Impl::Impl(Loop& self)
    : loop(self),
      epoll_fd(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  ENTENTE_CHECK(epoll_fd >= 0 && wake_fd >= 0);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  ENTENTE_CHECK(::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0);
}

Loop::Impl::~Impl() {
  // Calls that nobody will run may own frames, timers, buffers and watches.
  std::exchange(running, {}).clear();
  std::exchange(posted, {}).clear();
  ::close(wake_fd);
  ::close(epoll_fd);
}

void Loop::Impl::watch(FdWatch& fd_watch, int fd) {
  // Edges alone, both ways at once: a wait costs no call of the kernel. What a watch has not seen the end of
  // it takes for ready.
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &fd_watch}};
  ENTENTE_CHECK(::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::Impl::unwatch(FdWatch& fd_watch, int fd) {
  epoll_event unused{};
  ::epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &unused);
  for (size_t i = event_at; i < event_count; ++i) {
    if (events[i].data.ptr == &fd_watch) events[i].events = 0;
  }
}

void Loop::Impl::post(Call call) {
  const std::lock_guard lock(mutex);
  posted.push_back(std::move(call));
  if (told || current_loop == &loop) return;
  told = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd, &one, sizeof one);
}

void Loop::Impl::run_posted() {
  {
    const std::lock_guard lock(mutex);
    if (posted.empty()) return;
    std::swap(running, posted);
  }
  for (running_at = 0; running_at < running.size(); ++running_at) {
    Call call = std::move(running[running_at]);
    call();
  }
  running.clear();
}

void Loop::Impl::fire_timers() {
  if (timers.first() == nullptr) return;
  const Tick until = now();
  while (detail::TimerNode* node = timers.first()) {
    if (node->due_ > until) break;
    node->cancel();
    node->fire();
  }
}

void Loop::Impl::drain() {
  // Those woken meanwhile wait for the next time, so that two coroutines waking each other starve nobody.
  std::swap(woken, resuming);
  for (size_t i = 0; i < resuming.size(); ++i) {
    detail::WaitList::Awaiter* awaiter = std::exchange(resuming[i], nullptr);
    if (!awaiter) continue;
    awaiter->queued_ = false;
    awaiter->handle_.resume();
  }
  resuming.clear();
}

int Loop::Impl::poll_ms() {
  if (!woken.empty() || stopping) return 0;
  {
    const std::lock_guard lock(mutex);
    if (!posted.empty()) return 0;
  }
  const detail::TimerNode* first = timers.first();
  if (first == nullptr) return -1;
  // Rounded up: a deadline that is not reached yet would make the loop turn for nothing.
  const auto left = std::chrono::ceil<Millis>(first->due_ - now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void Loop::Impl::poll() {
  const int got = ::epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), poll_ms());
  ENTENTE_CHECK(got >= 0 || errno == EINTR);
  event_count = static_cast<size_t>(std::max(got, 0));
  for (event_at = 0; event_at < event_count; ++event_at) {
    const epoll_event event = events[event_at];
    if (event.data.ptr != nullptr) {
      if (event.events != 0) static_cast<FdWatch*>(event.data.ptr)->heard(event.events);
      continue;
    }
    const std::lock_guard lock(mutex);
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t read = ::read(wake_fd, &count, sizeof count);
    told = false;
  }
  event_count = 0;
}

void Loop::Impl::turn() {
  for (unsigned round = 0; round < kDrainsMax && !woken.empty(); ++round) drain();
  run_posted();
  fire_timers();
  poll();
}

Loop::Loop() : impl_(std::make_unique<Impl>(*this)) {
  std::signal(SIGPIPE, SIG_IGN);
}

Loop::~Loop() {
  while (impl_->roots) {
    std::coroutine_handle<detail::Root::promise_type>::from_promise(*impl_->roots).destroy();
  }
}

void Loop::run() {
  Loop* outer = std::exchange(current_loop, this);
  impl_->stopping = false;
  while (!impl_->stopping) impl_->turn();
  current_loop = outer;
}

void Loop::stop() {
  // By way of the queue: a stop that comes before run() is not lost.
  impl_->post([this] { impl_->stopping = true; });
}

void Loop::post(Call call) {
  impl_->post(std::move(call));
}

void Loop::spawn(Task<void> task) {
  impl_->post([this, kept = std::move(task)]() mutable { run_root(*impl_, std::move(kept)); });
}

Task<void> Loop::sleep(Millis time) {
  detail::WaitList nobody;
  detail::Woken woken = co_await nobody.wait(*this, std::min(time, kNoTimeout - Millis(1)));
  (void)woken;
}

Timer Loop::after(Millis time, Call call) {
  Timer timer;
  timer.node_ = std::make_unique<CallTimer>(std::move(call));
  timer.node_->start(*this, time);
  return timer;
}

Tick Loop::tick() const {
  return now();
}
bool Loop::in_loop() const {
  return current_loop == this;
}
Loop* Loop::current() {
  return current_loop;
}
size_t Loop::tasks() const {
  return impl_->root_count;
}

void Loop::resume_soon(detail::WaitList::Awaiter& awaiter) {
  awaiter.queued_ = true;
  impl_->woken.push_back(&awaiter);
}

void Loop::forget(detail::WaitList::Awaiter& awaiter) {
  std::replace(impl_->woken.begin(), impl_->woken.end(), &awaiter,
               static_cast<detail::WaitList::Awaiter*>(nullptr));
  std::replace(impl_->resuming.begin(), impl_->resuming.end(), &awaiter,
               static_cast<detail::WaitList::Awaiter*>(nullptr));
  awaiter.queued_ = false;
}

Buffer Loop::lend(size_t bytes) {
  ENTENTE_CHECK(bytes == kBufferBytes || bytes == kRelayBufferBytes);
  auto& spare = bytes == kBufferBytes ? impl_->small_buffers : impl_->large_buffers;
  Buffer buffer;
  buffer.loop_ = this;
  buffer.size_ = bytes;
  if (spare.empty()) {
    buffer.bytes_ = std::make_unique_for_overwrite<uint8_t[]>(bytes);
  } else {
    buffer.bytes_ = std::move(spare.back());
    spare.pop_back();
  }
  return buffer;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    give_back();
    loop_ = std::exchange(other.loop_, nullptr);
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Buffer::give_back() {
  if (!bytes_) return;
  auto& spare = size_ == Loop::kBufferBytes ? loop_->impl_->small_buffers : loop_->impl_->large_buffers;
  if (spare.size() < Loop::kBuffersKept) {
    spare.push_back(std::move(bytes_));
  }
  bytes_.reset();
  loop_ = nullptr;
  size_ = 0;
}

void Event::set() {
  set_ = true;
  waiters_.wake_all(detail::Woken::ready);
}

void Event::pulse() {
  waiters_.wake_all(detail::Woken::ready);
}

Task<void> Event::wait_set() {
  while (!set_) {
    [[maybe_unused]] const bool woken = co_await wait(kNoTimeout);
  }
}

}  // namespace entente::net
