// What of sessions and sign-ins outlives a process. Nothing is written for it: an admission, an ending, a
// sign-in and a sign-out are in the ledger before they count, and a session that was admitted and has not
// ended lives. Of cookies the ledger holds digests alone. Pure.
//
// What comes back is asked again from the beginning: see Exchange::restore().
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "coalition/ask.h"
#include "exchange/session.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace entente::exchange {

inline constexpr Seconds kSignInMost{12 * 3600};  // whatever the facts say; no session outlives its sign-in
inline constexpr Seconds kAppCookieLife{12 * 3600};  // likewise
inline constexpr size_t kKeptSessionsMax = 50'000;   // also of sign-ins, and of cookies
inline constexpr size_t kLeavesReadMax = 500'000;
inline constexpr size_t kOlderReadMax = 256;  // a start with a clock far behind leaves some among newer ones
inline constexpr std::string_view kRestartLeaf = "restart";       // kept: "yes", or "no" and why
inline constexpr std::string_view kClockLeaf = "clock.accepted";  // it was put right: all that stood ended

struct KeptSession {
  SessionId id{};
  Side side = Side::local;
  PartnerCode partner{};
  coalition::AppRef app{};
  coalition::Person who{};  // with the facts it was last asked with
  coalition::Facts context{};
  std::string purpose{};
  std::string sign_in{};  // home and local: digest of the sign-in's token, base64url
  std::string request{};
  SessionId at_host{};
  ConnectorId connector{};
  RequestId entered_by{};
  VerdictId verdict{};
  uint64_t requests = 0;  // recorded so far
  Instant admitted{};
};
struct KeptSignIn {
  std::string token{};  // its digest, base64url
  coalition::Person who{};
  Instant at{};
  Instant end{};
};
struct KeptCookie {  // of an app's name
  std::string token{};
  coalition::AppRef app{};
  SessionId session{};
  Instant end{};
};
struct Kept {  // oldest first
  std::vector<KeptSession> sessions{};
  std::vector<KeptSignIn> sign_ins{};
  std::vector<KeptCookie> cookies{};
  // The last of each by the time that decisions went by, also from before what let nothing go on; it may be
  // to come, where this machine's clock was set back since.
  std::map<PersonId, Instant> sign_outs{};
  Instant sign_outs_known_from{};  // what was before it was not read
};

// Reads leaves newest first. An ending counts wherever it stands: of an admission that was broken off on its
// way to the disk it may stand before the admission.
class Recollection {
 public:
  Recollection(PartnerCode self, Instant now) : self_(std::move(self)), oldest_(now - kSignInMost) {}
  // Whether that leaf says anything here: what is no such kind need not be read.
  [[nodiscard]] static bool reads(std::string_view kind);
  // False: what is older tells nothing more.
  [[nodiscard]] bool take(std::string_view kind, Instant at, const Json& fields);
  // A start that let nothing go on was read: what is older tells of sign-outs alone.
  [[nodiscard]] bool nothing_older() const { return nothing_older_; }
  [[nodiscard]] Kept kept() &&;

 private:
  void admission(Instant at, const Json& fields);
  void asked(const Json& fields);
  void counted(const Json& fields);
  void signed_in(Instant at, const Json& fields);
  void signed_out(Instant at, const Json& fields);
  [[nodiscard]] bool read_to(Instant at);
  void entered(Instant at, const Json& fields);

  PartnerCode self_;
  Instant oldest_;
  size_t read_ = 0, older_ = 0;
  bool nothing_older_ = false;
  Kept kept_;
  std::set<SessionId> ended_;
  std::set<SessionId> taken_;
  std::set<std::string> tokens_gone_;  // of sign-ins
  std::map<SessionId, uint64_t> requests_;
  struct Asked {
    coalition::Facts who;
    coalition::Facts context;
  };
  std::map<SessionId, Asked> asked_;  // with what, after the admission
};

}  // namespace entente::exchange
