// What the exchange has written goes the same way as every other change: through Records.
#pragma once

#include "exchange/switchboard.h"
#include "node/operators.h"
#include "node/records.h"

namespace entente::node {

class NodeArchive final : public exchange::Archive {
 public:
  NodeArchive(Records& records, const Clock& clock) : records_(records), clock_(clock) {}

  void commit(Write write, Done done) override {
    Change change;
    change.records = std::move(write.ops);
    if (write.leaf) change.leaves = {record_of(std::move(*write.leaf), clock_.now())};
    change.author = "exchange";
    change.narrowing = write.narrowing;
    for (const std::string& key : write.unchanged) {
      Result<store::Precondition> seen = records_.as_seen(key);
      if (!seen) return done(Failure(seen.error()));
      change.preconditions.push_back(std::move(*seen));
    }
    records_.commit(std::move(change), [done](const Result<Outcome>& outcome) {
      if (!outcome) return done(Failure(outcome.error()));
      done(outcome->durable ? Result<void>() : Result<void>(Failure(not_durable("this", outcome->why))));
    });
  }
  void append(exchange::Leaf leaf, bool narrowing, Done done) override {
    records_.append({record_of(std::move(leaf), clock_.now())}, narrowing,
                    [done](const Result<ledger::Appended>& appended) {
                      done(appended ? Result<void>() : Result<void>(Failure(appended.error())));
                    });
  }

 private:
  Records& records_;
  const Clock& clock_;
};

}  // namespace entente::node
