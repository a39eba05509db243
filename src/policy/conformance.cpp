#include "policy/conformance.h"

#include "policy/conformance_test_case.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr Json::Limits kTestLimits{.bytes_max = 64 << 20, .depth_max = 512};

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}
std::string_view folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}
std::string joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

class Collection {
 public:
  explicit Collection(const ConformanceFiles& files) : files_(files) {
    for (const std::string& path : files.paths) by_name_.emplace(name_of(path), path);
  }

  ConformanceReport run() {
    std::vector<std::string> paths = files_.paths;
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      if (!path.ends_with(".json") || path.ends_with(".entities.json") || path.ends_with(".validation.json"))
        continue;
      const auto text = files_.read(path);
      if (text) {
        consider(path, *text);
      } else {
        failed(path, "it cannot be read");
      }
    }
    return std::move(report_);
  }

 private:
  // Tests are told from other JSON by their members. One that cannot be run has failed.
  void consider(const std::string& path, const std::string& text) {
    const auto mentions = [&](std::string_view member) { return text.find(member) != std::string::npos; };
    const auto json = Json::parse(text, kTestLimits);
    if (!json) {
      if (text.empty() || mentions("\"policies\"") || mentions("\"requests\"") || mentions("\"queries\""))
        failed(path, fmt::format("{}: {}", json.error().where(), json.error().what()));
      return;
    }
    if (!is_conformance_test(*json)) {
      if (names_files(*json)) failed(path, "it has no list of requests");
      return;
    }
    ++report_.tests;
    ConformanceTestCase test(path, *json, report_);
    test.policies = text_of(path, *json, "policies");
    test.entities = text_of(path, *json, "entities");
    test.schema = text_of(path, *json, "schema");
    test.json_schema =
        beside(path, std::string(name_of(json->text_or("schema", ""))) + ".json", "-json-schemas");
    test.verdicts = beside(path, std::string(name_of(path.substr(0, path.size() - 5))) + ".validation.json",
                           "-validation");
    test.run();
  }

  void failed(const std::string& path, const std::string& what) {
    ++report_.tests;
    note_check(report_, path, "test", false, what);
  }

  // As Cedar resolves them: from the root of the collection, which is a folder somewhere above the test.
  std::optional<std::string> text_of(const std::string& path, const Json& test, std::string_view key) {
    std::string name(test.text_or(key, ""));
    if (name.empty()) return std::nullopt;
    while (name.starts_with("./")) name.erase(0, 2);
    if (name.starts_with("/") || name.starts_with("../") || name.find("/../") != std::string::npos)
      return files_.read(name);
    for (std::string_view folder = folder_of(path);; folder = folder_of(folder)) {
      if (auto text = files_.read(joined(folder, name))) return text;
      if (folder.empty()) break;
    }
    return files_.read(joined(folder_of(path), name_of(name)));
  }

  // A file of that name in the test's folder, in a folder beside it with `suffix`, or anywhere if there is
  // one.
  std::optional<std::string> beside(const std::string& path, const std::string& name,
                                    std::string_view suffix) {
    const std::string folder(folder_of(path));
    if (auto text = files_.read(joined(folder, name))) return text;
    if (auto text = files_.read(joined(folder + std::string(suffix), name))) return text;
    const auto [first, last] = by_name_.equal_range(name);
    if (std::distance(first, last) != 1 || folder_of(first->second).find(suffix) == std::string::npos)
      return std::nullopt;
    return files_.read(first->second);
  }

  const ConformanceFiles& files_;
  std::unordered_multimap<std::string_view, std::string> by_name_;
  ConformanceReport report_;
};

}  // namespace

ConformanceReport run_conformance(const ConformanceFiles& files) {
  return Collection(files).run();
}

}  // namespace entente::policy
