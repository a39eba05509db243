#include "coalition/marking.h"

#include "coalition/object_view.h"
#include "coalition/world_memo.h"
#include "label/marking.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace entente::coalition {
namespace {

// In full, where its policy has no line that says it: what is shown is marked.
std::string in_words(const label::Label& label) {
  std::string out = label.policy + " " + label.classification;
  for (const label::Category& one : label.categories)
    out += fmt::format("; {}: {}", one.tag, fmt::join(one.values, ", "));
  return out;
}

}  // namespace

std::string marking_of(const World& world, const SealedObject& object, Instant now) {
  Notes notes(now);
  const ObjectRead read = read_object(world, object, now, notes);
  if (!read.reading) return {};
  const ObjectView& view = read.reading->view;
  // Printed once for all objects of these attributes, where names are in use at all times.
  constexpr size_t kKeptBytesMax = 4096;
  thread_local WorldMemo<std::string> kept;
  std::string key;
  for (const std::string& fqn : object.attributes) add_to_key(key, fqn);
  if (const std::string* known = kept.find(world, key)) return *known;
  const Result<std::string> line = label::MarkingGrammar(*view.terms->policy, {}).print(view.label, now);
  std::string out = line ? *line : in_words(view.label);
  if (!view.terms->policy->is_dated() && key.size() <= kKeptBytesMax) kept.put(std::move(key), out);
  return out;
}

}  // namespace entente::coalition
