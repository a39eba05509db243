// What becomes of releases (access.h) before and after they are given: which there are, which are over, and
// that a partner's never fill more than their room. Pure.
#pragma once

#include "coalition/verdict.h"
#include "coalition/world.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::coalition {

inline constexpr size_t kOpenReleasesMax = 8;                 // asked for by one person, and not answered yet
inline constexpr Millis kReleaseKept = std::chrono::days(7);  // the record, after it is over
// A person's wish that nobody answers: nobody can take it back for them, so it does not last.
inline constexpr Millis kReleaseWishLife = std::chrono::hours(24);

// What is on its way into the records already and not yet in the world, of wishes alone.
struct WishesUnderWay {
  size_t of_person = 0;
  size_t of_partner = 0;
};

[[nodiscard]] std::optional<Release> release_by_id(const World& world, const RequestId& id);
// Answered with no, taken back, ended, or not answered in time: it opens nothing and never will.
[[nodiscard]] bool is_over(const Release& release, Instant now);

// How what somebody asked for stands, as they and their nation's node are told.
struct ReleaseNews {
  RequestId id{};                  // empty: they asked for none yet
  std::string state{};             // "none", "open", "granted", "denied", "revoked", "over"
  std::string words{};             // of whoever answered
  std::optional<Instant> until{};  // open: unanswered by then it is over; granted: the end
};
[[nodiscard]] ReleaseNews news_of(const Release& release, Instant now);
// For somebody who was refused, and for nobody else: of the newest they asked for about that object as it
// says it is and that right; or, where they did not and one would open it to them, state "none". Nothing: no
// release would.
[[nodiscard]] std::optional<ReleaseNews> release_news(const World& world, const Ask& ask,
                                                      const Verdict& verdict);
[[nodiscard]] std::optional<Release> newest_release(const World& world, const Ask& ask);
[[nodiscard]] Json to_json(const ReleaseNews& news);
// What another node says: nothing where it is no news. Words that steer or are too long are left out.
[[nodiscard]] std::optional<ReleaseNews> read_release_news(const Json& said);

// What somebody under `ask` asked for already, about that object as it says it is and that right, and waits
// for.
[[nodiscard]] std::optional<Release> waiting_release(const World& world, const Ask& ask);
// What somebody whose ask came to nothing but for a release asks for: open until it is answered. `id` is
// drawn by the caller. Error "access.full": too much of theirs waits.
[[nodiscard]] Result<Release> wished_release(const World& world, const Ask& ask, RequestId id,
                                             std::string purpose, int64_t minutes,
                                             const WishesUnderWay& others = {});

// As they are once a nation is let in again, or a mission has ended: what was given to that nation, or what
// waits or was given for objects of that mission, opens nothing any more. To be written.
[[nodiscard]] std::vector<Release> closed_releases(const World& world, const PartnerCode& partner,
                                                   std::string_view words, Instant now);
[[nodiscard]] std::vector<Release> closed_releases(const World& world, const MissionId& mission,
                                                   std::string_view words, Instant now);

// The record, and where it is a new one the removal of what is long over of that partner's. Error
// "access.full", of a new one alone: so many live ones (and `under_way`) that no room is left.
[[nodiscard]] Result<std::vector<Record>> release_records(const World& world, const Release& release,
                                                          Instant now, size_t under_way = 0);

}  // namespace entente::coalition
