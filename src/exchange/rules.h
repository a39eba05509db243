// What the core asks of a world, and of those who sign and check statements. Both are handed in, so that a
// simulator can live under its own world and with its own signatures.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "coalition/verdict.h"
#include "coalition/world.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::exchange {

enum class Standing { unknown, active, suspended, isolated };  // where both are so: suspended

// One immutable world and its decide().
class Rules {
 public:
  virtual ~Rules() = default;
  [[nodiscard]] virtual Revision revision() const = 0;
  [[nodiscard]] virtual const PartnerCode& self() const = 0;
  [[nodiscard]] virtual coalition::Verdict decide(const coalition::Ask& ask) const = 0;
  [[nodiscard]] virtual Standing standing(const PartnerCode& partner) const = 0;
  // Why it is suspended or isolated, in the words of whoever did it.
  [[nodiscard]] virtual std::string standing_reason(const PartnerCode& partner) const = 0;
  // How people call the partner: "Aldoria (XAA)".
  [[nodiscard]] virtual std::string partner_name(const PartnerCode& partner) const = 0;
  // That grant of this node's, if it is for that person and app.
  [[nodiscard]] virtual std::optional<coalition::Grant> grant(const coalition::Person& who, const AppId& app,
                                                              const RequestId& id) const {
    (void)who;
    (void)app;
    (void)id;
    return std::nullopt;
  }
  // The apps a connector with this pinned certificate may serve; none when the world does not list it.
  [[nodiscard]] virtual std::vector<AppId> connector_apps(const ConnectorId& connector,
                                                          std::string_view thumbprint, Instant now) const = 0;
  // The nations whose people that connector is for, before others.
  [[nodiscard]] virtual std::vector<PartnerCode> connector_nations(const ConnectorId& connector) const {
    (void)connector;
    return {};
  }
};
[[nodiscard]] std::shared_ptr<const Rules> rules_of(coalition::World world);
// What both permit, for a change that may narrow here and widen there and is not durable yet: `acting` with
// the change, `durable` without. All but decide() is as `acting` says.
[[nodiscard]] std::shared_ptr<const Rules> rules_of_both(std::shared_ptr<const Rules> durable,
                                                         std::shared_ptr<const Rules> acting);

// A statement this node signed for one host. `remember`, if any, must be durable before the statement leaves;
// it holds all statements still kept for a resend, so that one record is enough.
struct Issued {
  std::string statement{};  // JWS; opaque here
  uint64_t number = 0;      // in the sequence for that host
  std::optional<coalition::Record> remember{};
};

// What a verified statement says: a person of `from`, under the id made for this host and app.
struct Vouched {
  coalition::Person who{};
  coalition::Facts context{};
  AppId app{};
  // The gate's new state (highest number seen, its digest): durable before the statement takes effect.
  std::optional<coalition::Record> remember{};
  // No person: its nation gave up the numbers that were missed, and what it said before counts no more.
  bool reset = false;
};

// Signs and checks statements; keeps the numbering. Errors of verify(): "identity.statement-gap" when numbers
// are missing (then expected() is the first missing one), any other code: refused.
class Statements {
 public:
  virtual ~Statements() = default;
  [[nodiscard]] virtual Result<Issued> issue(const PartnerCode& host, const coalition::AppRef& app,
                                             const coalition::Person& who, const coalition::Facts& context,
                                             Instant now) = 0;
  // The commit of issue()'s record failed: that statement never leaves, and its number is to be used again.
  virtual void not_kept(const PartnerCode& host, uint64_t number) {
    (void)host;
    (void)number;
  }
  // The number of the newest statement for that host; 0: none, or not known.
  [[nodiscard]] virtual uint64_t issued(const PartnerCode& host) {
    (void)host;
    return 0;
  }
  // Statements for that host numbered `from` to `to`, oldest first, or from the newest reset on; empty when
  // no longer kept.
  [[nodiscard]] virtual std::vector<std::string> resend(const PartnerCode& host, uint64_t from,
                                                        uint64_t to) = 0;
  // The next statement for that host, which it hears whatever it missed: for what is no longer kept.
  [[nodiscard]] virtual Result<Issued> reset(const PartnerCode& host, Instant now) {
    (void)now;
    return fail("exchange.statements-lost", "statements are missing that are no longer kept", host.text());
  }
  [[nodiscard]] virtual Result<Vouched> verify(const PartnerCode& from, std::string_view statement,
                                               Instant now) = 0;
  [[nodiscard]] virtual uint64_t expected(const PartnerCode& from) const = 0;
};
inline constexpr std::string_view kStatementGap = "identity.statement-gap";
inline constexpr std::string_view kStatementApp =
    "statement.app";  // issue(): nobody is offered that app here

}  // namespace entente::exchange
