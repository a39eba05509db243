// The messages two nodes exchange about sessions, and how one end of a link numbers them. The format is
// docs/wire-formats/link.md. A link has a way: the asking end is the home of the people on it, the serving
// end the host of the apps. No sockets: JSON in, JSON out.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "exchange/session.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace entente::exchange {

inline constexpr int64_t kLinkVersion = 1;
inline constexpr size_t kLinkSessionsMax = 8'192;  // named in one message
inline constexpr size_t kLinkStatementBytesMax = 16 << 10;
inline constexpr size_t kLinkStatementsMax = 64;  // in one message
inline constexpr size_t kLinkTextBytesMax = 1'024;
inline constexpr size_t kLinkToldBytesMax = 8 << 10;  // of a body as text
inline constexpr size_t kLinkMessageBytesMax = 1 << 20;

enum class Way {
  asking,   // our people, their apps
  serving,  // their people, our apps
};
[[nodiscard]] std::string_view way_name(Way way);

namespace link {

// From home to host.
struct Hello {  // the first of each epoch: all sessions the home still has; the host ends the others
  std::vector<SessionId> sessions{};
  uint64_t statements = 0;  // number of the newest for this host, 0 for none: it asks for what it misses
  bool operator==(const Hello&) const = default;
};
struct Pulse {     // each second: asks for a beat
  int64_t at = 0;  // the home's own monotonic milliseconds, opaque to the host
  bool operator==(const Pulse&) const = default;
};
struct AskAdmission {
  std::string request{};
  std::string statement{};  // JWS
  bool operator==(const AskAdmission&) const = default;
};
struct EndSession {  // the home ended it; doubled or unknown: nothing happens
  SessionId session{};
  bool operator==(const EndSession&) const = default;
};
struct ReplaceFacts {
  std::string statement{};
  bool operator==(const ReplaceFacts&) const = default;
};
struct ResentStatements {
  std::vector<std::string> statements{};
  bool operator==(const ResentStatements&) const = default;
};

// From host to home.
struct Welcome {  // answers a hello: all sessions the host still has; the home ends the others
  std::vector<SessionId> sessions{};
  std::vector<SessionId> held{};   // of these
  std::vector<SessionId> vouch{};  // of these: for whose people the host, restarted, wants new statements
  bool operator==(const Welcome&) const = default;
};
struct Beat {
  int64_t echo = 0;  // of the pulse
  Instant now{};
  Revision revision{};
  bool operator==(const Beat&) const = default;
};
struct Answer {
  std::string request{};
  SessionId session{};  // empty: refused, and `ending` says why
  Instant valid_until{};
  Ending ending{};
  bool operator==(const Answer&) const = default;
};
struct HeldNotice {
  std::vector<SessionId> sessions{};
  bool operator==(const HeldNotice&) const = default;
};
struct ReleasedNotice {
  std::vector<SessionId> sessions{};
  bool operator==(const ReleasedNotice&) const = default;
};
struct CutNotice {
  SessionId session{};
  Ending ending{};
  bool operator==(const CutNotice&) const = default;
};
enum class PartnerNoticeState { active, fenced, suspended };
struct PartnerNotice {  // how the host stands to the home; other than active holds or ends all at once
  PartnerNoticeState state = PartnerNoticeState::active;
  std::string reason{};
  bool isolated = false;  // the two nations are kept apart; else, where it is not active, a suspension
  bool operator==(const PartnerNotice&) const = default;
};
struct ResendStatements {  // the host misses statements from this number on
  uint64_t from = 0;
  bool operator==(const ResendStatements&) const = default;
};
// Either way, between what keeps requests and grants on both sides; docs/wire-formats/link.md has the topics.
// May be lost: it is told again until the other side answers.
struct Told {
  std::string topic{};
  RequestId id{};
  Json body{};
  std::string statement{};  // from home, where it is about a person; otherwise empty
  bool operator==(const Told&) const = default;
};
struct Resync {  // the host misses messages: the home begins a new epoch
  bool operator==(const Resync&) const = default;
};

using Message = std::variant<Hello, Pulse, AskAdmission, EndSession, ReplaceFacts, ResentStatements, Welcome,
                             Beat, Answer, HeldNotice, ReleasedNotice, CutNotice, PartnerNotice,
                             ResendStatements, Resync, Told>;

struct Envelope {
  uint64_t epoch = 0;   // grows with each hello of a connection; the home chooses it
  uint64_t number = 0;  // from 1 in each epoch and direction, without gaps
  Message message{};
  bool operator==(const Envelope&) const = default;
};

[[nodiscard]] Json to_json(const Envelope& envelope);
// Errors: "link.version", "link.kind", "field.*" with the member's place.
[[nodiscard]] Result<Envelope> from_json(const Json& json);
[[nodiscard]] std::string_view kind_of(const Message& message);
// Takes access away, or nothing: acted on whatever may have been lost before it.
[[nodiscard]] bool narrows(const Message& message);
// About all sessions of the link, and as dear as they are many.
[[nodiscard]] bool is_of_all(const Message& message);

}  // namespace link

// One end's numbering. A number that is not the next one means that something was lost or comes twice.
class Numbering {
 public:
  enum class Arrival { next, doubled, gap, other_epoch };

  void begin(uint64_t epoch) {
    *this = Numbering{};
    epoch_ = epoch;
  }
  [[nodiscard]] link::Envelope stamp(link::Message message) { return {epoch_, ++sent_, std::move(message)}; }
  [[nodiscard]] Arrival arrived(const link::Envelope& envelope);
  [[nodiscard]] uint64_t epoch() const { return epoch_; }
  [[nodiscard]] bool missed() const { return missed_; }  // stays until the next epoch

 private:
  uint64_t epoch_ = 0;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  bool missed_ = false;
};

}  // namespace entente::exchange
