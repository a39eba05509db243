// What keys were released, as the ledger has it: taken in while the ledger is checked at the node's start,
// and kept up as it grows, so that whoever asks waits for next to none of it. On the control loop.
#pragma once

#include "data/exposure.h"
#include "ledger/ledger.h"
#include "net/loop.h"

#include <memory>
#include <optional>
#include <string>

namespace entente::node {

class ExposureDesk {
 public:
  ExposureDesk(net::Loop& loop, PartnerCode self, size_t bytes_max = data::kExposureBytesMax)
      : loop_(loop), self_(std::move(self)), bytes_max_(bytes_max), released_(self_, bytes_max) {}

  // The next entry, before follow(): they come in order, none left out.
  void take(const ledger::Record& record, uint64_t entry) { released_.add(record, entry); }
  // From here on what the ledger gets is read from it. It outlives this.
  void follow(const ledger::Ledger& ledger);
  [[nodiscard]] uint64_t read() const { return released_.read(); }

  [[nodiscard]] bool names_partner(std::string_view code) const { return released_.names_partner(code); }
  // Of all that the ledger holds now, and of nothing that comes while it is made: one after the other. What
  // had no room beside all else is read again, for a question that names something: as much memory again, so
  // one at a time. Errors: "exposure.unread", "api.busy".
  [[nodiscard]] net::Task<Result<Json>> answer(data::ExposureFilter filter, coalition::World world,
                                               Instant now);
  // Whether what a recall names was ever released; nothing where that is not known soon.
  [[nodiscard]] net::Task<std::optional<bool>> released_before(std::string kind, std::string what);

 private:
  [[nodiscard]] net::Task<Result<void>> read_on(data::Exposure* exposure, uint64_t until);
  [[nodiscard]] net::Task<Json> report(const data::Exposure* exposure, data::ExposureFilter filter,
                                       coalition::World world, Instant now);
  void keep_up();

  net::Loop& loop_;
  PartnerCode self_;
  size_t bytes_max_;
  const ledger::Ledger* ledger_ = nullptr;
  data::Exposure released_;
  // Held by who answers, whose coroutine may end after this.
  std::shared_ptr<bool> answering_ = std::make_shared<bool>(false);  // and released_ stays as it is meanwhile
  std::shared_ptr<bool> reading_again_ = std::make_shared<bool>(false);  // for an exposure of its own
  net::Timer next_;
};

}  // namespace entente::node
