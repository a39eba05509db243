// Views: releases for somebody who only looks, for as long as everything that justified them stays true. Each
// is kept with the question it answered; that is asked again when the world moves in a way that can matter,
// when an answer's time is over and now and then, and what no longer holds ends. The same table at the
// reader's node, whose page it is, and at each nation of origin, whose partner's node watches it.
// Bounded work: a call asks again about `turn_max` views, and tells of as many that ended; go_on() does the
// rest, in turns. What is over is over with the call, told or not; what waits to be asked is in doubt, and no
// partner hears meanwhile that it holds.
// Pure: time comes in. Not thread-safe: one loop owns it. docs/wire-formats/kas.md.
#pragma once

#include "coalition/decide.h"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace entente::data {

struct ViewLimits {
  size_t views_max = 16'384;  // half of them partners' people's, those that ended and were not told with them
  size_t per_partner_max = 4'096;
  size_t per_person_max = 64;  // one more ends the oldest of theirs
  size_t ended_max = 4'096;    // of partners' people: why, for their node, which asks later
  Seconds life_max{900};
  Seconds ask_again{40};       // at the latest, and after half of that: not all of them at once
  int64_t asks_per_s = 4'000;  // where answers hold for no time, as those that look at the clock
  size_t turn_max = 64;        // some milliseconds
  Millis silence_max{5000};    // that another nation may say nothing: a lease, counted from when it was asked
  Seconds unwatched_max{30};
};

struct View {
  std::string id{};           // 128 random bits
  coalition::Ask ask{};       // as it was permitted
  coalition::Verdict last{};  // what decide() last said
  Instant end{};              // whatever anybody says
  std::string page{};         // own people: the sign-in whose page it is; a partner's person: empty
  PartnerCode service{};      // the other nation that released it, if one did,
  std::string there{};        // and as which view of its own
  Tick said = Tick::max();    // when that nation was last asked, or the partner that watches last asked
  Instant due{};              // to be asked again
  uint64_t number = 0;        // in the order they were opened
  bool doubted = false;       // waits to be asked
};

struct ViewEnd {
  std::string rule;  // for the ledger: of decide(), or "view-over", "view-closed", "signed-out", ...
  std::string why;   // for the person
};

struct ViewMoment {
  Instant now{};
  Tick tick{};
};

class Views {
 public:
  struct Hooks {  // called from inside; may look, and must change nothing here
    std::function<bool(const std::string& page)> signed_in;
    std::function<void(const View&)> opened;
    std::function<void(const View&, const ViewEnd&)> ended;
    // What was released there came to nothing: that nation can be told.
    std::function<void(const PartnerCode& service)> given_up{};
  };
  explicit Views(PartnerCode self, Hooks hooks, ViewLimits limits = {});

  // Takes `view` in, permitted a moment ago by `verdict`: from here on it is looked after. Its id, and its
  // end (the earliest of `end` and of the facts'), are filled in. What another nation released has `said`,
  // when it was asked: the lease on its silence counts from there. Errors: "kas.views"; then it is given up.
  [[nodiscard]] Result<View> open(View view, coalition::Verdict verdict, ViewMoment at);

  void world_changed(const coalition::World& newest, const coalition::Touch& touch, ViewMoment at);
  void time_passed(const coalition::World& newest, ViewMoment at);
  void sign_ins_changed(const PersonId& person);  // theirs
  void sign_ins_changed();                        // anybody's
  void end_all(const ViewEnd& why);               // whoever looks
  // What one call leaves over. True: there is more of it.
  bool go_on(const coalition::World& newest, ViewMoment at);
  [[nodiscard]] bool busy() const { return !doubted_.empty() || !untold_.empty(); }
  // One's own alone; false: there is none of this id.
  bool close(const PersonId& person, const std::string& id);

  // --- what another nation released: by its names
  [[nodiscard]] std::vector<std::string> held_at(const PartnerCode& service) const;
  [[nodiscard]] std::set<PartnerCode> services() const;
  // `service` was asked about these at `asked` and let all of them be but `ended`.
  void heard(const PartnerCode& service, const std::vector<std::string>& asked_about,
             const std::vector<std::pair<std::string, std::string>>& ended, Tick asked);

  // Released there, and shown to nobody here.
  void give_up(const PartnerCode& service, const std::string& there);
  // What ended here, and there may not have. What is not heard is over there by itself.
  [[nodiscard]] std::set<PartnerCode> closing() const;
  [[nodiscard]] std::vector<std::string> take_closed(const PartnerCode& service);
  void not_told(const PartnerCode& service,
                const std::vector<std::string>& names);  // they were taken for nothing

  // --- what was released to a partner's people: what its node watches, and no other's. Those of `ids` that
  // are not there any more, with why.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> watched(const PartnerCode& by,
                                                                         const std::vector<std::string>& ids,
                                                                         ViewMoment at);
  // Whether one of these waits to be asked: nothing can be said of them now.
  [[nodiscard]] bool doubted(const std::vector<std::string>& ids) const;
  // Their node says that nobody looks at these any more.
  void closed(const PartnerCode& by, const std::vector<std::string>& ids);

  [[nodiscard]] const View* find(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> ids() const;
  [[nodiscard]] size_t size() const { return views_.size(); }
  [[nodiscard]] const ViewLimits& limits() const { return limits_; }

 private:
  using Table = std::map<std::string, View>;
  void end(Table::iterator at, ViewEnd why);
  void end_those(const std::vector<std::string>& ids, const ViewEnd& why);
  void tell();
  void doubt(View& view);
  void ask(Table::iterator at, const coalition::World& newest, Instant now);
  void index(const View& view);
  void forget(const View& view);
  [[nodiscard]] Instant due_of(const View& view, Instant now) const;
  [[nodiscard]] static Millis part_of(const View& view, Millis time);
  [[nodiscard]] bool is_partners(const View& view) const { return view.ask.who.partner != self_; }
  [[nodiscard]] Result<void> make_room(const coalition::Person& who);
  [[nodiscard]] Result<void> takes(const View& view, ViewMoment at);
  void told_closed(const PartnerCode& service, const std::string& there);

  PartnerCode self_;
  Hooks hooks_;
  ViewLimits limits_;
  Table views_;
  // What each answer was read from: a commit costs what it touches.
  std::map<policy::EntityUid, std::set<std::string>> by_entity_;
  std::map<std::string, std::set<std::string>> by_type_;
  std::map<PartnerCode, size_t> by_partner_;
  std::map<std::pair<PartnerCode, PersonId>, std::set<std::pair<uint64_t, std::string>>> by_person_;
  std::map<PartnerCode, std::map<std::string, std::string>> by_service_;  // their names, and ours
  std::map<std::string, std::set<std::string>> by_page_;                  // of own people
  std::map<PartnerCode, std::vector<std::string>> closed_;                // their names, not told yet
  std::deque<std::string> doubted_;
  std::deque<std::pair<View, ViewEnd>> untold_;
  struct Over {
    PartnerCode partner;
    std::string why;
  };
  std::map<std::string, Over> over_;
  std::deque<std::string> over_order_;
  size_t partners_ = 0;  // of their people: open, or ended and not told
  uint64_t opened_ = 0;
};

}  // namespace entente::data
