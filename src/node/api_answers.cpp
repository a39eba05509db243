#include "node/api_answers.h"

#include "base/text.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr size_t kLineBytesMax = 1000;

bool is_suspended(const coalition::Partner& partner) {
  return partner.state == coalition::PartnerState::suspended;
}

}  // namespace

Api::Answer refusal(int status, const Error& error) {
  return {status, Json::object({{"error", Json::object({{"code", error.code()},
                                                        {"what", error.what()},
                                                        {"where", error.where()},
                                                        {"hint", error.hint()}})}})};
}

Api::Answer not_found(std::string what, std::string_view see) {
  return refusal(404, {"api.not-found", std::move(what), {}, fmt::format("see `entente {}`", see)});
}

const char* shut_name(const coalition::Partner& partner) {
  return is_suspended(partner) ? "suspended" : "isolated";
}

const std::string& shut_reason(const coalition::Partner& partner) {
  return is_suspended(partner) ? partner.state_reason : partner.isolated;
}

Json round_trip_json(int64_t round_trip_us) {
  if (round_trip_us == 0) return Json();
  // Pings are measured in whole milliseconds.
  if (round_trip_us < 1'000) return Json("< 1 ms");
  return Json(fmt::format("{:.1f} ms", static_cast<double>(round_trip_us) / 1'000));
}

int status_of(const Error& error) {
  struct Known {
    std::string_view code;  // "x." stands for all of that kind
    int status;
  };
  static constexpr Known kKnown[] = {
      {"access.value", 400},       {"access.refused", 403}, {"access.unknown", 404},
      {"access.over", 409},        {"access.changed", 409}, {"access.full", 409},
      {"access.waits", 409},       {"mission.", 409},       {"access.not-by-grant", 409},
      {"coalition.", 409},         {"field.", 409},         {"store.precondition", 409},
      {"access.crowded", 503},     {"store.full", 507},     {"ledger.full", 507},
      {"node.not-taken-back", 507}};
  for (const auto& [code, status] : kKnown)
    if (code.ends_with('.') ? error.code().starts_with(code) : error.code() == code) return status;
  return 503;
}

std::string take_line(Fields& fields, std::string_view name) {
  std::string line = fields.text(name, kLineBytesMax);
  if (!is_line(line) || line.find_first_not_of(' ') == std::string::npos)
    fields.wrong(name, "this is no text that can be shown", "write one line of text");
  return line;
}

std::string take_reason(Fields& fields, bool preview) {
  return preview && !fields.has("reason") ? "no reason yet" : take_line(fields, "reason");
}

Result<std::string> read_reason(const Json& body, bool preview) {
  Fields fields(body, "");
  std::string reason = take_reason(fields, preview);
  TRY_VOID(fields.done());
  return reason;
}

}  // namespace entente::node
