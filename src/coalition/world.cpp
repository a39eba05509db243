#include "coalition/world.h"

#include "coalition/records.h"
#include "coalition/world_data.h"
#include "label/label_policy.h"
#include "label/predicate.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kRecordsMax = 2'000'000;  // ten times the theatre this is planned for
constexpr size_t kKeyBytesMax = 512;

size_t layer_index(std::string_view name) {
  return static_cast<size_t>(std::find(std::begin(kLayerNames), std::end(kLayerNames), name) -
                             std::begin(kLayerNames));
}

// What only one record may have, as keys of one index: link and connector certificates, local user ids,
// operators as people.
std::vector<std::string> claims(const Thing& thing) {
  std::vector<std::string> out;
  if (const auto* partner = std::get_if<Partner>(&thing)) {
    for (const std::string& print : partner->link_thumbprints) out.push_back("certificate/" + print);
  }
  if (const auto* connector = std::get_if<Connector>(&thing)) {
    out.push_back("certificate/" + connector->thumbprint);
  }
  if (const auto* person = std::get_if<Operator>(&thing)) {
    for (const uint32_t uid : person->uids) out.push_back(fmt::format("uid/{}", uid));
    if (!person->person.empty()) out.push_back("person/" + person->person.text());
  }
  if (const auto* attribute = std::get_if<Attribute>(&thing)) out.push_back("fqn/" + attribute->fqn);
  if (const auto* service = std::get_if<KeyService>(&thing)) out.push_back("url/" + service->url);
  if (const auto* terms = std::get_if<LabelTerms>(&thing)) {
    out.push_back("label/" + label::folded_name(terms->policy->name()));
    if (!terms->policy->data().id.empty()) {
      out.push_back("label-id/" + std::string(label::plain_id(terms->policy->data().id)));
    }
  }
  return out;
}

// What must hold between a record and this node.
Result<void> fits(const std::string& key, const Thing& thing, const PartnerCode& self) {
  if (const auto* partner = std::get_if<Partner>(&thing)) {
    if (partner->code == self && !partner->is_open()) {
      return fail("coalition.record", "a node does not suspend or isolate its own nation", key + "/state",
                  "suspend the partners instead");
    }
  }
  const auto* app = std::get_if<App>(&thing);
  if (app == nullptr) return {};
  const bool own_key = key.starts_with("app/");
  if (own_key && app->ref.owner != self) {
    return fail("coalition.record",
                fmt::format("this is an app of {}, not of {}", app->ref.owner.text(), self.text()),
                key + "/owner", "what a partner offers stands under offer/");
  }
  if (!own_key && app->ref.owner == self) {
    return fail("coalition.record", "this node's own app stands among the partners' offers", key + "/owner",
                "own apps stand under app/");
  }
  const bool told = std::find(app->offered_to.begin(), app->offered_to.end(), self) != app->offered_to.end();
  if (!own_key && !told) {
    return fail("coalition.record", fmt::format("this app is not offered to {}", self.text()),
                key + "/offered_to");
  }
  return {};
}

}  // namespace

Result<Touch> World::Data::apply(std::span<const Record> batch) {
  TRY(const std::vector<Change> changes, read(batch));
  TRY_VOID(settle_self(changes));
  TRY_VOID(index(changes));
  count_uses(changes);
  for (const Change& change : changes) TRY_VOID(check_references(change));
  for (const Change& change : changes) TRY_VOID(check_fit(change));
  TRY(const bool policies, reload_policies(changes));
  const bool schema_changed = std::any_of(changes.begin(), changes.end(),
                                          [](const Change& change) { return change.key == "schema"; });
  TRY_VOID(change_entities(changes, schema_changed));
  return touch_of(changes, policies);
}

Result<std::vector<Change>> World::Data::read(std::span<const Record> batch) const {
  if (records.size() + batch.size() > kRecordsMax) {
    return fail("coalition.record", fmt::format("there are more than {} records", kRecordsMax));
  }
  std::vector<std::string_view> keys;
  keys.reserve(batch.size());
  std::vector<Change> changes;
  changes.reserve(batch.size());
  for (const Record& record : batch) {
    if (record.key.empty() || record.key.size() > kKeyBytesMax) {
      return fail("coalition.record", fmt::format("a record's key has 1 to {} bytes", kKeyBytesMax),
                  record.key);
    }
    keys.push_back(record.key);
    const EntryPtr* was = records.find(record.key);
    if (was == nullptr && !record.value) continue;
    if (was != nullptr && record.value && (*was)->raw == *record.value) continue;
    Change change{record.key, was == nullptr ? nullptr : *was, nullptr};
    if (change.was) change.named = references(change.was->thing);
    if (record.value) {
      TRY(Thing thing, read_record(record.key, *record.value));
      change.names = references(thing);
      change.now = std::make_shared<const Entry>(Entry{*record.value, std::move(thing)});
    }
    changes.push_back(std::move(change));
  }
  std::sort(keys.begin(), keys.end());
  const auto doubled = std::adjacent_find(keys.begin(), keys.end());
  if (doubled != keys.end()) {
    return fail("coalition.doubled", "one change has this record twice", std::string(*doubled));
  }
  return changes;
}

Result<void> World::Data::settle_self(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (change.key != "node/self") continue;
    const auto* node = change.now ? std::get_if<NodeSelf>(&change.now->thing) : nullptr;
    if (node == nullptr || (!self.empty() && node->partner != self)) {
      return fail("coalition.node", "whose node this is does not change", change.key,
                  "found a new node for another partner");
    }
    self = node->partner;
  }
  if (self.empty()) {
    return fail("coalition.node", "no record says whose node this is", "node/self",
                "add {\"partner\": \"XAA\"}");
  }
  return {};
}

Result<void> World::Data::index(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (change.was) {
      for (const std::string& claim : claims(change.was->thing)) claimed.erase(claim);
    }
    if (change.now) {
      records.put(change.key, change.now);
    } else {
      records.erase(change.key);
    }
    list(change);
  }
  for (const Change& change : changes) {
    if (!change.now) continue;
    for (const std::string& claim : claims(change.now->thing)) {
      if (const std::string* other = claimed.find(claim)) {
        return fail("coalition.doubled", fmt::format("{} belongs to {} already", claim, *other), change.key,
                    "one certificate, or one user id, stands for one");
      }
      claimed.put(claim, change.key);
    }
  }
  return {};
}

void World::Data::list(const Change& change) {
  const auto under = [&](const EntryPtr& entry) {
    return entry ? listings(change.key, entry->thing) : std::vector<std::string>();
  };
  const std::vector<std::string> was = under(change.was), now = under(change.now);
  for (const std::string& one : was)
    if (std::ranges::find(now, one) == now.end()) listed.erase(one);
  for (const std::string& one : now)
    if (std::ranges::find(was, one) == was.end()) listed.put(one, change.key);
}

void World::Data::count_uses(const std::vector<Change>& changes) {
  std::map<std::string, int64_t, std::less<>> differences;
  for (const Change& change : changes) {
    if (change.named == change.names) continue;
    for (const std::string& key : change.named) --differences[key];
    for (const std::string& key : change.names) ++differences[key];
  }
  for (const auto& [key, difference] : differences) {
    if (difference == 0) continue;
    const uint32_t* count = uses.find(key);
    const int64_t next = (count == nullptr ? 0 : int64_t{*count}) + difference;
    ENTENTE_CHECK(next >= 0);
    if (next == 0) {
      uses.erase(key);
    } else {
      uses.put(key, static_cast<uint32_t>(next));
    }
  }
}

Result<void> World::Data::check_references(const Change& change) const {
  if (!change.now) {
    if (uses.find(change.key) == nullptr) return {};
    return fail("coalition.reference", "other records still name this one", change.key,
                "remove or change those too");
  }
  for (const std::string& key : change.names) {
    // What it named before is there still: a record that others name is not removed, in no batch.
    if (std::ranges::binary_search(change.named, key)) continue;
    if (records.find(key) == nullptr) {
      return fail("coalition.reference", fmt::format("this names {}, which does not exist", key), change.key,
                  fmt::format("add {} first, or in the same change", key));
    }
  }
  return {};
}

Result<void> World::Data::check_fit(const Change& change) const {
  if (!change.now) return {};
  const Thing& thing = change.now->thing;
  TRY_VOID(fits(change.key, thing, self));
  const auto* app = std::get_if<App>(&thing);
  const auto* was = change.was ? std::get_if<App>(&change.was->thing) : nullptr;
  // A segment in which apps stand keeps its mission.
  const bool moved =
      app != nullptr && (was == nullptr || was->segment != app->segment || was->mission != app->mission);
  if (moved) {
    const auto* segment = get<Segment>(record_key(app->segment));
    if (segment == nullptr || segment->mission != app->mission) {
      return fail("coalition.reference", "the app's segment belongs to another mission",
                  change.key + "/segment", "name a segment of the app's mission");
    }
  }
  const auto* segment = std::get_if<Segment>(&thing);
  const auto* before = change.was ? std::get_if<Segment>(&change.was->thing) : nullptr;
  if (segment != nullptr && before != nullptr && segment->mission != before->mission &&
      uses.find(change.key) != nullptr) {
    return fail("coalition.reference", "apps stand in this segment, so its mission stays",
                change.key + "/mission", "make a new segment and move the apps");
  }
  return {};
}

// What policies may ask of labels: by the label policies of this world.
Result<policy::NativePredicates> World::Data::natives() const {
  auto known = std::make_shared<label::LabelPolicies>();
  std::vector<const LabelTerms*> terms;
  collect("label-policy/", terms);
  for (const LabelTerms* one : terms) TRY_VOID(known->add(one->policy));
  policy::NativePredicates out;
  TRY_VOID(out.add(label::dominates_predicate(std::move(known))));
  return out;
}

Result<bool> World::Data::reload_policies(const std::vector<Change>& changes) {
  bool schema_changed = false;
  bool terms_changed = false;
  std::array<bool, kLayers> changed{};
  for (const Change& change : changes) {
    const Thing& thing = (change.now ? change.now : change.was)->thing;
    schema_changed = schema_changed || change.key == "schema";
    terms_changed = terms_changed || std::holds_alternative<LabelTerms>(thing);
    if (const auto* text = std::get_if<PolicyText>(&thing)) changed[layer_index(text->layer)] = true;
  }
  if (schema_changed) {
    schema.reset();
    if (const auto* text = get<SchemaText>("schema")) {
      TRY(schema, policy::Schema::parse(text->text, "schema"));
    }
  }
  bool any = schema_changed || terms_changed;
  if (!any && std::none_of(changed.begin(), changed.end(), [](bool one) { return one; })) return false;
  TRY(const policy::NativePredicates native, natives());
  for (size_t i = 0; i < kLayers; ++i) {
    if (!schema_changed && !terms_changed && !changed[i]) continue;
    any = true;
    std::vector<policy::PolicySource> sources;
    records.each(fmt::format("policy/{}/", kLayerNames[i]),
                 [&](const std::string& key, const EntryPtr& entry) {
                   sources.push_back({key, std::get<PolicyText>(entry->thing).text});
                 });
    layers[i] = nullptr;
    if (sources.empty()) continue;
    // check_references() has seen that the schema is there
    TRY(policy::PolicySet set, policy::PolicySet::load(*schema, sources, native));
    layers[i] = std::make_shared<const policy::PolicySet>(std::move(set));
  }
  return any;
}

Result<void> World::Data::change_entities(const std::vector<Change>& changes, bool schema_changed) {
  policy::EntityChanges next;
  if (schema_changed) {
    entities = schema ? policy::Entities(*schema) : policy::Entities::unchecked();
    records.each("", [&](const std::string&, const EntryPtr& entry) {
      if (auto entity = entity_from(entry->thing, self)) next.put.push_back(*std::move(entity));
    });
  } else {
    for (const Change& change : changes) {
      if (change.now) {
        if (auto entity = entity_from(change.now->thing, self)) next.put.push_back(*std::move(entity));
      } else if (auto gone = uid_from(change.was->thing, self)) {
        next.remove.push_back(*std::move(gone));
      }
    }
  }
  if (next.put.empty() && next.remove.empty()) return {};
  TRY(entities, entities.with(next));
  return {};
}

bool World::Data::is_live(const EntryPtr& entry) {
  const auto* release = entry ? std::get_if<Release>(&entry->thing) : nullptr;
  return release != nullptr && release->start.has_value();
}

Touch World::Data::touch_of(const std::vector<Change>& changes, bool policies) const {
  Touch touch;
  touch.policies = policies;
  touch.only_widens = !policies && !changes.empty();
  for (const Change& change : changes) {
    const Thing& thing = (change.now ? change.now : change.was)->thing;
    // One that only waits for an answer, or got none, has been part of no answer.
    if (std::holds_alternative<Release>(thing) && !is_live(change.was) && !is_live(change.now)) continue;
    if (auto who = concerned(thing)) {  // whom it lets do what: nobody else is touched
      touch.entities.push_back(*std::move(who));
      touch.only_widens = false;
      continue;
    }
    auto uid = uid_from(thing, self);
    // Provable only for what is new: no record named it (references must exist), no person was asked about
    // with it but in vain, and no policy names it.
    bool widens = change.was == nullptr;
    if (uid) {
      for (const auto& layer : layers) widens = widens && (!layer || !layer->names_entity(uid->id));
      touch.entities.push_back(*std::move(uid));
    }
    touch.only_widens = touch.only_widens && widens;
  }
  std::sort(touch.entities.begin(), touch.entities.end());
  return touch;
}

Result<World> World::load(std::span<const Record> records, Revision revision) {
  auto data = std::make_shared<Data>();
  data->revision = revision;
  TRY([[maybe_unused]] const Touch touch, data->apply(records));
  return World(std::move(data));
}

Result<World::Next> World::with(std::span<const Record> changes, Revision revision) const {
  if (revision.value != data_->revision.value + 1) {
    return fail("coalition.revision",
                fmt::format("revision {} cannot follow {}", revision.value, data_->revision.value));
  }
  auto data = std::make_shared<Data>(*data_);
  data->revision = revision;
  TRY(Touch touch, data->apply(changes));
  return Next{World(std::move(data)), std::move(touch)};
}

Revision World::revision() const {
  return data_->revision;
}
const PartnerCode& World::self() const {
  return data_->self;
}
const policy::Entities& World::entities() const {
  return data_->entities;
}
const policy::PolicySet* World::policies(std::string_view layer) const {
  const size_t i = layer_index(layer);
  return i == kLayers ? nullptr : data_->layers[i].get();
}

const Operator* operator_of(const World& world, const Person& who) {
  const std::string& id = who.id.text();
  if (who.partner != world.self() || !id.starts_with(kOperatorPrefix)) return nullptr;
  return world.operator_named(OperatorName(id.substr(kOperatorPrefix.size())));
}

Person operator_person(const World& world, const OperatorName& name) {
  Person person;
  person.id = PersonId(std::string(kOperatorPrefix) + name.text());
  person.partner = world.self();
  return person;
}

}  // namespace entente::coalition
