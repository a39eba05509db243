#include "coalition/object_view.h"

#include "coalition/words.h"
#include "label/label_policy.h"
#include "label/predicate.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr std::string_view kValuePart = "/value/";

// Attribute by attribute, to the first that is wrong.
class ObjectReader {
 public:
  ObjectReader(const World& world, const SealedObject& object, Instant now, Notes& notes)
      : world_(world), object_(object), now_(now), notes_(notes) {}

  ObjectRead read() {
    ObjectRead out;
    if (!read_attributes() || !read_label()) {
      out.fault = std::move(fault_);
    } else {
      out.view = std::move(view_);
    }
    return out;
  }

 private:
  bool wrong(std::string_view rule, std::string text) {
    fault_ = {Layer::structure, std::string(rule), std::move(text),
              "Whoever sealed it would have to seal it again.", "Whoever sealed it"};
    return false;
  }

  bool read_attributes() {
    if (object_.attributes.empty()) {
      return wrong("object-no-attributes", "What is sealed here says nothing of who may open it.");
    }
    if (object_.attributes.size() > kObjectAttributesMax || object_.dissem.size() > kDissemMax) {
      return wrong("object-unreadable", "What is sealed here says more than can be read.");
    }
    for (const std::string& fqn : object_.attributes) {
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
    notes_.read(attribute_uid(name));
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
    // Where names are in use for some time only, what is read of them is good for this moment.
    if (view_.terms->policy->is_dated()) (void)notes_.before(now_ + Millis(1));
    label::Label& label = view_.label;
    label.policy = view_.terms->policy->name();
    label.classification = classification_;
    std::vector<std::string> releasable;
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
    return agrees();
  }

  void add(std::string_view tag, label::CategoryType type, std::vector<std::string> values) {
    if (!values.empty()) view_.label.categories.push_back({std::string(tag), type, std::move(values)});
  }

  // The label says one thing and the policy another: then neither is believed.
  bool agrees() {
    if (!object_.label) return true;
    auto claimed = view_.terms->policy->check(*object_.label, label::Use::read, now_);
    if (claimed && label::same_name(claimed->classification, view_.label.classification) &&
        claimed->categories == view_.label.categories) {
      return true;
    }
    return wrong("object-label-disagrees",
                 "The label of what is sealed here is not the one its attributes amount to.");
  }

  const World& world_;
  const SealedObject& object_;
  const Instant now_;
  Notes& notes_;
  ObjectView view_;
  std::string classification_;
  Reason fault_;
};

policy::Value partner_set(const std::vector<PartnerCode>& codes) {
  policy::Value::Items items;
  for (const PartnerCode& code : codes) items.emplace_back(uid_of(code));
  return policy::Value::set(std::move(items));
}

}  // namespace

ObjectRead read_object(const World& world, const SealedObject& object, Instant now, Notes& notes) {
  return ObjectReader(world, object, now, notes).read();
}

policy::Entity object_entity(const ObjectRef& ref, const SealedObject& object, const ObjectView& view) {
  policy::Value::Items missions;
  for (const MissionId& mission : view.missions) missions.emplace_back(uid_of(mission));
  std::vector<policy::EntityUid> parents;
  policy::Value::Items domains;
  for (const DomainId& domain : view.domains) {
    parents.push_back(uid_of(domain));
    domains.emplace_back(uid_of(domain));
  }
  policy::Record attributes{{"origins", partner_set(view.origins)},
                            {"releasable_to", partner_set(view.releasable_to)},
                            {"missions", policy::Value::set(std::move(missions))},
                            {"domains", policy::Value::set(std::move(domains))},
                            {"classification", view.level},
                            {"label", label::label_value(view.label)},
                            {"attributes", policy::Value::texts(object.attributes)},
                            {"caveats", policy::Value::texts(view.caveats)},
                            {"handling", policy::Value::texts(view.handling)},
                            {"dissem", policy::Value::texts(object.dissem)}};
  return {uid_of(ref), std::move(attributes), std::move(parents), {}};
}

}  // namespace entente::coalition
