#include "data/exposure.h"

#include "coalition/barred.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kNameMax = 512;     // of one text of a record: longer ones are none of ours
constexpr size_t kNameBytes = 112;   // what a text takes besides itself, kept once
constexpr size_t kGroupBytes = 176;  // a group and its place in the index
constexpr size_t kPolicyBytes = 160;

constexpr std::array kRights{coalition::Action::open, coalition::Action::view, coalition::Action::edit,
                             coalition::Action::forward, coalition::Action::relabel};

bool counts(std::string_view event_class) {
  return event_class == "key.release" || event_class == "key.passed" || event_class == "key.withheld";
}

const Json* field(const ledger::Record& record, std::string_view name) {
  for (const auto& [key, value] : record.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view field_text(const ledger::Record& record, std::string_view name) {
  const Json* value = field(record, name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string_view(value->string()).substr(0, kNameMax);
}

std::string person_of(const ledger::Record& record) {
  std::string out(field_text(record, "partner"));
  return out.append(1, '/').append(field_text(record, "person"));
}

void set_bit(std::vector<bool>& bits, uint32_t number) {
  if (number < bits.size()) bits[number] = true;
}

bool bit(const std::vector<bool>& bits, uint32_t number) {
  return number < bits.size() && bits[number];
}

}  // namespace

uint32_t Exposure::Names::find(std::string_view text) const {
  const auto found = numbers_.find(text);
  return found == numbers_.end() ? kNone : found->second;
}

uint32_t Exposure::Names::add(std::string_view text) {
  const auto known = numbers_.find(text);
  if (known != numbers_.end()) return known->second;
  const auto number = static_cast<uint32_t>(texts_.size());
  texts_.emplace_back(text);
  numbers_.emplace(texts_.back(), number);
  return number;
}

size_t Exposure::GroupHash::operator()(const GroupName& name) const noexcept {
  constexpr uint64_t kMix = 0x9E3779B97F4A7C15;
  uint64_t out = 0;
  for (const uint32_t part : {name.person, name.device, name.object, name.key, name.text})
    out = (out ^ part) * kMix;
  return out ^ (out >> 32);
}

uint32_t Exposure::policy_of(const ledger::Record& record, size_t& bytes) {
  std::vector<uint32_t> said;
  const Json* attributes = field(record, "attributes");
  if (attributes != nullptr && attributes->is_array()) {
    for (const Json& item : attributes->items()) {
      if (!item.is_string() || item.string().size() > kNameMax) continue;
      if (attributes_.find(item.string()) == kNone) bytes += kNameBytes + item.string().size();
      said.push_back(attributes_.add(item.string()));
    }
  }
  std::sort(said.begin(), said.end());
  const auto known = policy_index_.find(said);
  if (known != policy_index_.end()) return known->second;
  const auto number = static_cast<uint32_t>(policies_.size());
  bytes += kPolicyBytes + 2 * sizeof(uint32_t) * said.size();
  policies_.push_back(said);
  policy_index_.emplace(std::move(said), number);
  return number;
}

Exposure::Group* Exposure::known(const GroupName& name) {
  const auto& part = index_[GroupHash()(name) % index_.size()];
  const auto found = part.find(name);
  return found == part.end() ? nullptr : &groups_[found->second];
}

Exposure::Room& Exposure::room_of(std::string_view partner) {
  const auto known = rooms_.find(partner);
  if (known != rooms_.end()) return known->second;
  const bool alone = !only_.partner.empty() || !only_.person.empty();
  const size_t parts = alone ? 1 : partner == self_.text() ? 2 : 8;
  return rooms_.emplace(std::string(partner), Room{.bytes_max = bytes_max_ / parts}).first->second;
}

bool Exposure::fits(const ledger::Record& record) const {
  if (!only_.partner.empty() && only_.partner != field_text(record, "partner")) return false;
  if (!only_.person.empty() && only_.person != person_of(record)) return false;
  if (!only_.object.empty() && only_.object != field_text(record, "object") &&
      only_.object != field_text(record, "key"))
    return false;
  return only_.device.empty() || only_.device == field_text(record, "device");
}

uint64_t Exposure::incomplete(const ExposureFilter& filter) const {
  const std::string_view partner = filter.partner.empty()
                                       ? std::string_view(filter.person).substr(0, filter.person.find('/'))
                                       : std::string_view(filter.partner);
  if (partner.empty()) return incomplete_;
  const auto room = rooms_.find(partner);
  return room == rooms_.end() ? 0 : room->second.incomplete;
}

std::optional<bool> Exposure::knows(std::string_view kind, const std::string& what) const {
  const Names* names = kind == "person"   ? &persons_
                       : kind == "policy" ? &objects_
                       : kind == "object" ? &keys_
                       : kind == "device" ? &devices_
                                          : nullptr;
  if (names == nullptr) return std::nullopt;
  if (names->find(what) != kNone) return true;
  ExposureFilter filter;
  if (kind == "person") filter.person = what;
  return incomplete(filter) == 0 ? std::optional(false) : std::nullopt;
}

Exposure::GroupName Exposure::name_of(const ledger::Record& record) const {
  return {persons_.find(person_of(record)), devices_.find(field_text(record, "device")),
          objects_.find(field_text(record, "object")), keys_.find(field_text(record, "key")),
          texts_.find(field_text(record, "policy"))};
}

// The group of a release, made where there is room for one more of that nation's.
Exposure::Group* Exposure::group_of(const ledger::Record& record, bool passed) {
  const std::string_view partner = field_text(record, "partner");
  const std::string person = person_of(record);
  const std::string_view device = field_text(record, "device");
  const std::string_view object = field_text(record, "object");
  const std::string_view key = field_text(record, "key");
  const std::string_view policy = field_text(record, "policy");
  GroupName name = name_of(record);
  if (Group* there = known(name)) return there;

  Room& room = room_of(partner);
  const auto needs = [](uint32_t number, std::string_view text) {
    return number == kNone ? kNameBytes + text.size() : 0;
  };
  size_t bytes = kGroupBytes + needs(name.person, person) + needs(name.device, device) +
                 needs(name.object, object) + needs(name.key, key) +
                 (policy.empty() ? 0 : needs(name.text, policy));
  const size_t of_person = name.person == kNone ? 0 : person_bytes_[name.person];
  const size_t person_max = only_.person.empty() ? room.bytes_max / 4 : room.bytes_max;
  if (of_person + bytes > person_max || room.bytes + bytes > room.bytes_max || bytes_ + bytes > bytes_max_)
    return nullptr;
  Group group;
  group.policy = policy_of(record, bytes);
  name = {persons_.add(person), devices_.add(device), objects_.add(object), keys_.add(key),
          texts_.add(policy)};
  group.name = name;
  group.kid = kids_.add(field_text(record, "kid"));
  group.passed = passed;
  if (const std::string_view service = field_text(record, "service"); passed && !service.empty())
    group.service = services_.add(service);  // of partners alone: few
  person_bytes_.resize(persons_.size());
  person_bytes_[name.person] += bytes;
  room.bytes += bytes;
  bytes_ += bytes;
  index_[GroupHash()(name) % index_.size()].emplace(name, static_cast<uint32_t>(groups_.size()));
  return &groups_.emplace_back(group);
}

void Exposure::add(const ledger::Record& record, uint64_t entry) {
  if (!counts(record.event_class) || !fits(record)) return;
  Room& room = room_of(field_text(record, "partner"));
  if (record.event_class == "key.withheld") {  // recorded as released, and then not answered
    Group* const there = known(name_of(record));
    if (there == nullptr ? room.incomplete == 0 : there->count == 0) return;
    if (there == nullptr) {
      --room.incomplete;
      --incomplete_;
    } else {
      --there->count;
    }
    --releases_;
    return;
  }
  ++releases_;
  Group* kept = group_of(record, record.event_class == "key.passed");
  if (kept == nullptr) {
    ++room.incomplete;
    ++incomplete_;
    return;
  }
  if (kept->first == Instant()) {
    kept->first = record.time;
    kept->first_entry = entry;
  }
  ++kept->count;
  kept->last = record.time;
  kept->last_entry = entry;
  const std::string_view verdict = field_text(record, "verdict");
  kept->verdict.fill('\0');
  if (verdict.size() < kept->verdict.size()) std::copy(verdict.begin(), verdict.end(), kept->verdict.begin());
}

Result<bool> Exposure::read_on(const ledger::Ledger& ledger, uint64_t until, size_t records_max) {
  const uint64_t from = read_;
  while (read_ < until && read_ - from < records_max) {
    uint64_t entry = read_;  // each is asked about, one after the other
    std::deque<uint64_t> counted;
    const auto wanted = [&](std::string_view event_class) {
      if (counts(event_class)) counted.push_back(entry);
      ++entry;
      return counts(event_class);
    };
    TRY(read_, ledger.batch(read_, wanted, [&](const ledger::Record& record) {
      add(record, counted.front());
      counted.pop_front();
    }));
  }
  return read_ < until;
}

ExposureReport::ExposureReport(const Exposure& exposure, ExposureFilter filter, coalition::World world,
                               Instant now)
    : exposure_(exposure),
      filter_(std::move(filter)),
      world_(std::move(world)),
      now_(now),
      end_(static_cast<uint32_t>(exposure.groups_.size())) {
  person_ = exposure.persons_.find(filter_.person);
  object_ = exposure.objects_.find(filter_.object);
  key_ = exposure.keys_.find(filter_.object);
  device_ = exposure.devices_.find(filter_.device);
  readers_.resize(exposure.persons_.size());
  objects_.resize(exposure.objects_.size());
  recalled_ = {objects_,
               std::vector<bool>(exposure.keys_.size()),
               readers_,
               std::vector<bool>(exposure.devices_.size()),
               std::vector<bool>(exposure.texts_.size()),
               std::vector<bool>(exposure.kids_.size())};
  const auto mark = [&](std::string_view kind, std::vector<bool>& bits, const Exposure::Names& names) {
    const std::string before = fmt::format("recall/{}/", kind);
    for (const coalition::Recall* recall : world_.recalls(kind))
      set_bit(bits, names.find(std::string_view(recall->key).substr(before.size())));
  };
  mark("policy", recalled_.objects, exposure.objects_);
  mark("object", recalled_.keys, exposure.keys_);
  mark("person", recalled_.persons, exposure.persons_);
  mark("device", recalled_.devices, exposure.devices_);
  mark(coalition::kAuthorRecall, recalled_.texts, exposure.texts_);
  mark("key", recalled_.kids, exposure.kids_);
  for (const coalition::Release* one : world_.releases()) {
    if (!one->start) continue;
    auto& rights = released_[fmt::format("{}/{}", one->partner.text(), one->object)];
    for (const coalition::Action right : kRights)
      if (std::ranges::find(one->rights, coalition::action_name(right)) != one->rights.end())
        rights.insert(right);
  }
}

std::string_view ExposureReport::partner_of(const Exposure::Group& group) const {
  const std::string_view person = exposure_.persons_[group.name.person];
  return person.substr(0, person.find('/'));
}

bool ExposureReport::fits(const Exposure::Group& group) const {
  if (group.count == 0) return false;
  if (!filter_.partner.empty() && filter_.partner != partner_of(group)) return false;
  if (!filter_.person.empty() && person_ != group.name.person) return false;
  if (!filter_.object.empty() && object_ != group.name.object && key_ != group.name.key) return false;
  return filter_.device.empty() || device_ == group.name.device;
}

// By a recall of something that is its own.
bool ExposureReport::is_named(const Exposure::Group& group) const {
  return bit(recalled_.objects, group.name.object) || bit(recalled_.keys, group.name.key) ||
         bit(recalled_.persons, group.name.person) || bit(recalled_.devices, group.name.device) ||
         bit(recalled_.texts, group.name.text) || (!group.passed && bit(recalled_.kids, group.kid));
}

std::string ExposureReport::ask(const Exposure::Group& group, coalition::Action right) const {
  const std::string& person = exposure_.persons_[group.name.person];
  coalition::Ask ask;
  ask.action = right;
  ask.who.partner = PartnerCode(std::string(partner_of(group)));
  ask.who.id = PersonId(person.substr(std::min(person.size(), partner_of(group).size() + 1)));
  ask.target = coalition::ObjectRef{exposure_.objects_[group.name.object]};
  ask.now = now_;
  ask.by.emplace().device = exposure_.devices_[group.name.device];
  coalition::SealedObject& sealed = ask.object.emplace();
  for (const uint32_t number : exposure_.policies_[group.policy])
    sealed.attributes.push_back(exposure_.attributes_[number]);
  sealed.key_digest = exposure_.keys_[group.name.key];
  sealed.text_digest = exposure_.texts_[group.name.text];
  if (!group.passed) sealed.kid = exposure_.kids_[group.kid];
  const auto reason = coalition::barred(world_, ask);
  return reason ? reason->policy : std::string();
}

// With any right that a release gives it can be opened.
std::string ExposureReport::ask_released(const Exposure::Group& group,
                                         const std::set<coalition::Action>& rights) const {
  std::string shut = ask(group, coalition::Action::open);
  for (const coalition::Action right : rights) {
    if (shut.empty()) break;
    if (ask(group, right).empty()) shut.clear();
  }
  return shut;
}

// Recalls of the object, the key, the reader and the device aside, and releases of the object, the answer is
// the same for all who are of one nation and for all objects of the same attributes.
const std::string& ExposureReport::why_shut(const Exposure::Group& group) {
  const auto released =
      released_.empty()
          ? released_.end()
          : released_.find(fmt::format("{}/{}", partner_of(group), exposure_.objects_[group.name.object]));
  if (released != released_.end()) return asked_ = ask_released(group, released->second);
  if (is_named(group)) return asked_ = ask(group, coalition::Action::open);
  std::pair<uint32_t, std::string> name(group.policy, partner_of(group));
  const auto known = shut_.find(name);
  if (known != shut_.end()) return known->second;
  return shut_.emplace(std::move(name), ask(group, coalition::Action::open)).first->second;
}

void ExposureReport::count(uint32_t number) {
  const Exposure::Group& group = exposure_.groups_[number];
  if (!fits(group)) return;
  releases_ += group.count;
  if (!readers_[group.name.person]) ++readers_count_;
  if (!objects_[group.name.object]) ++objects_count_;
  readers_[group.name.person] = true;
  objects_[group.name.object] = true;
  if (why_shut(group).empty()) ++(group.passed ? elsewhere_ : openable_);
  if (filter_.before != 0 && group.last_entry >= filter_.before) return;
  ++found_;
  newest_.emplace_back(group.last_entry, number);
  std::push_heap(newest_.begin(), newest_.end(), std::greater<>());
  if (newest_.size() <= kExposureShownMax) return;
  std::pop_heap(newest_.begin(), newest_.end(), std::greater<>());
  newest_.pop_back();
}

void ExposureReport::show(uint32_t number) {
  const Exposure::Group& group = exposure_.groups_[number];
  const std::string& person = exposure_.persons_[group.name.person];
  const std::string& shut = why_shut(group);
  Json row = Json::object({{"partner", std::string(partner_of(group))},
                           {"person", person.substr(std::min(person.size(), partner_of(group).size() + 1))},
                           {"device", exposure_.devices_[group.name.device]},
                           {"object", exposure_.objects_[group.name.object]},
                           {"key", exposure_.keys_[group.name.key]},
                           {"kid", exposure_.kids_[group.kid]},
                           {"count", static_cast<int64_t>(group.count)},
                           {"first", rfc3339(group.first)},
                           {"last", rfc3339(group.last)},
                           {"first_entry", static_cast<int64_t>(group.first_entry)},
                           {"last_entry", static_cast<int64_t>(group.last_entry)},
                           {"verdict", std::string(group.verdict.data())},
                           {"passed", group.passed}});
  if (group.service != Exposure::kNone) row.set("service", exposure_.services_[group.service]);
  if (!shut.empty() || !group.passed) row.set("openable", shut.empty());
  if (!shut.empty()) row.set("why", shut);
  rows_.push(std::move(row));
}

bool ExposureReport::step(size_t count_max) {
  for (size_t done = 0; done < count_max; ++done) {
    if (next_ < end_) {
      count(next_++);
      continue;
    }
    if (!counted_) {
      counted_ = true;
      std::sort(newest_.begin(), newest_.end(), std::greater<>());
    }
    if (shown_ == newest_.size()) return false;
    show(newest_[shown_++].second);
  }
  return true;
}

Json ExposureReport::take() {
  Json out = Json::object({{"releases", static_cast<int64_t>(releases_)},
                           {"readers", static_cast<int64_t>(readers_count_)},
                           {"objects", static_cast<int64_t>(objects_count_)},
                           {"openable", static_cast<int64_t>(openable_)},
                           {"elsewhere", static_cast<int64_t>(elsewhere_)},
                           {"incomplete", static_cast<int64_t>(exposure_.incomplete(filter_))},
                           {"rows", std::move(rows_)},
                           {"more", static_cast<int64_t>(found_ - newest_.size())},
                           {"read", static_cast<int64_t>(exposure_.read())}});
  if (found_ > newest_.size()) out.set("next", static_cast<int64_t>(newest_.back().first));
  return out;
}

}  // namespace entente::data
