#include "coalition/releases.h"

#include "base/text.h"
#include "coalition/decide.h"
#include "coalition/notes.h"
#include "coalition/object_view.h"
#include "coalition/things.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kNewsIdBytesMax = 64;
constexpr size_t kNewsWordsBytesMax = 1'000;  // what an operator may write, and a record keeps
constexpr std::array<std::string_view, 6> kNewsStates{"none", "open", "granted", "denied", "revoked", "over"};

Instant over_since(const Release& release) {
  return release.until.value_or(release.end);
}

std::string asker_of(const Person& who) {
  return fmt::format("{}/{}", who.partner.text(), who.id.text());
}

bool is_about(const Release& release, const Ask& ask, const ObjectRef& object) {
  return release.by == asker_of(ask.who) && release.object == object.id &&
         std::ranges::find(release.rights, action_name(ask.action)) != release.rights.end() && ask.object &&
         release.attributes == ask.object->attributes;
}

}  // namespace

std::optional<Release> release_by_id(const World& world, const RequestId& id) {
  const Release* found = world.release(id);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

bool is_over(const Release& release, Instant now) {
  if (release.state == RequestState::open) return release.end <= now;
  return release.state != RequestState::granted || !release.until || *release.until <= now;
}

std::optional<Release> waiting_release(const World& world, const Ask& ask) {
  const auto* object = std::get_if<ObjectRef>(&ask.target);
  if (object == nullptr) return std::nullopt;
  for (const Release* one : world.releases(ask.who.partner)) {
    if (one->state == RequestState::open && !is_over(*one, ask.now) && is_about(*one, ask, *object))
      return *one;
  }
  return std::nullopt;
}

std::optional<Release> newest_release(const World& world, const Ask& ask) {
  const auto* object = std::get_if<ObjectRef>(&ask.target);
  if (object == nullptr) return std::nullopt;
  const Release* newest = nullptr;
  for (const Release* one : world.releases(ask.who.partner))
    if (is_about(*one, ask, *object) && (newest == nullptr || newest->asked < one->asked)) newest = one;
  return newest == nullptr ? std::nullopt : std::optional(*newest);
}

ReleaseNews news_of(const Release& release, Instant now) {
  ReleaseNews out;
  out.id = release.id;
  const bool answered = release.state == RequestState::denied || release.state == RequestState::revoked;
  out.state = is_over(release, now) && !answered ? "over" : std::string(state_name(release.state));
  // Before it is answered nobody but operators reads what one of several wrote.
  if (release.state != RequestState::open) out.words = release.answer;
  if (out.state == "open") out.until = release.end;
  if (out.state == "granted") out.until = release.until;
  return out;
}

std::optional<ReleaseNews> release_news(const World& world, const Ask& ask, const Verdict& verdict) {
  if (verdict.permit || !verdict.release_sought) return std::nullopt;
  if (const auto known = newest_release(world, ask)) return news_of(*known, ask.now);
  Grant supposed;
  supposed.end = ask.now + std::chrono::minutes(1);
  if (!decide_as_if(world, ask, supposed).permit) return std::nullopt;
  return ReleaseNews{.state = "none"};
}

Json to_json(const ReleaseNews& news) {
  Json out = Json::object({{"state", news.state}});
  if (!news.id.empty()) out.set("release", news.id.text());
  if (!news.words.empty()) out.set("words", news.words);
  if (news.until) out.set("until", rfc3339(*news.until));
  return out;
}

std::optional<ReleaseNews> read_release_news(const Json& said) {
  if (!said.is_object()) return std::nullopt;
  ReleaseNews out;
  out.state = said.text_or("state", "");
  const std::string_view id = said.text_or("release", "");
  const std::string_view words = said.text_or("words", "");
  if (std::ranges::find(kNewsStates, out.state) == kNewsStates.end()) return std::nullopt;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (id.empty() != (out.state == "none") || id.size() > kNewsIdBytesMax || !std::ranges::all_of(id, plain))
    return std::nullopt;
  out.id = RequestId(std::string(id));
  if (words.size() <= kNewsWordsBytesMax && is_line(words)) out.words = words;
  if (const Result<Instant> until = parse_rfc3339(said.text_or("until", ""))) out.until = *until;
  return out;
}

Result<Release> wished_release(const World& world, const Ask& ask, RequestId id, std::string purpose,
                               int64_t minutes, const WishesUnderWay& others) {
  Release out;
  out.id = std::move(id);
  out.partner = ask.who.partner;
  out.person = ask.who.id;
  out.object = std::get<ObjectRef>(ask.target).id;
  out.rights = {std::string(action_name(ask.action))};
  // Whoever may have the key may also be shown the object: the lobby asks by that right.
  if (ask.action == Action::open) out.rights.emplace_back(action_name(Action::view));
  out.purpose = std::move(purpose);
  out.minutes = minutes;
  out.by = asker_of(ask.who);
  out.asked = ask.now;
  out.end = ask.now + kReleaseWishLife;
  if (ask.object) out.attributes = ask.object->attributes;
  for (const char* shown : {"role", "clearance", "nationality", "assurance"}) {
    const auto found = ask.who.facts.find(shown);
    if (found != ask.who.facts.end()) out.facts.insert(*found);
  }
  const auto all = world.releases(ask.who.partner);
  const auto waiting = std::count_if(all.begin(), all.end(), [&](const Release* one) {
    return one->by == out.by && one->state == RequestState::open && !is_over(*one, ask.now);
  });
  if (static_cast<size_t>(waiting) + others.of_person >= kOpenReleasesMax) {
    return fail("access.full", "too many of your requests wait for an answer", {},
                "wait until they are answered");
  }
  return out;
}

namespace {

Release closed(Release release, std::string_view words) {
  release.state = release.state == RequestState::open ? RequestState::denied : RequestState::revoked;
  release.answer = std::string(words);
  release.start.reset();
  release.until.reset();
  return release;
}

}  // namespace

std::vector<Release> closed_releases(const World& world, const PartnerCode& partner, std::string_view words,
                                     Instant now) {
  std::vector<Release> out;
  for (const Release* one : world.releases(partner))
    if (one->state == RequestState::granted && !is_over(*one, now)) out.push_back(closed(*one, words));
  return out;
}

std::vector<Release> closed_releases(const World& world, const MissionId& mission, std::string_view words,
                                     Instant now) {
  std::vector<Release> out;
  for (const Partner* partner : world.partners()) {
    for (const Release* one : world.releases(partner->code)) {
      if (is_over(*one, now)) continue;
      SealedObject object;
      object.attributes = one->attributes;
      Notes notes(now);
      const ObjectRead read = read_object(world, object, now, notes);
      if (!read.reading) continue;
      const std::vector<MissionId>& missions = read.reading->view.missions;
      if (std::ranges::find(missions, mission) == missions.end()) continue;
      out.push_back(closed(*one, words));
    }
  }
  return out;
}

Result<std::vector<Record>> release_records(const World& world, const Release& release, Instant now,
                                            size_t under_way) {
  std::vector<Record> out{{record_key(release), to_json(release)}};
  // However full it is: what is there can be answered and taken back.
  if (world.raw(out.front().key) != nullptr) return out;
  std::vector<const Release*> over;
  size_t others = under_way;
  for (const Release* one : world.releases(release.partner)) {
    if (one->id == release.id) continue;
    ++others;
    if (is_over(*one, now)) over.push_back(one);
  }
  std::sort(over.begin(), over.end(),
            [](const Release* a, const Release* b) { return over_since(*a) < over_since(*b); });
  for (const Release* one : over) {
    const bool long_over = over_since(*one) + kReleaseKept <= now;
    if (!long_over && others < kReleasesMax) break;
    out.push_back({record_key(*one), std::nullopt});
    --others;
  }
  if (others < kReleasesMax) return out;
  return fail("access.full",
              fmt::format("so much is released to {} that there is no room", release.partner.text()), {},
              "deny or revoke what is not needed");
}

}  // namespace entente::coalition
