// For tests of what serves sessions that stand: nobody is to be vouched for.
#pragma once

#include "exchange/rules.h"

namespace entente::exchange::testing {

struct NoStatements final : Statements {
  Result<Issued> issue(const PartnerCode&, const coalition::AppRef&, const coalition::Person&,
                       const coalition::Facts&, Instant) override {
    return fail("test", "not asked for here");
  }
  std::vector<std::string> resend(const PartnerCode&, uint64_t, uint64_t) override { return {}; }
  Result<Vouched> verify(const PartnerCode&, std::string_view, Instant) override {
    return fail("test", "not asked for here");
  }
  uint64_t expected(const PartnerCode&) const override { return 1; }
};

}  // namespace entente::exchange::testing
