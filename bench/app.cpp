// The app that every measurement ends at: HTTP/1.1 on a Unix socket, one thread, no copies worth naming.
//   bench_app SOCKET
//   GET /1k          1 KiB          GET /bytes/N   N bytes with their Content-Length
//   POST /sink       reads a body (Content-Length or chunked), answers its length in decimal
//   GET /live        WebSocket: each second a binary frame of 8 bytes, the time in nanoseconds since 1970
#include "crypto/digest.h"
#include "net/websocket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr size_t kHeadBytesMax = 64 * 1024;
constexpr size_t kReadBytes = 256 * 1024;
constexpr int kTurns = 100;
constexpr long kTurnNs = 10'000'000;

enum class Doing { head, body_counted, body_chunked, live };

struct Connection {
  int fd = -1;
  Doing doing = Doing::head;
  std::string in;
  std::string out;
  uint64_t owed = 0;  // bytes of filler still to be sent
  uint64_t body_left = 0;
  uint64_t body_seen = 0;
};

std::string filler;
std::array<char, kReadBytes> incoming;
std::unordered_map<int, std::unique_ptr<Connection>> connections;

uint64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string_view header(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const size_t colon = line.find(':');
    if (colon == name.size() && std::equal(name.begin(), name.end(), line.begin(),
                                           [](char a, char b) { return lower(a) == lower(b); })) {
      const size_t begin = line.find_first_not_of(' ', colon + 1);
      return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
    }
    at = head.find("\r\n", at + 2);
  }
  return {};
}

uint64_t number(std::string_view text, int base = 10) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

void answer_head(Connection& c, uint64_t length) {
  c.out += fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n", length);
}

void answer_sink(Connection& c) {
  const std::string text = std::to_string(c.body_seen);
  answer_head(c, text.size());
  c.out += text;
  c.doing = Doing::head;
  c.body_seen = 0;
}

// Takes one request's head; the rest of `in` is what follows it.
void begin(Connection& c, std::string_view head) {
  const size_t first = head.find(' ');
  const std::string_view path = head.substr(first + 1, head.find(' ', first + 1) - first - 1);
  if (path == "/live") {
    const std::string key(header(head, "Sec-WebSocket-Key"));
    c.out += fmt::format(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: {}\r\n\r\n",
        entente::net::websocket_accept(key).value_or(""));
    c.doing = Doing::live;
  } else if (path == "/sink") {
    const bool chunked = !header(head, "Transfer-Encoding").empty();
    c.body_left = number(header(head, "Content-Length"));
    c.doing = chunked ? Doing::body_chunked : Doing::body_counted;
    if (!chunked && c.body_left == 0) answer_sink(c);
  } else if (path.starts_with("/bytes/")) {
    c.owed = number(path.substr(7));
    answer_head(c, c.owed);
  } else {
    answer_head(c, 1024);
    c.out.append(filler, 0, 1024);
  }
}

// True while something could be taken from `in`.
bool take(Connection& c) {
  if (c.doing == Doing::live) {
    c.in.clear();
    return false;
  }
  if (c.doing == Doing::body_counted) {
    const size_t count = std::min<uint64_t>(c.body_left, c.in.size());
    c.in.erase(0, count);
    c.body_left -= count;
    c.body_seen += count;
    if (c.body_left == 0) answer_sink(c);
    return count > 0;
  }
  if (c.doing == Doing::body_chunked) {
    if (c.body_left == 0) {
      const size_t end = c.in.find("\r\n");
      if (end == std::string::npos) return false;
      const uint64_t size = number(std::string_view(c.in).substr(0, end), 16);
      if (size == 0) {
        if (c.in.size() < end + 4) return false;
        c.in.erase(0, end + 4);
        answer_sink(c);
        return true;
      }
      c.in.erase(0, end + 2);
      c.body_seen += size;
      c.body_left = size + 2;
    }
    const size_t count = std::min<uint64_t>(c.body_left, c.in.size());
    c.in.erase(0, count);
    c.body_left -= count;
    return count > 0;
  }
  const size_t end = c.in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = c.in.substr(0, end + 2);
  c.in.erase(0, end + 4);
  begin(c, head);
  return true;
}

// False: the connection is over.
bool send_out(Connection& c) {
  while (!c.out.empty() || c.owed > 0) {
    const bool text = !c.out.empty();
    const char* from = text ? c.out.data() : filler.data();
    const size_t size = text ? c.out.size() : std::min<uint64_t>(c.owed, filler.size());
    const ssize_t sent = ::send(c.fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN;
    if (text) {
      c.out.erase(0, static_cast<size_t>(sent));
    } else {
      c.owed -= static_cast<uint64_t>(sent);
    }
  }
  return true;
}

bool serve(Connection& c) {
  if (!send_out(c)) return false;
  while (c.out.empty() && c.owed == 0) {
    const ssize_t got = ::recv(c.fd, incoming.data(), incoming.size(), MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN;
    if (c.doing == Doing::body_counted && c.in.empty() && c.body_left > static_cast<uint64_t>(got)) {
      c.body_left -= static_cast<uint64_t>(got);
      c.body_seen += static_cast<uint64_t>(got);
      continue;
    }
    c.in.append(incoming.data(), static_cast<size_t>(got));
    while (take(c)) {
    }
    if (c.in.size() > kHeadBytesMax + kReadBytes) return false;
    if (!send_out(c)) return false;
  }
  return true;
}

// Each connection has its turn once a second; the turns are spread, so that at any instant something is on
// its way.
void tick() {
  static int turn = 0;
  turn = (turn + 1) % kTurns;
  for (auto& [fd, c] : connections) {
    if (fd % kTurns != turn || c->doing != Doing::live || !c->out.empty()) continue;
    const uint64_t now = wall_ns();
    char frame[10] = {static_cast<char>(0x82), 8};
    for (int i = 0; i < 8; ++i) frame[2 + i] = static_cast<char>(now >> (56 - 8 * i));
    c->out.assign(frame, sizeof frame);
    send_out(*c);
  }
}

int listen_on(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return -1;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  ::unlink(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return ::listen(fd, 4096) == 0 ? fd : -1;
}

void watch(int epoll, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = argc == 2 ? listen_on(argv[1]) : -1;
  if (listener < 0) {
    std::fprintf(stderr, "bench_app: one argument, the path of a socket that can be made, is needed\n");
    return 2;
  }
  filler.assign(256 * 1024, 'e');
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const itimerspec each_turn{{0, kTurnNs}, {0, kTurnNs}};
  ::timerfd_settime(timer, 0, &each_turn, nullptr);
  watch(epoll, listener, EPOLLIN);
  watch(epoll, timer, EPOLLIN);
  std::puts("{\"ready\":true}");
  std::fflush(stdout);
  std::array<epoll_event, 256> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        for (int next = 0;
             (next = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          auto made = std::make_unique<Connection>();
          made->fd = next;
          connections[next] = std::move(made);
          watch(epoll, next, EPOLLIN | EPOLLOUT | EPOLLET);
        }
      } else if (fd == timer) {
        uint64_t times = 0;
        if (::read(timer, &times, sizeof times) > 0) tick();
      } else if (const auto at = connections.find(fd); at != connections.end() && !serve(*at->second)) {
        connections.erase(at);
        ::close(fd);
      }
    }
  }
}
