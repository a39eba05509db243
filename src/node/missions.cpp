#include "node/missions.h"

#include "base/fields.h"
#include "base/log.h"
#include "node/operators.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace entente::node {
namespace {

using coalition::Mission;

constexpr std::string_view kOver = "The mission has ended.";

bool takes_part(const Mission& mission, const PartnerCode& partner) {
  return std::ranges::find(mission.partners, partner) != mission.partners.end();
}

Json word_json(const Mission& mission) {
  return Json::object({{"phase", mission.phase},
                       {"threat", mission.threat},
                       {"end", rfc3339(mission.end)},
                       {"number", mission.number}});
}

std::string take_word(Fields& fields, std::string_view name) {
  std::string word = fields.text(name, 64);
  if (!is_mission_word(word)) fields.wrong(name, "this is no phase or threat");
  return word;
}

}  // namespace

bool is_mission_word(std::string_view word) {
  return is_label(word);
}

Result<void> check_words(const Mission& mission, const MissionDesk::Word& word) {
  const auto check = [&](const std::optional<std::string>& said, const std::vector<std::string>& known,
                         std::string_view what) -> Result<void> {
    if (!said || known.empty() || std::ranges::find(known, *said) != known.end()) return {};
    return fail("mission.unknown-word", fmt::format("\"{}\" is no {} of {}", *said, what, mission.name),
                mission.id.text(), fmt::format("one of: {}", fmt::join(known, ", ")));
  };
  TRY_VOID(check(word.phase, mission.phases, "phase"));
  return check(word.threat, mission.threats, "threat");
}

coalition::Record changed_mission(const coalition::World& world, const Mission& mission,
                                  const MissionDesk::Word& word, int64_t number) {
  coalition::Record record{"mission/" + mission.id.text(), *world.raw("mission/" + mission.id.text())};
  if (word.phase) record.value->set("phase", *word.phase);
  if (word.threat) record.value->set("threat", *word.threat);
  if (word.end && *word.end < mission.end) {
    record.value->set("end", rfc3339(*word.end));
    // One that has not begun yet is over all the same.
    if (*word.end <= mission.start) record.value->set("start", rfc3339(*word.end - Seconds(1)));
  }
  record.value->set("number", number);
  return record;
}

MissionDesk::MissionDesk(Records& records, exchange::Switchboard& switchboard, exchange::AccessDesk& access,
                         const Clock& wall, const Clock& decisions)
    : records_(records), switchboard_(switchboard), access_(access), wall_(wall), decisions_(decisions) {}

Result<MissionDesk::Step> MissionDesk::step(const Mission& mission, const Word& word, Instant now) const {
  const coalition::World& world = records_.world();
  const bool led_here = mission.lead.empty() || mission.lead == world.self();
  if (mission.end <= now) {
    return fail("mission.over", fmt::format("{} has ended", mission.name), mission.id.text(),
                "a mission that goes on needs a new genesis");
  }
  if (!led_here && (word.phase || word.threat)) {
    return fail("mission.not-lead",
                fmt::format("{} is led by {}, whose word on its phase and threat is taken here", mission.name,
                            mission.lead.text()),
                mission.id.text(),
                "its operators can say it, at their own node; here the mission can be ended");
  }
  TRY_VOID(check_words(mission, word));
  if ((!word.phase || *word.phase == mission.phase) && (!word.threat || *word.threat == mission.threat) &&
      !word.end) {
    return fail(
        "mission.unchanged",
        fmt::format("{} is in phase {} with threat {} already", mission.name, mission.phase, mission.threat),
        mission.id.text());
  }
  Step step;
  // The lead counts; what a partner ends for itself leaves the lead's numbers alone.
  step.change.records.push_back(
      changed_mission(world, mission, word, led_here ? next_number(mission) : mission.number));
  if (word.end) step.closing = access_.closing(mission.id, kOver);
  for (const coalition::Record& record : step.closing.records) step.change.records.push_back(record);
  step.change.narrowing = true;
  return step;
}

void MissionDesk::acts(const exchange::AccessDesk::Closing& closing) {
  access_.closed(closing);
  sweep();
}

std::vector<PartnerCode> MissionDesk::known_by(const Mission& mission) const {
  std::vector<PartnerCode> out;
  for (const PartnerCode& partner : mission.partners) {
    const auto known = known_.find({mission.id, partner});
    if (known != known_.end() && known->second == mission.number) out.push_back(partner);
  }
  return out;
}

// Partners heed no number that they have heard: after this node's store was put back, the next one is beyond
// what they know. Whoever claims too much shuts out itself alone.
int64_t MissionDesk::next_number(const Mission& mission) const {
  constexpr int64_t kAheadMax = 1'000'000;
  int64_t highest = mission.number;
  for (const PartnerCode& partner : mission.partners) {
    const auto known = known_.find({mission.id, partner});
    if (known != known_.end() && known->second - mission.number <= kAheadMax)
      highest = std::max(highest, known->second);
  }
  return highest + 1;
}

// A mission may end by time alone, or while something of it was being written.
void MissionDesk::close_what_ended() {
  const Instant now = decisions_.now();
  for (const Mission* mission : records_.world().missions()) {
    if (mission->end > now || closing_.contains(mission->id)) continue;
    const MissionId id = mission->id;
    Revision& looked = closed_[id];
    if (looked == records_.world().revision()) continue;
    exchange::AccessDesk::Closing closing = access_.closing(id, kOver);
    if (closing.records.empty()) {
      looked = records_.world().revision();
      continue;
    }
    closing_.insert(id);
    Change change;
    change.records = closing.records;
    ledger::Record leaf{.event_class = "mission.over", .time = wall_.now(), .fields = {}};
    leaf.fields.emplace_back("mission", id.text());
    leaf.fields.emplace_back("records", std::ssize(closing.records));
    change.leaves = {std::move(leaf)};
    change.author = "node";
    change.narrowing = true;
    records_.commit(std::move(change), [this, id, closing](const Result<Outcome>& outcome) {
      closing_.erase(id);
      if (outcome) access_.closed(closing);
    });
    return;  // the world has moved on: the next one has its turn with the next sweep
  }
}

// What is not durable is told to nobody.
void MissionDesk::sweep() {
  close_what_ended();
  const coalition::World& world = records_.durable_world();
  for (const Mission* mission : world.missions()) {
    if (mission->lead != world.self() || mission->number == 0) continue;
    for (const PartnerCode& partner : mission->partners) {
      if (partner == world.self()) continue;
      const auto at = known_.find({mission->id, partner});
      if (!switchboard_.link_is_up(partner, exchange::Way::asking)) {
        if (at != known_.end()) known_.erase(at);  // who comes back may know less
        continue;
      }
      if (at != known_.end() && at->second >= mission->number) continue;
      exchange::link::Told told;
      told.topic = std::string(kTopic);
      told.id = RequestId(mission->id.text());
      told.body = word_json(*mission);
      switchboard_.tell(partner, exchange::Way::asking, std::move(told));
    }
  }
}

void MissionDesk::say_known(const PartnerCode& partner, exchange::Way way, const MissionId& id) {
  const Mission* mission = records_.durable_world().mission(id);
  if (mission == nullptr) return;
  exchange::link::Told told;
  told.topic = std::string(kKnownTopic);
  told.id = RequestId(id.text());
  told.body = Json::object({{"number", mission->number}});
  switchboard_.tell(partner, way, std::move(told));
}

void MissionDesk::heard(const exchange::Heard& heard) {
  const coalition::World& world = records_.world();
  const Mission* mission = world.mission(MissionId(heard.told.id.text()));
  const coalition::Partner* from = world.partner(heard.partner);
  const Instant now = decisions_.now();
  if (mission == nullptr || from == nullptr || !from->is_open() || now < from->member_since ||
      from->member_until <= now)
    return;
  if (heard.told.topic == kKnownTopic) {
    if (mission->lead != world.self() || !takes_part(*mission, heard.partner)) return;
    Fields fields(heard.told.body, "");
    const int64_t number = fields.integer("number", 0, std::numeric_limits<int64_t>::max());
    if (!fields.done()) return;
    known_[{mission->id, heard.partner}] = number;
    if (number > mission->number)
      log(LogLevel::error, "node",
          "a partner knows more of a mission than its lead: if this node's store was put back, say its phase "
          "again",
          {{"partner", heard.partner.text()}, {"mission", mission->id.text()}});
    return;
  }
  if (mission->lead != heard.partner) {
    log(LogLevel::warning, "node", "a partner that does not lead a mission spoke of its phase",
        {{"partner", heard.partner.text()}, {"mission", mission->id.text()}});
    return;
  }
  take_word(*mission, heard);
}

void MissionDesk::take_word(const Mission& mission, const exchange::Heard& heard) {
  Fields fields(heard.told.body, "");
  Word word;
  word.phase = node::take_word(fields, "phase");
  word.threat = node::take_word(fields, "threat");
  word.end = fields.instant("end");
  const int64_t number = fields.integer("number", 1, std::numeric_limits<int64_t>::max());
  if (!fields.done()) return;
  const PartnerCode from = heard.partner;
  const exchange::Way way = heard.way;
  const MissionId id = mission.id;
  if (number <= mission.number) return say_known(from, way, id);
  if (!words_.try_emplace(id, kWordsBurst, kWordsPerSecond).first->second.take(wall_.tick())) return;
  const Instant now = wall_.now();
  if (*word.end <= now + kSkew) word.end = std::min(*word.end, now);
  if (const Result<void> known = check_words(mission, word); !known)
    log(LogLevel::warning, "node", "the lead said a word that the mission's record here does not name",
        {{"partner", from.text()}, {"why", known.error().text()}});
  Change change;
  change.records.push_back(changed_mission(records_.world(), mission, word, number));
  exchange::AccessDesk::Closing closing;
  if (*word.end <= decisions_.now()) closing = access_.closing(id, kOver);
  for (const coalition::Record& record : closing.records) change.records.push_back(record);
  ledger::Record leaf{.event_class = "mission.told", .time = now, .fields = {}};
  leaf.fields.emplace_back("mission", id.text());
  leaf.fields.emplace_back("partner", from.text());
  leaf.fields.emplace_back("was_phase", mission.phase);
  leaf.fields.emplace_back("was_threat", mission.threat);
  leaf.fields.emplace_back("was_end", rfc3339(mission.end));
  leaf.fields.emplace_back("phase", *word.phase);
  leaf.fields.emplace_back("threat", *word.threat);
  leaf.fields.emplace_back("end", rfc3339(std::min(mission.end, *word.end)));
  leaf.fields.emplace_back("number", number);
  change.leaves = {std::move(leaf)};
  change.author = "partner/" + from.text();
  change.narrowing = true;
  records_.commit(std::move(change), [this, from, way, id, closing](const Result<Outcome>& outcome) {
    if (!outcome) {
      log(LogLevel::warning, "node", "the lead's word on a mission was not taken",
          {{"partner", from.text()}, {"why", outcome.error().text()}});
      return;
    }
    access_.closed(closing);
    if (outcome->durable) say_known(from, way, id);
  });
}

}  // namespace entente::node
