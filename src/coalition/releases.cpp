#include "coalition/releases.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

Instant over_since(const Release& release) {
  return release.until.value_or(release.end);
}

std::string asker_of(const Person& who) {
  return fmt::format("{}/{}", who.partner.text(), who.id.text());
}

}  // namespace

std::optional<Release> release_by_id(const World& world, const RequestId& id) {
  for (const Release* one : world.releases())
    if (one->id == id) return *one;
  return std::nullopt;
}

bool is_over(const Release& release, Instant now) {
  if (release.state == RequestState::open) return release.end <= now;
  return release.state != RequestState::granted || !release.until || *release.until <= now;
}

std::optional<Release> waiting_release(const World& world, const Ask& ask) {
  const auto* object = std::get_if<ObjectRef>(&ask.target);
  if (object == nullptr) return std::nullopt;
  for (const Release* one : world.releases(ask.who.partner)) {
    if (one->state != RequestState::open || is_over(*one, ask.now) || one->by != asker_of(ask.who)) continue;
    if (one->object != object->id || one->rights.front() != action_name(ask.action)) continue;
    if (ask.object && one->attributes == ask.object->attributes) return *one;
  }
  return std::nullopt;
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
