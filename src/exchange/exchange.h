// The core: one per node. Events and the time go in, effects come out; in between it keeps every session,
// asks about it again, holds and cuts. No sockets, no clock, no threads: one loop owns it and carries out the
// effects in their order. Gates are flipped at once, before the call returns; the effects only tell of it.
//
// The owner promises: tick() at least each 100 ms and at next_due(); step() while busy(); an answer (durable
// or failed) for each token, in the order the store and the ledger finish; one ordered stream of control
// messages each way per link, at most kLinkMessageBytesMax a message; link_down() before a new link_up().
#pragma once

#include "exchange/connector_roster.h"
#include "exchange/gate.h"
#include "exchange/kept.h"
#include "exchange/link.h"
#include "exchange/rules.h"
#include "exchange/session.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace entente::exchange {

struct Moment {
  Instant now{};
  Tick tick{};
};

// A leaf of the ledger, as a kind and named fields: "admission", "refusal", "ending", "requests", "refusals".
struct Leaf {
  std::string kind{};
  Json::Object fields{};
};

// What to do. Tokens are answered with durable() or failed().
struct SendControl {  // on that link's control stream
  PartnerCode partner{};
  Way way = Way::asking;
  Json message{};
};
struct CommitEffect {  // a store transaction: the ops and, if any, the leaf
  uint64_t token = 0;
  std::vector<coalition::Record> ops{};
  std::optional<Leaf> leaf{};
};
struct AppendEffect {  // only for the ledger
  uint64_t token = 0;
  Leaf leaf{};
  bool narrowing = false;  // may use reserved space
};
struct Opened {  // admitted and durable: the gate is open. `opening` is 0 at the host
  uint64_t opening = 0;
  Pass pass{};
};
struct Refused {  // an opening that came to nothing
  uint64_t opening = 0;
  Ending ending{};
};
struct HeldEffect {  // stop its streams; nothing is reset yet
  SessionId session{};
};
struct ReleasedEffect {
  SessionId session{};
};
struct Ended {  // reset its streams, tell the lobby, forget it
  SessionId session{};
  Side side = Side::local;
  uint64_t opening = 0;
  Ending ending{};
};
struct PassChanged {  // new facts about the person: the pass with the same gate
  Pass pass{};
};
struct FenceNoted {  // `durable` false: fenced, not yet durable
  PartnerCode partner{};
  bool closed = true;
  bool durable = false;
  size_t sessions = 0;
  std::string why{};
};
struct ConnectorDropped {  // the world no longer lists it: disconnect
  ConnectorId connector{};
};
struct Heard {  // what the other node's keeper of requests and grants has to say
  PartnerCode partner{};
  Way way = Way::asking;
  link::Told told{};
  std::optional<Vouched> vouched{};  // whom it is about, when it came with a statement
};
struct Welcomed {  // the partner is reached again: what was not told, or may have changed meanwhile, can be
  PartnerCode partner{};
};
struct Alarm {  // for the operator: "exchange.clock-behind", "exchange.link-gap", ...
  std::string code{};
  std::string what{};
};
using Effect =
    std::variant<SendControl, CommitEffect, AppendEffect, Opened, Refused, HeldEffect, ReleasedEffect, Ended,
                 PassChanged, FenceNoted, ConnectorDropped, Heard, Welcomed, Alarm>;
using Effects = std::vector<Effect>;

// A person at the door wants into an app. `who.partner` must be this node's own nation.
struct Opening {
  uint64_t number = 0;  // the caller's; comes back in Opened or Refused
  coalition::AppRef app{};
  coalition::Person who{};
  coalition::Facts context{};
  std::string purpose{};
  std::string binding{};  // of the browser, opaque
  std::string sign_in{};  // digest of the sign-in's token, base64url
  std::string cookie{};   // likewise of the cookie that the browser will show for this session
};

struct Limits {
  size_t sessions_max = 50'000;
  size_t sessions_per_partner_max = kLinkSessionsMax;
  size_t sessions_per_person_max = 64;
  size_t pending_per_partner_max = 256;  // admissions on their way
  uint32_t asks_per_second = 200;        // of one partner, admitted or not
  uint32_t asks_burst = 400;
  uint32_t openings_per_second = 5;  // of one person at this node's door, admitted or not
  uint32_t openings_burst = 50;
  size_t wave_max = 512;          // sessions asked again in one call
  size_t unrecorded_max = 4'096;  // narrowing leaves kept for a disk that comes back
  Millis asking_max{10'000};      // an admission without an answer
  Millis hello_retry{2'000};
  Millis clock_step{60'000};  // more than this is a step, not a drift
};

// Each rule that keeps somebody out can be switched off, to see that the simulator notices. Nobody else does.
struct Defences {
  bool hold = true;     // what a commit touches is held before it is asked again
  bool recheck = true;  // going live looks at the newest world
  bool lease = true;    // home sessions end with the lease
  bool fence = true;    // a suspension holds before any disk
  bool gaps = true;     // a lost message stops the lease and new admissions
  bool anew = true;     // what a restart brings back is asked again first
  bool vouch = true;    // and a partner's people only once their nation vouched for them anew
};

class Exchange {
 public:
  struct Options {
    Limits limits{};
    Defences defences{};
  };
  using Draw = std::function<std::string()>;  // 128 random bits, base64url

  // `statements` must outlive this.
  Exchange(std::shared_ptr<const Rules> rules, Statements& statements, Draw draw, Options options);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // What an earlier life of this node left, before anything else happens. All of it is held: asked again
  // under this world, which counts whatever was narrowed meanwhile; then nothing passes before the other node
  // has said that it has the session too, and, at a host, vouched anew for its person. With `end`, all of it
  // ends.
  [[nodiscard]] Effects restore(Moment at, std::vector<KeptSession> sessions,
                                const std::optional<Ending>& end = std::nullopt);

  // The ledger did not take the leaf of this start: it is tried again until it does, and requests are counted
  // in no batch before, for the numbers of batches begin with it.
  void begins_unrecorded(Leaf restart);
  [[nodiscard]] bool start_recorded() const;

  // People of this node.
  [[nodiscard]] Effects person_opens(Moment at, Opening opening);
  [[nodiscard]] Effects person_gave_up(Moment at, uint64_t opening);  // closed the tab before the answer
  [[nodiscard]] Effects person_signed_out(Moment at, const PersonId& who, Ending why);
  [[nodiscard]] Effects facts_replaced(Moment at, const PersonId& who, const coalition::Facts& facts);
  [[nodiscard]] Effects session_closed(Moment at, const SessionId& session,
                                       Ending why);  // operator or person

  // Partners.
  [[nodiscard]] Effects link_up(Moment at, const PartnerCode& partner, Way way);
  [[nodiscard]] Effects link_down(Moment at, const PartnerCode& partner, Way way);
  [[nodiscard]] Effects received(Moment at, const PartnerCode& partner, Way way, const Json& message);

  // Told once, if the link lets it. About a person, asking: their newest statement goes with it.
  struct About {
    coalition::AppRef app{};
    coalition::Person who{};
    coalition::Facts context{};
  };
  [[nodiscard]] Effects tell(Moment at, const PartnerCode& partner, Way way, link::Told told,
                             const About* about = nullptr);

  // Store, ledger, world.
  [[nodiscard]] Effects durable(Moment at, uint64_t token);
  [[nodiscard]] Effects failed(Moment at, uint64_t token, const Error& why);
  // `acting`, if any: the same world with what was narrowed and is not durable yet. What it refuses is held
  // at once, before any disk, and let go or cut when a later call no longer says so; nobody gets in against
  // it. Fence first, then commit, then publish; while the disk fails, the fence stays.
  [[nodiscard]] Effects world_published(Moment at, std::shared_ptr<const Rules> rules,
                                        const coalition::Touch& touch,
                                        std::shared_ptr<const Rules> acting = nullptr);

  // Connectors.
  [[nodiscard]] bool connector_up(Moment at, const ConnectorId& connector, std::string thumbprint);
  [[nodiscard]] Effects connector_down(Moment at, const ConnectorId& connector);
  void connector_measured(Moment at, const ConnectorId& connector, std::chrono::microseconds round_trip);
  void connector_failed(const ConnectorId& connector);
  void app_away(const ConnectorId& connector, const AppId& app, Tick at);
  void app_back(const ConnectorId& connector, const AppId& app);

  // Time.
  [[nodiscard]] Effects tick(Moment at);
  [[nodiscard]] Effects step(Moment at);  // goes on asking
  [[nodiscard]] bool busy() const;
  [[nodiscard]] Instant next_due() const;  // kNever when nothing waits for the wall clock
  // Callers who proved nothing were refused: counted, summarised each 10 s.
  void strangers_refused(uint64_t count);
  void partners_over_budget(uint64_t count);  // requests of partners were: in the same summary
  void not_recorded(
      Leaf leaf);  // the disk refused what took access away: it is tried again until it is taken

  // The wall clock was ahead, was put right, and somebody says so: all sessions end, as they would in a
  // restart, and decisions go on from it. Whatever had ended by now() has to be ended before: it would begin
  // again.
  [[nodiscard]] Effects go_on_from(Moment at, const Ending& why);

  // To look.
  [[nodiscard]] Instant now() const;  // the node's clock as decisions see it: never a little backwards
  // How far that is ahead of the wall clock, which was set back; 0 where it goes by it.
  [[nodiscard]] Millis ahead() const;
  [[nodiscard]] const Session* session(const SessionId& id) const;
  [[nodiscard]] std::vector<const Session*> sessions() const;  // oldest first
  // Whether it would go on under those rules at that time, asked as it always is; `session` is of sessions().
  [[nodiscard]] bool goes_on(const Session& session, const Rules& rules, Instant now) const;
  [[nodiscard]] bool link_fresh(const PartnerCode& partner, Way way) const;
  [[nodiscard]] bool fenced(const PartnerCode& partner) const;
  // The partner shuts this nation out, and says so, on a link that is fresh: its words, for people. What it
  // said before is not known to hold.
  [[nodiscard]] std::optional<std::string> told_shut(const PartnerCode& partner) const;
  [[nodiscard]] std::vector<ConnectorRoster::Entry> connectors() const;
  [[nodiscard]] const ConnectorRoster& roster() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace entente::exchange
