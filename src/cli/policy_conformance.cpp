// `entente policy conformance`: gathers a collection's files, from folders and archives.
#include "base/archive.h"
#include "base/file.h"
#include "cli/policy_files.h"
#include "cli/verbs.h"
#include "policy/conformance.h"

#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

namespace entente::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesMax = 2'000'000;

bool is_archive(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".tar") || name.ends_with(".tar.gz") || name.ends_with(".tgz");
}

class Gatherer {
 public:
  Result<void> add(const fs::path& given) {
    std::error_code fault;
    const fs::path path = fs::canonical(given, fault);
    if (fault) return fail("cli.file", fmt::format("there is no {}", given.string()));
    if (fs::is_directory(path)) return add_folder(path);
    if (!is_archive(path)) {
      paths_.push_back(path.generic_string());  // one test
      return {};
    }
    TRY_VOID(add_archive(path));
    return add_companions(path);
  }

  policy::ConformanceFiles take() {
    policy::ConformanceFiles out;
    out.paths = std::move(paths_);
    out.read = [this](const std::string& path) { return read(path); };
    return out;
  }

 private:
  Result<void> add_folder(const fs::path& folder) {
    std::error_code fault;
    for (auto it =
             fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, fault);
         it != fs::recursive_directory_iterator(); it.increment(fault)) {
      if (fault) return fail("cli.file", fmt::format("{}: {}", folder.string(), fault.message()));
      if (!it->is_regular_file(fault)) continue;
      if (paths_.size() == kFilesMax) return fail("cli.file", fmt::format("more than {} files", kFilesMax));
      if (is_archive(it->path())) {
        TRY_VOID(add_archive(it->path()));
      } else {
        paths_.push_back(it->path().generic_string());
      }
    }
    return {};
  }

  // Its files stand under the archive's own path.
  Result<void> add_archive(const fs::path& path) {
    const std::string root = path.generic_string();
    if (!archives_.insert(root).second) return {};
    TRY(const std::string bytes, read_file(path, kPolicyFileMax * 16));
    auto files = read_archive(bytes);
    if (!files) {
      files.error().where() = root;
      return std::unexpected(std::move(files).error());
    }
    for (auto& [name, content] : *files) {
      paths_.push_back(fmt::format("{}/{}", root, name));
      held_.insert_or_assign(paths_.back(), std::move(content));
    }
    return {};
  }

  // corpus-tests.tar.gz has its schemas in corpus-tests-json-schemas.tar.gz, its verdicts in
  // corpus-tests-validation.tar.gz.
  Result<void> add_companions(const fs::path& path) {
    const std::string name = path.filename().string();
    const std::string stem = name.substr(0, name.find(".t"));
    for (const char* suffix : {"-json-schemas", "-validation"}) {
      const fs::path beside = path.parent_path() / (stem + suffix + name.substr(stem.size()));
      if (fs::exists(beside)) TRY_VOID(add_archive(beside));
    }
    return {};
  }

  [[nodiscard]] std::optional<std::string> read(const std::string& path) const {
    if (const auto found = held_.find(path); found != held_.end()) return found->second;
    std::error_code fault;
    if (!fs::is_regular_file(path, fault)) return std::nullopt;
    auto bytes = read_file(path, kPolicyFileMax);
    return bytes ? std::optional(*std::move(bytes)) : std::nullopt;
  }

  std::vector<std::string> paths_;
  std::map<std::string, std::string> held_;
  std::set<std::string> archives_;
};

}  // namespace

int policy_conformance(const Arguments& arguments) {
  Gatherer gatherer;
  for (const std::string& word : arguments.words)
    if (const auto added = gatherer.add(word); !added) return report(added.error(), arguments.json());
  const policy::ConformanceReport found = policy::run_conformance(gatherer.take());
  if (arguments.json()) {
    Json failures = Json::array();
    for (const auto& failure : found.failures)
      failures.push(Json::object({{"file", failure.file}, {"what", failure.what}}));
    Json checks = Json::object();
    for (const auto& [kind, count] : found.checks) checks.set(kind, static_cast<int64_t>(count));
    print_json(Json::object({{"tests", static_cast<int64_t>(found.tests)},
                             {"passed", static_cast<int64_t>(found.passed)},
                             {"failed", static_cast<int64_t>(found.failed)},
                             {"checks", std::move(checks)},
                             {"failures", std::move(failures)}}));
  } else {
    for (const auto& failure : found.failures) fmt::print("{}: {}\n", failure.file, failure.what);
    for (const auto& [kind, count] : found.checks) fmt::print("{}: {} checks\n", kind, count);
    fmt::print("{} tests\n{} passed, {} failed\n", found.tests, found.passed, found.failed);
  }
  if (found.tests == 0)
    return report(
        Error{"cli.file", "no test was found", {}, "tests are JSON with policies, entities and requests"},
        false);
  return found.failed == 0 ? kExitOk : kExitRefused;
}

}  // namespace entente::cli
