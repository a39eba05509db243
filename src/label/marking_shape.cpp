#include "label/marking_shape.h"

#include <algorithm>

namespace entente::label {
namespace {

// How well a phrase's language fits: 0 not at all.
int fit(const std::string& language, const MarkingStyle& style) {
  const auto primary = [](const std::string& tag) { return folded_name(tag.substr(0, tag.find('-'))); };
  if (language.empty()) return 1;
  if (style.language.empty()) return primary(language) == "en" ? 1 : 0;
  if (same_name(language, style.language)) return 3;
  return primary(language) == primary(style.language) ? 2 : 0;
}

Shown show(const std::string& name, const std::vector<Phrase>& phrases, const MarkingStyle& style) {
  Shown out;
  bool hidden = false;
  int best = 0;
  for (const Phrase& phrase : phrases) {
    const bool portion = (phrase.codes & kPortionMarking) != 0;
    const int fits = fit(phrase.language, style);
    if (fits == 0 || (portion && !style.portion)) continue;
    out.suppresses_class = out.suppresses_class || (phrase.codes & kSuppressClassName) != 0;
    if ((phrase.codes & kNoMarkingDisplay) != 0 || ((phrase.codes & kNoNameDisplay) != 0 && !phrase.text))
      hidden = true;
    if ((phrase.codes & kReplacePolicy) != 0) {
      out.policy_text = phrase.text.value_or(name);
      hidden = hidden || (phrase.codes & kNoNameDisplay) != 0;
      continue;
    }
    const int rank = fits + (portion ? 8 : 0);
    if (rank > best && phrase.text) {
      out.text = phrase.text;
      best = rank;
    }
  }
  if (hidden) out.text.reset();
  if (!hidden && !out.text) out.text = name;
  return out;
}

std::string pick(const std::vector<Qualifier>& qualifiers, Qualifier::Part part, const MarkingStyle& style,
                 std::string otherwise) {
  int best = 0;
  for (const Qualifier& one : qualifiers) {
    const int fits = fit(one.language, style);
    if (one.part != part || fits == 0 || (one.portion && !style.portion)) continue;
    const int rank = fits + (one.portion ? 8 : 0);
    if (rank <= best) continue;
    otherwise = one.text;
    best = rank;
  }
  return otherwise;
}

void add_after(std::string& line, const std::string& joiner, const std::string& text) {
  if (!line.empty()) line += joiner;
  line += text;
}

}  // namespace

MarkingShape shape_of(const LabelPolicy& policy, const MarkingStyle& style) {
  using Part = Qualifier::Part;
  const PolicyData& data = policy.data();
  MarkingShape out;
  out.prefix = pick(data.qualifiers, Part::prefix, style, "");
  out.suffix = pick(data.qualifiers, Part::suffix, style, "");
  const std::string joiner = pick(data.qualifiers, Part::separator, style, " ");
  const Shown own = show(data.name, data.phrases, style);
  out.policy_text = own.policy_text ? *own.policy_text : own.text.value_or("");
  for (const Classification& one : data.classifications)
    out.classes.push_back(show(one.name, one.phrases, style));
  for (const TagSet& set : data.tag_sets) {
    for (const Tag& tag : set.tags) {
      TagShape shape{&set, &tag, {}, {}, {}, joiner, pick(set.qualifiers, Part::separator, style, joiner),
                     {}};
      shape.prefix = pick(tag.qualifiers, Part::prefix, style, "");
      shape.separator = pick(tag.qualifiers, Part::separator, style, "/");
      shape.suffix = pick(tag.qualifiers, Part::suffix, style, "");
      for (const TagValue& value : tag.values) shape.values.push_back(show(value.name, value.phrases, style));
      out.tags.push_back(std::move(shape));
    }
  }
  return out;
}

std::string lay_out(const LabelPolicy& policy, const MarkingShape& shape, const MarkingStyle& style,
                    const Label& label) {
  const auto& classes = policy.data().classifications;
  const auto at = std::find_if(classes.begin(), classes.end(),
                               [&](const Classification& one) { return one.name == label.classification; });
  ENTENTE_CHECK(at != classes.end());
  const Shown& its = shape.classes[static_cast<size_t>(at - classes.begin())];
  std::string policy_text = shape.policy_text;
  bool suppressed = false;
  std::vector<std::pair<const TagShape*, std::string>> parts;
  for (const TagShape& tag : shape.tags) {
    const Category* category = label.find(tag.set->name, tag.tag->type);
    if (category == nullptr) continue;
    std::string text;
    size_t shown = 0;
    const auto add = [&](const std::string& value) {
      if (shown++ > 0) text += tag.separator;
      text += value;
    };
    for (size_t i = 0; i < tag.values.size(); ++i) {
      const TagValue& value = tag.tag->values[i];
      if (value.open != TagValue::Open::no) {
        for (const std::string& written : category->values)
          if (policy.find(tag.set->name, tag.tag->type, written).value == &value) add(written);
        continue;
      }
      if (!std::binary_search(category->values.begin(), category->values.end(), value.name)) continue;
      if (tag.values[i].policy_text) policy_text = *tag.values[i].policy_text;
      suppressed = suppressed || tag.values[i].suppresses_class;
      if (tag.values[i].text) add(*tag.values[i].text);
    }
    if (shown > 0) parts.emplace_back(&tag, tag.prefix + text + tag.suffix);
  }
  if (its.policy_text) policy_text = *its.policy_text;
  std::string line = policy_text;
  if (!suppressed && its.text) add_after(line, " ", *its.text);
  const TagSet* before = nullptr;
  for (const auto& [tag, text] : parts) {
    add_after(line, tag->set == before ? tag->joiner_in_set : tag->joiner, text);
    before = tag->set;
  }
  line = shape.prefix + line + shape.suffix;
  return style.portion ? "(" + line + ")" : line;
}

std::string_view beginning(std::string_view text, size_t bytes_max) {
  size_t end = std::min(bytes_max, text.size());
  while (end > 0 && end < text.size() && (static_cast<uint8_t>(text[end]) & 0xc0U) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace entente::label
