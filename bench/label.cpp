// bench_label [libbenchmark's options]: labels read, checked against their policy and compared with a
// clearance.
#include "label/dominance.h"
#include "label/label_json.h"
#include "label/label_xml.h"
#include "label/marking.h"
#include "label/policies_for_test.h"

#include <vector>

#include <benchmark/benchmark.h>

namespace {

using namespace entente;
using namespace entente::label;

const LabelPolicy& policy() {
  static const LabelPolicy out = policy_for_test(kXaaSpif);
  return out;
}

// 64 labels of different shapes, none of which breaks a rule.
const std::vector<Label>& labels() {
  static const std::vector<Label> out = [] {
    std::vector<Label> made;
    const MarkingGrammar grammar(policy(), {});
    for (int i = 0; made.size() < 64; ++i) {
      Label label = label_for_test(i % 3 == 0 ? "SECRET" : "CONFIDENTIAL");
      label.categories.push_back(
          {"Releasable To", CategoryType::permissive, {"XAA", i % 2 == 0 ? "XBB" : "XCC"}});
      if (i % 4 == 0) label.categories.push_back({"Caveats", CategoryType::restrictive, {"ORCON", "PROPIN"}});
      if (i % 5 == 0)
        label.categories.push_back({"Programmes", CategoryType::restrictive, {"ALPHA", "CHARLIE"}});
      if (i % 6 == 0)
        label.categories.push_back({"Foreign Information", CategoryType::informative, {"XBB", "XDD"}});
      label.originator = {"planner@xaa.example", "userPrincipalName"};
      label.created = time_for_test();
      made.push_back(policy().check(label, Use::create, time_for_test()).value());
    }
    return made;
  }();
  return out;
}

const Clearance& clearance() {
  static const Clearance out = [] {
    Clearance one;
    one.policy = "XAA";
    one.classifications = up_to(policy(), "SECRET").value();
    one.categories = {{"Releasable To", CategoryType::permissive, {"XBB", "XCC"}},
                      {"Caveats", CategoryType::restrictive, {"ORCON", "PROPIN"}},
                      {"Programmes", CategoryType::restrictive, {"ALPHA", "CHARLIE"}}};
    return spelled(policy(), one).value();
  }();
  return out;
}

template <class Text, class Read>
void compare(benchmark::State& state, const std::vector<Text>& texts, Read read) {
  const Instant now = time_for_test();
  size_t next = 0;
  bool covered = true;
  while (state.KeepRunning()) {
    const auto label = read(texts[next++ % texts.size()]);
    covered = covered && label && dominates(policy(), clearance(), *label, now).holds;
  }
  if (!covered) state.SkipWithError("a label is not covered: this measures the wrong thing");
  state.SetItemsProcessed(state.iterations());
}

void from_xml(benchmark::State& state) {
  std::vector<std::string> texts;
  for (const Label& one : labels()) texts.push_back(write_label_xml(one));
  compare(state, texts, [](const std::string& text) -> Result<Label> {
    TRY(RoledLabel read, read_label_xml(text));
    return std::move(read.label);
  });
}

void from_json_text(benchmark::State& state) {
  std::vector<std::string> texts;
  for (const Label& one : labels()) {
    Label plain = one;
    plain.originator = {};
    texts.push_back(write_label_json(plain).value().dump());
  }
  compare(state, texts, [](const std::string& text) -> Result<Label> {
    TRY(const Json json, Json::parse(text));
    return read_label_json(json);
  });
}

void from_marking(benchmark::State& state) {
  const MarkingGrammar grammar(policy(), {});
  std::vector<std::string> texts;
  for (const Label& one : labels()) texts.push_back(grammar.print(one, time_for_test()).value());
  compare(state, texts, [&](const std::string& text) { return grammar.parse(text, time_for_test()); });
}

void from_memory(benchmark::State& state) {
  compare(state, labels(), [](const Label& label) { return Result<Label>(label); });
}

}  // namespace

BENCHMARK(from_xml);
BENCHMARK(from_json_text);
BENCHMARK(from_marking);
BENCHMARK(from_memory);
BENCHMARK_MAIN();
