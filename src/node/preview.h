// What a change would come to, before anybody presses it: everybody who is inside, waits or looks is asked
// under the world as it is and as it would be, in the way that asks them afterwards, and who would lose by it
// is counted. Pure: nothing is changed.
#pragma once

#include "base/json.h"
#include "coalition/world.h"
#include "data/views.h"
#include "exchange/connector_roster.h"
#include "exchange/rules.h"
#include "exchange/session.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace entente::node {

struct Tally {  // of a kind, and of which nation's people
  int64_t all = 0;
  std::map<PartnerCode, int64_t> of{};
  void add(const PartnerCode& nation) {
    ++all;
    ++of[nation];
  }
  bool operator==(const Tally&) const = default;
};

struct Foreseen {
  Tally sessions{};         // would end
  Tally admissions{};       // under way: would be refused
  Tally views{};            // of objects: would go blank
  Tally grants{};           // given here, or had from partners: would open nothing any more
  Tally releases{};         // of objects, onward: likewise
  Tally requests{};         // for an app or a release: wait, and would come to nothing
  int64_t approvals = 0;    // of requests that go on waiting: would count no more
  int64_t delegations = 0;  // would end
  int64_t connectors = 0;   // would be disconnected
  Tally unserved{};         // sessions that go on, and find no connector of their app
  bool operator==(const Foreseen&) const = default;
};
// In words, and as the API says it.
[[nodiscard]] std::string foreseen_text(const Foreseen& counted);
[[nodiscard]] Json foreseen_json(const Foreseen& counted);

class Preview {
 public:
  // How this node asks. What is not there any more is nullptr, and counts for nothing.
  struct Ways {
    std::function<const exchange::Session*(const SessionId&)> session;
    std::function<bool(const exchange::Session&, const exchange::Rules&)> goes_on;
    std::function<const data::View*(const std::string&)> view;
    // Of a request for an app of this node: whether a grant would open it, how many approvals of it count.
    std::function<bool(const coalition::AccessRequest&, const coalition::World&)> opens;
    std::function<size_t(const coalition::AccessRequest&, const coalition::World&)> approvals;
  };
  struct Stands {  // now
    std::vector<SessionId> sessions{};
    std::vector<std::string> views{};
    std::vector<exchange::ConnectorRoster::Entry> connectors{};
  };
  Preview(Ways ways, Stands stands, coalition::World before, coalition::World after, Instant now);

  // Asks about so many more. True: there is more to ask about.
  bool step(size_t count);
  [[nodiscard]] const Foreseen& counted() const { return counted_; }

 private:
  struct Under {
    coalition::World world;
    std::shared_ptr<const exchange::Rules> rules;
    std::set<AppId> served{};  // by the connectors that are there now
  };
  using One = std::variant<SessionId, std::string, const coalition::AccessRequest*, const coalition::Grant*,
                           const coalition::Release*>;
  void ask(const SessionId& id);
  void ask(const std::string& view);
  void ask(const coalition::AccessRequest* request);
  void ask(const coalition::Grant* grant);
  void ask(const coalition::Release* release);
  void ask_of_own(const coalition::AccessRequest& request);
  void ask_of_partner(const coalition::AccessRequest& request);
  void count_connectors(const std::vector<exchange::ConnectorRoster::Entry>& connectors);
  [[nodiscard]] bool shows(const data::View& view, const Under& under) const;
  [[nodiscard]] bool offers(const Under& under, const coalition::AppRef& ref,
                            const PartnerCode& nation) const;
  [[nodiscard]] bool releases(const Under& under, const coalition::Release& release) const;
  [[nodiscard]] bool is_still(const std::string& key, coalition::RequestState state) const;

  Ways ways_;
  Under before_;
  Under after_;
  Instant now_;
  std::vector<One> all_;
  size_t next_ = 0;
  Foreseen counted_;
};

}  // namespace entente::node
