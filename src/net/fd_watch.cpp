#include "net/fd_watch.h"

#include "net/loop_internal.h"

#include <boost/asio/posix/stream_descriptor.hpp>

namespace entente::net {

namespace asio = boost::asio;

// Outlives the watch while the reactor still holds a wait on it.
struct FdWatch::State : std::enable_shared_from_this<FdWatch::State> {
  struct Direction {
    bool armed = false;    // the reactor has a wait of ours
    bool latched = false;  // it fired while nobody waited
    detail::WaitList waiters;
  };

  State(Loop& owner, int fd) : loop(owner.impl()), descriptor(loop.reactor, fd) {}
  Direction& of(Side side) { return side == Side::read ? read : write; }
  void arm(Side side);
  void fired(Side side, bool ok);

  Loop::Impl& loop;
  asio::posix::stream_descriptor descriptor;
  Direction read;
  Direction write;
  bool open = true;
};

void FdWatch::State::arm(Side side) {
  Direction& direction = of(side);
  if (direction.armed) return;
  direction.armed = true;
  const auto kind = side == Side::read ? asio::posix::stream_descriptor::wait_read
                                       : asio::posix::stream_descriptor::wait_write;
  descriptor.async_wait(kind, [self = shared_from_this(), side](const boost::system::error_code& error) {
    self->fired(side, !error);
  });
}

void FdWatch::State::fired(Side side, bool ok) {
  Direction& direction = of(side);
  direction.armed = false;
  if (!ok || !open) return;  // close() has woken those who waited
  if (direction.waiters.empty()) {
    direction.latched = true;
    return;
  }
  Loop::Impl& impl = loop;  // this may go while the waiters run
  impl.inside = true;
  direction.waiters.wake_all(detail::Woken::ready);
  impl.drain_inside();
}

FdWatch::FdWatch(Loop& loop, int fd) : loop_(loop), state_(std::make_shared<State>(loop, fd)) {}

FdWatch::~FdWatch() {
  close();
}

FdWatch::Awaiter::Awaiter(Loop& loop, State& state, Side side, Millis timeout)
    : state_(state), side_(side), inner_(loop, state.of(side).waiters, timeout) {}

bool FdWatch::Awaiter::await_ready() {
  State::Direction& direction = state_.of(side_);
  if (!state_.open) {
    early_ = detail::Woken::closed;
  } else if (std::exchange(direction.latched, false)) {
    early_ = detail::Woken::ready;
  } else {
    state_.arm(side_);
    return false;
  }
  return true;
}

FdWatch::Awaiter FdWatch::wait(Side side, Millis timeout) {
  return {loop_, *state_, side, timeout};
}

int FdWatch::fd() const {
  return state_->open ? state_->descriptor.native_handle() : -1;
}

bool FdWatch::waited_on() const {
  return !state_->read.waiters.empty() || !state_->write.waiters.empty();
}

void FdWatch::close() {
  if (!std::exchange(state_->open, false)) return;
  boost::system::error_code ignored;
  state_->descriptor.close(ignored);
  state_->read.waiters.wake_all(detail::Woken::closed);
  state_->write.waiters.wake_all(detail::Woken::closed);
}

int FdWatch::release() {
  if (!std::exchange(state_->open, false)) return -1;
  state_->read.waiters.wake_all(detail::Woken::closed);
  state_->write.waiters.wake_all(detail::Woken::closed);
  return state_->descriptor.release();
}

}  // namespace entente::net
