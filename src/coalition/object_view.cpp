#include "coalition/object_view.h"

#include "coalition/words.h"
#include "coalition/world_memo.h"
#include "label/label_policy.h"
#include "label/predicate.h"
#include "label/roll_up.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr std::string_view kValuePart = "/value/";

Reason fault(std::string_view rule, std::string text) {
  return {Layer::structure, std::string(rule), std::move(text),
          "Whoever sealed it would have to seal it again.", "Whoever sealed it"};
}

policy::Value partner_set(const std::vector<PartnerCode>& codes) {
  policy::Value::Items items;
  for (const PartnerCode& code : codes) items.emplace_back(uid_of(code));
  return policy::Value::set(std::move(items));
}

ObjectReading reading_of(ObjectView view, const std::vector<std::string>& attributes,
                         std::vector<policy::EntityUid> read) {
  policy::Value::Items missions;
  for (const MissionId& mission : view.missions) missions.emplace_back(uid_of(mission));
  std::vector<policy::EntityUid> parents;
  policy::Value::Items domains;
  for (const DomainId& domain : view.domains) {
    parents.push_back(uid_of(domain));
    domains.emplace_back(uid_of(domain));
  }
  policy::Record record{{"origins", partner_set(view.origins)},
                        {"releasable_to", partner_set(view.releasable_to)},
                        {"missions", policy::Value::set(std::move(missions))},
                        {"domains", policy::Value::set(std::move(domains))},
                        {"classification", view.level},
                        {"label", label::label_value(view.label)},
                        {"attributes", policy::Value::texts(attributes)},
                        {"caveats", policy::Value::texts(view.caveats)},
                        {"handling", policy::Value::texts(view.handling)},
                        {"dissem", policy::Value::texts({})}};
  return {std::move(view), {{}, std::move(record), std::move(parents), {}}, std::move(read)};
}

// Attribute by attribute, to the first that is wrong.
class ObjectReader {
 public:
  ObjectReader(const World& world, const std::vector<std::string>& attributes, Instant now)
      : world_(world), attributes_(attributes), now_(now) {}

  ObjectRead read() {
    ObjectRead out;
    if (read_attributes() && read_label()) {
      out.reading =
          std::make_shared<const ObjectReading>(reading_of(std::move(view_), attributes_, std::move(uids_)));
    } else {
      out.fault = std::move(fault_);
    }
    return out;
  }
  // Of a fault: what was read up to there.
  [[nodiscard]] const std::vector<policy::EntityUid>& uids() const { return uids_; }
  // Whether names are in use for some time only under the label policy it was read by.
  [[nodiscard]] bool is_dated() const { return dated_; }

 private:
  bool wrong(std::string_view rule, std::string text) {
    fault_ = fault(rule, std::move(text));
    return false;
  }

  bool read_attributes() {
    for (const std::string& fqn : attributes_) {
      if (!read_attribute(fqn)) return false;
    }
    for (auto* codes : {&view_.origins, &view_.releasable_to}) {
      std::sort(codes->begin(), codes->end());
      codes->erase(std::unique(codes->begin(), codes->end()), codes->end());
    }
    if (classification_.empty()) {
      return wrong("object-no-classification", "What is sealed here bears no classification.");
    }
    if (view_.origins.empty()) {
      return wrong("object-no-originator", "What is sealed here does not say which nation it is of.");
    }
    return true;
  }

  bool read_attribute(std::string_view fqn) {
    const size_t part = fqn.rfind(kValuePart);
    const std::string_view name = fqn.substr(0, part);
    uids_.push_back(attribute_uid(name));
    const Attribute* attribute = part == std::string_view::npos ? nullptr : world_.attribute(name);
    const Attribute::Value* value =
        attribute == nullptr ? nullptr : attribute->find(fqn.substr(part + kValuePart.size()));
    if (value == nullptr) {
      return wrong("object-unknown-attribute",
                   "What is sealed here bears an attribute that is not known here.");
    }
    if (!attribute->policy.empty()) {
      const LabelTerms* terms = world_.label_terms(attribute->policy);
      if (view_.terms != nullptr && view_.terms != terms) {
        return wrong("object-two-policies", "What is sealed here is labelled under two label policies.");
      }
      view_.terms = terms;
    }
    return take(attribute->meaning, value->means);
  }

  bool take(Meaning meaning, const std::string& means) {
    switch (meaning) {
      case Meaning::classification:
        if (!classification_.empty() && classification_ != means) {
          return wrong("object-two-classifications", "What is sealed here bears two classifications.");
        }
        classification_ = means;
        return true;
      case Meaning::releasable_to:
        view_.releasable_to.emplace_back(means);
        return true;
      case Meaning::caveat:
        view_.caveats.push_back(means);
        return true;
      case Meaning::handling:
        view_.handling.push_back(means);
        return true;
      case Meaning::originator:
        view_.origins.emplace_back(means);
        return true;
      case Meaning::mission:
        view_.missions.emplace_back(means);
        return true;
      case Meaning::domain:
        view_.domains.emplace_back(means);
        return true;
    }
    return wrong("object-unknown-attribute",
                 "What is sealed here bears an attribute that is not known here.");
  }

  bool read_label() {
    dated_ = view_.terms->policy->is_dated();
    label::Label& label = view_.label;
    label.policy = view_.terms->policy->name();
    label.classification = classification_;
    std::vector<std::string> releasable;
    releasable.reserve(view_.releasable_to.size() + view_.origins.size());
    for (const PartnerCode& code : view_.releasable_to) releasable.push_back(code.text());
    // Whose it is may read it too.
    for (const PartnerCode& code : view_.origins) {
      if (!releasable.empty()) releasable.push_back(code.text());
    }
    add(label::kReleasableTo, label::CategoryType::permissive, std::move(releasable));
    add(label::kCaveats, label::CategoryType::restrictive, view_.caveats);
    add(kHandlingTag, label::CategoryType::informative, view_.handling);
    const auto made = view_.terms->policy->check(label, label::Use::read, now_);
    if (!made) {
      return wrong("object-label-invalid",
                   fmt::format("The label of what is sealed here cannot be: {}.", made.error().what()));
    }
    label = *made;
    const auto level = view_.terms->level(label.classification);
    if (!level) {
      return wrong("object-unknown-level",
                   "The classification of what is sealed here is not one that is opened here.");
    }
    view_.level = *level;
    return true;
  }

  void add(std::string_view tag, label::CategoryType type, std::vector<std::string> values) {
    if (!values.empty()) view_.label.categories.push_back({std::string(tag), type, std::move(values)});
  }

  const World& world_;
  const std::vector<std::string>& attributes_;
  const Instant now_;
  ObjectView view_;
  std::vector<policy::EntityUid> uids_;
  bool dated_ = false;
  std::string classification_;
  Reason fault_;
};

bool same_marks(const label::Label& a, const label::Label& b) {
  return label::same_name(a.classification, b.classification) && a.categories == b.categories;
}

// The label says one thing and the policy another: then neither is believed. It is the label in force that
// counts; a successor that asks no more than the attributes do leaves them standing as they were sealed.
bool agrees(const SealedObject& object, const ObjectView& view, Instant now, Notes& notes) {
  if (!object.label) return true;
  const label::LabelPolicy& policy = *view.terms->policy;
  const auto claimed = policy.check(*object.label, label::Use::read, now);
  if (!claimed) return false;
  if (!claimed->succeeded || !notes.reached(*claimed->succeeded)) return same_marks(*claimed, view.label);
  const label::Label& successor = label::in_force(*claimed, now);
  if (same_marks(successor, view.label)) return true;
  const auto beyond = label::shortfalls(policy, view.label, std::span(&successor, 1), now);
  return same_marks(*claimed, view.label) && beyond && beyond->empty();
}

// Of names that are in use for some time only, what is read is good for this moment, and not kept.
ObjectRead read_attributes(const World& world, const SealedObject& object, Instant now, Notes& notes) {
  constexpr size_t kKeptBytesMax = 4096;
  thread_local WorldMemo<std::shared_ptr<const ObjectReading>> kept;
  std::string key;
  for (const std::string& fqn : object.attributes) add_to_key(key, fqn);
  ObjectRead out;
  const auto note = [&](const std::vector<policy::EntityUid>& uids) {
    for (const policy::EntityUid& uid : uids) notes.read([&] { return uid; });
  };
  if (const auto* known = kept.find(world, key)) {
    out.reading = *known;
  } else {
    ObjectReader reader(world, object.attributes, now);
    out = reader.read();
    if (!out.reading)
      note(reader.uids());  // NOLINT(clang-analyzer-cplusplus.Move): moved into a reading only
    if (reader.is_dated()) (void)notes.before(now + Millis(1));
    if (out.reading && !reader.is_dated() && key.size() <= kKeptBytesMax)
      kept.put(std::move(key), out.reading);
  }
  if (out.reading) note(out.reading->read);
  return out;
}

}  // namespace

ObjectRead read_object(const World& world, const SealedObject& object, Instant now, Notes& notes) {
  if (object.attributes.empty())
    return {nullptr, fault("object-no-attributes", "What is sealed here says nothing of who may open it.")};
  if (object.attributes.size() > kObjectAttributesMax || object.dissem.size() > kDissemMax)
    return {nullptr, fault("object-unreadable", "What is sealed here says more than can be read.")};
  ObjectRead out = read_attributes(world, object, now, notes);
  if (!out.reading) return out;
  if (agrees(object, out.reading->view, now, notes)) return out;
  return {nullptr, fault("object-label-disagrees",
                         "The label of what is sealed here is not the one its attributes amount to.")};
}

ObjectReading released_to(const PartnerCode& partner, const ObjectReading& reading,
                          const SealedObject& object) {
  ObjectView view = reading.view;
  view.releasable_to.push_back(partner);
  for (label::Category& one : view.label.categories) {
    if (!label::same_name(one.tag, label::kReleasableTo)) continue;
    one.values.insert(std::upper_bound(one.values.begin(), one.values.end(), partner.text()), partner.text());
  }
  return reading_of(std::move(view), object.attributes, {});
}

policy::Entity object_entity(const ObjectRef& ref, const SealedObject& object, const ObjectReading& reading) {
  policy::Entity out = reading.entity;
  out.uid = uid_of(ref);
  if (!object.dissem.empty()) out.attributes.set("dissem", policy::Value::texts(object.dissem));
  return out;
}

}  // namespace entente::coalition
