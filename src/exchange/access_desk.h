// Requests and grants: a person asks for an app that a grant would open, the owner's people answer, the grant
// ends by itself or is taken back. At the person's home it keeps what was asked of partners (records
// asked/...), at the owner what is asked of it (request/...) and what it gave (grant/...); the two tell each
// other over the link, again after it was down, until both know the same. Every answer is asked of decide()
// and is in the ledger before it counts. Lives on the control loop.
//
// Errors of all calls: "access.unknown" (no such request or grant for you), "access.refused" (decide() said
// no; what: its first reason, hint: what would change it), "access.over" (answered, withdrawn or out of
// time), "access.changed" (it is not what was read), "access.not-by-grant" (no grant would open this),
// "access.full" (too many open requests of one person), "access.crowded" (too many of all), "access.value",
// "access.busy" (somebody answers it right now), and those of the store.
#pragma once

#include "base/budget.h"
#include "coalition/decide.h"
#include "exchange/announcements.h"
#include "exchange/switchboard.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace entente::exchange {

// Whoever acts: a person signed in here, or an operator of this node.
struct Acting {
  coalition::Person who{};
  coalition::Facts context{};
};

// "planner, CONFIDENTIAL, of Borealis (XBB)": what their nation says of them, never who they are.
[[nodiscard]] std::string person_text(const coalition::World& world, const PartnerCode& partner,
                                      const coalition::Facts& facts);

[[nodiscard]] bool is_line(std::string_view text);  // no control characters

// Names all that an approver reads of a request (43 characters). Whoever answers says which they read: a
// partner may take a request back and ask for something else by the same id, and say other things of its
// person.
[[nodiscard]] std::string mark_of(const coalition::World& world, const coalition::AccessRequest& request);

class AccessDesk {
 public:
  struct Parts {
    Switchboard& switchboard;
    Archive& archive;
    const Clock& clock;
    std::function<const coalition::World&()> world;
  };
  explicit AccessDesk(Parts parts);
  AccessDesk(const AccessDesk&) = delete;
  AccessDesk& operator=(const AccessDesk&) = delete;

  // --- for the person who asks
  struct Wish {
    coalition::AppRef app{};
    std::string purpose{};
    int64_t minutes = 0;  // more than the owner's terms allow: cut down to them
    coalition::Scope scope{};
  };
  // Durable here when it returns; the owner hears of it as soon as the link lets it.
  [[nodiscard]] net::Task<Result<RequestId>> ask(Acting person, Wish wish);
  [[nodiscard]] net::Task<Result<void>> withdraw(Acting person, RequestId id);
  // They signed in: what waits for an answer is told again with what is known of them now.
  void signed_in(const Acting& person);
  // Theirs, newest first.
  [[nodiscard]] std::vector<coalition::AccessRequest> asked_by(const PersonId& who) const;
  // Open, but nobody answered in time.
  [[nodiscard]] bool out_of_time(const coalition::AccessRequest& request) const;

  // --- for those who answer, at the app's owner
  // Whether decide() would let them answer for the app at all.
  // Of a right that is limited to short grants, `minutes` says how long this one is.
  [[nodiscard]] bool may_answer(const Acting& person, const AppId& app, int64_t minutes = 0) const;
  // The same, and in their own name: only that can be lent to somebody else.
  [[nodiscard]] bool may_lend(const Acting& person, const AppId& app) const;
  // What waits for an answer of theirs: what decide() would let them approve. Oldest first, kShownMax of
  // them, in slices, among the `looks` that wait longest: how many wait is for partners to say.
  struct ToAnswer {
    std::vector<coalition::AccessRequest> requests{};
    bool more = false;  // others wait that nobody looked at for this
  };
  [[nodiscard]] net::Task<ToAnswer> to_answer(Acting approver, size_t looks = kLooksMax) const;
  [[nodiscard]] bool may_answer(const Acting& approver, const coalition::AccessRequest& request) const;
  struct Preview {  // what approving would open, before anybody presses anything
    bool opens = false;
    std::string why_not{};
    coalition::GrantTerms terms{};
    Instant until{};  // if it were given now
    std::vector<coalition::Obligation> obligations{};
  };
  [[nodiscard]] Preview preview(const coalition::AccessRequest& request) const {
    return preview(request, parts_.world());
  }
  // The same, and how many of its approvals still count, under another world.
  [[nodiscard]] Preview preview(const coalition::AccessRequest& request, const coalition::World& world) const;
  [[nodiscard]] size_t standing(coalition::AccessRequest request, const coalition::World& world) const;
  // Their answer, to the request they read: `seen` is its mark_of().
  struct Said {
    std::string seen{};
    std::string words{};
  };
  // The request as it is then: granted, or open still when others have to approve it too.
  [[nodiscard]] net::Task<Result<coalition::AccessRequest>> approve(Acting approver, RequestId id, Said said);
  [[nodiscard]] net::Task<Result<coalition::AccessRequest>> deny(Acting approver, RequestId id, Said said);
  // Takes a grant back: who may approve the like of it, or the person it is for. Their session is held before
  // this asks any disk.
  [[nodiscard]] net::Task<Result<void>> revoke(Acting by, RequestId id, std::string words);
  // The same for somebody who writes it themselves, narrowing, and calls revoked() once it acts.
  struct Revocation {
    std::vector<coalition::Record> records{};
    Leaf leaf{};
    std::optional<coalition::AccessRequest> request{};
    coalition::Grant grant{};
    VerdictId verdict{};
  };
  [[nodiscard]] Result<Revocation> revocation(const Acting& by, const RequestId& id,
                                              const std::string& words) const;
  void revoked(const Revocation& revocation);
  // Grants of this node's apps that hold and that `by` may take back (kShownMax of them), and their own.
  struct GrantsFor {
    std::vector<coalition::Grant> grants{};
    bool more = false;
  };
  [[nodiscard]] GrantsFor grants_for(const Acting& by) const;
  // Nothing is left of a mission that ends: what is open or granted for its apps is over, grants and
  // delegations go, and what people of this nation asked of partners is withdrawn. For somebody who writes
  // it and calls closed() once it acts; for a mission, narrowing.
  struct Closing {
    std::vector<coalition::Record> records{};
    std::vector<coalition::AccessRequest> requests{};
    std::vector<coalition::Release> releases{};
  };
  [[nodiscard]] Closing closing(const MissionId& mission, std::string_view words) const;
  // Of very much, some: a mission's rest follows while it is over. What is left of a nation's opens nothing.
  // What a nation's people were given before it is let in again stands no more.
  [[nodiscard]] Closing closing(const PartnerCode& partner, std::string_view words) const;
  void closed(const Closing& closing);
  void on_release_closed(std::function<void(const coalition::Release&)> told) {
    release_closed_ = std::move(told);
  }
  // This node's clock was ahead, up to `seen`, and is to go on from `now`: what had ended by then, or began
  // later than it is, stands no more, and nobody's approval rests on what was said of them meanwhile. For
  // somebody who writes it, and calls put_right() once it acts: then nobody is vouched for who does not sign
  // in.
  [[nodiscard]] Closing clock_closing(Instant seen, Instant now) const;
  void put_right(const Closing& closing);
  // Lets somebody of this nation answer for the app in one's name; an operator, in that of the person whom
  // their record names.
  [[nodiscard]] net::Task<Result<RequestId>> delegate(Acting from, AppId app, PersonId to, int64_t minutes);
  [[nodiscard]] net::Task<Result<void>> end_delegation(Acting by, RequestId id);
  // The same for somebody who writes it themselves, narrowing.
  struct DelegationEnd {
    std::vector<coalition::Record> records{};
    Leaf leaf{};
    VerdictId verdict{};
  };
  [[nodiscard]] Result<DelegationEnd> delegation_end(const Acting& by, const RequestId& id) const;
  // Somebody signed in: what they lent and could not lend any more has ended.
  [[nodiscard]] net::Task<void> arrived(Acting person);

  // The person was signed out: this node vouches for nothing more that they asked for, and what they approved
  // counts no more.
  void forget(const PersonId& person);

  // From the other node's desk.
  void heard(const Heard& heard);

  // The partner is reached again: what it was not told, and how its answers stand, without waiting for
  // sweep().
  void reached(const PartnerCode& owner);

  // What pages wait for.
  [[nodiscard]] Announcements& announcements() { return announcements_; }
  // Whether an event is for that person: it names them, or concerns what they may answer.
  [[nodiscard]] bool concerns(const Announcement& event, const Acting& person) const;

  // Tells again what was not answered, reminds approvers at half time, forgets what is long over: each time
  // of the next kSweptAtOnce records. Each few seconds.
  void sweep();

  // Requests of which something is kept beside their records: never more than there are of those.
  [[nodiscard]] size_t remembered() const { return untold_.size() + confirmed_.size() + reminded_.size(); }

  static constexpr size_t kOpenPerPersonMax = 8;
  static constexpr size_t kOpenPerPartnerMax = 1'000;
  static constexpr size_t kKeptPerPersonMax = 32;      // with what is over
  static constexpr size_t kKeptPerPartnerMax = 4'000;  // at either end
  static constexpr size_t kAskedMax = 40'000;          // of all partners
  static constexpr size_t kSweptAtOnce = 4'096;        // of each kind
  static constexpr size_t kClosedAtOnce = 2'048;       // with one commit
  static constexpr size_t kDecidedAtOnce = 64, kShownMax = 256, kLooksMax = 2'048;
  static constexpr size_t kDelegationsPerPersonMax = 32;
  static constexpr uint32_t kPressesPerSecond = 1, kPressesBurst = 20;
  static constexpr size_t kPeopleMax = 4'096;  // whose presses are counted at once: records are bounded, too
  static constexpr Seconds kRequestLife{24 * 3600};
  static constexpr Seconds kKeptAfterEnd{7 * 24 * 3600};

 private:
  struct Untold {  // a request its owner has not confirmed: whose, to vouch for them once more
    Acting person{};
    Tick tried{};
  };
  // Somebody's press on its way to the disk.
  struct Press {
    Press(std::set<Press*>& all, PersonId person, net::Loop& loop)
        : among(all), who(std::move(person)), over(std::make_shared<net::Event>(loop)) {
      among.insert(this);
    }
    ~Press() {
      over->set();
      among.erase(this);
    }
    Press(const Press&) = delete;
    Press& operator=(const Press&) = delete;
    std::set<Press*>& among;
    PersonId who;
    std::shared_ptr<net::Event> over;
    bool left = false;    // they signed out meanwhile
    bool wishes = false;  // it is a request that is being written
  };
  // True once no other request of theirs is being written; false: one still is, after as long as anybody
  // waits.
  [[nodiscard]] net::Task<bool> alone(PersonId person);
  using Request = coalition::AccessRequest;

  [[nodiscard]] coalition::Ask question(const Acting& who, coalition::Action action,
                                        const coalition::AppRef& app) const;
  [[nodiscard]] coalition::Verdict right_to_answer(const Acting& person, const AppId& app,
                                                   int64_t minutes = 0) const;
  [[nodiscard]] static bool lends(const coalition::Verdict& verdict);
  [[nodiscard]] coalition::Verdict approval_of(const Acting& approver, const Request& request,
                                               bool already) const {
    return approval_of(approver, request, already, parts_.world());
  }
  [[nodiscard]] coalition::Verdict approval_of(const Acting& approver, const Request& request, bool already,
                                               const coalition::World& world) const;
  // The approvals of `request` whose givers would still be let give them; the names of the others.
  [[nodiscard]] std::vector<std::string> drop_lapsed(Request& request, const coalition::World& world) const;
  // Takes what is said of the person now into the request. What to record of it; nothing: it is the same.
  [[nodiscard]] static bool same_facts(const coalition::Facts& one, const coalition::Facts& other,
                                       bool picture);
  [[nodiscard]] std::optional<Leaf> renew(Request& request, const coalition::Facts& said) const;
  void renew_own(const Request& request, const coalition::Facts& said);
  [[nodiscard]] std::optional<Request> find_here(const RequestId& id) const;   // of this node's apps
  [[nodiscard]] std::optional<Request> find_asked(const RequestId& id) const;  // of partners' apps
  [[nodiscard]] std::optional<coalition::Grant> find_grant(const RequestId& id) const;
  [[nodiscard]] Result<Request> to_be_answered(const Acting& by, const RequestId& id, const Said& said) const;
  [[nodiscard]] Result<Request> wished(const Acting& person, const Wish& wish) const;
  net::Task<Result<void>> write(std::vector<coalition::Record> ops, Leaf leaf, bool narrowing = false,
                                std::vector<std::string> unchanged = {});
  net::Task<Result<Request>> write_answer(Request request, std::vector<coalition::Record> ops, Leaf leaf);
  [[nodiscard]] std::vector<coalition::Record> beyond(std::vector<Request> kept, size_t most) const;
  [[nodiscard]] Leaf leaf_of(std::string kind, const Request& request) const;
  void tell_home(const Request& request);
  void changed(const Request& request);  // at the owner: tells the home and the pages
  void tell_owner(const Request& request);
  void tell_owners(const std::vector<const Request*>& asked, bool reached);
  void take_request(const Heard& heard);
  void take_state(const Heard& heard);
  void take_withdrawal(const PartnerCode& from, const Request& request);
  // What they approved, while others have to approve it too, counts no more; null: whoever did.
  [[nodiscard]] std::vector<coalition::Record> lapsing(const PersonId* by) const;
  void lapse(const PersonId& by);
  [[nodiscard]] bool is_crowded(const PartnerCode& owner) const;
  void remind(const std::vector<const Request*>& requests);
  void tidy(const std::vector<const Request*>& requests, const std::vector<const Request*>& asked);
  void tidy_up();

  Parts parts_;
  std::function<void(const coalition::Release&)> release_closed_;
  Announcements announcements_;
  std::map<RequestId, Untold> untold_;
  std::map<RequestId, Tick> confirmed_;  // when the owner last said how it stands
  std::set<RequestId> busy_;
  std::set<RequestId> coming_;  // requests of partners on their way to the disk
  Budgets<PersonId> presses_{Budget(kPressesBurst, kPressesPerSecond), kPeopleMax,
                             Budgets<PersonId>::Crowded::forget};  // of people who asked lately
  std::set<RequestId> reminded_;
  std::set<Press*> pressing_;
  struct {  // how far the sweep has come: keys of records
    std::string requests{}, asked{}, grants{}, delegations{};
  } swept_;
};

}  // namespace entente::exchange
