#include "label/marking.h"

#include "label/marking_shape.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace entente::label {
namespace {

std::string fold(const std::string& text) {
  return folded_marking(text).value_or(text);
}

void trim(std::string& folded, std::vector<uint32_t>* columns = nullptr) {
  while (folded.starts_with(' ')) {
    folded.erase(0, 1);
    if (columns != nullptr) columns->erase(columns->begin());
  }
  while (folded.ends_with(' ')) {
    folded.pop_back();
    if (columns != nullptr) columns->erase(columns->end() - 2);
  }
}

// A word of the grammar and what it says.
struct Word {
  std::string text;  // folded
  size_t value = 0;  // index in its tag
};

struct TagRule {
  const TagShape* shape = nullptr;
  std::string prefix, separator, suffix, joiner, joiner_in_set;
  std::vector<Word> words;
  std::optional<size_t> open;
};

// One way the head can read: its text, and what it says of the classification.
struct Head {
  std::string text;
  std::optional<size_t> classification;  // none: suppressed by a value
  bool operator==(const Head&) const = default;
};

// A value that shows at most in the head.
struct Hidden {
  CategoryRef ref;
  bool phrase = false;      // stands there for the policy
  bool suppresses = false;  // takes the classification away
};

struct Expected {
  size_t at = 0;
  std::vector<std::string> words;
};

constexpr size_t kShownMax = 64;     // bytes of a line in an error
constexpr size_t kJudgingSteps = 8;  // what checking and printing a label counts for

}  // namespace

struct MarkingGrammar::Inside {
  LabelPolicy policy;
  MarkingStyle style;
  MarkingShape shape;
  std::string prefix, suffix;
  std::vector<Head> heads;
  std::vector<TagRule> tags;
  std::vector<Hidden> hidden;
  bool class_may_be_hidden = false;  // by a value with suppressClassName

  Inside(const LabelPolicy& of, MarkingStyle in)
      : policy(of), style(std::move(in)), shape(shape_of(policy, style)) {
    prefix = (style.portion ? "(" : "") + fold(shape.prefix);
    suffix = fold(shape.suffix) + (style.portion ? ")" : "");
    for (const TagShape& tag : shape.tags) {
      TagRule rule{&tag,
                   fold(tag.prefix),
                   fold(tag.separator),
                   fold(tag.suffix),
                   fold(tag.joiner),
                   fold(tag.joiner_in_set),
                   {},
                   {}};
      for (size_t i = 0; i < tag.values.size(); ++i) {
        if (tag.tag->values[i].open != TagValue::Open::no) {
          rule.open = i;
        } else if (tag.values[i].text) {
          rule.words.push_back({fold(*tag.values[i].text), i});
        }
      }
      std::sort(rule.words.begin(), rule.words.end(),
                [](const Word& a, const Word& b) { return a.text.size() > b.text.size(); });
      if (!rule.words.empty() || rule.open) tags.push_back(std::move(rule));
    }
    for (const TagShape& tag : shape.tags)
      for (size_t i = 0; i < tag.values.size(); ++i) add_hidden(tag, i);
    std::set<std::string> texts{shape.policy_text};
    std::set<std::pair<std::string, std::optional<size_t>>> known;
    add_heads(shape.policy_text, known);
    for (const TagShape& tag : shape.tags)
      for (const Shown& value : tag.values)
        if (value.policy_text && texts.insert(*value.policy_text).second)
          add_heads(*value.policy_text, known);
    std::sort(heads.begin(), heads.end(), [](const Head& x, const Head& y) {
      if (x.text.size() != y.text.size()) return x.text.size() > y.text.size();
      return std::tie(x.text, x.classification) < std::tie(y.text, y.classification);
    });
  }

  void add_hidden(const TagShape& tag, size_t i) {
    const Shown& its = tag.values[i];
    const TagValue& value = tag.tag->values[i];
    class_may_be_hidden = class_may_be_hidden || its.suppresses_class;
    std::string text = its.text ? fold(*its.text) : "";
    trim(text);
    if (text.empty() && value.open == TagValue::Open::no)
      hidden.push_back(
          {{tag.set->name, tag.tag->type, value.name}, its.policy_text.has_value(), its.suppresses_class});
  }

  void add_heads(const std::string& policy_text,
                 std::set<std::pair<std::string, std::optional<size_t>>>& known) {
    const auto add = [&](const std::string& text, std::optional<size_t> classification) {
      Head head{fold(text), classification};
      if (known.emplace(head.text, head.classification).second) heads.push_back(std::move(head));
    };
    for (size_t i = 0; i < shape.classes.size(); ++i) {
      const Shown& its = shape.classes[i];
      const std::string before = its.policy_text.value_or(policy_text);
      if (class_may_be_hidden) add(before, std::nullopt);
      add(its.text ? before + (before.empty() ? "" : " ") + *its.text : before, i);
    }
  }
};

namespace {

// Tries every way a line can be read, within bounds.
class Parse {
 public:
  // `written` is the line with its letters' case.
  Parse(const LabelPolicy& policy, const MarkingShape& shape, const MarkingStyle& style,
        const std::vector<TagRule>& tags, const std::vector<Hidden>& hidden, std::string_view line,
        std::string_view written, Instant now)
      : policy_(policy),
        shape_(shape),
        style_(style),
        tags_(tags),
        hidden_(hidden),
        line_(line),
        written_(written),
        now_(now) {}

  void run(const std::string& prefix, const std::string& suffix, const std::vector<Head>& heads) {
    suffix_ = suffix;
    if (!take(0, prefix)) return;
    for (const Head& head : heads) {
      if (!take(prefix.size(), head.text)) continue;
      Label label;
      label.policy = policy_.name();
      if (head.classification)
        label.classification = policy_.data().classifications[*head.classification].name;
      tags(prefix.size() + head.text.size(), 0, nullptr, !head.text.empty(), label);
    }
  }

  [[nodiscard]] const std::vector<Label>& found() const { return found_; }
  [[nodiscard]] const std::optional<Label>& dated() const { return dated_; }
  [[nodiscard]] const std::optional<Error>& broken() const { return broken_; }
  [[nodiscard]] const std::optional<std::string>& otherwise() const { return otherwise_; }
  [[nodiscard]] const Expected& expected() const { return expected_; }
  [[nodiscard]] bool too_long() const { return steps_ > kMarkingStepsMax; }
  [[nodiscard]] bool done() const { return too_long() || found_.size() > 1; }

 private:
  bool take(size_t at, const std::string& word) {
    ++steps_;
    const std::string_view rest = line_.substr(at);
    if (rest.starts_with(word)) return true;
    // What would fit is said from the first word that differs, or from the end of a line that stops inside.
    const auto differ = std::mismatch(rest.begin(), rest.end(), word.begin(), word.end());
    size_t same = static_cast<size_t>(differ.second - word.begin());
    if (same < rest.size())
      while (same > 0 && word[same - 1] != ' ') --same;
    miss(at + same, word.substr(same));
    return false;
  }

  void miss(size_t at, std::string word) {
    if (at > expected_.at) expected_ = {at, {}};
    auto& words = expected_.words;
    if (at == expected_.at && words.size() < 8 && std::find(words.begin(), words.end(), word) == words.end())
      words.push_back(std::move(word));
  }

  // From rule `next` on; `before` is the set of the tag that stands before.
  void tags(size_t at, size_t next, const TagSet* before, bool something, const Label& label) {
    if (done()) return;
    end(at, label);
    for (size_t i = next; i < tags_.size(); ++i) {
      const TagRule& rule = tags_[i];
      size_t from = at;
      if (something) {
        const std::string& joiner = rule.shape->set == before ? rule.joiner_in_set : rule.joiner;
        if (!take(from, joiner)) continue;
        from += joiner.size();
      }
      if (!take(from, rule.prefix)) continue;
      values(from + rule.prefix.size(), i, label);
    }
  }

  void values(size_t at, size_t i, const Label& label) {
    const TagRule& rule = tags_[i];
    const auto said = [&](const std::string& value, size_t length) {
      Label more = label;
      add_value(more, {rule.shape->set->name, rule.shape->tag->type, value});
      const size_t after = at + length;
      if (take(after, rule.suffix)) tags(after + rule.suffix.size(), i + 1, rule.shape->set, true, more);
      // Nothing said and nothing between: there would be no end of it.
      if (length + rule.separator.size() > 0 && take(after, rule.separator))
        values(after + rule.separator.size(), i, more);
    };
    for (const Word& word : rule.words) {
      if (done()) return;
      if (take(at, word.text)) said(rule.shape->tag->values[word.value].name, word.text.size());
    }
    if (rule.open) {
      const std::string_view rest = line_.substr(std::min(at, line_.size()));
      for (const size_t length : open_lengths(rest, rule))
        if (!done()) said(std::string(written_.substr(at, length)), length);
    }
  }

  // Where a text that people choose can end: before a separator, a suffix or the end.
  std::vector<size_t> open_lengths(std::string_view rest, const TagRule& rule) const {
    std::vector<size_t> out;
    const size_t run = std::min(
        {rest.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-. "), rest.size(), size_t{64}});
    for (size_t length = run; length > 0; --length) {
      if (rest[length - 1] == ' ' || rest[0] == ' ') continue;
      const std::string_view after = rest.substr(length);
      const bool ends =
          after.empty() || after == suffix_ || (!rule.suffix.empty() && after.starts_with(rule.suffix)) ||
          (!rule.separator.empty() && after.starts_with(rule.separator)) || after.starts_with("/");
      if (ends) out.push_back(length);
    }
    return out;
  }

  void end(size_t at, const Label& label) {
    if (at + suffix_.size() != line_.size() || !take(at, suffix_)) {
      if (suffix_.empty()) miss(at, "\n");  // the end of the line is what would fit
      return;
    }
    for (const Classification& one : policy_.data().classifications) {
      if (!label.classification.empty() && one.name != label.classification) continue;
      Label classified = label;
      classified.classification = one.name;
      readings(classified, !label.classification.empty());
    }
  }

  // All labels that show what was read. A hidden value can do no more than stand for the policy and suppress
  // the classification: one that does each, together with any of those that then change nothing.
  void readings(const Label& shown, bool classified) {
    judge(shown, classified);
    if (hidden_.empty()) return;
    for (size_t phrase = 0; phrase <= hidden_.size(); ++phrase) {
      if (phrase > 0 && !hidden_[phrase - 1].phrase) continue;
      for (size_t silent = 0; silent <= hidden_.size(); ++silent) {
        if (silent > 0 && !hidden_[silent - 1].suppresses) continue;
        Label base = shown;
        if (phrase > 0) add_value(base, hidden_[phrase - 1].ref);
        if (silent > 0) add_value(base, hidden_[silent - 1].ref);
        if (done()) return;
        if (!prints(base)) continue;
        std::vector<CategoryRef> more;
        for (const Hidden& one : hidden_) {
          Label with = base;
          add_value(with, one.ref);
          if (prints(with)) more.push_back(one.ref);
        }
        for (size_t count = base == shown ? 1 : 0; count <= more.size() && !done(); ++count)
          choose(base, more, 0, count, classified);
      }
    }
  }

  void choose(const Label& label, const std::vector<CategoryRef>& more, size_t from, size_t count,
              bool classified) {
    if (count == 0) return judge(label, classified);
    for (size_t i = from; i + count <= more.size() && !done(); ++i) {
      Label with = label;
      add_value(with, more[i]);
      choose(with, more, i + 1, count - 1, classified);
    }
  }

  [[nodiscard]] bool prints(const Label& label) {
    steps_ += kJudgingSteps;
    if (too_long()) return false;
    const auto normal = normalised(label);
    return normal && folded_print(*normal) == line_;
  }

  [[nodiscard]] std::string folded_print(const Label& label) const {
    std::string out = fold(lay_out(policy_, shape_, style_, label));
    trim(out);
    return out;
  }

  // Kept only if it keeps the rules and prints as the line that was read.
  void judge(const Label& label, bool classified) {
    steps_ += kJudgingSteps;
    Result<Label> checked = policy_.check(label, Use::read, now_);
    if (!checked) {
      // Another time's rules may have let it be printed.
      if (checked.error().code() == "label.time" && !dated_ && prints(label)) dated_ = label;
      if (classified && !broken_) broken_ = checked.error();
      return;
    }
    if (folded_print(*checked) != line_) {
      if (classified && !otherwise_) otherwise_ = lay_out(policy_, shape_, style_, *checked);
      return;
    }
    if (std::find(found_.begin(), found_.end(), *checked) == found_.end())
      found_.push_back(*std::move(checked));
  }

  const LabelPolicy& policy_;
  const MarkingShape& shape_;
  const MarkingStyle& style_;
  const std::vector<TagRule>& tags_;
  const std::vector<Hidden>& hidden_;
  std::string_view line_;
  std::string_view written_;
  Instant now_;
  std::string suffix_;
  std::vector<Label> found_;              // no more are sought than two
  std::optional<Label> dated_;            // reads as well, at another time
  std::optional<Error> broken_;           // read, but the policy forbids it
  std::optional<std::string> otherwise_;  // read, but written in another way
  Expected expected_;
  size_t steps_ = 0;
};

Error not_read(const Parse& parse, std::string_view line, const std::vector<uint32_t>& columns) {
  const Expected& expected = parse.expected();
  const size_t at = std::min(expected.at, line.size());
  std::string wanted;
  for (const std::string& word : expected.words) {
    const bool end = word == "\n";
    wanted += (wanted.empty() ? "" : ", ") + (end ? std::string("the end") : "\"" + word + "\"");
  }
  const std::string_view rest = line.substr(at);
  const size_t stop = rest.find_first_of("/,)", 1);
  const std::string_view here = beginning(rest.substr(0, stop), kShownMax);
  return {"label.marking",
          rest.empty() ? "the line ends too early" : fmt::format("\"{}\" is not understood here", here),
          fmt::format("column {}", columns[at]),
          wanted.empty() ? "" : fmt::format("what fits here: {}", wanted)};
}

}  // namespace

MarkingGrammar::MarkingGrammar(const LabelPolicy& policy, MarkingStyle style)
    : inside_(std::make_unique<const Inside>(policy, std::move(style))) {}
MarkingGrammar::~MarkingGrammar() = default;
MarkingGrammar::MarkingGrammar(MarkingGrammar&&) noexcept = default;

Result<std::string> MarkingGrammar::print(const Label& label, Instant now) const {
  TRY(const Label checked, inside_->policy.check(in_force(label, now), Use::read, now));
  std::string line = lay_out(inside_->policy, inside_->shape, inside_->style, checked);
  const auto back = parse(line, now);
  if (back && (back->classification != checked.classification || back->categories != checked.categories))
    return fail("label.marking", fmt::format("\"{}\" would be read as another label", line), {},
                "the policy's phrases must differ, and values of one's own be plain capital letters");
  // What hides behind a policy's lines makes them ambiguous to whoever reads; and another time's rules may
  // have let others be printed. All else would be a line that nobody can read.
  if (!back && back.error().code() != "label.ambiguous" && back.error().code() != "label.time")
    return fail(
        "label.marking",
        fmt::format("\"{}\" could not be read again: {}", beginning(line, kShownMax), back.error().what()),
        {}, "take the label itself, or correct the policy's phrases");
  return line;
}

Result<Label> MarkingGrammar::parse(std::string_view line, Instant now) const {
  if (line.size() > kMarkingBytesMax)
    return fail("label.marking", fmt::format("this line is longer than {} bytes", kMarkingBytesMax), {},
                "a marking is one line");
  std::vector<uint32_t> columns;
  auto folded = folded_marking(line, &columns);
  if (!folded) return fail("label.marking", "this line is no UTF-8", {}, "write it in UTF-8");
  std::string written = folded_marking(line, nullptr, LetterCase::kept).value_or("");
  trim(*folded, &columns);
  trim(written);
  Parse parse(inside_->policy, inside_->shape, inside_->style, inside_->tags, inside_->hidden, *folded,
              written, now);
  parse.run(inside_->prefix, inside_->suffix, inside_->heads);
  if (parse.too_long())
    return fail("label.marking", "this line can be read in too many ways", {}, "shorten it");
  if (parse.found().size() == 1 && !parse.dated()) return parse.found().front();
  if (!parse.found().empty())
    return fail("label.ambiguous",
                fmt::format("this line could mean more than one label, {} or {}", canonical(parse.found()[0]),
                            canonical(parse.found().size() > 1 ? parse.found()[1] : *parse.dated())),
                {}, "the policy's phrases must differ; take the label itself, not its line");
  if (parse.otherwise())
    return fail("label.marking", "this line is not in the policy's order", {},
                fmt::format("it is written: {}", *parse.otherwise()));
  if (parse.broken()) return std::unexpected(*parse.broken());
  return std::unexpected(not_read(parse, *folded, columns));
}

}  // namespace entente::label
