// Holds a report on what was released, as the node gave it, against a ledger that is being verified: for
// auditors. What can still be opened is of the moment it was asked in and is not looked at. Errors:
// "exposure.report" (no whole report), "exposure.untrue" (where: what of it).
#pragma once

#include "data/exposure.h"

namespace entente::data {

class ExposureCheck {
 public:
  [[nodiscard]] static Result<ExposureCheck> of(Json report, PartnerCode self);
  // The signed note that it came with: the ledger has to be one that leads to it.
  [[nodiscard]] const std::string& checkpoint() const { return checkpoint_; }
  void take(const ledger::Record& record, uint64_t entry);  // each of the ledger, in order
  [[nodiscard]] Result<void> finish() const;
  // A report is of the first `read` entries and says nothing of those behind: whoever shows one could have
  // chosen how many. To be told with what finish() says.
  [[nodiscard]] uint64_t read() const { return read_; }

 private:
  ExposureCheck(Json report, ExposureFilter asked, uint64_t read, std::string checkpoint,
                const PartnerCode& self)
      : report_(std::move(report)),
        asked_(std::move(asked)),
        read_(read),
        checkpoint_(std::move(checkpoint)),
        released_(self, asked_) {}

  Json report_;
  ExposureFilter asked_;
  uint64_t read_;
  std::string checkpoint_;
  Exposure released_;
};

}  // namespace entente::data
