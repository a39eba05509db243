// How a change becomes the next world: one store transaction with its leaf, then the ledger, then the world
// is published, then the caller hears yes. Everything here is called on the control loop, and answers there.
#pragma once

#include "coalition/world.h"
#include "ledger/ledger.h"
#include "net/loop.h"
#include "node/config.h"
#include "node/keys.h"
#include "store/store.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace entente::node {

struct Change {
  std::vector<coalition::Record> records;
  std::vector<store::Precondition> preconditions;
  std::vector<ledger::Record> leaves;
  std::string author;
  bool narrowing =
      false;  // acts first: published even when the ledger cannot take it, and may use reserved space
};

// What there is to say when a change has been dealt with. A narrowing one that the disk did not take has
// acted all the same.
struct Outcome {
  Revision revision;
  bool durable = true;
};

class Records {
 public:
  // Opens store and ledger of a node that has been founded; brings the ledger up to the store; refuses the
  // first record that is not what was signed, or not in the ledger.
  [[nodiscard]] static Result<std::unique_ptr<Records>> open(const NodeConfig& config, const Keys& keys,
                                                             net::Loop& control);
  // Makes the store of a new node from its signed genesis and opens its ledger once, so that the first leaf
  // is there.
  [[nodiscard]] static Result<void> found(const NodeConfig& config, const Keys& keys,
                                          std::string_view genesis_jws, Instant now);
  ~Records();

  using Done = std::function<void(Result<Outcome>)>;
  // Refused without a trace when the next world would not be right ("coalition.*") or a precondition fails.
  // What the ledger refuses stays unseen until the ledger has taken it; a narrowing change acts all the same.
  // `done` is called on a later turn of the control loop, never from inside.
  void commit(Change change, Done done);
  // That the record is still what this world shows when the change comes to be written.
  [[nodiscard]] Result<store::Precondition> as_seen(std::string_view key) const;
  using Appended = std::function<void(Result<ledger::Appended>)>;
  void append(std::vector<ledger::Record> records, bool narrowing, Appended done);

  [[nodiscard]] const coalition::World& world() const { return world_; }
  // Called with each next world, in order, before the commit that made it is answered.
  using Published = std::function<void(const coalition::World&, const coalition::Touch&)>;
  void on_published(Published published) { published_ = std::move(published); }

  [[nodiscard]] ledger::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] store::Store& store() { return *store_; }

 private:
  struct Pending {
    Change change;
    Done done;
  };
  struct Written {  // in the store, not yet in the world
    Revision revision;
    std::vector<coalition::Record> records;
    bool narrowing = false;
  };

  Records(net::Loop& control, std::unique_ptr<store::Store> store, std::unique_ptr<ledger::Ledger> ledger,
          coalition::World world);
  void start_next();
  void written(std::shared_ptr<Pending> pending, Result<store::Committed> committed);
  void recorded(std::shared_ptr<Pending> pending, Result<store::Committed> committed,
                Result<ledger::Appended> appended);
  Result<void> pay();
  Result<void> publish(Revision up_to, bool in_ledger);
  Result<void> reload();
  void answer(const std::shared_ptr<Pending>& pending, Result<Outcome> outcome);

  net::Loop& control_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ledger::Ledger> ledger_;
  coalition::World world_;
  Published published_;
  std::deque<std::shared_ptr<Pending>> waiting_;
  std::deque<Written> unpublished_;
  bool withheld_ = false;  // the store holds a change that the world must not show before the ledger has it
  Tick pay_again_{};
  bool busy_ = false;
};

// Store and ledger options, for those who only look (verify).
[[nodiscard]] store::Options store_options(const NodeConfig& config, const Keys& keys,
                                           const crypto::PublicKey& genesis_key);
[[nodiscard]] std::string ledger_origin(const PartnerCode& partner);  // "entente.xaa/ledger"
[[nodiscard]] Result<crypto::PublicKey> load_genesis_key(const NodeConfig& config);

}  // namespace entente::node
