// What a change would come to: the same call and the same right as the change itself, up to where it would be
// committed.
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/key_desk.h"
#include "node/preview.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kPreviewsMax = 4;  // being counted at once
constexpr size_t kAsksAtOnce = 64;  // some milliseconds; then others of the loop have their turns

// Counts itself for as long as it lives.
class Counted {
 public:
  explicit Counted(size_t& among) : among_(among) { ++among_; }
  ~Counted() { --among_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  size_t& among_;
};

}  // namespace

Answer ApiCore::foreseen(const ApiRequest& request, const Foreseen& counted) {
  ledger::Record leaf{.event_class = "preview", .time = parts_.clock.now(), .fields = {}};
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("of", request.path);
  leaf.fields.emplace_back("told", foreseen_text(counted));
  record_look(request, std::move(leaf));
  return {200, foreseen_json(counted)};
}

net::Task<Answer> ApiCore::previewed(ApiRequest request, std::vector<coalition::Record> records) {
  if (previews_ >= kPreviewsMax) {
    co_return refusal(
        503,
        {"node.busy", "others are being told what their changes would end", {}, "ask again in a moment"});
  }
  const Counted one(previews_);
  const coalition::World before = parts_.records.world();
  const Result<coalition::World::Next> after = before.with(records, Revision{before.revision().value + 1});
  if (!after) co_return refusal(status_of(after.error()), after.error());
  const exchange::Exchange& core = parts_.switchboard.core();
  Preview::Ways ways;
  ways.session = [&core](const SessionId& id) { return core.session(id); };
  const Instant now = parts_.decisions.now();
  ways.goes_on = [&core, now](const exchange::Session& session, const exchange::Rules& rules) {
    return core.goes_on(session, rules, now);
  };
  ways.view = [this](const std::string& id) { return parts_.keys.views().find(id); };
  ways.opens = [this](const coalition::AccessRequest& wish, const coalition::World& world) {
    return parts_.access.preview(wish, world).opens;
  };
  ways.approvals = [this](const coalition::AccessRequest& wish, const coalition::World& world) {
    return parts_.access.standing(wish, world);
  };
  Preview::Stands stands;
  for (const exchange::Session* session : core.sessions()) stands.sessions.push_back(session->id);
  stands.views = parts_.keys.views().ids();
  stands.connectors = core.connectors();
  Preview preview(std::move(ways), std::move(stands), before, after->world, now);
  while (preview.step(kAsksAtOnce)) co_await parts_.switchboard.loop().sleep(Millis(0));
  co_return foreseen(request, preview.counted());
}

}  // namespace entente::node
