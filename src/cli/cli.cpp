#include "cli/cli.h"

#include "cli/verbs.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace entente::cli {
namespace {

void help() {
  std::string out =
      "entente: a zero trust exchange for coalitions\n\nusage: entente VERB [ARGUMENTS] [--json] [--socket "
      "PATH | --config FILE]\n\n";
  for (const Verb& verb : verbs()) {
    out += fmt::format("  {} {}\n      {}\n", verb.name, verb.usage, verb.what);
  }
  out +=
      "\nOperators' verbs speak to the node over its local socket: --socket PATH, --config FILE of the node, "
      "or ENTENTE_SOCKET.\n"
      "exit codes: 0 done, 1 refused or failed, 2 not understood, 3 the node does not answer, 4 verification "
      "found a fault, 5 verified but for an unfinished last write\n";
  std::fwrite(out.data(), 1, out.size(), stdout);
}

const Verb* match(const std::vector<std::string>& words, size_t& taken) {
  const Verb* best = nullptr;
  for (const Verb& verb : verbs()) {
    const size_t space = verb.name.find(' ');
    const std::string_view first = verb.name.substr(0, space);
    const bool two = space != std::string_view::npos;
    if (words.empty() || words[0] != first) continue;
    if (two && (words.size() < 2 || words[1] != verb.name.substr(space + 1))) continue;
    best = &verb;
    taken = two ? 2 : 1;
  }
  return best;
}

// What the first word may be followed by, for who forgot or mistyped the second.
std::string hint_for(const std::string& first) {
  std::string seconds;
  for (const Verb& verb : verbs()) {
    if (!verb.name.starts_with(first + " ")) continue;
    seconds += (seconds.empty() ? "" : ", ") + std::string(verb.name.substr(first.size() + 1));
  }
  return seconds.empty() ? "see `entente help`" : fmt::format("one of these follows it: {}", seconds);
}

// An option as the verb's table writes it: "level", "check!" for a flag, "to+" for one that may stand again.
bool lists(const Verb& verb, std::string_view name) {
  std::string_view rest = verb.options;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Failure usage_fault(const Verb& verb, std::string what) {
  return fail("cli.usage", std::move(what), {}, fmt::format("usage: entente {} {}", verb.name, verb.usage));
}

Result<Arguments> parse(const Verb& verb, std::span<const std::string> rest) {
  Arguments arguments;
  bool ended = false;  // of the options, by "--": an id may begin with two hyphens
  for (size_t i = 0; i < rest.size(); ++i) {
    const std::string word = rest[i] == "-o" && lists(verb, "out") ? "--out" : rest[i];
    if (word == "--" && !ended) {
      ended = true;
      continue;
    }
    if (ended || !word.starts_with("--")) {
      arguments.words.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
    std::string value;
    const bool again = lists(verb, name + "+");
    if (again || lists(verb, name)) {
      if (equals != std::string::npos) {
        value = word.substr(equals + 1);
      } else if (i + 1 < rest.size()) {
        value = rest[++i];
      } else {
        return usage_fault(verb, fmt::format("--{} needs a value", name));
      }
      // Of a variable that a script did not set: as a filter it would stand for everything.
      if (value.empty()) return usage_fault(verb, fmt::format("--{} is empty", name));
    } else if ((name != "json" && !lists(verb, name + "!")) || equals != std::string::npos) {
      return usage_fault(verb, fmt::format("--{} is not known here", name));
    }
    if (again) {
      arguments.lists[name].push_back(std::move(value));
    } else if (!arguments.options.emplace(name, std::move(value)).second) {
      return usage_fault(verb, fmt::format("--{} stands twice", name));
    }
  }
  if (arguments.words.size() < verb.words_min || arguments.words.size() > verb.words_max) {
    return usage_fault(verb,
                       fmt::format("{} words where {} are wanted", arguments.words.size(), verb.words_min));
  }
  return arguments;
}

}  // namespace

std::optional<std::string> Arguments::option(std::string_view name) const {
  const auto at = options.find(name);
  return at == options.end() ? std::nullopt : std::optional(at->second);
}

Result<std::string> Arguments::need(std::string_view name) const {
  const auto at = options.find(name);
  if (at == options.end() || at->second.empty()) {
    return fail("cli.usage", fmt::format("--{} is missing", name), {}, "see `entente help`");
  }
  return at->second;
}

Result<int64_t> Arguments::number(std::string_view name, int64_t most) const {
  TRY(const std::string text, need(name));
  int64_t out = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, out);
  if (read.ec != std::errc() || read.ptr != end || out < 0 || out > most)
    return fail("cli.usage", fmt::format("--{} {} is no number that fits here", name, text), {},
                fmt::format("write digits alone, no unit and no sign: --{} 30", name));
  return out;
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto at = lists.find(name);
  return at == lists.end() ? std::vector<std::string>() : at->second;
}

int run(std::span<char*> raw) {
  std::vector<std::string> words(raw.begin() + (raw.empty() ? 0 : 1), raw.end());
  if (words.size() > 1 && words[0] == "help") {  // "entente help seal": as "entente seal --help"
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (words.empty() || words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    help();
    return words.empty() ? kExitUsage : kExitOk;
  }
  if (words[0] == "--version") {
    std::puts("entente " ENTENTE_VERSION);
    return kExitOk;
  }
  // "entente node --config F" and "entente connector --config F" run them.
  if ((words[0] == "node" || words[0] == "connector") &&
      (words.size() == 1 || words[1].starts_with("--config"))) {
    words.insert(words.begin() + 1, "run");
  }
  const bool json = std::ranges::find(words, "--json") != words.end();
  size_t taken = 0;
  const Verb* verb = match(words, taken);
  if (verb == nullptr) {
    const std::string said =
        words.size() > 1 && !words[1].starts_with("-") ? words[0] + " " + words[1] : words[0];
    return report(Error{"cli.usage", fmt::format("\"{}\" is no verb", said), {}, hint_for(words[0])}, json);
  }
  const bool asked_help = std::find(words.begin(), words.end(), "--help") != words.end();
  if (asked_help) {
    fmt::print("usage: entente {} {}\n\n{}\n", verb->name, verb->usage, verb->what);
    return kExitOk;
  }
  const Result<Arguments> arguments = parse(*verb, std::span(words).subspan(taken));
  if (!arguments) return report(arguments.error(), json);
  return verb->run(*arguments);
}

int report(const Error& error, bool json) {
  if (json) {
    const Json out = Json::object({{"error", Json::object({{"code", error.code()},
                                                           {"what", error.what()},
                                                           {"where", error.where()},
                                                           {"hint", error.hint()}})}});
    fmt::print(stderr, "{}\n", out.dump());
  } else {
    std::string text = error.text();
    for (size_t from = 0; from <= text.size();) {  // some of our own hints have several lines
      const size_t end = std::min(text.find('\n', from), text.size());
      const std::string line = printable(std::string_view(text).substr(from, end - from));
      text.replace(from, end - from, line);
      from += line.size() + 1;
    }
    fmt::print(stderr, "entente: {}\n", text);
  }
  if (error.code() == "cli.usage") return kExitUsage;
  if (error.code() == "cli.unreachable") return kExitUnreachable;
  return kExitRefused;
}

void print_json(const Json& json) {
  fmt::print("{}\n", json.pretty());
}

std::string table_text(const std::vector<std::string>& heads, std::vector<std::vector<std::string>> rows) {
  for (auto& row : rows)
    for (std::string& text : row) text = printable(text);
  std::vector<size_t> widths;
  widths.reserve(heads.size());
  for (const std::string& head : heads) widths.push_back(head.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out += std::string(widths[i] - cells[i].size() + 2, ' ');
    }
    out += '\n';
  };
  line(heads);
  for (const auto& row : rows) line(row);
  return out;
}

std::string shortened(std::string text, size_t most) {
  constexpr std::string_view kCut = "..";
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  if (std::cmp_less_equal(std::ranges::count_if(text, begins), most)) return text;
  size_t shown = 0;
  const auto end =
      std::ranges::find_if(text, [&](char c) { return begins(c) && shown++ == most - kCut.size(); });
  text.erase(end, text.end());
  return text.append(kCut);
}

void print_table(const std::vector<std::string>& heads, std::vector<std::vector<std::string>> rows) {
  fmt::print("{}", table_text(heads, std::move(rows)));
}

}  // namespace entente::cli
