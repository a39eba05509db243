// One ask on its way to a verdict, for decide.cpp and decide_access.cpp. Private to the room.
#pragma once

#include "coalition/decide.h"
#include "coalition/notes.h"
#include "coalition/object_view.h"
#include "coalition/opinion.h"
#include "coalition/things.h"
#include "coalition/words.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::coalition {

// Structure first, each group of rules only when the one before holds, so
// that what is said about a person is the same whatever they asked for.
class Question {
 public:
  enum class Reach : uint8_t { kept, left_out };
  Question(const World& world, const Ask& ask, const Grant* supposed = nullptr, Reach reach = Reach::kept)
      : world_(world), ask_(ask), notes_(ask.now, reach == Reach::kept), supposed_(supposed) {}

  Verdict answer() {
    const bool of_app = std::holds_alternative<AppRef>(ask_.target);
    if (const auto* object = std::get_if<ObjectRef>(&ask_.target)) {
      answer_object(*object);
    } else if (ask_.action == Action::approve && of_app && !as_operator()) {
      answer_approver(std::get<AppRef>(ask_.target));
    } else if (ask_.action == Action::administer || ask_.action == Action::approve || !of_app) {
      answer_operator();
    } else {
      answer_person(std::get<AppRef>(ask_.target));
    }
    return finish();
  }

  // For an object: what stands in the way whatever is said of the person (barred.h).
  [[nodiscard]] std::optional<Reason> bar();

 private:
  // Cold: what dozens of refusals need would else lie between the code of an ask that holds.
  [[gnu::cold]] void refuse(std::string_view rule, std::string_view text, std::string_view change,
                            std::string_view who) {
    reasons_.push_back(
        {Layer::structure, std::string(rule), std::string(text), std::string(change), std::string(who)});
  }
  std::string named(const PartnerCode& code) const { return partner_text(world_, code); }

  const Fact* live(const Facts& facts, std::string_view name) {
    const auto found = facts.find(name);
    return found != facts.end() && notes_.before(found->second.end) ? &found->second : nullptr;
  }

  void check_vouching_partner();
  void check_open(const Partner& other, std::string_view which);
  void check_identity();
  void check_signed_in_since_resumed(const PartnerCode& code);
  void check_identity_fact(std::string_view name);
  void check_context();
  void read_identity();
  std::optional<int64_t> number(const Facts& facts, std::string_view name, int64_t lowest, int64_t highest);

  void answer_person(const AppRef& ref);
  void answer_object(const ObjectRef& ref);
  void answer_author(const ObjectRef& ref, const ObjectReading& reading);
  void answer_approver(const AppRef& ref);
  void answer_operator();
  [[nodiscard]] bool as_operator() const {
    return ask_.who.partner == world_.self() && ask_.who.id.text().starts_with(kOperatorPrefix);
  }

  [[nodiscard]] bool is_withdrawn(const AppRef& ref);
  const App* find_app(const AppRef& ref);
  const Grant* find_grant(const App& app);
  void find_delegation(const AppId& app);
  [[nodiscard]] bool could_approve(const Delegation& delegation);
  [[nodiscard]] bool permits(const Ask& ask);
  void rest_on_grant(Opinion& opinion, bool own);
  void say_terms(bool own);
  void check_not_own(const PersonId& person);
  void check_not_twice(std::string_view who);
  [[nodiscard]] bool is_object_action() const;
  void check_origins(const ObjectView& object);
  void check_object_missions(const ObjectView& object);
  void check_object_domains(const ObjectView& object);
  void check_recalls(const ObjectRef& ref, const ObjectView& object);
  void recalled(const Recall& recall);
  void check_meant_for(const ObjectRef& ref, const ObjectView& object);
  bool check_released(const ObjectRef& ref, const ObjectView& object);
  const Release* find_release(const ObjectRef& ref);
  [[nodiscard]] std::vector<std::string> names_of_reader();
  void check_obligations(Opinion& opinion);
  void check_key_use(const ObjectView& object);
  void check_labelled();
  [[nodiscard]] policy::Value clearance_for(const ObjectView& object);
  void check_owner(const App& app);
  void check_mission(const App& app);
  void rest_roles(const Mission& mission);
  [[nodiscard]] Opinion ask_with_all_roles(Action action, bool own);
  void say_resting_roles(const App& app, bool own);
  void hide();

  Opinion ask_policies(Action action, bool own_target);
  void take(Opinion opinion);
  Verdict finish();

  const World& world_;
  const Ask& ask_;
  Notes notes_;
  PersonView person_;
  std::vector<std::string> resting_;  // roles that do not count in the mission's phase
  int64_t risk_ = 0;
  std::string network_;
  std::vector<Reason> reasons_;
  std::vector<Obligation> obligations_;
  std::vector<std::string> errors_;
  const Grant* supposed_;
  const Grant* grant_ = nullptr;
  const Delegation* delegation_ = nullptr;
  bool own_name_ = false;              // what others lent to whoever asks is left aside
  std::optional<Reason> lender_gone_;  // why a delegation that there is lends nothing
  const Release* release_ = nullptr;
  std::optional<Release> supposed_release_;
  std::array<policy::Entity, 2> known_;  // to policies: the person, and the object if it is of one
  std::optional<GrantTerms> terms_;
  bool beyond_label_ = false;  // of an object: the reader's nation is none of those that its label names
  bool release_sought_ = false;
  bool permit_ = false;
  bool credential_dead_ = false;
  bool in_mission_ = false;
  bool hidden_ = false;
};

}  // namespace entente::coalition
