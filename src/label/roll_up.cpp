#include "label/roll_up.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace entente::label {
namespace {

// What `whole` (a label and one part) has beyond the label; "" for nothing.
std::string beyond(const Label& label, const Label& whole) {
  if (whole.classification != label.classification)
    return fmt::format("its classification is {}, not {}", label.classification, whole.classification);
  for (const Category& category : whole.categories) {
    const auto same = [&](const Category& one) {
      return one.type == category.type && one.tag == category.tag;
    };
    const auto held = std::ranges::find_if(label.categories, same);
    const bool none = held == label.categories.end();
    if (category.type == CategoryType::restrictive) {
      for (const std::string& value : category.values)
        if (none || !std::ranges::binary_search(held->values, value))
          return fmt::format("it lacks {} ({})", value, category.tag);
    } else if (category.type == CategoryType::permissive) {
      if (none)
        return fmt::format("it names no {}, and there only {} may read", category.tag,
                           fmt::join(category.values, ", "));
      for (const std::string& value : held->values)
        if (!std::ranges::binary_search(category.values, value))
          return fmt::format("it names {} ({}), who may not read there", value, category.tag);
    }
  }
  return {};
}

Label without_information(Label part) {
  std::erase_if(part.categories, [](const Category& one) { return one.type == CategoryType::informative; });
  return part;
}

}  // namespace

Result<std::vector<Shortfall>> shortfalls(const LabelPolicy& policy, const Label& label,
                                          std::span<const Label> parts, Instant now) {
  TRY(Label own, combine(policy, std::span(&label, 1), label.originator, now));
  own.created = in_force(label, now).created;  // it is as old as it was
  std::vector<Shortfall> out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::vector<Label> both{own, parts[i]};
    Result<Label> whole = combine(policy, both, own.originator, now);
    if (!whole && whole.error().code() == "label.combination") {
      // What only informs lowers nothing, though it may not stand beside what the label says.
      auto bare = combine(policy, std::vector{own, without_information(in_force(parts[i], now))},
                          own.originator, now);
      if (bare) whole = std::move(bare);
    }
    if (!whole && whole.error().code() != "label.combination") return Failure(whole.error());
    std::string why = whole ? beyond(own, *whole) : whole.error().what();
    if (!why.empty()) out.push_back({i, std::move(why)});
  }
  return out;
}

}  // namespace entente::label
