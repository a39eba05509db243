// Releases of objects under originator control: asked for, given, refused and taken back.
#include "base/fields.h"
#include "coalition/barred.h"
#include "coalition/releases.h"
#include "crypto/digest.h"
#include "data/data_policy.h"
#include "data/policy_id.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/api_pages.h"
#include "node/operators.h"
#include "node/releases.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {

using coalition::Release;
using coalition::RequestState;
using coalition::Verdict;

namespace {

// A word to whoever asked, and which release it is an answer to, as it was read: whoever answers says it,
// whoever takes back what was given may.
struct Said {
  std::string words{};
  std::optional<std::string> seen{};
};
Result<Said> read_said(const Json& body, bool answers) {
  Said out;
  if (body.is_null() && !answers) return out;
  Fields fields(body, "");
  if (fields.has("words")) out.words = take_line(fields, "words");
  if (answers || fields.has("seen")) out.seen = take_line(fields, "seen");
  TRY_VOID(fields.done());
  return out;
}

Result<void> check_seen(const coalition::World& world, const Release& release, const Said& said) {
  if (!said.seen || *said.seen == mark_of(world, release)) return {};
  return fail("access.changed", "this is not the release that was read", {}, "read it again, then answer");
}

// What the object bears, as its policy has it: a release is of that and nothing else.
std::vector<std::string> take_attributes(Fields& fields) {
  std::vector<std::string> out = fields.texts("attributes", coalition::kObjectAttributesMax);
  for (std::string& fqn : out) {
    const auto name = data::parse_attribute(fqn);
    if (name) {
      fqn = name->fqn();
    } else {
      fields.wrong("attributes", name.error().what(), name.error().hint());
    }
  }
  if (out.empty())
    fields.wrong("attributes", "it names no attribute", "name all that the object's policy bears");
  return out;
}

// What an operator proposes by themselves.
Result<Release> read_proposal(const coalition::World& world, const Json& body, const Caller& by,
                              Instant now) {
  Fields fields(body, "");
  Release out;
  out.id = RequestId(crypto::random_token(16));
  out.object = data::plain_policy_id(fields.text("object", coalition::kObjectIdBytesMax));
  if (!data::is_policy_id(out.object))
    fields.wrong("object", "this is no object's id",
                 "write the \"uuid\" of its policy, as `entente inspect` shows");
  out.attributes = take_attributes(fields);
  out.partner = PartnerCode(fields.text("partner", 16));
  if (world.partner(out.partner) == nullptr || out.partner == world.self())
    fields.wrong("partner", "this is no other nation of the coalition", "name one that `partner list` shows");
  if (fields.has("person")) out.person = PersonId(fields.text("person", 64));
  out.rights = fields.texts_or_none("rights", coalition::kReleaseRights.size());
  if (out.rights.empty()) out.rights = {"open", "view"};
  for (const std::string& right : out.rights) {
    if (std::ranges::find(coalition::kReleaseRights, right) == coalition::kReleaseRights.end())
      fields.wrong("rights", fmt::format("\"{}\" is no right over an object", right),
                   fmt::format("some of {}", fmt::join(coalition::kReleaseRights, ", ")));
  }
  out.minutes = fields.integer("minutes", 1, coalition::kGrantLifeMax / std::chrono::minutes(1));
  out.purpose = take_line(fields, "reason");
  if (out.purpose.size() > coalition::kPurposeBytesMax)
    fields.wrong("reason", "this is too long", fmt::format("at most {} bytes", coalition::kPurposeBytesMax));
  TRY_VOID(fields.done());
  out.by = by.who.id.text();
  out.asked = now;
  out.end = now + coalition::kRequestLifeMax;
  return out;
}

Error refused_release(const Verdict& verdict) {
  const Verdict said = coalition::shown(verdict);
  const bool why = !said.reasons.empty();
  return {"operator.denied",
          fmt::format("{} (verdict {})", why ? said.reasons.front().text : "an operator may not do this here",
                      verdict.id.text()),
          {},
          why ? said.reasons.front().change : std::string()};
}

// As with grants: what could open to nobody is not given, and not said to be.
std::optional<Answer> opens_nothing(const coalition::World& world, const Release& release, Instant now) {
  const auto why = coalition::barred(world, release, now);
  if (!why) return std::nullopt;
  return refusal(409, {"access.refused", "a release would open nothing: " + why->text, {}, why->change});
}

std::string given_text(const Release& release) {
  const std::string whom = release.person.empty()
                               ? release.partner.text()
                               : fmt::format("{}/{}", release.partner.text(), release.person.text());
  if (release.state != RequestState::granted)
    return fmt::format("approved: {} of {} approvals for {}", release.approvals.size(),
                       release.approvals_needed, release.id.text());
  return fmt::format("released: {} goes to {} until {}", release.object, whom, rfc3339(*release.until));
}

struct ReleaseCalls {
  ApiCore& api;
  Records& records;
  const Clock& decisions;
  std::function<void(const coalition::Release&)> release_answered;

  Json release_row(const Caller& by, const Release& release) const;
  net::Task<Answer> list_releases(ApiRequest request);
  net::Task<Answer> show_release(ApiRequest request);
  std::optional<Answer> not_released(const ApiRequest& request, Release& release, bool gives,
                                     Verdict& verdict);
  net::Task<Answer> commit_release(ApiRequest request, Release release, std::string kind, Verdict verdict,
                                   std::string text);
  net::Task<Answer> propose_release(ApiRequest request);
  Result<Release> open_release(const ApiRequest& request) const;
  net::Task<Answer> approve_release(ApiRequest request);
  net::Task<Answer> end_release(ApiRequest request, bool revokes);
  net::Task<Answer> deny_release(ApiRequest request);
  net::Task<Answer> revoke_release(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> releases_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(ReleaseCalls{api, parts.records, parts.decisions, parts.release_answered},
                   {
                       {"GET", "/v1/releases", &ReleaseCalls::list_releases},
                       {"POST", "/v1/releases", &ReleaseCalls::propose_release},
                       {"GET", "/v1/releases/{}", &ReleaseCalls::show_release},
                       {"POST", "/v1/releases/{}/approve", &ReleaseCalls::approve_release},
                       {"POST", "/v1/releases/{}/deny", &ReleaseCalls::deny_release},
                       {"POST", "/v1/releases/{}/revoke", &ReleaseCalls::revoke_release, preview},
                   });
}

// With whether it is theirs to answer.
Json ReleaseCalls::release_row(const Caller& by, const Release& release) const {
  const Instant now = decisions.now();
  const MayAnswer may = may_answer(records.world(), by, release, now);
  return release_json(records.world(), release, now).set("may_approve", may.approve).set("may_end", may.end);
}

net::Task<Answer> ReleaseCalls::list_releases(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list releases")) co_return *no;
  const Result<PageAsked> asked = read_page_asked(request.query);
  if (!asked) co_return refusal(400, asked.error());
  const Instant now = decisions.now();
  const coalition::Page<Release> page =
      page_of(records.world().releases(), *asked, [&](const Release& one) -> std::optional<Instant> {
        if (asked->all) return one.asked;
        if (coalition::is_over(one, now)) return std::nullopt;
        return one.state == RequestState::granted ? one.until : one.end;
      });
  Json out = Json::array();
  for (const Release* one : page.items) out.push(release_row(request.by, *one));
  Json body = Json::object({{"releases", std::move(out)}});
  say_rest(body, page);
  co_return Answer{200, std::move(body)};
}

net::Task<Answer> ReleaseCalls::show_release(ApiRequest request) {
  if (auto no = api.may_not_view(request, "read release " + request.name)) co_return *no;
  const Release* known = records.world().release(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no release {} here", request.name), "release ls");
  co_return Answer{200, release_row(request.by, *known)};
}

// What was asked of decide() about it, for the ledger; the refusal as an answer, or nothing.
std::optional<Answer> ReleaseCalls::not_released(const ApiRequest& request, Release& release, bool gives,
                                                 Verdict& verdict) {
  const Instant now = decisions.now();
  verdict = gives ? release_verdict(records.world(), request.by, release, now)
                  : end_verdict(records.world(), request.by, release, now);
  if (verdict.permit) return gives ? opens_nothing(records.world(), release, now) : std::nullopt;
  ledger::Record record =
      verdict_record(verdict, request.by.who, "release", operator_context(request.by.network, now), now);
  record.fields.emplace_back("target", coalition::target_text(coalition::Target(release.partner)));
  record.fields.emplace_back("object", release.object);
  records.append({std::move(record)}, false, [](const Result<ledger::Appended>&) {});
  return refusal(403, refused_release(verdict));
}

net::Task<Answer> ReleaseCalls::commit_release(ApiRequest request, Release release, std::string kind,
                                               Verdict verdict, std::string text) {
  const Instant now = decisions.now();
  Result<Change> made = release_change(records.world(), release, std::move(kind), request.by, verdict, now);
  if (!made) co_return refusal(409, made.error());
  made->narrowing = release.state == RequestState::revoked;
  if (const std::string key = record_key(release); !made->narrowing && records.world().raw(key) != nullptr) {
    Result<store::Precondition> seen = records.as_seen(key);
    if (!seen) co_return refusal(status_of(seen.error()), seen.error());
    made->preconditions.push_back(*std::move(seen));
  }
  ApiCore::Words said;
  said.what = "the release";
  said.done = std::move(text);
  said.verdict = verdict.id;
  said.decided = now;
  Answer answer = co_await api.change(request, *std::move(made), std::move(said));
  if (request.preview) co_return answer;
  if (answer.status == 200) answer.body.set("release", release_json(records.world(), release, now));
  // What narrows acts, and waits for the disk.
  const bool counts =
      answer.status == 200 || (release.state == RequestState::revoked && answer.status == 507);
  if (counts) release_answered(release);
  co_return answer;
}

net::Task<Answer> ReleaseCalls::propose_release(ApiRequest request) {
  Result<Release> read = read_proposal(records.world(), request.body, request.by, decisions.now());
  if (!read) co_return refusal(400, read.error());
  Verdict verdict;
  if (auto no = not_released(request, *read, true, verdict)) co_return *no;
  approve(records.world(), *read, request.by, verdict, decisions.now());
  std::string kind = read->state == RequestState::granted ? "release" : "release.proposed";
  std::string text = given_text(*read);
  Answer answer = co_await commit_release(std::move(request), *std::move(read), std::move(kind),
                                          std::move(verdict), std::move(text));
  co_return answer;
}

// The release that is still to be answered, or why there is none.
Result<Release> ReleaseCalls::open_release(const ApiRequest& request) const {
  std::optional<Release> found = coalition::release_by_id(records.world(), RequestId(request.name));
  if (!found)
    return fail("access.unknown", fmt::format("there is no release {} here", request.name), {},
                "look at `release ls`");
  if (found->state != RequestState::open || coalition::is_over(*found, decisions.now()))
    return fail("access.over", "this is answered, or out of time", {}, "look at `release ls --all`");
  return *std::move(found);
}

net::Task<Answer> ReleaseCalls::approve_release(ApiRequest request) {
  const Result<Said> said = read_said(request.body, true);
  if (!said) co_return refusal(400, said.error());
  Result<Release> found = open_release(request);
  if (!found) co_return refusal(status_of(found.error()), found.error());
  const Result<void> seen = check_seen(records.world(), *found, *said);
  if (!seen) co_return refusal(status_of(seen.error()), seen.error());
  const std::vector<std::string> lapsed = drop_lapsed(records.world(), *found, decisions.now());
  Verdict verdict;
  if (auto no = not_released(request, *found, true, verdict)) co_return *no;
  approve(records.world(), *found, request.by, verdict, decisions.now());
  if (!said->words.empty()) found->answer = said->words;
  std::string kind = found->state == RequestState::granted ? "release" : "release.approved";
  std::string text = given_text(*found);
  if (!lapsed.empty()) text += fmt::format("; {} may not give theirs any more", fmt::join(lapsed, ", "));
  Answer answer = co_await commit_release(std::move(request), *std::move(found), std::move(kind),
                                          std::move(verdict), std::move(text));
  co_return answer;
}

// Who may give it may refuse it, and take it back.
net::Task<Answer> ReleaseCalls::end_release(ApiRequest request, bool revokes) {
  const Result<Said> said = read_said(request.body, !revokes);
  if (!said) co_return refusal(400, said.error());
  std::optional<Release> known = coalition::release_by_id(records.world(), RequestId(request.name));
  Result<Release> found = revokes && known && known->state == RequestState::granted ? Result<Release>(*known)
                                                                                    : open_release(request);
  if (!found) co_return refusal(status_of(found.error()), found.error());
  const Result<void> seen = check_seen(records.world(), *found, *said);
  if (!seen) co_return refusal(status_of(seen.error()), seen.error());
  Verdict verdict;
  if (auto no = not_released(request, *found, false, verdict)) co_return *no;
  found->state = revokes ? RequestState::revoked : RequestState::denied;
  found->start.reset();
  found->until.reset();
  found->answer = said->words;
  std::string text = revokes ? fmt::format("the release {} is taken back", request.name)
                             : fmt::format("denied; {} is not released", found->object);
  std::string kind = revokes ? "release.revoked" : "release.denied";
  Answer answer = co_await commit_release(std::move(request), *std::move(found), std::move(kind),
                                          std::move(verdict), std::move(text));
  co_return answer;
}

net::Task<Answer> ReleaseCalls::deny_release(ApiRequest request) {
  Answer answer = co_await end_release(std::move(request), false);
  co_return answer;
}

net::Task<Answer> ReleaseCalls::revoke_release(ApiRequest request) {
  Answer answer = co_await end_release(std::move(request), true);
  co_return answer;
}

Json Api::releases_due(const Caller& by) const {
  const Instant now = parts_.decisions.now();
  int64_t theirs = 0;
  size_t decided = 0;
  for (const Release* one : parts_.records.world().releases()) {
    if (one->state != RequestState::open || coalition::is_over(*one, now)) continue;
    if (decided++ == kCountedMax) break;
    if (may_answer(parts_.records.world(), by, *one, now).approve) ++theirs;
  }
  return Json::object({{"count", theirs}, {"more", decided > kCountedMax}});
}

}  // namespace entente::node
