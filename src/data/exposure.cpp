#include "data/exposure.h"

#include "coalition/barred.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::data {
namespace {

const Json* field(const ledger::Record& record, std::string_view name) {
  for (const auto& [key, value] : record.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string field_text(const ledger::Record& record, std::string_view name) {
  const Json* value = field(record, name);
  return value != nullptr && value->is_string() ? value->string() : std::string();
}

std::vector<std::string> field_texts(const ledger::Record& record, std::string_view name) {
  std::vector<std::string> out;
  const Json* value = field(record, name);
  if (value == nullptr || !value->is_array()) return out;
  for (const Json& item : value->items()) {
    if (item.is_string()) out.push_back(item.string());
  }
  return out;
}

}  // namespace

void Exposure::add(const ledger::Record& record) {
  const bool passed = record.event_class == "key.passed";
  const bool withheld = record.event_class == "key.withheld";
  if (!passed && !withheld && record.event_class != "key.release") return;
  Group group;
  group.partner = field_text(record, "partner");
  group.person = field_text(record, "person");
  group.device = field_text(record, "device");
  group.object = field_text(record, "object");
  group.key = field_text(record, "key");
  group.kid = field_text(record, "kid");
  const std::string name =
      fmt::format("{}/{}/{}/{}/{}", group.partner, group.person, group.device, group.object, group.key);
  const auto known = index_.find(name);
  if (withheld) {  // recorded as released, and then not answered
    if (known == index_.end() || groups_[known->second].count == 0) return;
    --groups_[known->second].count;
    --releases_;
    return;
  }
  ++releases_;
  if (known == index_.end() && groups_.size() >= kExposureGroupsMax) return;
  const size_t at = known == index_.end() ? groups_.size() : known->second;
  if (known == index_.end()) {
    const Json* attributes = field(record, "attributes");
    const Json* dissem = field(record, "dissem");
    const std::string said = (attributes == nullptr ? std::string() : attributes->dump()) +
                             (dissem == nullptr ? std::string() : dissem->dump());
    const auto [entry, fresh] = policy_index_.try_emplace(said, policies_.size());
    if (fresh) policies_.push_back({field_texts(record, "attributes"), field_texts(record, "dissem")});
    group.policy = entry->second;
    group.first = record.time;
    group.passed = passed;
    index_.emplace(name, at);
    groups_.push_back(std::move(group));
  }
  Group& kept = groups_[at];
  ++kept.count;
  kept.last = record.time;
  kept.verdict = field_text(record, "verdict");
}

bool Exposure::fits(const Group& group, const ExposureFilter& filter) const {
  if (group.count == 0) return false;
  if (!filter.partner.empty() && filter.partner != group.partner) return false;
  if (!filter.person.empty() && filter.person != group.partner + "/" + group.person) return false;
  if (!filter.object.empty() && filter.object != group.object && filter.object != group.key) return false;
  return filter.device.empty() || filter.device == group.device;
}

std::string Exposure::why_shut(const Group& group, const coalition::World& world, Instant now) const {
  coalition::Ask ask;
  ask.who.id = PersonId(group.person);
  ask.who.partner = PartnerCode(group.partner);
  ask.target = coalition::ObjectRef{group.object};
  ask.now = now;
  ask.by.emplace().device = group.device;
  coalition::SealedObject& sealed = ask.object.emplace();
  sealed.attributes = policies_[group.policy].attributes;
  sealed.dissem = policies_[group.policy].dissem;
  sealed.key_digest = group.key;
  sealed.kid = group.kid;
  const auto reason = coalition::barred(world, ask);
  return reason ? reason->policy : std::string();
}

Json Exposure::report(const ExposureFilter& filter, const coalition::World& world, Instant now) const {
  std::vector<const Group*> found;
  for (const Group& group : groups_) {
    if (fits(group, filter)) found.push_back(&group);
  }
  std::sort(found.begin(), found.end(), [](const Group* a, const Group* b) { return a->last > b->last; });
  std::set<std::string> readers;
  std::set<std::string> objects;
  uint64_t releases = 0;
  uint64_t openable = 0;
  Json rows = Json::array();
  for (const Group* group : found) {
    releases += group->count;
    readers.insert(group->partner + "/" + group->person);
    objects.insert(group->object);
    const std::string shut = why_shut(*group, world, now);
    if (shut.empty()) ++openable;
    if (rows.items().size() >= kExposureShownMax) continue;
    Json row = Json::object({{"partner", group->partner},
                             {"person", group->person},
                             {"device", group->device},
                             {"object", group->object},
                             {"key", group->key},
                             {"kid", group->kid},
                             {"count", static_cast<int64_t>(group->count)},
                             {"first", rfc3339(group->first)},
                             {"last", rfc3339(group->last)},
                             {"verdict", group->verdict},
                             {"passed", group->passed},
                             {"openable", shut.empty()}});
    if (!shut.empty()) row.set("why", shut);
    rows.push(std::move(row));
  }
  const size_t shown = rows.items().size();
  return Json::object({{"releases", static_cast<int64_t>(releases)},
                       {"readers", static_cast<int64_t>(readers.size())},
                       {"objects", static_cast<int64_t>(objects.size())},
                       {"openable", static_cast<int64_t>(openable)},
                       {"rows", std::move(rows)},
                       {"more", static_cast<int64_t>(found.size() - shown)}});
}

}  // namespace entente::data
