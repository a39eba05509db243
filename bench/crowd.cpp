// Many live connections at once, over TLS 1.3, and what reaches them.
//   bench_crowd PORT NAME COUNT COOKIES LIVE
// opens COUNT connections to 127.0.0.1:PORT under the name NAME; COOKIES is a file of lines for the Cookie
// header, used in turn. LIVE is 1 for WebSockets on /live, 0 for one GET /1k each and then silence, 2 for
// that over HTTP/2. Prints a line of JSON when all stand. At the end of its standard input it prints a second
// one and ends: the newest stamp of the app that reached anyone, when the last bytes came, and when
// connections were closed.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr size_t kUnderWayMax = 64;  // handshakes at a time

uint64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
}

enum class State { connecting, asked, standing, closed, failed };

struct Guest {
  int fd = -1;
  SSL* tls = nullptr;
  State state = State::connecting;
  std::string in;
};

struct Crowd {
  uint16_t port = 0;
  std::string name;
  bool live = false;
  bool h2 = false;
  std::vector<std::string> cookies;
  SSL_CTX* context = nullptr;
  int epoll = -1;
  std::vector<Guest> guests;
  size_t standing = 0, failed = 0, closed = 0;
  uint64_t frames = 0, newest_stamp = 0, last_byte_at = 0, first_closed_at = 0, last_closed_at = 0;
  std::string complaint;
};

void start(Crowd& crowd, size_t index) {
  Guest& guest = crowd.guests[index];
  guest.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(crowd.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(guest.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    guest.state = State::failed;
    ++crowd.failed;
    return;
  }
  ::fcntl(guest.fd, F_SETFL, O_NONBLOCK);
  guest.tls = SSL_new(crowd.context);
  SSL_set_tlsext_host_name(guest.tls, crowd.name.c_str());
  SSL_set_fd(guest.tls, guest.fd);
  SSL_set_connect_state(guest.tls);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP;
  event.data.u64 = index;
  epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, guest.fd, &event);
}

std::string frame(uint8_t type, uint8_t flags, uint8_t stream, std::string_view payload) {
  std::string out;
  for (const size_t byte : {payload.size() >> 16, payload.size() >> 8, payload.size(), size_t{type},
                            size_t{flags}, size_t{0}, size_t{0}, size_t{0}, size_t{stream}})
    out.push_back(static_cast<char>(byte & 0xFF));
  return out.append(payload);
}

// A field that is never indexed (RFC 7541 section 6.2.2), its value shorter than 16 KiB.
std::string field(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  for (const std::string_view text : {name, value}) {
    if (text.size() < 127) {
      out.push_back(static_cast<char>(text.size()));
    } else {
      const size_t rest = text.size() - 127;
      out.push_back(127);
      out.push_back(static_cast<char>(rest % 128 + 128));
      out.push_back(static_cast<char>(rest / 128));
    }
    out += text;
  }
  return out;
}

std::string ask_h2(const Crowd& crowd, std::string_view cookie) {
  const std::string head = field(":method", "GET") + field(":scheme", "https") +
                           field(":authority", fmt::format("{}:{}", crowd.name, crowd.port)) +
                           field(":path", "/1k") + field("cookie", cookie);
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") + frame(4, 1, 0, "") + frame(1, 5, 1, head);
}

// The answer on stream 1 has ended.
bool answered_h2(std::string_view bytes) {
  while (bytes.size() >= 9) {
    const auto byte = [&](size_t at) { return size_t{static_cast<uint8_t>(bytes[at])}; };
    const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (bytes.size() < 9 + length) return false;
    if (byte(3) == 0 && (byte(4) & 1) != 0 && byte(8) == 1) return true;
    bytes.remove_prefix(9 + length);
  }
  return false;
}

void ask(Crowd& crowd, size_t index) {
  const std::string& cookie = crowd.cookies[index % crowd.cookies.size()];
  std::string text = fmt::format("GET {} HTTP/1.1\r\nHost: {}:{}\r\nCookie: {}\r\n",
                                 crowd.live ? "/live" : "/1k", crowd.name, crowd.port, cookie);
  if (crowd.live) {
    text += fmt::format(
        "Origin: https://{}:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZW50ZW50ZS1iZW5jaC0wMQ==\r\n",
        crowd.name, crowd.port);
  }
  text += "\r\n";
  if (crowd.h2) text = ask_h2(crowd, cookie);
  SSL_write(crowd.guests[index].tls, text.data(), static_cast<int>(text.size()));
  crowd.guests[index].state = State::asked;
}

void read_frames(Crowd& crowd, Guest& guest) {
  while (guest.in.size() >= 2) {
    const auto kind = static_cast<uint8_t>(guest.in[0]);
    const size_t length = static_cast<uint8_t>(guest.in[1]) & 0x7F;
    if (length > 125 || guest.in.size() < 2 + length) break;
    if (kind == 0x82 && length == 8) {
      uint64_t stamp = 0;
      for (size_t i = 0; i < 8; ++i) stamp = stamp << 8 | static_cast<uint8_t>(guest.in[2 + i]);
      crowd.newest_stamp = std::max(crowd.newest_stamp, stamp);
      ++crowd.frames;
    }
    guest.in.erase(0, 2 + length);
  }
}

void close_guest(Crowd& crowd, Guest& guest, State state) {
  if (guest.state != State::standing) state = State::failed;
  guest.state = state;
  if (state == State::failed) {
    ++crowd.failed;
    if (crowd.complaint.empty()) crowd.complaint = guest.in.substr(0, 60);
  } else {
    ++crowd.closed;
    crowd.last_closed_at = wall_ns();
    if (crowd.first_closed_at == 0) crowd.first_closed_at = crowd.last_closed_at;
  }
  SSL_free(guest.tls);
  ::close(guest.fd);
  guest.tls = nullptr;
}

void heard(Crowd& crowd, Guest& guest, std::string_view bytes) {
  crowd.last_byte_at = wall_ns();
  guest.in += bytes;
  if (guest.state == State::asked && crowd.h2) {
    if (!answered_h2(guest.in)) return;
    guest.state = State::standing;
    ++crowd.standing;
  } else if (guest.state == State::asked) {
    const size_t end = guest.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    if (!guest.in.starts_with(crowd.live ? "HTTP/1.1 101" : "HTTP/1.1 200")) {
      close_guest(crowd, guest, State::failed);
      return;
    }
    if (!crowd.live && guest.in.size() < end + 4 + 1024) return;
    guest.in.erase(0, end + 4);
    guest.state = State::standing;
    ++crowd.standing;
  }
  if (crowd.live) {
    read_frames(crowd, guest);
  } else {
    guest.in.clear();
    guest.in.shrink_to_fit();
  }
}

void serve(Crowd& crowd, size_t index) {
  Guest& guest = crowd.guests[index];
  if (guest.tls == nullptr) return;
  if (guest.state == State::connecting) {
    const int done = SSL_do_handshake(guest.tls);
    if (done != 1) {
      const int why = SSL_get_error(guest.tls, done);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) close_guest(crowd, guest, State::failed);
      return;
    }
    ask(crowd, index);
  }
  std::array<char, 4096> buffer;
  while (guest.tls != nullptr) {
    const int got = SSL_read(guest.tls, buffer.data(), static_cast<int>(buffer.size()));
    if (got > 0) {
      heard(crowd, guest, {buffer.data(), static_cast<size_t>(got)});
      continue;
    }
    const int why = SSL_get_error(guest.tls, got);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) close_guest(crowd, guest, State::closed);
    return;
  }
}

// One turn; false when standard input has ended.
bool turn(Crowd& crowd, bool watch_input) {
  std::array<epoll_event, 512> events{};
  const int count = ::epoll_wait(crowd.epoll, events.data(), static_cast<int>(events.size()), 20);
  for (int i = 0; i < count; ++i) serve(crowd, events[static_cast<size_t>(i)].data.u64);
  if (!watch_input) return true;
  char sink = 0;
  return ::read(STDIN_FILENO, &sink, 1) != 0;
}

void say(const Crowd& crowd, const char* what) {
  std::puts(fmt::format(R"({{"{}":true,"standing":{},"failed":{},"closed":{},"frames":{},"newest_stamp":{},)"
                        R"("last_byte_at":{},"first_closed_at":{},"last_closed_at":{},"complaint":"{}"}})",
                        what, crowd.standing, crowd.failed, crowd.closed, crowd.frames, crowd.newest_stamp,
                        crowd.last_byte_at, crowd.first_closed_at, crowd.last_closed_at,
                        crowd.complaint.substr(0, crowd.complaint.find('\r')))
                .c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "bench_crowd: PORT NAME COUNT COOKIES LIVE are needed\n");
    return 2;
  }
  Crowd crowd;
  crowd.port = static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10));
  crowd.name = argv[2];
  crowd.guests.resize(std::strtoul(argv[3], nullptr, 10));
  std::ifstream lines(argv[4]);
  for (std::string line; std::getline(lines, line);) crowd.cookies.push_back(line);
  if (crowd.cookies.empty()) crowd.cookies.emplace_back("none=1");
  crowd.live = argv[5][0] == '1';
  crowd.h2 = argv[5][0] == '2';
  crowd.context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(crowd.context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_min_proto_version(crowd.context, TLS1_3_VERSION);
  if (crowd.h2) SSL_CTX_set_alpn_protos(crowd.context, reinterpret_cast<const uint8_t*>("\2h2"), 3);
  crowd.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  size_t started = 0;
  while (crowd.standing + crowd.failed < crowd.guests.size()) {
    while (started < crowd.guests.size() && started - crowd.standing - crowd.failed < kUnderWayMax)
      start(crowd, started++);
    turn(crowd, false);
  }
  say(crowd, "ready");
  ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  while (turn(crowd, true)) {
  }
  say(crowd, "done");
  return 0;
}
