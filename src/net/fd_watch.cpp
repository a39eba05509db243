#include "net/fd_watch.h"

#include "net/loop_internal.h"

#include <sys/epoll.h>
#include <unistd.h>

namespace entente::net {

FdWatch::FdWatch(Loop& loop, int fd) : loop_(loop), fd_(fd) {
  loop_.impl().watch(*this, fd_);
}

FdWatch::~FdWatch() {
  close();
}

bool FdWatch::Awaiter::await_ready() {
  if (watch_.fd_ < 0) {
    early_ = detail::Woken::closed;
  } else if (watch_.of(side_).ready) {
    early_ = detail::Woken::ready;
  }
  return early_ != detail::Woken::no;
}

void FdWatch::heard(uint32_t events) {
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  read_.over = read_.over || broken || (events & EPOLLRDHUP) != 0;
  write_.over = write_.over || broken;
  if (read_.over || (events & EPOLLIN) != 0) {
    read_.ready = true;
    read_.waiters.wake_all(detail::Woken::ready);
  }
  if (write_.over || (events & EPOLLOUT) != 0) {
    write_.ready = true;
    write_.waiters.wake_all(detail::Woken::ready);
  }
}

int FdWatch::leave() {
  const int fd = std::exchange(fd_, -1);
  if (fd < 0) return fd;
  loop_.impl().unwatch(*this, fd);
  read_.waiters.wake_all(detail::Woken::closed);
  write_.waiters.wake_all(detail::Woken::closed);
  return fd;
}

void FdWatch::close() {
  if (const int fd = leave(); fd >= 0) ::close(fd);
}

int FdWatch::release() {
  return leave();
}

}  // namespace entente::net
