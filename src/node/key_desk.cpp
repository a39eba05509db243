#include "node/key_desk.h"

#include "base/log.h"
#include "coalition/levels.h"
#include "identity/oidc.h"

namespace entente::node {
namespace {

constexpr std::string_view kLobbyClient = "lobby";

std::string own_url(const coalition::World& world, const PartnerCode& self) {
  const coalition::KeyService* own = world.key_service(self);
  return own == nullptr ? std::string() : own->url;
}

Instant to_the_second(Instant at) {
  return from_unix_seconds(unix_seconds(at));
}

}  // namespace

Json public_kas_keys(const data::KasKeys& keys) {
  Json out = Json::array();
  for (const data::KasKey& key : keys.keys()) {
    out.push(Json::object({{"kid", key.kid},
                           {"algorithm", data::algorithm_of(key.key.public_key())},
                           {"pem", key.key.public_key().pem()}}));
  }
  return out;
}

KeyDesk::KeyDesk(Parts parts)
    : parts_(std::move(parts)),
      started_(to_the_second(parts_.clock.now())),
      public_keys_(std::make_shared<const Json>(public_kas_keys(parts_.keys))),
      people_(std::move(parts_.crosswalk)),
      kas_(data::Kas::Parts{
          .self = parts_.self,
          .url = own_url(parts_.records.world(), parts_.self),
          .keys = std::move(parts_.keys),  // no copy stays when they are read again
          .nonces = false,
          .started = started_,
          .person = [this](const identity::AccessToken& token, Instant now) { return person(token, now); },
          .counts = [this](const PersonId& who, Instant issued,
                           Instant now) { return sign_outs_.check(who, issued, now); },
          .context =
              [source = "node:" + parts_.self.text()](Instant end) {
                return coalition::calm_moment(coalition::kDoorNetwork, source, end);
              },
          .limits = {},
          .views = &parts_.views.views(),
          .waits = parts_.waits,
          .author = parts_.author}),
      token_issuers_([this]() -> const coalition::World& { return parts_.records.world(); }, parts_.issuers,
                     parts_.clock) {}

Result<identity::PersonFacts> KeyDesk::person(const identity::AccessToken& token, Instant now) {
  const coalition::World& world = parts_.records.world();
  const coalition::Partner* self = world.partner(parts_.self);
  const int64_t ceiling = self == nullptr ? 0 : coalition::level_of(self->ceiling).value_or(0);
  return people_.person(token, ceiling, now);
}

void KeyDesk::go_on_from(Instant now) {
  started_ = to_the_second(now) + Seconds(1);
  kas_.go_on_from(started_);
  vouchers_.go_on_from(started_);
  sign_outs_.go_on_from(now);
}

void KeyDesk::use_own_url() {
  kas_.name(own_url(parts_.records.world(), parts_.self));
}

void KeyDesk::use_keys(data::KasKeys keys) {
  public_keys_.set(std::make_shared<const Json>(public_kas_keys(keys)));
  kas_.use_keys(std::move(keys));
}

const data::KasKey* KeyDesk::given_out(std::string_view algorithm) const {
  return kas_.keys().newest(algorithm, [this](const std::string& kid) {
    const coalition::Recall* recall = parts_.records.world().recall("key", kid);
    return recall != nullptr && recall->partners.empty();
  });
}

net::Task<data::KasAnswer> KeyDesk::walk(data::Kas::Step step) {
  while (!std::holds_alternative<data::KasAnswer>(step)) {
    if (auto* pause = std::get_if<data::Kas::Pause>(&step)) {
      data::Kas::Pause held = std::move(*pause);
      co_await parts_.loop.sleep(Millis(0));
      step = kas_.go_on(std::move(held), parts_.records.world(), at());
    } else if (auto* write = std::get_if<data::Kas::Write>(&step)) {
      data::Kas::Write held = std::move(*write);
      Result<void> durable;
      if (held.records.empty()) {
        durable = co_await record(held.leaves);
      } else {
        durable = co_await write_down(held.records, held.leaves, held.narrowing);
      }
      step = kas_.written(std::move(held), durable, parts_.records.world(), at());
    } else {
      data::Kas::Forward held = std::get<data::Kas::Forward>(std::move(step));
      PartnerCode to = held.to;
      data::KasCaller caller = held.caller;
      Json wanted = held.request;
      Result<Json> said = co_await ask_partner(std::move(to), std::move(caller), std::move(wanted));
      step = kas_.forwarded(std::move(held), said, parts_.records.world(), at());
    }
  }
  if (kas_.counts() && !counted_.pending()) {
    counted_ = parts_.loop.after(kCountedEvery, [this] { record_counted(); });
  }
  co_return std::get<data::KasAnswer>(std::move(step));
}

void KeyDesk::record_counted() {
  std::vector<data::KasLeaf> leaves = kas_.counted(parts_.clock.now());
  if (!leaves.empty()) record_later(std::move(leaves));
}

// A sign-in of this node's own is no key that was proved to be held. It counts as bound all the same: its
// cookie goes to this name alone, no script reads it, and what it opened ends with it.
net::Task<exchange::ObjectAnswer> KeyDesk::keys(exchange::ObjectReader reader, std::string request) {
  use_own_url();
  const Result<Json> said = Json::parse(request, {.bytes_max = data::kRewrapBytesMax, .depth_max = 16});
  Result<data::RewrapRequest> wanted =
      said ? data::read_rewrap(*said) : Result<data::RewrapRequest>(Failure(said.error()));
  data::KasAnswer answer = data::connect_error("not_found", "There is nothing here.");
  if (!wanted) {
    answer = data::connect_error("invalid_argument", wanted.error().text());
  } else if (!kas_.url().empty()) {
    data::KasCaller caller;
    caller.person = std::move(reader.person);
    caller.context = std::move(reader.context);
    caller.by.device = std::string(kBrowser) + reader.sign_in;
    caller.by.client = kLobbyClient;
    data::Kas::Step step = kas_.take_for_page(std::move(caller), std::move(reader.sign_in),
                                              *std::move(wanted), parts_.records.world(), at());
    answer = co_await walk(std::move(step));
  }
  if (!answer.leaves.empty()) record_later(std::move(answer.leaves));
  exchange::ObjectAnswer out;
  out.status = answer.status;
  out.body = answer.body.dump();
  co_return out;
}

std::vector<ledger::Record> KeyDesk::records_of(std::vector<data::KasLeaf> leaves) const {
  std::vector<ledger::Record> out;
  for (data::KasLeaf& leaf : leaves) {
    ledger::Record record{.event_class = std::move(leaf.kind), .time = parts_.clock.now(), .fields = {}};
    for (auto& [name, value] : leaf.fields) record.fields.emplace_back(name, std::move(value));
    out.push_back(std::move(record));
  }
  return out;
}

net::Task<Result<void>> KeyDesk::record(std::vector<data::KasLeaf> leaves) {
  struct Errand {
    explicit Errand(net::Loop& loop) : done(loop) {}
    net::Event done;
    Result<void> answer;
  };
  auto errand = std::make_shared<Errand>(parts_.loop);
  parts_.records.append(records_of(std::move(leaves)), false,
                        [errand](const Result<ledger::Appended>& appended) {
                          if (!appended) errand->answer = Failure(appended.error());
                          errand->done.set();
                        });
  bool done = co_await errand->done.wait(net::kNoTimeout);
  while (!done) done = co_await errand->done.wait(net::kNoTimeout);
  co_return std::move(errand->answer);
}

net::Task<Result<void>> KeyDesk::write_down(std::vector<coalition::Record> records,
                                            std::vector<data::KasLeaf> leaves, bool narrowing) {
  struct Errand {
    explicit Errand(net::Loop& loop) : done(loop) {}
    net::Event done;
    Result<void> answer;
  };
  auto errand = std::make_shared<Errand>(parts_.loop);
  Change change;
  change.records = std::move(records);
  change.leaves = records_of(std::move(leaves));
  change.author = "key-service";
  change.narrowing = narrowing;
  parts_.records.commit(std::move(change), [errand](const Result<Outcome>& outcome) {
    if (!outcome) {
      errand->answer = Failure(outcome.error());
    } else if (!outcome->durable) {
      errand->answer = fail(std::string(data::kFenced), outcome->why.what());
    }
    errand->done.set();
  });
  bool done = co_await errand->done.wait(narrowing ? Millis(kNarrowingMax) : net::kNoTimeout);
  if (!done && narrowing) co_return fail(std::string(data::kFenced), "the disk takes long");
  while (!done) done = co_await errand->done.wait(net::kNoTimeout);
  co_return std::move(errand->answer);
}

void KeyDesk::record_later(std::vector<data::KasLeaf> leaves) {
  parts_.records.append(records_of(std::move(leaves)), false, [](const Result<ledger::Appended>& appended) {
    if (!appended)
      log(LogLevel::warning, "node", "a refused key is not in the ledger",
          {{"why", appended.error().text()}});
  });
}

}  // namespace entente::node
