// How a change becomes the next world: one store transaction with its leaf, then the ledger, then the world
// is published, then the caller hears yes. What narrows acts before any of that, and while the disk fails
// it goes on acting and is tried again: fenced, not yet durable. Everything here is called on the control
// loop, and answers there.
#pragma once

#include "coalition/world.h"
#include "ledger/ledger.h"
#include "ledger/verify.h"
#include "net/loop.h"
#include "node/config.h"
#include "node/keys.h"
#include "store/store.h"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace entente::node {

inline constexpr std::string_view kUndoneLeaf = "change.undone";  // names the revision that it takes back

struct Change {
  std::vector<coalition::Record> records;
  std::vector<store::Precondition> preconditions;
  std::vector<ledger::Record> leaves;
  std::string author;
  bool narrowing = false;  // acts first, whatever the disk says, and may use reserved space
};

// What there is to say when a change has been dealt with. A narrowing one that the disk did not take has
// acted all the same, and `why` says what the disk said.
struct Outcome {
  Revision revision;
  bool durable = true;
  size_t held = 0;  // narrowing: sessions that were held at once, and how long that took
  std::chrono::microseconds held_us{0};
  Error why{};
};

class Records {
 public:
  // Opens store and ledger of a node that has been founded; brings the ledger up to the store; refuses the
  // first record that is not what was signed, or not in the ledger.
  // `ledger_disk`: the real one, but in tests. `seen`: each entry of the ledger as it was found right, which
  // counts for nothing where this fails.
  [[nodiscard]] static Result<std::unique_ptr<Records>> open(const NodeConfig& config, const Keys& keys,
                                                             net::Loop& control,
                                                             ledger::Disk* ledger_disk = nullptr,
                                                             ledger::Seen seen = {});
  // Makes the store of a new node from its signed genesis and opens its ledger once, so that the first leaf
  // is there.
  [[nodiscard]] static Result<void> found(const NodeConfig& config, const Keys& keys,
                                          std::string_view genesis_jws, Instant now);
  ~Records();

  using Done = std::function<void(Result<Outcome>)>;
  // Refused without a trace when the next world would not be right ("coalition.*") or a precondition fails.
  // What the ledger refuses is taken out of the store again, by a commit of its own, before anything else is
  // written and before it is answered: then it has failed for good. Where the store does not take that either
  // the answer is "node.not-taken-back": nothing of it acts, and it is tried again; only a node killed before
  // finds it at its next start, and acts by it. A narrowing change is fenced before
  // this returns and never fails for the disk's sake: it is tried again until it is durable or another change
  // of the same records is. `done` is called on a later turn of the control loop, never from inside.
  void commit(Change change, Done done);
  // That the record is still what this world shows when the change comes to be written.
  [[nodiscard]] Result<store::Precondition> as_seen(std::string_view key) const;
  using Appended = std::function<void(Result<ledger::Appended>)>;
  void append(std::vector<ledger::Record> records, bool narrowing, Appended done);

  // What counts now: all that is durable, and what was narrowed and is not durable yet.
  [[nodiscard]] const coalition::World& world() const { return acting_; }
  [[nodiscard]] const coalition::World& durable_world() const { return world_; }
  // Called with each next world, in order, before the commit that made it is answered, and with each fence:
  // then only `acting` is new. Answers how many sessions are held that were not before.
  using Published = std::function<size_t(const coalition::World& durable, const coalition::World& acting,
                                         const coalition::Touch&)>;
  void on_published(Published published) { published_ = std::move(published); }

  // How many records act as they were narrowed and are not durable so.
  [[nodiscard]] size_t owed() const { return fenced_.size() + (owing_ || undoing_ ? 1 : 0); }
  // What the ledger's counts of requests lacked at the start ("ledger.requests"): said, and no reason to be
  // down.
  [[nodiscard]] const std::optional<Error>& miscounted() const { return miscounted_; }
  [[nodiscard]] ledger::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] store::Store& store() { return *store_; }

 private:
  struct Pending {
    Change change;
    Done done;
    uint64_t number = 0;  // in the order of decisions
    size_t held = 0;
    std::chrono::microseconds held_us{0};
    bool again = false;                            // answered already: fenced, not yet durable
    std::optional<coalition::World::Next> next{};  // what it was judged by: the world after it, and it alone
    std::vector<coalition::Record> before{};       // its records, as the store had them
  };
  struct Undoing {  // in the store, refused by the ledger, not yet taken back
    Revision revision;
    std::vector<coalition::Record> back;  // its records as they were
    coalition::World restored;            // all of the store after that
    Error why;
    std::shared_ptr<Pending> pending;  // until it is answered
  };
  struct Fenced {  // a record as a narrowing change made it, before that is durable
    uint64_t number = 0;
    std::optional<Json> value;
    coalition::Touch touch;
  };
  struct Written {  // in the store, not yet in the world
    Revision revision;
    std::vector<coalition::Record> records;
    uint64_t number = 0;
    std::optional<coalition::World::Next> next{};  // the world after it, where nothing came between
  };

  Records(net::Loop& control, std::unique_ptr<store::Store> store, std::unique_ptr<ledger::Ledger> ledger,
          coalition::World world);
  void start_next();
  void fence(Pending& pending);
  void overtake(const Pending& narrowing);
  void lift(const std::vector<coalition::Record>& records, uint64_t number, coalition::Touch& touch);
  void refused(const std::shared_ptr<Pending>& pending, const Error& why);
  void not_durable(const std::shared_ptr<Pending>& pending, const Error& why);
  void try_again();
  [[nodiscard]] bool counts(const Pending& pending) const;
  void act();
  size_t tell(const coalition::Touch& touch);
  void written(std::shared_ptr<Pending> pending, Result<store::Committed> committed);
  void recorded(std::shared_ptr<Pending> pending, Result<store::Committed> committed,
                Result<ledger::Appended> appended);
  void undo(const std::shared_ptr<Pending>& pending, Revision revision, const Error& why);
  void take_back();
  void taken_back(const Result<store::Committed>& committed);
  Result<void> pay(ledger::Space space);
  Result<void> publish(Revision up_to);
  void answer(const std::shared_ptr<Pending>& pending, Result<Outcome> outcome);

  net::Loop& control_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ledger::Ledger> ledger_;
  coalition::World world_;                // durable, and in the ledger unless it narrows
  coalition::World stored_;               // all that the store holds, also what the ledger has not taken
  coalition::World acting_;               // world_ with fenced_
  std::map<std::string, Fenced> fenced_;  // by key
  std::vector<std::shared_ptr<Pending>> owed_;  // narrowing changes the store has not taken
  net::Timer again_;
  uint64_t last_number_ = 0;
  Published published_;
  std::deque<std::shared_ptr<Pending>> waiting_;
  std::deque<Written> unpublished_;
  std::optional<Undoing> undoing_;
  std::optional<Error> miscounted_;
  bool owing_ = false;  // the ledger lacks a change that acts already
  Tick pay_again_{};
  bool busy_ = false;
};

// Store and ledger options, for those who only look (verify).
[[nodiscard]] store::Options store_options(const NodeConfig& config, const Keys& keys,
                                           const crypto::PublicKey& genesis_key);
[[nodiscard]] std::string ledger_origin(const PartnerCode& partner);  // "entente.xaa/ledger"
[[nodiscard]] Result<crypto::PublicKey> load_genesis_key(const NodeConfig& config);

}  // namespace entente::node
