// The vocabulary of sealed objects beside world.h's coalition, and the cost of something in CPU time.
#pragma once

#include "world.h"

#include <ctime>
#include <filesystem>

namespace bench {

inline double clock_us(clockid_t which) {
  timespec now{};
  clock_gettime(which, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

inline std::string object_value(std::string_view attribute, std::string_view value) {
  return fmt::format("https://harbor-light.example/attr/{}/value/{}", attribute, value);
}

// `policies`: the folder of the demonstration's policies, beside its members.json and labels.
inline coalition::World object_world(const std::string& policies) {
  std::vector<coalition::Record> out = records(policies, 0);
  out.push_back({"partner/XCC", partner("Cassia", 'c')});
  out.push_back({"policy/coalition/objects", text_record(policies, "coalition/objects.cedar")});
  out.push_back({"policy/host/objects", text_record(policies, "xaa/host/objects.cedar")});
  out.push_back({"policy/home/objects", text_record(policies, "xaa/home/objects.cedar")});
  const std::filesystem::path demo = std::filesystem::path(policies).parent_path();
  const Json members = json(whole_file(demo / "members.json"));
  for (const auto& [key, given] : members.members()) {
    Json value = given;
    if (key.starts_with("label-policy/")) {
      std::erase_if(value.members(), [](const Json::Member& member) { return member.first == "file"; });
      value.set("spif", whole_file(demo / "labels/harbor-light.spif.xml"));
    } else if (key.starts_with("key-service/")) {
      // Of a running demonstration's own making.
      std::erase_if(value.members(), [](const Json::Member& member) {
        return member.first == "keys" || member.first == "originator_keys";
      });
    } else if (!key.starts_with("attribute/") && !key.starts_with("domain/")) {
      continue;
    }
    out.push_back({key, std::move(value)});
  }
  auto made = coalition::World::load(out, Revision{1});
  if (!made) {
    fmt::print(stderr, "{}\n", made.error().text());
    std::exit(2);
  }
  return *std::move(made);
}

}  // namespace bench
