#include "data/exposure.h"

#include "coalition/barred.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kNameMax = 512;  // of one text of a record: longer ones are none of ours
// What is kept takes, with its place in an index.
constexpr size_t kReaderBytes = 32;
constexpr size_t kWhatBytes = 32;
constexpr size_t kGroupBytes = 96;
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

Json ExposureFilter::json() const {
  Json out = Json::object();
  for (const auto& [name, text] :
       {std::pair{"partner", &partner}, {"person", &person}, {"object", &object}, {"device", &device}})
    if (!text->empty()) out.set(name, *text);
  if (before != 0) out.set("before", static_cast<int64_t>(before));
  return out;
}

void Exposure::look_at_policy(const ledger::Record& record, Seen& seen) const {
  const Json* attributes = field(record, "attributes");
  if (attributes != nullptr && attributes->is_array()) {
    for (const Json& item : attributes->items())
      if (item.is_string() && item.string().size() <= kNameMax) seen.attributes.emplace_back(item.string());
  }
  std::sort(seen.attributes.begin(), seen.attributes.end());
  const auto again = std::ranges::unique(seen.attributes);
  seen.attributes.erase(again.begin(), again.end());
  for (const std::string_view attribute : seen.attributes)
    seen.numbers.push_back(attributes_.find(attribute));
  std::vector<uint32_t> name = seen.numbers;
  std::sort(name.begin(), name.end());
  const auto known = policy_index_.find(name);
  if (known != policy_index_.end()) seen.alike.policy = known->second;
}

uint32_t Exposure::policy_of(Seen& seen) {
  if (seen.alike.policy != kNone) return seen.alike.policy;
  std::vector<uint32_t> name;
  for (const std::string_view attribute : seen.attributes) name.push_back(attributes_.add(attribute));
  std::sort(name.begin(), name.end());
  const auto number = static_cast<uint32_t>(policies_.size());
  policies_.push_back(name);
  policy_index_.emplace(std::move(name), number);
  return number;
}

Exposure::Room& Exposure::room_of(std::string_view partner) {
  const auto known = rooms_.find(partner);
  if (known != rooms_.end()) return known->second;
  const bool alone = !only_.partner.empty() || !only_.person.empty();
  const size_t parts = alone ? 1 : partner == self_.text() ? 2 : 8;
  return rooms_.emplace(std::string(partner), Room{.bytes_max = bytes_max_ / 4 / parts}).first->second;
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
  const Texts* names = kind == "person"   ? &persons_
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

Exposure::Seen Exposure::look(const ledger::Record& record) const {
  Seen out{.person = person_of(record),
           .device = field_text(record, "device"),
           .object = field_text(record, "object"),
           .key = field_text(record, "key"),
           .text = field_text(record, "policy"),
           .kid = field_text(record, "kid"),
           .service = field_text(record, "service")};
  out.by = {persons_.find(out.person), devices_.find(out.device)};
  out.of = {objects_.find(out.object), keys_.find(out.key), texts_.find(out.text)};
  out.alike.kid = kids_.find(out.kid);
  out.alike.service = record.event_class == "key.passed" ? services_.find(out.service) : kHere;
  look_at_policy(record, out);
  const auto known = [](uint32_t number) { return number != kNone; };
  if (known(out.by.person) && known(out.by.device))
    out.alike.reader = reader_index_.find(hash_of({out.by.person, out.by.device}),
                                          [&](uint32_t number) { return readers_[number] == out.by; });
  if (known(out.of.object) && known(out.of.key) && known(out.of.text))
    out.alike.what = what_index_.find(hash_of({out.of.object, out.of.key, out.of.text}),
                                      [&](uint32_t number) { return whats_[number] == out.of; });
  // What is kept has all its numbers: one that lacks any fits none.
  out.group =
      group_index_.find(out.alike.hash(), [&](uint32_t number) { return groups_[number].of == out.alike; });
  return out;
}

bool Exposure::has_room(const Room& room, uint32_t person, size_t bytes) const {
  if (is_anyones(bytes)) return true;
  const size_t of_person = person == kNone ? 0 : person_bytes_[person];
  const size_t person_max = only_.person.empty() ? room.bytes_max / 4 : room.bytes_max;
  return of_person + bytes <= person_max && room.bytes + bytes <= room.bytes_max &&
         bytes_ + bytes <= bytes_max_;
}

size_t Exposure::bytes_of(const Seen& seen) const {
  const auto needs = [](uint32_t number, size_t bytes) { return number == kNone ? bytes : 0; };
  const auto needs_text = [&](uint32_t number, std::string_view text) {
    return needs(number, Texts::kTextBytes + text.size());
  };
  size_t out = kGroupBytes + needs(seen.alike.reader, kReaderBytes) + needs(seen.alike.what, kWhatBytes) +
               needs(seen.alike.policy, kPolicyBytes + 2 * sizeof(uint32_t) * seen.numbers.size()) +
               needs_text(seen.by.person, seen.person) + needs_text(seen.by.device, seen.device) +
               needs_text(seen.of.object, seen.object) + needs_text(seen.of.key, seen.key) +
               needs_text(seen.of.text, seen.text) + needs_text(seen.alike.kid, seen.kid) +
               needs_text(seen.alike.service, seen.service);
  for (size_t i = 0; i < seen.numbers.size(); ++i) out += needs_text(seen.numbers[i], seen.attributes[i]);
  return out;
}

void Exposure::keep(Seen& seen) {
  if (seen.alike.reader == kNone) {
    seen.by = {persons_.add(seen.person), devices_.add(seen.device)};
    seen.alike.reader = static_cast<uint32_t>(readers_.size());
    reader_index_.add(hash_of({seen.by.person, seen.by.device}), seen.alike.reader);
    readers_.push_back(seen.by);
  }
  if (seen.alike.what == kNone) {
    seen.of = {objects_.add(seen.object), keys_.add(seen.key), texts_.add(seen.text)};
    seen.alike.what = static_cast<uint32_t>(whats_.size());
    what_index_.add(hash_of({seen.of.object, seen.of.key, seen.of.text}), seen.alike.what);
    whats_.push_back(seen.of);
  }
  seen.alike.kid = kids_.add(seen.kid);
  seen.alike.policy = policy_of(seen);
  if (seen.alike.service != kHere) seen.alike.service = services_.add(seen.service);
  seen.group = static_cast<uint32_t>(groups_.size());
  group_index_.add(seen.alike.hash(), seen.group);
  groups_.push_back(Group{.of = seen.alike});
}

// The group of a release, made where there is room for one more of that nation's; or kNone.
uint32_t Exposure::group_of(const ledger::Record& record) {
  Seen seen = look(record);
  if (seen.group != kNone) return seen.group;
  Room& room = room_of(field_text(record, "partner"));
  const size_t bytes = bytes_of(seen);
  if (!has_room(room, seen.by.person, bytes)) return kNone;
  const bool apart = !is_anyones(bytes);
  keep(seen);
  person_bytes_.resize(persons_.size());
  if (apart) {
    person_bytes_[seen.by.person] += bytes;
    room.bytes += bytes;
  }
  bytes_ += bytes;
  return seen.group;
}

Exposure::Release Exposure::release_of(const ledger::Record& record, uint64_t entry) {
  Release out{.time = record.time, .entry = entry};
  const std::string_view verdict = field_text(record, "verdict");
  if (verdict.size() <= out.verdict.size()) std::ranges::copy(verdict, out.verdict.begin());
  return out;
}

void Exposure::forget_recent(uint64_t entry) {
  while (!recent_.empty() && recent_.front().own.entry + kWithheldWithinEntries < entry) recent_.pop_front();
}

// Recorded as released, and then not answered. Its release bears the same verdict, and is the same in all
// that it says itself; the attributes it does not say. A release that is not found stands: it is better to
// say one too many than one too few.
void Exposure::withhold(const ledger::Record& record) {
  const Seen seen = look(record);
  const Room& room = room_of(field_text(record, "partner"));
  const auto verdict = release_of(record, 0).verdict;
  const auto is_its_own = [&](const Recent& release) {
    if (release.own.verdict != verdict) return false;
    if (release.group == kNone) return release.room == &room;
    const Alike& of = groups_[release.group].of;
    return of.reader == seen.alike.reader && of.what == seen.alike.what && of.kid == seen.alike.kid &&
           service(of.service) == seen.service;
  };
  const auto found = std::find_if(recent_.rbegin(), recent_.rend(), is_its_own);
  if (found == recent_.rend()) return;
  const Recent release = *found;
  take_back(release, recent_.erase(std::next(found).base()));
}

// Its group says of the releases that stand what it would say without it.
void Exposure::take_back(const Recent& release, std::deque<Recent>::iterator newer) {
  --releases_;
  if (release.group == kNone) {
    --release.room->incomplete;
    --incomplete_;
    return;
  }
  Group& group = groups_[release.group];
  --group.count;
  const auto next =
      std::find_if(newer, recent_.end(), [&](const Recent& one) { return one.group == release.group; });
  if (next == recent_.end()) {
    group.last = release.before;
    return;
  }
  next->before = release.before;
  if (group.first_entry != release.own.entry) return;
  group.first = next->own.time;
  group.first_entry = next->own.entry;
}

void Exposure::add(const ledger::Record& record, uint64_t entry) {
  read_ = entry + 1;
  if (!counts(record.event_class) || !fits(record)) return;
  forget_recent(entry);
  if (record.event_class == "key.withheld") return withhold(record);
  ++releases_;
  Room& room = room_of(field_text(record, "partner"));
  Recent& release = recent_.emplace_back(
      Recent{.group = group_of(record), .room = &room, .own = release_of(record, entry), .before = {}});
  if (release.group == kNone) {
    ++room.incomplete;
    ++incomplete_;
    return;
  }
  Group& kept = groups_[release.group];
  if (kept.count == 0) {
    kept.first = release.own.time;
    kept.first_entry = entry;
  }
  ++kept.count;
  release.before = std::exchange(kept.last, release.own);
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

ExposureReport::ExposureReport(const Exposure& exposure, ExposureFilter filter,
                               std::optional<coalition::World> world, Instant now)
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
  if (!world_) return;
  recalled_ = {objects_,
               std::vector<bool>(exposure.keys_.size()),
               readers_,
               std::vector<bool>(exposure.devices_.size()),
               std::vector<bool>(exposure.texts_.size()),
               std::vector<bool>(exposure.kids_.size())};
  const auto mark = [&](std::string_view kind, std::vector<bool>& bits, const Texts& names) {
    const std::string before = fmt::format("recall/{}/", kind);
    for (const coalition::Recall* recall : world_->recalls(kind))
      set_bit(bits, names.find(std::string_view(recall->key).substr(before.size())));
  };
  mark("policy", recalled_.objects, exposure.objects_);
  mark("object", recalled_.keys, exposure.keys_);
  mark("person", recalled_.persons, exposure.persons_);
  mark("device", recalled_.devices, exposure.devices_);
  mark(coalition::kAuthorRecall, recalled_.texts, exposure.texts_);
  mark("key", recalled_.kids, exposure.kids_);
  for (const coalition::Release* one : world_->releases()) {
    if (!one->start) continue;
    auto& rights = released_[fmt::format("{}/{}", one->partner.text(), one->object)];
    for (const coalition::Action right : kRights)
      if (std::ranges::find(one->rights, coalition::action_name(right)) != one->rights.end())
        rights.insert(right);
  }
}

std::string_view ExposureReport::partner_of(const Exposure::Group& group) const {
  const std::string_view person = exposure_.persons_[exposure_.reader(group).person];
  return person.substr(0, person.find('/'));
}

std::string_view ExposureReport::id_of(const Exposure::Group& group) const {
  const std::string_view person = exposure_.persons_[exposure_.reader(group).person];
  return person.substr(std::min(person.size(), partner_of(group).size() + 1));
}

bool ExposureReport::fits(const Exposure::Group& group) const {
  if (group.count == 0) return false;
  if (!filter_.partner.empty() && filter_.partner != partner_of(group)) return false;
  if (!filter_.person.empty() && person_ != exposure_.reader(group).person) return false;
  if (!filter_.object.empty() && object_ != exposure_.what(group).object && key_ != exposure_.what(group).key)
    return false;
  return filter_.device.empty() || device_ == exposure_.reader(group).device;
}

// By a recall of something that is its own.
bool ExposureReport::is_named(const Exposure::Group& group) const {
  const Exposure::Reader& reader = exposure_.reader(group);
  const Exposure::What& what = exposure_.what(group);
  return bit(recalled_.objects, what.object) || bit(recalled_.keys, what.key) ||
         bit(recalled_.persons, reader.person) || bit(recalled_.devices, reader.device) ||
         bit(recalled_.texts, what.text) || (!passed(group) && bit(recalled_.kids, group.of.kid));
}

std::string ExposureReport::ask(const Exposure::Group& group, coalition::Action right) const {
  const Exposure::What& what = exposure_.what(group);
  coalition::Ask ask;
  ask.action = right;
  ask.who.partner = PartnerCode(std::string(partner_of(group)));
  ask.who.id = PersonId(std::string(id_of(group)));
  ask.target = coalition::ObjectRef{std::string(exposure_.objects_[what.object])};
  ask.now = now_;
  ask.by.emplace().device = exposure_.devices_[exposure_.reader(group).device];
  coalition::SealedObject& sealed = ask.object.emplace();
  for (const uint32_t number : exposure_.policies_[group.of.policy])
    sealed.attributes.emplace_back(exposure_.attributes_[number]);
  sealed.key_digest = exposure_.keys_[what.key];
  sealed.text_digest = exposure_.texts_[what.text];
  if (!passed(group)) sealed.kid = exposure_.kids_[group.of.kid];
  const auto reason = coalition::barred(*world_, ask);
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
  if (!world_) return asked_;
  const auto released = released_.empty()
                            ? released_.end()
                            : released_.find(fmt::format("{}/{}", partner_of(group),
                                                         exposure_.objects_[exposure_.what(group).object]));
  if (released != released_.end()) return asked_ = ask_released(group, released->second);
  if (is_named(group)) return asked_ = ask(group, coalition::Action::open);
  std::pair<uint32_t, std::string> name(group.of.policy, partner_of(group));
  const auto known = shut_.find(name);
  if (known != shut_.end()) return known->second;
  return shut_.emplace(std::move(name), ask(group, coalition::Action::open)).first->second;
}

void ExposureReport::count(uint32_t number) {
  const Exposure::Group& group = exposure_.groups_[number];
  if (!fits(group)) return;
  releases_ += group.count;
  const uint32_t person = exposure_.reader(group).person, object = exposure_.what(group).object;
  if (!readers_[person]) ++readers_count_;
  if (!objects_[object]) ++objects_count_;
  readers_[person] = true;
  objects_[object] = true;
  if (why_shut(group).empty()) (passed(group) ? elsewhere_ : openable_) += group.count;
  if (filter_.before != 0 && group.last.entry >= filter_.before) return;
  ++found_;
  newest_.emplace_back(group.last.entry, number);
  std::push_heap(newest_.begin(), newest_.end(), std::greater<>());
  if (newest_.size() <= kExposureShownMax) return;
  std::pop_heap(newest_.begin(), newest_.end(), std::greater<>());
  newest_.pop_back();
}

void ExposureReport::show(uint32_t number) {
  const Exposure::Group& group = exposure_.groups_[number];
  const Exposure::What& what = exposure_.what(group);
  const std::string_view verdict(group.last.verdict.data(), group.last.verdict.size());
  const std::string& shut = why_shut(group);
  Json row = Json::object({{"partner", std::string(partner_of(group))},
                           {"person", id_of(group)},
                           {"device", exposure_.devices_[exposure_.reader(group).device]},
                           {"object", exposure_.objects_[what.object]},
                           {"key", exposure_.keys_[what.key]},
                           {"kid", exposure_.kids_[group.of.kid]},
                           {"count", static_cast<int64_t>(group.count)},
                           {"first", rfc3339(group.first)},
                           {"last", rfc3339(group.last.time)},
                           {"first_entry", static_cast<int64_t>(group.first_entry)},
                           {"last_entry", static_cast<int64_t>(group.last.entry)},
                           {"verdict", verdict.substr(0, verdict.find('\0'))},
                           {"passed", passed(group)}});
  if (const std::string_view service = exposure_.service(group.of.service); !service.empty())
    row.set("service", service);
  if (!shut.empty() || !passed(group)) row.set("openable", shut.empty());
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
  Json out = Json::object({{"asked", filter_.json()},
                           {"releases", static_cast<int64_t>(releases_)},
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
