// `entente policy bench`: data sets (policies, entities, requests, the decisions wanted) put to the decision
// point: is every answer right, and what does one cost.
#include "base/file.h"
#include "cli/allocations.h"
#include "cli/verbs.h"
#include "policy/decide.h"
#include "policy/document.h"
#include "policy/reference.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <malloc.h>

namespace entente::cli {
namespace {

using namespace policy;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr size_t kFileMax = 1 << 30;
constexpr size_t kSamples = 200'000;  // decisions timed one by one
constexpr size_t kChanges = 500;      // stores changed

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// The finest clock there is, in ticks; each reading waits until all before it is done.
uint64_t ticks() {
#if defined(__x86_64__)
  __builtin_ia32_lfence();
  const uint64_t now = __builtin_ia32_rdtsc();
  __builtin_ia32_lfence();
  return now;
#else
  return static_cast<uint64_t>(Clock::now().time_since_epoch().count());
#endif
}

double ns_of_a_tick() {
  const auto begin = Clock::now();
  const uint64_t first = ticks();
  while (us_since(begin) < 20'000) {
  }
  return us_since(begin) * 1000 / static_cast<double>(ticks() - first);
}

// What reading the clock twice costs by itself: taken off every sample.
uint64_t ticks_of_a_reading() {
  std::vector<uint64_t> out(10'001);
  for (uint64_t& one : out) {
    const uint64_t begin = ticks();
    one = ticks() - begin;
  }
  std::nth_element(out.begin(), out.begin() + 5'000, out.end());
  return out[5'000];
}

size_t heap_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct Wanted {
  bool permit = false;
  std::optional<std::vector<std::string>> reasons;  // sorted
};

struct Figures {
  std::string name;
  std::string checked_by;
  size_t policies = 0;
  size_t entities = 0;
  size_t requests = 0;
  std::string decisions;  // A or D for each request
  size_t wrong = 0;
  double p50_ns = 0;
  double p99_ns = 0;
  double mean_ns = 0;  // CPU time of whole rounds, without a clock inside
  double allocations = 0;
  double load_policies_ms = 0;
  double load_entities_ms = 0;
  double change_us = 0;
  double memory_mib = 0;
};

Result<EntityUid> uid_from(const Json* json, const std::string& where) {
  if (json == nullptr || json->text_or("type", "").empty() || json->find("id") == nullptr)
    return fail("cli.bench", "an entity's type and id belong here", where);
  return EntityUid{std::string(json->text_or("type", "")), std::string(json->text_or("id", ""))};
}

Result<const Json::Array*> list(const Json& set, const char* name, const std::string& file) {
  const Json* found = set.find(name);
  if (found == nullptr || !found->is_array())
    return fail("cli.bench", fmt::format("a data set has a list of {}", name), file);
  return &found->items();
}

// One data set, loaded.
class DataSet {
 public:
  static Result<DataSet> load(const fs::path& file, Figures& figures) {
    TRY(const std::string text, read_file(file, kFileMax));
    TRY(const Json json, Json::parse(text, {.bytes_max = kFileMax, .depth_max = 64}));
    DataSet out;
    figures.name = file.stem().string();
    const size_t before = heap_bytes();
    TRY_VOID(out.load_policies(json, file.string(), figures));
    TRY_VOID(out.load_entities(json, file.string(), figures));
    figures.memory_mib = static_cast<double>(heap_bytes() - before) / (1 << 20);
    TRY_VOID(out.load_requests(json, file.string()));
    TRY_VOID(out.load_wanted(file, figures));
    return out;
  }

  PolicySet policies;
  Entities entities = Entities::unchecked();
  std::vector<Request> requests;
  std::vector<Wanted> wanted;
  std::vector<Entity> changes;

 private:
  Result<void> load_policies(const Json& json, const std::string& file, Figures& figures) {
    const Json* text = json.find("policies");
    if (text == nullptr || !text->is_string()) return fail("cli.bench", "a data set has policies", file);
    const PolicySource source{"policy", text->string()};
    const auto begin = Clock::now();
    TRY(PolicyDocument document, PolicyDocument::parse(source, PolicyDocument::Names::numbered));
    TRY_VOID(link(json, file, document));
    TRY(policies, PolicySet::unchecked(document));
    figures.load_policies_ms = us_since(begin) / 1000;
    figures.policies = policies.size();
    return {};
  }

  // {"principal", "resource", "template"?} each; without a name it is the first template's, with the slots
  // that it has.
  static Result<void> link(const Json& json, const std::string& file, PolicyDocument& document) {
    const Json* links = json.find("links");
    if (links == nullptr || !links->is_array() || links->items().empty()) return {};
    const std::vector<PolicyInfo> templates = document.templates();
    if (templates.empty()) return fail("cli.bench", "links, but no template", file);
    for (const Json& item : links->items()) {
      PolicyLink one{std::string(item.text_or("template", templates[0].id)),
                     fmt::format("L{}", document.links().size()),
                     {}};
      for (const char* slot : {"principal", "resource"}) {
        if (item.find(slot) == nullptr) continue;
        TRY(one.values[std::string("?") + slot], uid_from(item.find(slot), file));
      }
      TRY_VOID(document.link(std::move(one)));
    }
    return {};
  }

  Result<void> load_entities(const Json& json, const std::string& file, Figures& figures) {
    TRY(const Json::Array* all, list(json, "entities", file));
    EntityChanges first;
    for (const Json& item : *all) {
      TRY(Entity entity, entity_from_json(item));
      first.put.push_back(std::move(entity));
    }
    const size_t step = std::max<size_t>(1, first.put.size() / kChanges);
    for (size_t i = 0; i < first.put.size() && changes.size() < kChanges; i += step)
      changes.push_back(first.put[i]);
    const auto begin = Clock::now();
    TRY(entities, entities.with(first));
    figures.load_entities_ms = us_since(begin) / 1000;
    figures.entities = entities.size();
    return {};
  }

  Result<void> load_requests(const Json& json, const std::string& file) {
    TRY(const Json::Array* all, list(json, "requests", file));
    for (const Json& item : *all) {
      Request request;
      TRY(request.principal, uid_from(item.find("principal"), file));
      TRY(request.action, uid_from(item.find("action"), file));
      TRY(request.resource, uid_from(item.find("resource"), file));
      if (const Json* context = item.find("context")) {
        TRY(const Value value, value_from_json(*context));
        if (value.kind() == Value::Kind::record) request.context = value.record();
      }
      requests.push_back(std::move(request));
    }
    if (requests.empty()) return fail("cli.bench", "a data set has requests", file);
    return {};
  }

  // Beside NAME.json may stand dec_*_NAME.txt, a letter A or D for each request, and det_*_NAME.txt, a line
  // of determining policies for each. Without them the plain evaluator says what is right.
  Result<void> load_wanted(const fs::path& file, Figures& figures) {
    wanted.resize(requests.size());
    std::string letters;
    std::string lines;
    for (const auto& entry : fs::directory_iterator(file.parent_path().empty() ? "." : file.parent_path())) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with("_" + file.stem().string() + ".txt")) continue;
      std::string& to = name.starts_with("dec_") ? letters : lines;
      if (!name.starts_with("dec_") && !name.starts_with("det_")) continue;
      TRY(to, read_file(entry.path(), kFileMax));
    }
    std::erase_if(letters, [](char c) { return c != 'A' && c != 'D'; });
    if (letters.size() != requests.size()) {
      ask_plainly();
      figures.checked_by = "plain evaluator";
      return {};
    }
    figures.checked_by = "file";
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i].permit = letters[i] == 'A';
    read_reasons(lines);
    return {};
  }

  void ask_plainly() {
    for (size_t i = 0; i < requests.size(); ++i) {
      const Answer answer = decide_plainly(policies, entities, {}, requests[i],
                                           {.forbid_error_denies = false, .every_error = false});
      wanted[i] = {answer.permitted(), names(answer)};
    }
  }

  void read_reasons(std::string_view lines) {
    for (size_t i = 0; i < wanted.size() && !lines.empty(); ++i) {
      std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
      line = line.substr(0, line.find(' '));
      std::vector<std::string> reasons;
      while (!line.empty()) {
        const size_t comma = std::min(line.find(','), line.size());
        reasons.emplace_back(line.substr(0, comma));
        line.remove_prefix(std::min(comma + 1, line.size()));
      }
      std::sort(reasons.begin(), reasons.end());
      wanted[i].reasons = std::move(reasons);
    }
  }

 public:
  [[nodiscard]] std::vector<std::string> names(const Answer& answer) const {
    std::vector<std::string> out;
    out.reserve(answer.reasons.size());
    for (const PolicyIndex index : answer.reasons) out.push_back(policies[index].id);
    std::sort(out.begin(), out.end());
    return out;
  }
};

constexpr DecideMode kCedar{.forbid_error_denies = false, .every_error = false};

void check(const DataSet& set, Figures& figures) {
  figures.requests = set.requests.size();
  Answer answer;
  for (size_t i = 0; i < set.requests.size(); ++i) {
    decide(set.policies, set.entities, {}, set.requests[i], kCedar, answer);
    figures.decisions += answer.permitted() ? 'A' : 'D';
    const Wanted& wanted = set.wanted[i];
    const bool right =
        answer.permitted() == wanted.permit && (!wanted.reasons || *wanted.reasons == set.names(answer));
    figures.wrong += right ? 0 : 1;
  }
}

// Requests in turn, so that none finds its own data just used; each timed by itself.
void time_each(const DataSet& set, Figures& figures) {
  const size_t rounds = std::max<size_t>(2, kSamples / set.requests.size());
  std::vector<uint64_t> samples;
  samples.reserve(rounds * set.requests.size());
  const uint64_t reading = ticks_of_a_reading();
  Answer answer;
  for (size_t round = 0; round < rounds; ++round) {
    for (const Request& request : set.requests) {
      const uint64_t begin = ticks();
      decide(set.policies, set.entities, {}, request, kCedar, answer);
      const uint64_t spent = ticks() - begin;
      samples.push_back(spent - std::min(spent, reading));
    }
  }
  std::sort(samples.begin(), samples.end());
  const double ns = ns_of_a_tick();
  figures.p50_ns = static_cast<double>(samples[samples.size() / 2]) * ns;
  figures.p99_ns = static_cast<double>(samples[samples.size() * 99 / 100]) * ns;
}

void time_rounds(const DataSet& set, Figures& figures) {
  const size_t rounds = std::max<size_t>(2, kSamples / set.requests.size());
  Answer answer;
  const uint64_t before = allocations();
  const double begin = cpu_us();
  for (size_t round = 0; round < rounds; ++round)
    for (const Request& request : set.requests)
      decide(set.policies, set.entities, {}, request, kCedar, answer);
  const auto decisions = static_cast<double>(rounds * set.requests.size());
  figures.mean_ns = (cpu_us() - begin) * 1000 / decisions;
  figures.allocations = static_cast<double>(allocations() - before) / decisions;
}

// The next version of the store after one entity was replaced by a different one.
Result<void> time_changes(const DataSet& set, Figures& figures) {
  std::vector<double> samples;
  Entities entities = set.entities;
  for (const Entity& one : set.changes) {
    EntityChanges change{{one}, {}};
    change.put[0].attributes.set("bench", static_cast<int64_t>(samples.size()));
    const auto begin = Clock::now();
    TRY(entities, entities.with(change));
    samples.push_back(us_since(begin));
  }
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  figures.change_us = samples[samples.size() / 2];
  return {};
}

Result<Figures> bench(const std::string& file) {
  Figures figures;
  TRY(const DataSet set, DataSet::load(file, figures));
  check(set, figures);
  time_each(set, figures);
  time_rounds(set, figures);
  TRY_VOID(time_changes(set, figures));
  return figures;
}

Json to_json(const Figures& of) {
  return Json::object({{"name", of.name},
                       {"policies", of.policies},
                       {"entities", of.entities},
                       {"requests", of.requests},
                       {"decisions", of.decisions},
                       {"wrong", of.wrong},
                       {"checked_by", of.checked_by},
                       {"p50_ns", of.p50_ns},
                       {"p99_ns", of.p99_ns},
                       {"mean_ns", of.mean_ns},
                       {"allocations", of.allocations},
                       {"load_policies_ms", of.load_policies_ms},
                       {"load_entities_ms", of.load_entities_ms},
                       {"change_us", of.change_us},
                       {"memory_mib", of.memory_mib}});
}

std::vector<std::string> row(const Figures& of) {
  return {of.name,
          fmt::format("{}", of.policies),
          fmt::format("{}", of.entities),
          fmt::format("{} of {}", of.requests - of.wrong, of.requests),
          fmt::format("{:.0f}", of.p50_ns),
          fmt::format("{:.0f}", of.p99_ns),
          fmt::format("{:.0f}", of.mean_ns),
          allocations_counted() ? fmt::format("{:.4g}", of.allocations) : "?",
          fmt::format("{:.1f}", of.load_policies_ms),
          fmt::format("{:.1f}", of.load_entities_ms),
          fmt::format("{:.1f}", of.change_us),
          fmt::format("{:.1f}", of.memory_mib)};
}

}  // namespace

int policy_bench(const Arguments& arguments) {
  std::vector<std::vector<std::string>> rows;
  Json all = Json::array();
  bool wrong = false;
  for (const std::string& file : arguments.words) {
    const Result<Figures> figures = bench(file);
    if (!figures) return report(figures.error(), arguments.json());
    wrong = wrong || figures->wrong != 0;
    rows.push_back(row(*figures));
    all.push(to_json(*figures));
  }
  if (arguments.json()) {
    print_json(all);
  } else {
    print_table({"data set", "policies", "entities", "right", "p50 ns", "p99 ns", "mean ns", "allocations",
                 "load ms", "entities ms", "change us", "MiB"},
                rows);
  }
  return wrong ? kExitUntrue : kExitOk;
}

}  // namespace entente::cli
