#include "ledger/store_match.h"

#include <algorithm>
#include <string>

namespace entente::ledger {
namespace {

Failure mismatch(std::string what, std::string where) {
  return fail("ledger.store", std::move(what), std::move(where),
              "one of the two was changed or put back by hand");
}

std::string at(Revision rev) {
  return "revision " + std::to_string(rev.value);
}

bool ours(const Record& record) {
  return std::ranges::any_of(record.fields,
                             [](const auto& field) { return field.first.starts_with(kStorePrefix); });
}

Record record_of(const store::Outgoing& outgoing, const Bytes& leaf) {
  const Result<Record> parsed = Record::parse(leaf);
  // What can't be sealed as it stands is kept as bytes: a commit that is durable must not block the ledger.
  const auto recordable = [&] {
    return parsed->fields.size() + 8 <= kFieldsMax && leaf.size() + 4096 <= kRecordBytesMax &&
           !ours(*parsed) && seal(*parsed, crypto::Secret(Bytes(kRecordKeyBytes))).has_value();
  };
  if (parsed && recordable()) return *parsed;
  return {.event_class = "store.opaque", .time = outgoing.at, .fields = {{"bytes", base64url(leaf)}}};
}

int64_t integer_or(const Json& fields, std::string_view key, int64_t otherwise) {
  const Json* value = fields.find(key);
  return value != nullptr && value->is_int() ? value->integer() : otherwise;
}

}  // namespace

std::vector<Record> records_of(const store::Outgoing& outgoing) {
  std::vector<Record> out;
  out.reserve(outgoing.leaves.size());
  for (const Bytes& leaf : outgoing.leaves) out.push_back(record_of(outgoing, leaf));
  if (out.empty()) out.push_back({.event_class = "store.commit", .time = outgoing.at, .fields = {}});
  for (size_t n = 0; n < out.size(); ++n) {
    auto& fields = out[n].fields;
    fields.emplace_back("store.rev", outgoing.rev.value);
    fields.emplace_back("store.manifest", base64url(outgoing.manifest));
    fields.emplace_back("store.author", outgoing.author);
    fields.emplace_back("store.leaf", static_cast<int64_t>(n));
    fields.emplace_back("store.leaves", static_cast<int64_t>(out.size()));
  }
  return out;
}

Result<void> StoreMatch::feed(uint64_t index, const Json& fields) {
  const std::string where = "entry " + std::to_string(index);
  const int64_t rev = integer_or(fields, "store.rev", 0);
  if (leaf_ < leaves_ && rev != static_cast<int64_t>(rev_.value)) {
    return mismatch("the entries of " + at(rev_) + " are not whole", where);
  }
  if (rev == 0) return {};
  if (leaf_ == leaves_) {
    if (rev != static_cast<int64_t>(rev_.value) + 1) {
      return mismatch(
          "here is revision " + std::to_string(rev) + " where " + at({rev_.value + 1}) + " should be", where);
    }
    ++rev_.value;
    leaf_ = 0;
    leaves_ = integer_or(fields, "store.leaves", 0);
  }
  if (integer_or(fields, "store.leaf", -1) != leaf_ || leaves_ != integer_or(fields, "store.leaves", 0)) {
    return mismatch("the entries of " + at(rev_) + " are not in order", where);
  }
  ++leaf_;
  return match(where, fields.text_or("store.manifest", ""));
}

Result<void> StoreMatch::match(const std::string& where, std::string_view manifest) const {
  if (loaded_ == nullptr) return {};
  if (rev_ > loaded_->head && moving_) return {};
  if (rev_ > loaded_->head) return mismatch("the store lacks " + at(rev_) + ", which the ledger has", where);
  const store::ManifestMark& mark = loaded_->manifests[rev_.value - 1];
  if (base64url(mark.digest) == manifest) return {};
  return mismatch("the store's manifest of " + at(rev_) + " is not the one that was recorded", where);
}

Result<void> StoreMatch::finish() const {
  if (leaf_ != leaves_) return mismatch("the entries of " + at(rev_) + " are not whole", "end of the log");
  if (loaded_ == nullptr || moving_) return {};
  if (rev_ < loaded_->integrated) {
    return mismatch("the ledger lacks " + at({rev_.value + 1}) + ", which it had been given",
                    "end of the log");
  }
  return {};
}

}  // namespace entente::ledger
