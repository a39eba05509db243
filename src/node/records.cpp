#include "node/records.h"

#include "base/file.h"
#include "base/log.h"
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

// The change is not right, or no longer: no disk would take it.
bool is_wrong(const Error& error) {
  return error.code() == "store.precondition" || error.code() == "store.key" ||
         error.code() == "store.too-large";
}

Result<coalition::World> world_of(const store::Loaded& loaded) {
  std::vector<coalition::Record> records;
  records.reserve(loaded.records.size());
  for (const store::Record& record : loaded.records) {
    Result<Json> value = Json::parse(record.value);
    if (!value) return fail("store.format", "this record is no JSON: " + value.error().what(), record.key);
    records.push_back({record.key, std::move(*value)});
  }
  return coalition::World::load(records, loaded.head);
}

constexpr std::string_view kNarrowingField = "narrowing";  // of leaves of what acts before the ledger has it
constexpr size_t kOwedAtOnce = 1024;                       // revisions

ledger::Space space_of(const Change& change) {
  return change.narrowing ? ledger::Space::narrowing : ledger::Space::ordinary;
}

// What narrows says so: at a start on a full disk it may act before the ledger has it.
std::vector<Bytes> leaves_of(const Change& change) {
  std::vector<ledger::Record> leaves = change.leaves;
  if (change.narrowing && leaves.empty())
    leaves.push_back({.event_class = "store.commit", .time = system_clock().now(), .fields = {}});
  std::vector<Bytes> out;
  for (ledger::Record& leaf : leaves) {
    if (change.narrowing) leaf.fields.emplace_back(std::string(kNarrowingField), true);
    out.push_back(leaf.encode());
  }
  return out;
}

std::optional<Json> field_of(const store::Outgoing& owed, std::string_view name,
                             std::string_view event_class = {}) {
  for (const Bytes& leaf : owed.leaves) {
    const Result<ledger::Record> record = ledger::Record::parse(leaf);
    if (!record || (!event_class.empty() && record->event_class != event_class)) continue;
    for (const auto& [key, value] : record->fields)
      if (key == name) return value;
  }
  return std::nullopt;
}

// A node starts though its ledger has no room for what it is owed, when all of that may act before the ledger
// has it: what narrows, and what was taken back. Nobody could suspend or cut otherwise.
Result<void> may_be_owed(const store::Store& store, const ledger::Ledger& ledger, const Error& why) {
  if (why.code() != "ledger.full" && why.code() != "ledger.io") return Failure(why);
  std::optional<uint64_t> widens;  // unless the next one takes it back
  for (Revision after = ledger.store_revision(); after < store.head();) {
    TRY(const std::vector<store::Outgoing> owed, store.outbox(after, kOwedAtOnce));
    if (owed.empty()) return Failure(why);
    for (const store::Outgoing& one : owed) {
      const std::optional<Json> takes_back = field_of(one, "undone", kUndoneLeaf);
      if (widens && takes_back != Json(*widens)) return Failure(why);
      widens.reset();
      if (!takes_back && field_of(one, kNarrowingField) != Json(true)) widens = one.rev.value;
    }
    after = owed.back().rev;
  }
  if (widens) return Failure(why);
  return {};
}

Error not_taken_back(const Error& why, const Error& store) {
  return {
      "node.not-taken-back",
      fmt::format("the ledger did not take the change ({}), and the store does not take it back yet ({})",
                  why.what(), store.what()),
      why.where(),
      "nothing of it acts; mend the disk, then it is taken back by itself. A node killed before that finds "
      "it at its start and acts by it: look there"};
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

Result<std::unique_ptr<Records>> Records::open(const NodeConfig& config, const Keys& keys, net::Loop& control,
                                               ledger::Disk* ledger_disk, ledger::Seen seen) {
  TRY(const crypto::PublicKey genesis_key, load_genesis_key(config));
  TRY(auto store, store::Store::open(store_options(config, keys, genesis_key)));
  ledger::Options options = ledger_options(config, keys);
  options.disk = ledger_disk;
  TRY(auto ledger, ledger::Ledger::open(std::move(options)));
  const Result<void> recovered = ledger::recover(*store, *ledger);
  if (!recovered) {
    TRY_VOID(may_be_owed(*store, *ledger, recovered.error()));
    log(LogLevel::warning, "node", "the ledger lacks what narrows here and acts: it is tried again",
        {{"error", recovered.error().text()}});
  }
  // A view that others are shown, which the publisher goes on with: a full disk must not keep a node down.
  if (const Result<void> shown = ledger->publish(); !shown)
    log(LogLevel::warning, "node", "tiles are behind", {{"error", shown.error().text()}});
  TRY(const store::Loaded loaded, store->load_all());
  TRY(ledger::VerifyReport report,
      ledger::verify(
          config.data / "ledger", ledger->verifier(),
          {.remembered = std::nullopt, .store = &loaded, .at_start = true, .seen = std::move(seen)}));
  if (!report.unfinished.empty())
    return fail("ledger.tail", "an unfinished write is still in the ledger", report.unfinished);
  if (report.miscounted) {
    log(LogLevel::warning, "node",
        "the ledger's counts of requests do not hold; the node starts all the same",
        {{"error", report.miscounted->text()}});
  }
  TRY(coalition::World world, world_of(loaded));
  std::unique_ptr<Records> out(new Records(control, std::move(store), std::move(ledger), std::move(world)));
  out->miscounted_ = std::move(report.miscounted);
  out->owing_ = !recovered;
  if (out->owing_) out->again_ = control.after(kPayAgain, [made = out.get()] { made->try_again(); });
  return out;
}

Records::Records(net::Loop& control, std::unique_ptr<store::Store> store,
                 std::unique_ptr<ledger::Ledger> ledger, coalition::World world)
    : control_(control),
      store_(std::move(store)),
      ledger_(std::move(ledger)),
      world_(world),
      stored_(world),
      acting_(std::move(world)) {}

Records::~Records() {
  // The store answers what is queued first; those answers go to the ledger, which ends after it.
  store_.reset();
  ledger_.reset();
}

Result<store::Precondition> Records::as_seen(std::string_view key) const {
  TRY(std::optional<store::Record> kept, store_->get(key));
  if (undoing_) {  // it is taken back before anything else is written
    const Revision then{undoing_->revision.value + 1};
    for (const auto& [name, value] : undoing_->back) {
      if (name != key) continue;
      kept = value ? std::optional(store::Record{name, value->canonical(), then}) : std::nullopt;
    }
  }
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
  auto pending = std::make_shared<Pending>(Pending{.change = std::move(change), .done = std::move(done)});
  pending->number = ++last_number_;
  if (waiting_.size() >= kWaitingMax && !narrowing) {
    return answer(pending,
                  fail("node.busy", "too many changes wait to be written", {}, "try again in a moment"));
  }
  if (narrowing) {
    fence(*pending);
    overtake(*pending);
    const auto ordinary = [](const std::shared_ptr<Pending>& one) { return !one->change.narrowing; };
    waiting_.insert(std::ranges::find_if(waiting_, ordinary), std::move(pending));
  } else {
    waiting_.push_back(std::move(pending));
  }
  start_next();
}

// What was decided before a narrowing change and waits behind it would write its records back as they were.
void Records::overtake(const Pending& narrowing) {
  const auto same = [&](const coalition::Record& record) {
    return std::ranges::any_of(narrowing.change.records,
                               [&](const coalition::Record& one) { return one.key == record.key; });
  };
  std::erase_if(waiting_, [&](const std::shared_ptr<Pending>& one) {
    if (one->change.narrowing || std::ranges::none_of(one->change.records, same)) return false;
    answer(one, fail("store.precondition", "somebody else has changed this record since",
                     one->change.records.front().key, "look at it again, then decide again"));
    return true;
  });
}

// Before any disk: from here on the change counts for everybody who asks. What does not fit the world is
// refused when it comes to be written.
void Records::fence(Pending& pending) {
  const Tick begun = system_clock().tick();
  const auto next = acting_.with(pending.change.records, Revision{acting_.revision().value + 1});
  if (!next) return;
  for (const coalition::Record& record : pending.change.records)
    fenced_[record.key] = {pending.number, record.value, next->touch};
  act();
  pending.held = tell(next->touch);
  pending.held_us = std::chrono::duration_cast<std::chrono::microseconds>(system_clock().tick() - begun);
}

// What was fenced by `number` or before and is dealt with: by being durable, refused, or decided anew.
void Records::lift(const std::vector<coalition::Record>& records, uint64_t number, coalition::Touch& touch) {
  for (const coalition::Record& record : records) {
    const auto at = fenced_.find(record.key);
    if (at == fenced_.end() || at->second.number > number) continue;
    const coalition::Touch& was = at->second.touch;
    touch.entities.insert(touch.entities.end(), was.entities.begin(), was.entities.end());
    touch.policies = touch.policies || was.policies;
    touch.only_widens = false;
    fenced_.erase(at);
  }
  std::erase_if(owed_, [&](const std::shared_ptr<Pending>& owed) { return !counts(*owed); });
}

void Records::act() {
  acting_ = world_;
  if (fenced_.empty()) return;
  std::vector<coalition::Record> records;
  for (const auto& [key, fenced] : fenced_) records.push_back({key, fenced.value});
  auto next = world_.with(records, Revision{world_.revision().value + 1});
  if (next) {
    acting_ = std::move(next->world);
    return;
  }
  // Each for itself, so that one that does not fit any more takes no other with it.
  for (const coalition::Record& record : records) {
    const std::vector<coalition::Record> one{record};
    auto alone = acting_.with(one, Revision{acting_.revision().value + 1});
    if (alone) acting_ = std::move(alone->world);
  }
}

size_t Records::tell(const coalition::Touch& touch) {
  return published_ ? published_(world_, acting_, touch) : 0;
}

// Not the disk's fault: the change itself is not right, or comes too late.
void Records::refused(const std::shared_ptr<Pending>& pending, const Error& why) {
  if (pending->change.narrowing) {
    if (pending->again)
      log(LogLevel::error, "node", "what was fenced does not fit the world any more",
          {{"error", why.text()}});
    coalition::Touch touch;
    lift(pending->change.records, pending->number, touch);
    act();
    tell(touch);
  }
  pending->done(Failure(why));
}

// Nothing that was decided later has taken its place.
bool Records::counts(const Pending& pending) const {
  return std::ranges::any_of(pending.change.records, [&](const coalition::Record& record) {
    const auto at = fenced_.find(record.key);
    return at != fenced_.end() && at->second.number == pending.number;
  });
}

// It acts; once the disk takes it, it is durable too.
void Records::not_durable(const std::shared_ptr<Pending>& pending, const Error& why) {
  if (counts(*pending)) owed_.push_back(pending);
  again_ = control_.after(kPayAgain, [this] { try_again(); });
  const Outcome outcome{.revision = acting_.revision(),
                        .durable = false,
                        .held = pending->held,
                        .held_us = pending->held_us,
                        .why = why};
  if (!std::exchange(pending->again, true)) {
    log(LogLevel::warning, "node", "fenced, not yet durable", {{"error", why.text()}});
    pending->done(outcome);
  }
  pending->done = [](const Result<Outcome>& later) {
    if (later && later->durable)
      log(LogLevel::info, "node", "what was fenced is durable now", {{"revision", later->revision.value}});
  };
}

void Records::try_again() {
  if (undoing_ && !busy_) take_back();
  if (owing_ && (busy_ || !pay(ledger::Space::narrowing)))
    again_ = control_.after(kPayAgain, [this] { try_again(); });
  for (auto at = owed_.rbegin(); at != owed_.rend(); ++at) waiting_.push_front(*at);
  owed_.clear();
  start_next();
}

// One at a time: each is held against the world that the one before it made.
void Records::start_next() {
  if (busy_ || waiting_.empty()) return;
  if (undoing_) return take_back();
  const std::shared_ptr<Pending> pending = waiting_.front();
  waiting_.pop_front();
  if (pending->again && !counts(*pending)) return start_next();
  if (pending->again) {  // what was decided later about a record has taken its place
    std::erase_if(pending->change.records, [&](const coalition::Record& record) {
      const auto at = fenced_.find(record.key);
      return at == fenced_.end() || at->second.number != pending->number;
    });
  }
  const Change& change = pending->change;
  const auto later = [&](void (Records::*what)(const std::shared_ptr<Pending>&, const Error&),
                         const Error& error) {
    busy_ = true;
    control_.post([this, what, pending, error] {
      busy_ = false;
      (this->*what)(pending, error);
      start_next();
    });
  };
  // What narrows goes first: a disk that comes back takes that before anything that could undo it.
  if (!change.narrowing && !owed_.empty()) {
    return later(&Records::refused, {"node.narrowing-first",
                                     "what narrows is not durable yet, and goes first",
                                     {},
                                     "mend the disk; it is written by itself then"});
  }
  // What is owed to the ledger goes first; while it cannot be paid nothing widens.
  if (const Result<void> paid = pay(space_of(change)); !paid && !change.narrowing)
    return later(&Records::refused, paid.error());
  const Result<coalition::World::Next> next =
      world_.with(change.records, Revision{world_.revision().value + 1});
  if (!next) return later(&Records::refused, next.error());
  // Also with what the ledger has not taken yet: a restart will show that, and this, together.
  const bool apart = !unpublished_.empty();
  const Result<coalition::World::Next> stored =
      apart ? stored_.with(change.records, Revision{stored_.revision().value + 1}) : *next;
  if (!stored) {
    return later(change.narrowing ? &Records::not_durable : &Records::refused, stored.error());
  }
  pending->next = apart ? std::nullopt : std::optional(*next);
  pending->before.clear();
  for (const coalition::Record& record : change.records) {
    const Json* was = stored_.raw(record.key);
    pending->before.push_back({record.key, was == nullptr ? std::nullopt : std::optional(*was)});
  }
  busy_ = true;
  store::Commit commit;
  commit.ops = record_ops(change.records);
  commit.preconditions = change.preconditions;
  commit.author = change.author;
  commit.narrowing = change.narrowing;
  commit.leaves = leaves_of(change);
  store_->commit(std::move(commit),
                 [this, pending, stored = stored->world](Result<store::Committed> committed) {
                   control_.post([this, pending, stored, committed = std::move(committed)]() mutable {
                     if (committed) stored_ = stored;
                     written(pending, std::move(committed));
                   });
                 });
}

void Records::written(std::shared_ptr<Pending> pending, Result<store::Committed> committed) {
  if (!committed) {
    busy_ = false;
    const bool wrong = is_wrong(committed.error());
    if (pending->change.narrowing && !wrong) {
      not_durable(pending, committed.error());
    } else {
      refused(pending, committed.error());
    }
    start_next();
    return;
  }
  // A commit that the store called failed may stand in it: then nobody knows what it holds but a new start.
  ENTENTE_CHECK(committed->rev == stored_.revision());
  unpublished_.push_back(
      {committed->rev, pending->change.records, pending->number, std::move(pending->next)});
  const ledger::Space space = space_of(pending->change);
  ledger_->append_commit(
      committed->outgoing, space, [this, pending, committed](Result<ledger::Appended> appended) {
        control_.post(
            [this, pending, committed, appended]() mutable { recorded(pending, committed, appended); });
      });
}

void Records::recorded(std::shared_ptr<Pending> pending, Result<store::Committed> committed,
                       Result<ledger::Appended> appended) {
  busy_ = false;
  if (!appended && appended.error().code() == "ledger.gap") {
    // An earlier change is still owed to the ledger: pay in order, then this one is in it too.
    const Result<void> recovered = ledger::recover(*store_, *ledger_, space_of(pending->change));
    if (recovered) appended = ledger::Appended{};
  }
  const bool durable = appended.has_value();
  if (durable) store_->integrated(committed->rev);
  if (!durable && pending->change.narrowing) {
    owing_ = true;
    again_ = control_.after(kPayAgain, [this] { try_again(); });
  }
  if (durable || pending->change.narrowing) {
    const Result<void> published = publish(committed->rev);
    if (!published) {
      pending->done(Failure(published.error()));
    } else {
      pending->done(Outcome{.revision = committed->rev,
                            .durable = durable,
                            .held = pending->held,
                            .held_us = pending->held_us,
                            .why = durable ? Error{} : appended.error()});
    }
  } else {
    return undo(pending, committed->rev, appended.error());
  }
  start_next();
}

// Nobody was told yet that it was written, so nothing of it may act later.
void Records::undo(const std::shared_ptr<Pending>& pending, Revision revision, const Error& why) {
  const Result<coalition::World::Next> restored =
      stored_.with(pending->before, Revision{stored_.revision().value + 1});
  ENTENTE_CHECK(restored.has_value());  // the store was like that before
  undoing_ = {revision, std::move(pending->before), restored->world, why, pending};
  take_back();
}

void Records::take_back() {
  busy_ = true;
  ledger::Record leaf{.event_class = std::string(kUndoneLeaf), .time = system_clock().now(), .fields = {}};
  leaf.fields.emplace_back("undone", static_cast<int64_t>(undoing_->revision.value));
  leaf.fields.emplace_back("why", undoing_->why.text());
  store::Commit commit;
  commit.ops = record_ops(undoing_->back);
  commit.author = "node";
  commit.narrowing = true;
  commit.leaves = {leaf.encode()};
  store_->commit(std::move(commit), [this](Result<store::Committed> committed) {
    control_.post([this, committed = std::move(committed)] { taken_back(committed); });
  });
}

void Records::taken_back(const Result<store::Committed>& committed) {
  busy_ = false;
  const std::shared_ptr<Pending> pending = std::exchange(undoing_->pending, nullptr);
  if (!committed) {
    again_ = control_.after(kPayAgain, [this] { try_again(); });
    if (pending) return pending->done(Failure(not_taken_back(undoing_->why, committed.error())));
    if (waiting_.empty()) return;
    const std::shared_ptr<Pending> next = waiting_.front();
    waiting_.pop_front();
    if (next->change.narrowing) {
      not_durable(next, committed.error());
    } else {
      refused(next, committed.error());
    }
    return start_next();
  }
  ENTENTE_CHECK(committed->rev == undoing_->restored.revision());
  // Both stay to be recorded, and neither changes the world.
  Written& undone = unpublished_.back();
  undone = {.revision = undoing_->revision, .records = {}};
  unpublished_.push_back({.revision = committed->rev, .records = {}});
  stored_ = undoing_->restored;
  const Error why = undoing_->why;
  undoing_.reset();
  if (pending) pending->done(Failure(why));
  start_next();
}

// Records what the ledger did not take before, and shows it then.
Result<void> Records::pay(ledger::Space space) {
  if (unpublished_.empty() && !owing_) return {};
  if (control_.tick() < pay_again_)
    return fail("ledger.full", "the ledger has not taken an earlier change yet", {},
                "make space on the disk, then say it again");
  const Result<void> recovered =
      ledger::recover(*store_, *ledger_, owing_ ? ledger::Space::narrowing : space);
  if (!recovered) {
    pay_again_ = control_.tick() + kPayAgain;
    return recovered;
  }
  owing_ = false;
  return publish(store_->head());
}

// In order: what is in the ledger, what narrows, and what was taken back and so says nothing.
Result<void> Records::publish(Revision up_to) {
  while (!unpublished_.empty() && unpublished_.front().revision <= up_to) {
    const Written& next_written = unpublished_.front();
    const bool judged = next_written.next && next_written.next->world.revision() == next_written.revision &&
                        world_.revision().value + 1 == next_written.revision.value;
    Result<coalition::World::Next> next =
        judged ? *next_written.next : world_.with(next_written.records, next_written.revision);
    if (!next) {
      // It was right when it was submitted and nothing came between: this must not be.
      log(LogLevel::error, "node", "a durable change does not fit the world",
          {{"error", next.error().text()}});
      return Failure(next.error());
    }
    world_ = next->world;
    lift(next_written.records, next_written.number, next->touch);
    unpublished_.pop_front();
    act();
    tell(next->touch);
  }
  if (unpublished_.empty()) stored_ = world_;
  return {};
}

void Records::append(std::vector<ledger::Record> records, bool narrowing, Appended done) {
  ledger_->append(std::move(records), narrowing ? ledger::Space::narrowing : ledger::Space::ordinary,
                  [this, done = std::move(done)](Result<ledger::Appended> appended) {
                    control_.post([done, appended = std::move(appended)] { done(appended); });
                  });
}

}  // namespace entente::node
