#include "node/releases.h"

#include "coalition/marking.h"
#include "crypto/digest.h"
#include "exchange/access_desk.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {

using coalition::Approval;
using coalition::Release;
using coalition::RequestState;
using coalition::Verdict;

namespace {

Json text_list(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& one : texts) out.push(one);
  return out;
}

Verdict asked_once(const coalition::World& world, const Caller& by, const Release& release,
                   const std::vector<Approval>& already, Instant now) {
  coalition::Ask ask =
      operator_ask(by, coalition::Action::release, coalition::Target(release.partner), release.purpose, now);
  coalition::RequestFacts& facts = ask.request.emplace();
  facts.partner = release.partner;
  facts.person = release.person;
  facts.minutes = release.minutes;
  facts.purpose = release.purpose;
  facts.approvals_needed = release.approvals_needed;
  for (const Approval& one : already) {
    facts.approved_by.push_back(one.by);
    if (!one.authority.empty()) facts.approved_by.push_back(one.authority);
  }
  return coalition::decide(world, ask);
}

}  // namespace

Verdict release_verdict(const coalition::World& world, const Caller& by, Release& release, Instant now) {
  Verdict verdict = asked_once(world, by, release, release.approvals, now);
  // Whether two are needed is known now: then it matters who this operator is.
  if (verdict.permit && verdict.terms && verdict.terms->approvals > release.approvals_needed) {
    release.approvals_needed = verdict.terms->approvals;
    verdict = asked_once(world, by, release, release.approvals, now);
  }
  return verdict;
}

Verdict end_verdict(const coalition::World& world, const Caller& by, const Release& release, Instant now) {
  Release asked = release;
  asked.approvals_needed = 1;
  return asked_once(world, by, asked, {}, now);
}

std::vector<std::string> drop_lapsed(const coalition::World& world, Release& release, Instant now) {
  std::vector<std::string> lapsed;
  std::erase_if(release.approvals, [&](const Approval& approval) {
    const Caller giver{{PersonId(approval.by), world.self(), {}}};
    const bool stands = asked_once(world, giver, release, {}, now).permit;
    if (!stands) lapsed.push_back(approval.by);
    return !stands;
  });
  return lapsed;
}

void approve(const coalition::World& world, Release& release, const Caller& by, const Verdict& verdict,
             Instant now) {
  Approval approval{by.who.id.text(), "", now, verdict.id};
  const coalition::Operator* named = coalition::operator_of(world, by.who);
  if (named != nullptr) approval.authority = named->person.text();
  release.approvals.push_back(std::move(approval));
  if (verdict.terms) {
    release.approvals_needed = verdict.terms->approvals;
    release.minutes = std::min(release.minutes, verdict.terms->minutes);
  }
  if (std::ssize(release.approvals) < release.approvals_needed) return;
  release.state = RequestState::granted;
  release.start = now;
  release.until = now + std::chrono::minutes(release.minutes);
}

Result<Change> release_change(const coalition::World& world, const Release& release, std::string kind,
                              const Caller& by, const Verdict& verdict, Instant now) {
  Change change;
  TRY(change.records, coalition::release_records(world, release, now));
  ledger::Record leaf{.event_class = std::move(kind), .time = now, .fields = {}};
  const auto add = [&](const char* name, Json value) { leaf.fields.emplace_back(name, std::move(value)); };
  add("release", release.id.text());
  add("object", release.object);
  add("partner", release.partner.text());
  if (!release.person.empty()) add("person", release.person.text());
  add("attributes", text_list(release.attributes));
  add("rights", text_list(release.rights));
  add("purpose", release.purpose);
  add("minutes", release.minutes);
  add("who", by.who.id.text());
  add("verdict", verdict.to_json());
  if (!release.answer.empty()) add("words", release.answer);
  if (release.until) add("until", rfc3339(*release.until));
  change.leaves = {std::move(leaf)};
  change.author = by.who.id.text();
  return change;
}

MayAnswer may_answer(const coalition::World& world, const Caller& by, const Release& release, Instant now) {
  MayAnswer out;
  if (coalition::is_over(release, now)) return out;
  if (release.state == RequestState::open) {
    Release asked = release;
    out.approve = release_verdict(world, by, asked, now).permit;
  }
  out.end = out.approve || end_verdict(world, by, release, now).permit;
  return out;
}

std::string mark_of(const coalition::World& world, const Release& release) {
  const Json read = Json::array(
      {release.id.text(), release.object, release.partner.text(), release.person.text(),
       text_list(release.attributes), text_list(release.rights), release.purpose, release.minutes, release.by,
       exchange::person_text(world, release.partner, release.facts), rfc3339(release.asked)});
  return base64url(crypto::sha256(read.canonical()));
}

Json release_json(const coalition::World& world, const Release& release, Instant now) {
  Json approvals = Json::array();
  for (const Approval& one : release.approvals)
    approvals.push(Json::object({{"by", one.by}, {"at", rfc3339(one.at)}, {"verdict", one.verdict.text()}}));
  const bool over = coalition::is_over(release, now);
  const bool ended = over && (release.state == RequestState::open || release.state == RequestState::granted);
  Json out = Json::object({{"id", release.id.text()},
                           {"object", release.object},
                           {"partner", release.partner.text()},
                           {"rights", text_list(release.rights)},
                           {"purpose", release.purpose},
                           {"minutes", release.minutes},
                           {"by", release.by},
                           {"asked", rfc3339(release.asked)},
                           {"end", rfc3339(release.end)},
                           {"seen", mark_of(world, release)},
                           {"state", ended ? std::string_view("over") : coalition::state_name(release.state)},
                           {"approvals", std::move(approvals)},
                           {"approvals_needed", release.approvals_needed}});
  if (!release.person.empty()) out.set("person", release.person.text());
  if (!release.facts.empty()) out.set("who", exchange::person_text(world, release.partner, release.facts));
  if (!release.attributes.empty()) {
    coalition::SealedObject object;
    object.attributes = release.attributes;
    out.set("attributes", text_list(release.attributes))
        .set("marking", coalition::marking_of(world, object, now));
  }
  if (!release.answer.empty()) out.set("answer", release.answer);
  if (release.until) out.set("until", rfc3339(*release.until));
  return out;
}

}  // namespace entente::node
