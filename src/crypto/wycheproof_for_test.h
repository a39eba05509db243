// Project Wycheproof's files, whatever they are called: each says in its groups' "type" what it tests.
#pragma once

#include "base/bytes.h"
#include "base/conformance_for_test.h"
#include "base/json.h"

#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace entente::crypto {

struct WycheproofFile {
  std::string name;
  Json json;
  std::set<std::string, std::less<>> types;  // of its groups
};

inline const std::vector<WycheproofFile>& wycheproof_files() {
  static const std::vector<WycheproofFile> all = [] {
    std::vector<WycheproofFile> out;
    for (const char* set : {"data/wycheproof", "identity/wycheproof"}) {
      for (const auto& path : conformance_files(conformance(set), ".json")) {
        auto json = Json::parse(conformance_text(path), {.bytes_max = 64 << 20, .depth_max = 64});
        if (!json) {
          MESSAGE("not run: " << path.string() << ": " << json.error().text());
          continue;
        }
        const Json* groups = json->find("testGroups");
        if (groups == nullptr || !groups->is_array()) continue;
        WycheproofFile file{path.filename().string(), {}, {}};
        for (const Json& group : groups->items()) file.types.emplace(group.text_or("type", ""));
        file.json = *std::move(json);
        out.push_back(std::move(file));
      }
    }
    return out;
  }();
  return all;
}

inline Bytes bytes_of_hex(std::string_view hex) {
  const auto bytes = from_hex(hex);
  REQUIRE_MESSAGE(bytes.has_value(), "no hexadecimal digits: " << hex.substr(0, 40));
  return *bytes;
}
inline Bytes hex_member(const Json& json, std::string_view name) {
  return bytes_of_hex(json.text_or(name, ""));
}
// None when there is no such list.
inline const std::vector<Json>& list_member(const Json& json, std::string_view name) {
  static const std::vector<Json> none;
  const Json* found = json.find(name);
  return found != nullptr && found->is_array() ? found->items() : none;
}
inline int64_t int_member(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found != nullptr && found->is_int() ? found->integer() : -1;
}

// Runs the tests of every group of these types. `each` says whether we accept, and nothing when a vector asks
// for what our calls do not offer: those are counted, not run. `algorithm`: only files of that one.
inline void run_wycheproof(
    std::initializer_list<std::string_view> types,
    const std::function<std::optional<bool>(const Json& group, const Json& test)>& each,
    std::string_view algorithm = {}) {
  for (const WycheproofFile& file : wycheproof_files()) {
    if (!algorithm.empty() && file.json.text_or("algorithm", "") != algorithm) continue;
    size_t run = 0;
    size_t all = 0;
    for (const Json& group : list_member(file.json, "testGroups")) {
      if (std::ranges::find(types, group.text_or("type", "")) == types.end()) continue;
      for (const Json& test : list_member(group, "tests")) {
        ++all;
        INFO(file.name << " " << int_member(test, "tcId") << " " << test.text_or("comment", ""));
        const std::optional<bool> accepted = each(group, test);
        if (!accepted) continue;
        ++run;
        const std::string_view expected = test.text_or("result", "");
        if (expected != "acceptable") CHECK(*accepted == (expected == "valid"));
      }
    }
    if (all > 0) MESSAGE(file.name << ": " << run << " of " << all << " vectors fit our calls and were run");
  }
}

}  // namespace entente::crypto
