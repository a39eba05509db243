// The inside of the core: what it remembers and the steps its events are made of.
#pragma once

#include "base/budget.h"
#include "exchange/exchange.h"
#include "exchange/lease.h"
#include "exchange/session_table.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace entente::exchange {

// Who waits for a token.
struct Waiting {
  enum class For {
    admission,    // serial: then it goes live
    ask,          // serial, statement: then it is sent
    facts,        // serial, statement: then they are sent; failed: the session ends
    heard,        // said, partner: facts a partner replaced, durable before they count
    telling,      // statement, told: then it is sent
    reset,        // statement: then it is sent; failed: the host asks again
    remembering,  // a statement gate's state without more to do
    leaf,         // leaf: kept and tried again when it fails
    restart,      // leaf, likewise: then batches are numbered
  };
  For what = For::remembering;
  uint64_t serial = 0;
  PartnerCode partner{};
  std::string statement{};
  uint64_t number = 0;  // of the statement
  Leaf leaf{};
  link::Told told{};
  RequestId grant{};  // admission: whose count it raises
  std::optional<Vouched> said{};
};

// A grant's admissions that are on their way to the disk.
struct Uses {
  int64_t highest = 0;  // count that any of them writes
  size_t pending = 0;
};

// Messages about all sessions of a link cost as much as there are sessions: so many at once, so many a
// second.
inline constexpr uint32_t kListsBurst = 32, kListsPerSecond = 8;

// Why one of two nations shuts the other out.
struct Shut {
  bool isolated = false;  // they are kept apart; else it is a suspension
  std::string reason{};   // in its author's words: for people, never looked into
  bool operator==(const Shut&) const = default;
};

struct AskingEnd {  // our people, their apps
  bool up = false;
  bool welcomed = false;
  Numbering numbering{};
  Lease lease{};
  Tick hello_sent{};
  Tick pulse_sent{};
  uint64_t statements_durable = 0;  // the highest number that may leave
  bool statements_known = false;    // false until the first is issued: then all older ones are durable
  Tick resent{};
  Budget lists{kListsBurst, kListsPerSecond};
  bool resetting = false;                              // a reset is on its way to the disk
  std::map<std::string, uint64_t> requests{};          // to the session that waits for its answer
  std::unordered_map<SessionId, uint64_t> sessions{};  // by the host's id
  Budget told{400, 50};                                // words about requests: each may cost a disk write
  std::set<uint64_t> returning{};                      // of an earlier life, until the host has said so
  std::set<uint64_t> to_vouch{};  // whom the host wants vouched for anew after its restart
  Budget vouched{100, 100};       // a full link within kVouchMax; half of what a host takes of a partner
  std::shared_ptr<Fence> fence = std::make_shared<Fence>();
  std::optional<Shut> shut_by_host{};  // as the host said last
};

struct ServingEnd {  // their people, our apps
  bool up = false;
  bool greeted = false;
  Numbering numbering{};
  Tick heard{};
  Tick resync_sent{};
  bool statements_missing = false;
  uint64_t statements_due = 0;  // by the newest hello
  Tick resend_sent{};
  Budget budget;
  Budget lists{kListsBurst, kListsPerSecond};
  std::set<uint64_t> returning{};  // of an earlier life, until their nation has vouched for them anew
  std::shared_ptr<Fence> fence = std::make_shared<Fence>();
};

enum class FenceState { open, unconfirmed, confirmed };

struct Peer {
  PartnerCode code;
  AskingEnd asking{};
  ServingEnd serving;
  FenceState fence = FenceState::open;
  Shut shut{};  // while the fence is not open
};

class Exchange::Core {
 public:
  Core(std::shared_ptr<const Rules> rules, Statements& statements, Draw draw, Options options);

  // Every event begins with the time and ends with what there is to do.
  void begin(Moment at);
  [[nodiscard]] Effects finish();

  // exchange_restart.cpp
  void restore(KeptSession kept, const std::optional<Ending>& end);
  void returned(Session& s);  // the other node has it, too
  void vouch_for(Peer& host, const std::vector<SessionId>& sessions);
  void tick_returns(Peer& peer);
  // exchange_admission.cpp
  void open(Opening opening);
  void give_up(uint64_t opening);
  void start_asking(Session& s);
  [[nodiscard]] static Ending not_vouched(const Error& why);
  void send_ask(Session& s, const std::string& statement, uint64_t number);
  void admit(Peer& peer, const link::AskAdmission& ask);
  void answered(Peer& peer, const link::Answer& answer);
  void record_admission(Session& s, std::vector<coalition::Record> ops);
  void used(const RequestId& grant);
  [[nodiscard]] std::optional<Ending> use_grant(Session& s, const RequestId& id,
                                                std::vector<coalition::Record>& ops);
  void go_live(Session& s);
  [[nodiscard]] std::optional<Ending> why_not_live(Session& s);

  // exchange_world.cpp
  void published(std::shared_ptr<const Rules> rules, std::shared_ptr<const Rules> acting,
                 const coalition::Touch& touch);
  void drop_connectors();
  void signed_out(const PersonId& who, const Ending& why);
  void new_facts(const PersonId& who, const coalition::Facts& facts);
  void renew_pass(Session& s);           // what loops keep of it is out of date
  [[nodiscard]] bool judge(Session& s);  // asks; true: still permitted
  // What is decided and not durable yet refuses it: the refusal. Otherwise `until` is brought down to where
  // that may change.
  [[nodiscard]] std::optional<coalition::Verdict> narrowed(const Session& s, Instant& until) const;
  void queue(Session& s, bool hold);
  void wave();
  void hold(Session& s, uint32_t cause);
  void unhold(Session& s, uint32_t cause);
  // `s` is gone afterwards. `tell`: the other node does not know it yet.
  void end(Session& s, Ending ending, bool tell = true);

  // exchange_link.cpp
  void link_up(const PartnerCode& partner, Way way);
  void link_down(const PartnerCode& partner, Way way);
  void received(const PartnerCode& partner, Way way, const Json& json);
  void to_host(Peer& peer, link::Message message);
  void to_home(Peer& peer, link::Message message);
  void tell_holds();
  void tick_links();
  void push_statement(Session& s);
  void tell(Peer& peer, Way way, link::Told told, const About* about);
  void told_by_home(Peer& home, const link::Told& told);
  void statement_issued(AskingEnd& end_of_link, const Issued& issued);
  [[nodiscard]] bool fresh(const AskingEnd& end) const;
  [[nodiscard]] bool lease_runs(const AskingEnd& end) const;

  // exchange_record.cpp
  uint64_t append(Leaf leaf, Waiting waiting);
  uint64_t commit(std::vector<coalition::Record> ops, std::optional<Leaf> leaf, Waiting waiting);
  void append_kept(Leaf leaf);  // tried again until the ledger takes it
  void try_again(Leaf leaf);
  void durable(uint64_t token);
  void failed(uint64_t token, const Error& why);
  void tick_records();
  [[nodiscard]] Leaf session_leaf(std::string kind, const Session& s) const;

  // exchange.cpp
  void tick();
  void alarm(std::string code, std::string what);
  [[nodiscard]] Peer& peer(const PartnerCode& code);
  [[nodiscard]] Peer* known_peer(const PartnerCode& code);
  [[nodiscard]] Ending app_down(std::string what) const;
  [[nodiscard]] Ending fence_ending(const Peer& peer) const;
  // `by` has shut `other` out, in words for people. A node can do that to its partners alone.
  [[nodiscard]] Ending shut_ending(const PartnerCode& by, const PartnerCode& other, const Shut& why) const;

  std::shared_ptr<const Rules> rules_;   // of what is durable
  std::shared_ptr<const Rules> acting_;  // with what narrows and is not durable yet; otherwise rules_
  Statements& statements_;
  Draw draw_;
  Limits limits_;
  Defences defences_;
  Instant now_{};        // as decisions see it: never back
  Tick now_tick_{};      // when it was that
  Instant wall_{};       // as the clock said last
  bool behind_ = false;  // the wall clock is, by more than a little
  Tick tick_{};
  bool started_ = false;
  Effects effects_;
  SessionTable table_;
  ConnectorRoster roster_;
  std::map<PartnerCode, Peer> peers_;
  std::shared_ptr<Fence> no_fence_ = std::make_shared<Fence>();  // of local sessions
  std::set<uint64_t> pending_;                                   // serials not yet live
  std::deque<uint64_t> queue_;                                   // serials to ask again
  std::set<uint64_t> to_tell_;                                   // host sessions whose holds changed
  std::set<uint64_t> narrowed_;                                  // serials held by kHeldByNarrowing
  std::unordered_map<uint64_t, Waiting> waiting_;
  uint64_t last_token_ = 0;
  std::deque<Leaf> unrecorded_;
  uint64_t unrecorded_lost_ = 0;
  uint64_t last_batch_ = 0;
  bool start_recorded_ = true;   // the numbers of batches begin with the leaf of the start, never before it
  std::optional<Leaf> restart_;  // that leaf, when the ledger has refused it
  std::map<RequestId, Uses> uses_;
  static constexpr size_t kOpenersMax = 50'000;  // whose openings are counted at once
  Budgets<PersonId> openings_{Budget(limits_.openings_burst, limits_.openings_per_second), kOpenersMax,
                              Budgets<PersonId>::Crowded::forget};  // of own people who opened lately
  uint64_t strangers_ = 0;
  uint64_t uncounted_refusals_ = 0;  // of partners beyond their budget
  Tick not_recorded_at_{};
  Tick batch_at_{};
  Tick summary_at_{};

 private:
  void step_clock(Millis by);
  void go_on_from_wall(const Ending& why);
  // exchange_link.cpp
  void from_home(Peer& peer, const link::Envelope& envelope);
  void from_host(Peer& peer, const link::Envelope& envelope);
  void hello(Peer& peer, const link::Envelope& envelope);
  void say_hello(Peer& peer);
  void say_pulse(Peer& peer);
  void welcomed(Peer& peer, const link::Welcome& welcome);
  void beaten(Peer& peer, const link::Beat& beat);
  void partner_notice(Peer& peer, const link::PartnerNotice& notice);
  void notify_standing(Peer& peer);
  void resend_statements(Peer& peer, uint64_t from);
  void ask_anew(Peer& peer);
  void reset_statements(Peer& peer, uint64_t from);
  void take_reset(Peer& peer, std::optional<coalition::Record> remember);
  void take_statements(Peer& peer, const std::vector<std::string>& statements);
  [[nodiscard]] bool take_facts(Peer& peer, const std::string& statement);
  void replace_facts(const PartnerCode& home, const Vouched& said);
  void not_replaced(const PartnerCode& home, const Vouched& said);
  [[nodiscard]] std::vector<Session*> spoken_of(const PartnerCode& home, const Vouched& said);
  void ask_for_statements(Peer& peer);
  void statements_lack(Peer& peer);
  void statement_taken(Peer& peer);
  void tick_asking(Peer& peer);
  void tick_serving(Peer& peer);
  [[nodiscard]] Session* home_session(const PartnerCode& host, const SessionId& at_host);
  [[nodiscard]] Session* host_session(const PartnerCode& home, const SessionId& id);
  // exchange_admission.cpp
  void refuse_ask(Peer& peer, const std::string& request, const Ending& ending);
  [[nodiscard]] std::optional<Ending> no_room(const Session& s) const;
  // exchange_world.cpp
  [[nodiscard]] coalition::Verdict ask(const Session& s) const;  // of both worlds, for who is not inside yet
  [[nodiscard]] coalition::Verdict ask_of_world(const Session& s, const Rules& rules) const {
    return ask_of_world(s, rules, now_);
  }
  [[nodiscard]] coalition::Verdict ask_of_world(const Session& s, const Rules& rules, Instant now) const;
  [[nodiscard]] FenceState fence_wanted(const PartnerCode& partner, Shut& why) const;
  void standings_changed();
  void close_fence(Peer& peer, FenceState state, Shut why);
  void open_fence(Peer& peer);
  // exchange_record.cpp
  void flush_requests();

  friend class Exchange;
};

}  // namespace entente::exchange
