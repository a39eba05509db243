// The coalition that this room's tests ask about: Aldoria shares a map with Borealis in one mission. Test
// only.
#pragma once

#include "coalition/decide.h"

#include <map>
#include <string>

namespace entente::coalition::example {

using Records = std::map<std::string, Json>;

inline const Instant kNow = from_unix_seconds(1795262400);  // 2026-11-21T12:00:00Z

[[nodiscard]] std::string read_source(const std::string& path);  // a file of the source tree; fails the test
[[nodiscard]] Records records(const std::string& node);  // "XAA" or "XBB", with the demonstration's policies
[[nodiscard]] std::vector<Record> as_list(const Records& records);
[[nodiscard]] World world(const Records& records);    // fails the test when refused
[[nodiscard]] Error refused(const Records& records);  // fails the test when not refused

// "planner", "clerk", "analyst" (XBB) or "officer", "logistics" (XAA): facts end in an hour.
[[nodiscard]] Person person(const std::string& partner, const std::string& post);
[[nodiscard]] Ask ask(Person who, Action action, Target target);  // calm, from the office, now
[[nodiscard]] std::string fqn(std::string_view attribute, std::string_view value);
// An object of these attributes, from a device that proved its key.
[[nodiscard]] Ask ask_object(Person who, Action action, std::vector<std::string> attributes);
[[nodiscard]] inline AppRef app(const std::string& owner, const std::string& name) {
  return {PartnerCode(owner), AppId(name)};
}
[[nodiscard]] std::string rules(const Verdict& verdict);  // "partner-suspended,missing-risk"

}  // namespace entente::coalition::example
