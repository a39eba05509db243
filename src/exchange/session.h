// A session: a person admitted to one app, asked about again for as long as it lives. Both sides of a link
// keep one: the home's ends at the person's browser, the host's at the app's connector.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "coalition/verdict.h"
#include "exchange/gate.h"
#include "exchange/pass_memo.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::exchange {

enum class Side {
  local,  // our person, our app
  home,   // our person, a partner's app
  host,   // a partner's person, our app
};
[[nodiscard]] std::string_view side_name(Side side);

enum class Stage {
  asking,     // home only: permitted here, the host has not answered yet
  recording,  // permitted by all; its admission is on the way to the disk
  live,       // the gate is open unless something holds it
};
[[nodiscard]] std::string_view stage_name(Stage stage);

// Why a live session's gate is not open: all of them must go before it opens.
enum Holds : uint32_t {
  kHeldForAsk = 1,          // the world, the time or the facts moved on; asked again next
  kHeldByPeer = 2,          // home only: the host says it holds the session
  kHeldByFence = 4,         // the partner is fenced
  kHeldByNarrowing = 8,     // a change that is not durable yet would end it
  kHeldForFacts = 32,       // host: new facts about the person are on the way to the disk
  kHeldForStatements = 64,  // host: something its home said is missing, and may have narrowed
  kHeldForReturn = 16,      // from before a restart: the other node has not said anew that it has it too
};

// Why somebody is not, or no longer, inside: for the person, the lobby and the ledger.
struct Ending {
  coalition::Refusal which = coalition::Refusal::denied;
  std::string what{};      // what happened, in a sentence
  std::string change{};    // what would change it; may be empty
  std::string who{};       // who decides: "Aldoria (XAA)"; may be empty
  VerdictId verdict{};     // to ask about with `entente why`
  std::string policies{};  // ids of what determined it, for the ledger only: never sent to a partner
  std::optional<coalition::GrantTerms> terms{};  // denied: a grant on these terms would open it
  bool by_partner = false;                       // their word, for this node to weigh; never sent on
  bool operator==(const Ending&) const = default;
};
[[nodiscard]] Ending ending_of(const coalition::Verdict& verdict);
[[nodiscard]] Ending said_by_partner(Ending ending);
[[nodiscard]] Ending app_down(std::string what, std::string change = "Try again in a minute.");
// The heading of the page a person sees: one for each of the four things.
[[nodiscard]] std::string_view ending_title(coalition::Refusal which);
[[nodiscard]] Json ending_json(const Ending& ending);

struct Session {
  uint64_t serial = 0;  // in order of opening; never used twice in a process
  SessionId id{};       // this node's
  Side side = Side::local;
  Stage stage = Stage::asking;
  uint32_t holds = 0;     // of Holds
  PartnerCode partner{};  // the other node; this node's own code when local
  coalition::AppRef app{};
  coalition::Person who{};
  coalition::Facts context{};
  std::string purpose{};
  std::string binding{};         // home and local: of the browser it belongs to, opaque
  std::string sign_in{};         // home and local: digests of the sign-in's token and of the app's first
  std::string cookie{};          // cookie, for the ledger
  uint64_t opening = 0;          // home and local: the caller's number for the opening
  std::string request{};         // the admission ask on the link it came about by
  uint64_t asked_with = 0;       // home, asking: number of the statement whose answer counts; 0: none so far
  SessionId at_host{};           // home: the host's id for it
  ConnectorId connector{};       // host and local: the one that serves it now
  RequestId entered_by{};        // host and local: the grant its admission was counted on
  coalition::Verdict verdict{};  // the newest
  std::shared_ptr<Gate> gate{};
  Instant opened{};
  Instant counted_from{};  // what the wall clock said at `opened_tick`: later than `opened` after a restart
  Tick opened_tick{};
  Instant due{};              // when the node's clock reaches this it is asked again
  bool recorded = false;      // its admission is durable
  bool must_ask = false;      // what it was permitted under is gone: ask before it goes live
  bool queued = false;        // waits to be asked again
  bool told_held = false;     // host: what the home was last told
  uint32_t facts_coming = 0;  // host: statements about it that are on the way to the disk
  uint64_t requests_recorded = 0;
  bool came_back = false;  // after a restart, and no batch has said yet that some before it may be missing

  [[nodiscard]] bool open() const { return stage == Stage::live && holds == 0; }
};

// What loops need of a session, to keep: nothing in it changes, but for the gate and the memo.
struct Pass {
  SessionId id{};
  Side side = Side::local;
  PartnerCode partner{};
  coalition::AppRef app{};
  SessionId at_host{};  // home: goes into `entente-session` on the link
  coalition::Person who{};
  coalition::Facts context{};
  std::vector<coalition::Obligation> obligations{};
  std::string purpose{};
  std::string binding{};
  ConnectorId connector{};  // host and local: the one it was admitted with
  RequestId entered_by{};
  std::shared_ptr<Gate> gate{};
  uint64_t edition = 0;              // the gate's, when this pass was made
  std::shared_ptr<PassMemo> memo{};  // this pass's own; never null but in tests
};
[[nodiscard]] Pass pass_of(const Session& session);
// For a request inside the session: set `http`, then decide.
[[nodiscard]] coalition::Ask ask_of(const Pass& pass, VerdictId id, Instant now);

}  // namespace entente::exchange
