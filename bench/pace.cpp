// Requests at an even pace, whatever the answers do, and how late each answer was.
//   bench_pace PORT NAME COOKIES RATE SECONDS CONNECTIONS [plain]
// sends RATE times a second GET /1k to 127.0.0.1:PORT under the name NAME, over so many kept connections
// (TLS 1.3, or without TLS); COOKIES is a file of lines for the Cookie header, used in turn. An answer's time
// counts from when its request was due, so that one that had to wait for a connection is not forgiven. The
// first second warms up. Prints a line of JSON.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kPatience = 10 * kSecond;  // after the last request

uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

struct Line {
  int fd = -1;
  SSL* tls = nullptr;
  uint64_t due = 0;  // of the request under way; 0: none
  std::string in;
};

struct Pace {
  std::string name;
  uint16_t port = 0;
  std::vector<std::string> cookies;
  SSL_CTX* context = nullptr;
  std::vector<Line> lines;
  std::deque<size_t> free;       // the longest unused first: a server may close what stays silent
  std::deque<uint64_t> waiting;  // due, and no connection was free
  std::vector<uint64_t> times;
  size_t failed = 0;
  uint64_t count_from = 0;
  size_t asked = 0;
};

[[noreturn]] void give_up(std::string_view why) {
  std::fputs(fmt::format("bench_pace: {}\n", why).c_str(), stderr);
  std::exit(1);
}

void dial(const Pace& pace, Line& line) {
  line.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(pace.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(line.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("nobody answers");
  const int on = 1;
  ::setsockopt(line.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (pace.context != nullptr) {
    line.tls = SSL_new(pace.context);
    SSL_set_tlsext_host_name(line.tls, pace.name.c_str());
    SSL_set_fd(line.tls, line.fd);
    if (SSL_connect(line.tls) != 1) give_up("no TLS with the peer");
  }
  ::fcntl(line.fd, F_SETFL, O_NONBLOCK);
}

void ask(Pace& pace, size_t index, uint64_t due) {
  Line& line = pace.lines[index];
  const std::string& cookie = pace.cookies[pace.asked++ % pace.cookies.size()];
  const std::string text =
      fmt::format("GET /1k HTTP/1.1\r\nHost: {}:{}\r\nCookie: {}\r\n\r\n", pace.name, pace.port, cookie);
  const auto size = static_cast<int>(text.size());
  const auto sent = line.tls != nullptr ? SSL_write(line.tls, text.data(), size)
                                        : static_cast<int>(::send(line.fd, text.data(), text.size(), 0));
  if (sent != size) give_up("a connection took no request");
  line.due = due;
}

// Bytes that came: 0 none now, below 0 the connection is over.
int take(Line& line, std::array<char, 8192>& buffer) {
  if (line.tls == nullptr) {
    const ssize_t got = ::recv(line.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN ? 0 : -1;
    return got == 0 ? -1 : static_cast<int>(got);
  }
  const int got = SSL_read(line.tls, buffer.data(), static_cast<int>(buffer.size()));
  if (got > 0) return got;
  return SSL_get_error(line.tls, got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

void heard(Pace& pace, size_t index) {
  Line& line = pace.lines[index];
  static std::array<char, 8192> buffer;
  while (true) {
    const int got = take(line, buffer);
    if (got < 0) give_up(fmt::format("a connection was closed after {}", line.in.substr(0, 60)));
    if (got == 0) return;
    line.in.append(buffer.data(), static_cast<size_t>(got));
    const size_t end = line.in.find("\r\n\r\n");
    if (end == std::string::npos || line.in.size() < end + 4 + 1024) continue;
    if (!line.in.starts_with("HTTP/1.1 200")) ++pace.failed;
    line.in.clear();
    if (line.due >= pace.count_from) pace.times.push_back(now_ns() - line.due);
    line.due = 0;
    if (pace.waiting.empty()) {
      pace.free.push_back(index);
    } else {
      const uint64_t due = pace.waiting.front();
      pace.waiting.pop_front();
      ask(pace, index, due);
    }
  }
}

void run(Pace& pace, uint64_t rate, uint64_t seconds) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < pace.lines.size(); ++i) {
    dial(pace, pace.lines[i]);
    pace.free.push_back(i);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, pace.lines[i].fd, &event);
  }
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = pace.lines.size();
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
  const uint64_t begin = now_ns();
  const uint64_t every = kSecond / rate;
  uint64_t due = begin + every;
  const uint64_t last = begin + (seconds + 1) * kSecond;
  pace.count_from = begin + kSecond;
  std::array<epoll_event, 64> events{};
  while (due < last || pace.free.size() < pace.lines.size()) {
    if (now_ns() > last + kPatience) give_up("answers are missing at the end");
    if (due < last) {
      itimerspec at{};
      at.it_value.tv_sec = static_cast<time_t>(due / kSecond);
      at.it_value.tv_nsec = static_cast<long>(due % kSecond);
      ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, nullptr);
    }
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < count; ++i) {
      const size_t index = events[static_cast<size_t>(i)].data.u64;
      if (index < pace.lines.size()) heard(pace, index);
    }
    for (; due < last && due <= now_ns(); due += every) {
      if (pace.free.empty()) {
        pace.waiting.push_back(due);
        continue;
      }
      const size_t index = pace.free.front();
      pace.free.pop_front();
      ask(pace, index, due);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "bench_pace: PORT NAME COOKIES RATE SECONDS CONNECTIONS [plain] are needed\n");
    return 2;
  }
  Pace pace;
  pace.port = static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10));
  pace.name = argv[2];
  std::ifstream lines(argv[3]);
  for (std::string line; std::getline(lines, line);) pace.cookies.push_back(line);
  if (pace.cookies.empty()) pace.cookies.emplace_back("none=1");
  pace.lines.resize(std::strtoul(argv[6], nullptr, 10));
  if (argc < 8) {
    pace.context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(pace.context, TLS1_3_VERSION);
  }
  run(pace, std::strtoul(argv[4], nullptr, 10), std::strtoul(argv[5], nullptr, 10));
  std::sort(pace.times.begin(), pace.times.end());
  if (pace.times.empty()) give_up("no request was answered");
  const auto at = [&](size_t of_a_thousand) {
    return static_cast<double>(pace.times[(pace.times.size() - 1) * of_a_thousand / 1000]) / 1000;
  };
  std::puts(fmt::format(R"({{"count":{},"failed":{},"p50_us":{:.0f},"p90_us":{:.0f},"p99_us":{:.0f},)"
                        R"("p999_us":{:.0f},"max_us":{:.0f}}})",
                        pace.times.size(), pace.failed, at(500), at(900), at(990), at(999), at(1000))
                .c_str());
  return 0;
}
