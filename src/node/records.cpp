#include "node/records.h"

#include "base/log.h"
#include "ledger/verify.h"
#include "net/http_message.h"
#include "node/genesis.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kWaitingMax = 4096;
constexpr Millis kPayAgain{500};  // how long after a failed attempt the ledger is tried again

store::Sign record_signer(const crypto::PrivateKey& key) {
  return [key](ByteView message) { return key.sign(crypto::SignatureAlg::EdDSA, message); };
}

store::Verify record_verifier(const crypto::PublicKey& key) {
  return [key](ByteView message, ByteView signature) {
    return key.verify(crypto::SignatureAlg::EdDSA, message, signature);
  };
}

ledger::Options ledger_options(const NodeConfig& config, const Keys& keys) {
  ledger::Options options{
      .folder = config.data / "ledger", .origin = ledger_origin(config.partner), .key = keys.ledger};
  return options;
}

Result<coalition::World> world_of(const store::Loaded& loaded) {
  std::vector<coalition::Record> records;
  records.reserve(loaded.records.size());
  for (const store::Record& record : loaded.records) {
    Result<Json> value = Json::parse(record.value);
    if (!value) return fail("store.format", "this record is no JSON: " + value.error().what, record.key);
    records.push_back({record.key, std::move(*value)});
  }
  return coalition::World::load(records, loaded.head);
}

}  // namespace

std::string ledger_origin(const PartnerCode& partner) {
  return fmt::format("entente.{}/ledger", net::lower_case(partner.text()));
}

Result<crypto::PublicKey> load_genesis_key(const NodeConfig& config) {
  TRY(const std::string pem, read_file(config.genesis_key));
  return crypto::PublicKey::from_pem(pem);
}

store::Options store_options(const NodeConfig& config, const Keys& keys,
                             const crypto::PublicKey& genesis_key) {
  store::Options options;
  options.folder = config.data / "store";
  options.sign = record_signer(keys.record);
  options.verify = record_verifier(keys.record.public_key());
  options.verify_genesis = genesis_verifier(genesis_key);
  return options;
}

Result<void> Records::found(const NodeConfig& config, const Keys& keys, std::string_view genesis_jws,
                            Instant now) {
  TRY(const crypto::PublicKey genesis_key, load_genesis_key(config));
  TRY(const Genesis genesis, open_genesis(genesis_jws, genesis_key));
  if (genesis.partner != config.partner) {
    return fail("genesis.partner", fmt::format("this genesis is for {}, and this node is {}",
                                               genesis.partner.text(), config.partner.text()));
  }
  TRY_VOID(coalition::World::load(genesis.records, Revision{1}));
  store::Commit commit;
  commit.ops = record_ops(genesis.records);
  commit.author = "genesis";
  ledger::Record leaf{.event_class = "genesis", .time = now, .fields = {}};
  leaf.fields.emplace_back("partner", genesis.partner.text());
  leaf.fields.emplace_back("records", static_cast<int64_t>(genesis.records.size()));
  leaf.fields.emplace_back("signer", genesis_key.thumbprint());
  commit.leaves = {leaf.encode()};
  std::error_code error;
  std::filesystem::create_directories(config.data / "store", error);
  std::filesystem::create_directories(config.data / "ledger", error);
  const store::Sign sign = [jws = to_bytes(genesis_jws)](ByteView) -> Result<Bytes> { return jws; };
  TRY_VOID(store::Store::found(store_options(config, keys, genesis_key), commit, sign));
  TRY(const auto store, store::Store::open(store_options(config, keys, genesis_key)));
  TRY(const auto ledger, ledger::Ledger::open(ledger_options(config, keys)));
  TRY_VOID(ledger::recover(*store, *ledger));
  return ledger->publish();
}

Result<std::unique_ptr<Records>> Records::open(const NodeConfig& config, const Keys& keys,
                                               net::Loop& control) {
  TRY(const crypto::PublicKey genesis_key, load_genesis_key(config));
  TRY(auto store, store::Store::open(store_options(config, keys, genesis_key)));
  TRY(auto ledger, ledger::Ledger::open(ledger_options(config, keys)));
  TRY_VOID(ledger::recover(*store, *ledger));
  TRY_VOID(ledger->publish());
  TRY(const store::Loaded loaded, store->load_all());
  TRY_VOID(ledger::verify(config.data / "ledger", ledger->verifier(),
                          {.remembered = std::nullopt, .store = &loaded}));
  TRY(coalition::World world, world_of(loaded));
  return std::unique_ptr<Records>(
      new Records(control, std::move(store), std::move(ledger), std::move(world)));
}

Records::Records(net::Loop& control, std::unique_ptr<store::Store> store,
                 std::unique_ptr<ledger::Ledger> ledger, coalition::World world)
    : control_(control), store_(std::move(store)), ledger_(std::move(ledger)), world_(std::move(world)) {}

Records::~Records() {
  // The store answers what is queued first; those answers go to the ledger, which ends after it.
  store_.reset();
  ledger_.reset();
}

Result<store::Precondition> Records::as_seen(std::string_view key) const {
  TRY(const std::optional<store::Record> kept, store_->get(key));
  const Json* shown = world_.raw(key);
  const bool same = kept && shown != nullptr ? kept->value == shown->canonical() : !kept && shown == nullptr;
  if (!same) {
    return fail("store.precondition", "somebody else is changing this record now", std::string(key),
                "look at it again, then decide again");
  }
  store::Precondition condition;
  condition.key = std::string(key);
  if (kept) condition.rev = kept->rev;
  return condition;
}

void Records::answer(const std::shared_ptr<Pending>& pending, Result<Outcome> outcome) {
  control_.post([pending, outcome = std::move(outcome)] { pending->done(outcome); });
}

void Records::commit(Change change, Done done) {
  const bool narrowing = change.narrowing;
  auto pending = std::make_shared<Pending>(Pending{std::move(change), std::move(done)});
  if (waiting_.size() >= kWaitingMax && !narrowing) {
    return answer(pending,
                  fail("node.busy", "too many changes wait to be written", {}, "try again in a moment"));
  }
  if (narrowing) {
    waiting_.push_front(std::move(pending));
  } else {
    waiting_.push_back(std::move(pending));
  }
  start_next();
}

// One at a time: each is held against the world that the one before it made.
void Records::start_next() {
  if (busy_ || waiting_.empty()) return;
  const std::shared_ptr<Pending> pending = waiting_.front();
  waiting_.pop_front();
  const Change& change = pending->change;
  const auto refuse = [&](const Error& error) {
    answer(pending, Failure(error));
    control_.post([this] { start_next(); });
  };
  // What is owed to the ledger goes first; while it cannot be paid nothing widens.
  if (const Result<void> paid = pay(); !paid && !change.narrowing) return refuse(paid.error());
  const Result<coalition::World::Next> next =
      world_.with(change.records, Revision{world_.revision().value + 1});
  if (!next) return refuse(next.error());
  busy_ = true;
  store::Commit commit;
  commit.ops = record_ops(change.records);
  commit.preconditions = change.preconditions;
  commit.author = change.author;
  commit.narrowing = change.narrowing;
  for (const ledger::Record& leaf : change.leaves) commit.leaves.push_back(leaf.encode());
  store_->commit(std::move(commit), [this, pending](Result<store::Committed> committed) {
    control_.post([this, pending, committed = std::move(committed)]() mutable {
      written(pending, std::move(committed));
    });
  });
}

void Records::written(std::shared_ptr<Pending> pending, Result<store::Committed> committed) {
  if (!committed) {
    busy_ = false;
    pending->done(Failure(committed.error()));
    start_next();
    return;
  }
  unpublished_.push_back({committed->rev, pending->change.records, pending->change.narrowing});
  const ledger::Space space = pending->change.narrowing ? ledger::Space::narrowing : ledger::Space::ordinary;
  ledger_->append_commit(
      committed->outgoing, space, [this, pending, committed](Result<ledger::Appended> appended) {
        control_.post(
            [this, pending, committed, appended]() mutable { recorded(pending, committed, appended); });
      });
}

void Records::recorded(std::shared_ptr<Pending> pending, Result<store::Committed> committed,
                       Result<ledger::Appended> appended) {
  busy_ = false;
  if (!appended && appended.error().code == "ledger.gap") {
    // An earlier change is still owed to the ledger: pay in order, then this one is in it too.
    const Result<void> recovered = ledger::recover(*store_, *ledger_);
    if (recovered) appended = ledger::Appended{};
  }
  const bool durable = appended.has_value();
  if (durable) store_->integrated(committed->rev);
  if (durable || pending->change.narrowing) {
    const Result<void> published = publish(committed->rev, durable);
    if (!published) {
      pending->done(Failure(published.error()));
    } else {
      pending->done(Outcome{committed->rev, durable});
    }
  } else {
    pending->done(Failure(appended.error()));
  }
  start_next();
}

// Records what the ledger did not take before, and shows it then.
Result<void> Records::pay() {
  if (unpublished_.empty() && !withheld_) return {};
  if (control_.tick() < pay_again_)
    return fail("ledger.full", "the ledger has not taken an earlier change yet", {},
                "make space on the disk, then say it again");
  const Result<void> recovered = ledger::recover(*store_, *ledger_);
  if (!recovered) {
    pay_again_ = control_.tick() + kPayAgain;
    return recovered;
  }
  return publish(store_->head(), true);
}

// In order. What the ledger has not taken is left out of the world, but for what takes access away.
Result<void> Records::publish(Revision up_to, bool in_ledger) {
  if (in_ledger && withheld_) return reload();
  while (!unpublished_.empty() && unpublished_.front().revision <= up_to) {
    const Written& next_written = unpublished_.front();
    const bool shown = in_ledger || next_written.narrowing;
    Result<coalition::World::Next> next =
        world_.with(shown ? next_written.records : std::vector<coalition::Record>{}, next_written.revision);
    if (!next) {
      // It was right when it was submitted and nothing came between: this must not be.
      log(LogLevel::error, "node", "a durable change does not fit the world",
          {{"error", next.error().text()}});
      return Failure(next.error());
    }
    withheld_ = withheld_ || !shown;
    world_ = next->world;
    unpublished_.pop_front();
    if (published_) published_(world_, next->touch);
  }
  return {};
}

// The whole world from the store, where changes were left out of it before: everybody is asked again.
Result<void> Records::reload() {
  TRY(const store::Loaded loaded, store_->load_all());
  TRY(world_, world_of(loaded));
  unpublished_.clear();
  withheld_ = false;
  coalition::Touch all;
  all.policies = true;
  if (published_) published_(world_, all);
  return {};
}

void Records::append(std::vector<ledger::Record> records, bool narrowing, Appended done) {
  ledger_->append(std::move(records), narrowing ? ledger::Space::narrowing : ledger::Space::ordinary,
                  [this, done = std::move(done)](Result<ledger::Appended> appended) {
                    control_.post([done, appended = std::move(appended)] { done(appended); });
                  });
}

}  // namespace entente::node
