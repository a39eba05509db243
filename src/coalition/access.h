// What a person asks for beyond what policies give them, and what an owner gives: always to one person, for
// one app, for a purpose, with a start, an end and a count. Policies read a grant as `context.grant`; a grant
// opens nothing that no policy of the owner lets it open.
#pragma once

#include "coalition/facts.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente {
class Fields;
using RequestId =
    TextId<struct RequestIdTag>;  // 128 random bits, base64url; the grant it leads to has the same
}  // namespace entente

namespace entente::coalition {

inline constexpr Millis kGrantLifeMax = std::chrono::days(30);
inline constexpr Millis kRequestLifeMax = std::chrono::days(7);
inline constexpr Millis kDelegationLifeMax = std::chrono::days(30);
inline constexpr int64_t kGrantUsesMax = 10'000;
inline constexpr size_t kPurposeBytesMax = 500;
inline constexpr int64_t kApprovalsMax = 5;

// Which requests inside a session a grant speaks for: outside of it, it is as if there were none.
struct Scope {
  bool read_only = false;          // GET and HEAD
  std::vector<std::string> paths;  // "/files": that and what lies below; none: all
  [[nodiscard]] bool whole() const { return !read_only && paths.empty(); }
  [[nodiscard]] bool covers(std::string_view method, std::string_view path, bool upgrade) const;
  bool operator==(const Scope&) const = default;
};
[[nodiscard]] Json to_json(const Scope& scope);
[[nodiscard]] Scope read_scope(Fields& fields);  // member "scope", if any; what is wrong is said to `fields`
[[nodiscard]] std::string scope_text(const Scope& scope);  // "reading only, below /files"; "everything"

// Record grant/<partner>/<person>/<app>/<id>, at the app's owner: purpose, start, end, count, used, scope?,
// approved_by. The person is named as the owner knows them.
struct Grant {
  RequestId id;
  PartnerCode partner;
  PersonId person;
  AppId app;
  std::string purpose;
  Instant start;
  Instant end;        // at most kGrantLifeMax after the start
  int64_t count = 1;  // admissions it is good for
  int64_t used = 0;
  Scope scope;
  std::vector<std::string> approved_by;
};
[[nodiscard]] std::string record_key(const Grant& grant);
[[nodiscard]] Json to_json(const Grant& grant);

[[nodiscard]] bool is_person_id(std::string_view text);  // the form alone

struct Approval {
  std::string by;         // person id, or "operator/<name>"
  std::string authority;  // who delegated it to them; empty: their own
  Instant at;
  VerdictId verdict;
  // What was known of them, to be asked again when the last approval comes: kept while the request is open.
  Facts facts{};
  Facts context{};
};

enum class RequestState { open, granted, denied, withdrawn, revoked };
[[nodiscard]] std::string_view state_name(RequestState state);

// Record request/<partner>/<id>: at the owner what a person of that partner asks for.
// Record asked/<owner>/<id>: at a person's home what they asked of a partner, as the owner told last.
struct AccessRequest {
  RequestId id;
  PartnerCode partner;  // whose person
  PersonId person;      // as this node knows them
  PartnerCode owner;
  AppId app;
  std::string purpose;
  int64_t minutes = 0;  // how long they want it
  Scope scope;
  Instant asked;
  Instant end;  // unanswered by then, it is over
  RequestState state = RequestState::open;
  int64_t approvals_needed = 1;
  std::vector<Approval> approvals;
  std::string answer;  // in words for the person; may be empty
  Facts facts;         // owner: what their nation said of them last
  std::optional<Instant> granted_until;
};
[[nodiscard]] std::string record_key(const AccessRequest& request, const PartnerCode& self);
[[nodiscard]] Json to_json(const AccessRequest& request);

// Record release/<partner>/<id>, at a nation of origin: where an object (its id with its attributes) that is
// under originator control may go beyond its label, to a nation or one of its people, for a purpose and a
// time. It speaks for this nation's share of the key alone, and overrules nothing but whom the label lets it
// go to. Policies read a live one as `context.release`.
struct Release {
  RequestId id;
  PartnerCode partner;              // to whom
  PersonId person;                  // as this node knows them; empty: whoever of that nation is cleared
  std::string object;               // the id in its policy
  std::vector<std::string> rights;  // of kReleaseRights
  std::string purpose;
  int64_t minutes = 0;  // how long it is to last, at most
  std::string by;       // who asked for it: "operator/<name>", or "XCC/<person>"
  Instant asked;
  Instant end;  // unanswered by then, it is over
  RequestState state = RequestState::open;
  int64_t approvals_needed = 1;
  std::vector<Approval> approvals;
  std::string answer;                   // in words, for whoever asked; may be empty
  std::vector<std::string> attributes;  // FQNs, all that it bears: of another set it opens nothing
  Facts facts;                          // and what their nation said of them
  std::optional<Instant> start;         // given: from when to when
  std::optional<Instant> until;
};
inline constexpr std::array<std::string_view, 5> kReleaseRights{"open", "view", "edit", "forward", "relabel"};
inline constexpr size_t kReleasesMax = 1'000;  // records for one partner
[[nodiscard]] std::string record_key(const Release& release);
[[nodiscard]] Json to_json(const Release& release);

// Record delegation/<app>/<to>/<id>: `from` lets `to` answer requests for the app. Policies read it as
// `context.delegation`. It lends a right and gives none: each time it is used it is decided whether `from`
// could approve the same themselves, by what was known of them last, or as the operator that they are by now.
struct Delegation {
  RequestId id;
  AppId app;
  PersonId from;
  PersonId to;
  Instant start;
  Instant end;
  Facts facts;  // of `from`, as they signed in last; an operator's may be none
};
[[nodiscard]] std::string record_key(const Delegation& delegation);
[[nodiscard]] Json to_json(const Delegation& delegation);
// What a lender's nation said of them at a sign-in is believed for so long after it, though the sign-in is
// over: over a weekend, and not for as long as somebody stays away.
inline constexpr Millis kLenderKnownMax = std::chrono::hours(72);
// Until when that is, by what is kept of them; nothing: they have not signed in, or only by a clock that was
// ahead.
[[nodiscard]] std::optional<Instant> lender_known_until(const Delegation& delegation, Instant now);

// What a grant would have to be to open the app: what the owner's policies say that let it (annotations
// @approvals, @minutes, @uses).
struct GrantTerms {
  int64_t approvals = 1;  // of different people
  int64_t minutes = 480;  // at most
  int64_t uses = 100;     // at most
  bool operator==(const GrantTerms&) const = default;
};

// What the one who answers a request, or lets an object be released, is asked about.
struct RequestFacts {
  PartnerCode partner;  // who asks
  PersonId person;
  int64_t minutes = 0;
  std::string purpose;
  int64_t approvals_needed = 1;
  std::vector<std::string> approved_by;  // who approved it already: people and authorities
};

}  // namespace entente::coalition
