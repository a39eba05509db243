#include "node/view_desk.h"

#include "base/log.h"

#include <algorithm>

namespace entente::node {
namespace {

constexpr size_t kWhyMax = 400;
constexpr size_t kWatchAnswerMax = 2 << 20;

// A partner's words, for a person: short, printable, and nothing that plays with a page.
std::string partners_words(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kWhyMax)) {
    if (c >= ' ' && c < 0x7f && c != '<' && c != '>') out.push_back(c);
  }
  return out.empty() ? "The nation it came from has ended it." : out;
}

// {"status": 200, "body": {"ended": [{"view", "why"}]}}
std::optional<std::vector<std::pair<std::string, std::string>>> read_ended(const Json& said) {
  const Json* body = said.find("body");
  const Json* ended = body == nullptr ? nullptr : body->find("ended");
  const Json* status = said.find("status");
  if (ended == nullptr || !ended->is_array() || status == nullptr || !status->is_int() ||
      status->integer() != 200) {
    return std::nullopt;
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const Json& one : ended->items()) {
    if (!one.is_object()) return std::nullopt;
    out.emplace_back(one.text_or("view", ""), partners_words(one.text_or("why", "")));
  }
  return out;
}

}  // namespace

ViewDesk::ViewDesk(Parts parts)
    : parts_(std::move(parts)),
      views_(parts_.self,
             {.signed_in = [this](const std::string& page) { return parts_.signed_in(page); },
              .opened = [this](const data::View& view) { opened(view); },
              .ended = [this](const data::View& view, const data::ViewEnd& why) { ended(view, why); },
              .given_up = [this](const PartnerCode& service) { watch_now(service); }}) {}

void ViewDesk::opened(const data::View& view) {
  if (!timer_.pending()) timer_ = parts_.loop.after(kTickEvery, [this] { keep_time(); });
  if (!view.there.empty()) watch_now(view.service);
  go_on();
}

void ViewDesk::ended(const data::View& view, const data::ViewEnd& why) {
  record("object.shut", view, why);
  const coalition::Person& who = view.ask.who;
  if (who.partner == parts_.self) return parts_.tell(who.id, view.id, why.why);
  const auto watcher = watchers_.find(who.partner);
  if (watcher != watchers_.end()) watcher->second.moved.pulse();
}

void ViewDesk::world_published(const coalition::World& acting, const coalition::Touch& touch) {
  views_.world_changed(acting, touch, at());
  go_on();
}

void ViewDesk::sign_ins_changed(const PersonId& person) {
  views_.sign_ins_changed(person);
  go_on();
}

void ViewDesk::sign_ins_changed() {
  views_.sign_ins_changed();
  go_on();
}

void ViewDesk::end_all(const data::ViewEnd& why) {
  views_.end_all(why);
  go_on();
}

bool ViewDesk::close(const PersonId& person, const std::string& view) {
  const bool closed = views_.close(person, view);
  go_on();
  return closed;
}

// Whatever ends or has to be asked at once, others of the loop have their turns in between.
void ViewDesk::go_on() {
  for (const PartnerCode& service : views_.closing()) watch_now(service);
  if (!views_.busy() || turn_.pending()) return;
  turn_ = parts_.loop.after(kTurnEvery, [this] {
    if (!views_.go_on(parts_.world(), at())) {
      for (auto& [nation, watcher] : watchers_) watcher.moved.pulse();
    }
    go_on();
  });
}

void ViewDesk::keep_time() {
  views_.time_passed(parts_.world(), at());
  go_on();
  if (views_.size() != 0) timer_ = parts_.loop.after(kTickEvery, [this] { keep_time(); });
}

// A watch names all that is open there. A newer one makes them answer the older at once.
void ViewDesk::watch_now(const PartnerCode& service) {
  Watch& one = watches_[service];
  one.again = one.under_way >= kWatchesMax;
  if (one.again) return;
  ++one.under_way;
  parts_.loop.spawn(watch(service, ++one.newest));
}

// Many that are opened at once are named in one watch.
net::Task<void> ViewDesk::keep_pace(PartnerCode service) {
  const Tick next = watches_[service].begun + kPace;
  const Tick now = parts_.clock.tick();
  if (now < next) co_await parts_.loop.sleep(std::chrono::ceil<Millis>(next - now));
}

net::Task<void> ViewDesk::watch(PartnerCode service, uint64_t number) {
  PartnerCode paced = service;
  co_await keep_pace(std::move(paced));
  if (number != watches_[service].newest) {  // that one names these as well
    --watches_[service].under_way;
    co_return;
  }
  watches_[service].begun = parts_.clock.tick();
  const std::vector<std::string> about = views_.held_at(service);
  const Tick asked = parts_.clock.tick();
  Json ids = Json::array();
  for (const std::string& id : about) ids.push(id);
  Json closed = Json::array();
  const std::vector<std::string> over = views_.take_closed(service);
  for (const std::string& id : over) closed.push(id);
  std::string body = Json::object({{"watch", std::move(ids)}, {"closed", std::move(closed)}}).dump();
  PartnerCode to = service;
  Result<std::string> said = co_await parts_.ask_partner(std::move(to), std::move(body));
  const bool answered = hear(service, about, said, asked);
  Watch& one = watches_[service];
  --one.under_way;
  // A word that was not taken is said again, some times: what is not heard is over there by itself.
  one.failed = answered ? 0 : one.failed + 1;
  if (!answered && one.failed <= kToldAgainMax) views_.not_told(service, over);
  // The newest goes on; what came meanwhile and had to wait goes now.
  if (number != one.newest && !one.again) co_return;
  if (!answered && !one.again) {
    co_await parts_.loop.sleep(kAgain);
    if (number != watches_[service].newest) co_return;
  }
  if (!views_.held_at(service).empty() || views_.closing().contains(service)) watch_now(service);
}

bool ViewDesk::hear(const PartnerCode& service, const std::vector<std::string>& asked_about,
                    const Result<std::string>& said, Tick asked) {
  const Result<Json> answer = said ? Json::parse(*said, {.bytes_max = kWatchAnswerMax, .depth_max = 8})
                                   : Result<Json>(Failure(said.error()));
  const auto over = answer ? read_ended(*answer) : std::nullopt;
  if (!over) {
    log(LogLevel::debug, "node", "a nation did not say whether what it released still holds",
        {{"partner", service.text()}, {"why", said ? "no answer of that kind" : said.error().text()}});
    return false;
  }
  views_.heard(service, asked_about, *over, asked);
  go_on();
  return true;
}

net::Task<Result<Json>> ViewDesk::watched(PartnerCode from, std::vector<std::string> ids,
                                          std::vector<std::string> closed) {
  Watcher& watcher = watchers_.try_emplace(from, parts_.loop).first->second;
  if (!watcher.budget.take(parts_.clock.tick())) co_return fail("exchange.busy", "asked too often");
  views_.closed(from, closed);
  go_on();
  const uint64_t number = ++watcher.newest;
  watcher.moved.pulse();
  const Tick until = parts_.clock.tick() + kHold;
  for (;;) {
    const Tick now = parts_.clock.tick();
    const bool doubted = views_.doubted(ids);
    const bool last = now >= until || number != watcher.newest;
    if (doubted && last) co_return fail("exchange.busy", "what is open is being asked about");
    const auto over = views_.watched(from, ids, at());
    if (!doubted && (last || ids.empty() || !over.empty())) {
      Json ended = Json::array();
      for (const auto& [view, why] : over) ended.push(Json::object({{"view", view}, {"why", why}}));
      co_return Json::object({{"ended", std::move(ended)}});
    }
    const Millis left = std::chrono::ceil<Millis>(until - now);
    [[maybe_unused]] const bool moved = co_await watcher.moved.wait(left);
  }
}

void ViewDesk::record(std::string kind, const data::View& view, const data::ViewEnd& why) {
  ledger::Record leaf{.event_class = std::move(kind), .time = parts_.clock.now(), .fields = {}};
  const auto add = [&](std::string name, Json value) {
    leaf.fields.emplace_back(std::move(name), std::move(value));
  };
  add("view", view.id);
  add("person", view.ask.who.id.text());
  add("partner", view.ask.who.partner.text());
  add("object", std::get<coalition::ObjectRef>(view.ask.target).id);
  add("key", view.ask.object->key_digest);
  if (!view.there.empty()) add("service", view.service.text());
  add("rule", why.rule);
  add("why", why.why);
  add("verdict", view.last.id.text());
  parts_.record(std::move(leaf));
}

}  // namespace entente::node
