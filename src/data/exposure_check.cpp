#include "data/exposure_check.h"

#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr std::array<const char*, 6> kCounts{"releases", "readers", "objects", "incomplete", "more", "next"};
constexpr std::array<const char*, 2> kOfTheMoment{"openable", "why"};

Failure no_report(std::string_view where) {
  return fail("exposure.report", "this is no report as `entente exposure --json` gives it",
              std::string(where));
}

Failure untrue(std::string where) {
  return fail("exposure.untrue", "the ledger does not say what this report says", std::move(where));
}

// A row without what can be told of a moment alone.
Json recorded(const Json& row) {
  Json out = row;
  if (out.is_object())
    std::erase_if(out.members(), [](const Json::Member& member) {
      return std::ranges::find(kOfTheMoment, member.first) != kOfTheMoment.end();
    });
  return out;
}

std::string text_of(const Json* value) {
  return value == nullptr ? "nothing" : value->dump();
}

}  // namespace

Result<ExposureCheck> ExposureCheck::of(Json report, PartnerCode self) {
  const Json* asked = report.find("asked");
  const Json* read = report.find("read");
  const Json* rows = report.find("rows");
  std::string checkpoint(report.text_or("checkpoint", ""));
  if (asked == nullptr || !asked->is_object()) return no_report("asked");
  if (read == nullptr || !read->is_int() || read->integer() < 0) return no_report("read");
  if (rows == nullptr || !rows->is_array()) return no_report("rows");
  if (checkpoint.empty()) return no_report("checkpoint");
  ExposureFilter filter;
  for (const auto& [name, value] : asked->members()) {
    std::string* const text = name == "partner"  ? &filter.partner
                              : name == "person" ? &filter.person
                              : name == "object" ? &filter.object
                              : name == "device" ? &filter.device
                                                 : nullptr;
    if (text != nullptr && value.is_string()) {
      *text = value.string();
    } else if (name == "before" && value.is_int() && value.integer() > 0) {
      filter.before = static_cast<uint64_t>(value.integer());
    } else {
      return no_report("asked." + name);
    }
  }
  const auto entries = static_cast<uint64_t>(read->integer());
  return ExposureCheck(std::move(report), std::move(filter), entries, std::move(checkpoint), self);
}

void ExposureCheck::take(const ledger::Record& record, uint64_t entry) {
  if (entry < read_) released_.add(record, entry);
}

Result<void> ExposureCheck::finish() const {
  if (released_.read() != read_)
    return untrue(fmt::format("it is made of {} entries, and the ledger has {}", read_, released_.read()));
  ExposureReport again(released_, asked_, std::nullopt, Instant());
  while (again.step(kExposureGroupsAtOnce)) {
  }
  const Json made = again.take();
  for (const char* name : kCounts) {
    const Json* said = report_.find(name);
    const Json* found = made.find(name);
    if (said == nullptr ? found != nullptr : found == nullptr || *said != *found)
      return untrue(fmt::format("{}: it says {}, the ledger {}", name, text_of(said), text_of(found)));
  }
  const auto& said = report_.find("rows")->items();
  const auto& found = made.find("rows")->items();
  if (said.size() != found.size())
    return untrue(fmt::format("it has {} rows, the ledger {}", said.size(), found.size()));
  for (size_t i = 0; i < said.size(); ++i) {
    const Json theirs = recorded(said[i]), ours = recorded(found[i]);
    if (theirs.canonical() != ours.canonical())
      return untrue(fmt::format("row {}: it says {}, the ledger {}", i + 1, theirs.dump(), ours.dump()));
  }
  return {};
}

}  // namespace entente::data
