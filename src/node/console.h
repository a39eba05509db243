// The operators' console at the door: its pages, the API and the ledger's public files on a name of their
// own, for a signed-in person whom a record names as operator of this node and whom decide() lets look at it.
// To everybody else the name is like any that is nobody's: handle() then answers nothing, and the door goes
// on as for those. Asked again for each request. Control loop.
#pragma once

#include "base/budget.h"
#include "exchange/browsers.h"
#include "exchange/event_stream.h"
#include "exchange/host_names.h"
#include "net/http1_parser.h"
#include "net/http_server.h"
#include "node/api.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace entente::node {

// The built files of web/console by path ("/", "/console.js"), read once. None where `folder` is empty; where
// it cannot be read that is logged, and there is no console: no page keeps a node from starting.
struct ConsoleFile {
  std::string_view type;
  std::string text;
};
using ConsoleFiles = std::map<std::string, ConsoleFile, std::less<>>;
inline constexpr size_t kConsoleFilesMax = 16;
inline constexpr size_t kConsoleFileBytesMax = 4 << 20;
[[nodiscard]] ConsoleFiles read_console_files(const std::filesystem::path& folder);

// "checkpoint", or "tile/<L>/<N>[.p/<W>]" as C2SP tlog-tiles writes it, and nothing else.
[[nodiscard]] bool is_ledger_file(std::string_view path);

// What stands at the top of each page: this nation's own words for the highest of its apps, or the bare level
// where a partner offers something higher. Empty where there is no app.
[[nodiscard]] std::string marking_of(const coalition::World& world);

class Console {
 public:
  struct Parts {
    Api& api;
    Records& records;
    exchange::Switchboard& switchboard;
    exchange::AccessDesk& access;
    exchange::Browsers& browsers;
    const Clock& clock;            // of decisions
    const Clock& wall;             // which the lobby's codes go by
    std::filesystem::path ledger;  // the folder of its public files
  };
  Console(Parts parts, exchange::HostNames names, ConsoleFiles files);

  // Whether this person, as they signed in, gets in.
  [[nodiscard]] bool opens(const coalition::Person& person) const { return operator_of(person).has_value(); }
  // False: nothing was answered.
  [[nodiscard]] net::Task<bool> handle(net::HttpCall& call, net::NormalTarget target);

  static constexpr uint32_t kBurst = 400;  // requests of one person
  static constexpr uint32_t kPerSecond = 40;
  static constexpr size_t kPeopleMax = 1024;             // operators are few
  static constexpr size_t kTileBytesMax = 256 * 65'537;  // 256 entries, each behind its length

 private:
  struct Operator {
    Caller by;
    std::string display;
    coalition::Verdict verdict;
  };
  struct Admitted {
    Operator who;
    PersonId person;
    std::string token;
    Instant end;
  };
  [[nodiscard]] std::optional<Operator> operator_of(const coalition::Person& person) const;
  [[nodiscard]] std::optional<Admitted> admitted(const net::Headers& headers) const;
  [[nodiscard]] bool comes_from_own_page(const net::RequestHead& head) const;
  net::Task<bool> enter(net::HttpCall& call, std::string query);
  net::Task<void> show(net::HttpCall& call, net::NormalTarget target, Admitted who);
  net::Task<void> change(net::HttpCall& call, std::string target, Admitted who);
  net::Task<void> send_file(net::HttpCall& call, std::string_view type, std::string text);
  net::Task<void> send_ledger_file(net::HttpCall& call, std::string path);
  net::Task<void> send_events(net::HttpCall& call, PersonId person);
  [[nodiscard]] Json hello(const Admitted& who) const;
  [[nodiscard]] uint64_t state_now();  // differs when what a page shows may
  [[nodiscard]] uint64_t look() const;

  Parts parts_;
  exchange::HostNames names_;
  ConsoleFiles files_;
  exchange::EventStream::Listening listening_;
  Tick looked_{};
  uint64_t state_ = 0;
  Budgets<PersonId> budgets_{Budget(kBurst, kPerSecond), kPeopleMax, Budgets<PersonId>::Crowded::refuse};
};

}  // namespace entente::node
