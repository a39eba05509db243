// What operators' calls are made of: the person behind a local user, the changes they ask for, and how the
// ledger tells of them. Pure but for reading the ledger.
#pragma once

#include "coalition/verdict.h"
#include "coalition/world.h"
#include "exchange/exchange.h"
#include "ledger/ledger.h"
#include "node/records.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace entente::node {

inline constexpr Millis kEnrolmentLife = std::chrono::hours(24);

// Operators are people (coalition::operator_person): what they do is asked of decide() like everything else.
// Who asks, and where from: "local" is the operators' socket, "door" a browser that signed in.
inline constexpr std::string_view kSocketNetwork = "local";
struct Caller {
  coalition::Person who;
  std::string_view network = kSocketNetwork;  // a constant
};
[[nodiscard]] coalition::Facts operator_context(std::string_view network, Instant now);
[[nodiscard]] coalition::Ask operator_ask(const Caller& by, coalition::Action action,
                                          coalition::Target target, std::string purpose, Instant now);

[[nodiscard]] ledger::Record verdict_record(const coalition::Verdict& verdict, const coalition::Person& who,
                                            std::string_view action, const coalition::Facts& context,
                                            Instant now);
// As the exchange says it, for the ledger.
[[nodiscard]] ledger::Record record_of(exchange::Leaf leaf, Instant now);
// What narrows acts, and `why` the disk does not take it.
[[nodiscard]] Error not_durable(const std::string& what, const Error& why);
[[nodiscard]] Change partner_state_change(const coalition::World& world, const PartnerCode& partner,
                                          coalition::PartnerState state, const std::string& reason,
                                          const coalition::Person& who, const coalition::Verdict& verdict,
                                          Instant now);
// Keeps that partner's people and ours apart, or lets them meet again.
[[nodiscard]] Change isolation_change(const coalition::World& world, const PartnerCode& partner,
                                      const std::string& reason, bool isolates, const coalition::Person& who,
                                      const coalition::Verdict& verdict, Instant now);
[[nodiscard]] Change app_withdrawal(const coalition::World& world, const coalition::AppRef& app,
                                    const std::string& reason, const coalition::Person& who,
                                    const coalition::Verdict& verdict, Instant now);
// With its open token, if it has one: neither its certificate nor that lets it in again.
[[nodiscard]] Change connector_cut(const std::string& id, const std::string& reason,
                                   const coalition::Person& who, const coalition::Verdict& verdict,
                                   Instant now);
// Expects a connector: the record keeps only the token's digest, and ends after a day.
// What the world would refuse once the connector comes, when its token would be used up in vain.
// "field.value".
[[nodiscard]] Result<void> check_connector(const coalition::World& world, const std::string& id,
                                           const std::vector<std::string>& apps,
                                           const std::vector<std::string>& nations);
[[nodiscard]] Change enrolment_change(const std::string& id, const std::vector<std::string>& apps,
                                      const std::vector<std::string>& nations, Millis life,
                                      std::string_view token, const coalition::Person& who,
                                      const coalition::Verdict& verdict, Instant now);
[[nodiscard]] std::string enrolment_key(const std::string& id);  // of the record of an open token
// The tokens that would still be taken: of which connectors, for what, until when.
struct Expected {
  std::string id;
  Json apps;
  Instant until;
};
[[nodiscard]] std::vector<Expected> expected_connectors(const coalition::World& world, Instant now);
// Whether that token is expected now ("enrol.refused"): to be asked before anything else that came with it is
// read.
[[nodiscard]] Result<void> may_enrol(const coalition::World& world, const std::string& id,
                                     std::string_view token, Instant now);
// The connector that shows that token gets its identity; the expectation is used up in the same commit.
[[nodiscard]] Result<Change> enrol_connector(const coalition::World& world, const std::string& id,
                                             std::string_view token, const std::string& thumbprint,
                                             Instant now);

// Changes that the ledger refused at first: their store revisions, and the entry that says that they were
// taken back. What such a change wrote into the ledger reads like what happened, and never acted.
class TakenBack {
 public:
  // Newest first: what takes a change back stands behind it. The entry that took this one back, if any did.
  [[nodiscard]] std::optional<uint64_t> look(uint64_t index, const ledger::Record& record);

 private:
  std::map<int64_t, uint64_t> by_;
};

// Looks back through the first `size` records of the ledger, newest first: `count` of them after `skip`. Look
// in slices, so that the loop serves others in between; at most kLookBackMax in all.
inline constexpr uint64_t kLookBackMax = 200'000;
inline constexpr uint64_t kLookBackSlice = 256;
inline constexpr uint64_t kLookBackMore = 16 * kLookBackSlice;  // from what was done to why it was permitted
[[nodiscard]] std::optional<Json> find_verdict(const ledger::Ledger& ledger, std::string_view id,
                                               uint64_t size, uint64_t skip, uint64_t count,
                                               TakenBack& taken_back);
// The newest `count` records, each of the list's indices exactly once: what cannot be read is said in its
// place. `disclose`: with what its summary says as a disclosure, for whoever checks it.
inline constexpr uint64_t kTailMax = 1'000;
inline constexpr uint64_t kDisclosedTailMax = 100;
[[nodiscard]] Json ledger_tail(const ledger::Ledger& ledger, uint64_t count, bool disclose = false);

}  // namespace entente::node
