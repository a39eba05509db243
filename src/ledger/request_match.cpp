#include "ledger/request_match.h"

namespace entente::ledger {
namespace {

Failure wrong(std::string what, std::string where) {
  return fail("ledger.requests", std::move(what), std::move(where),
              "compare with the partner's ledger and the app's own log of this session");
}

std::string at(uint64_t index) {
  return "entry " + std::to_string(index);
}

int64_t number_of(const Json& fields, std::string_view key) {
  const Json* value = fields.find(key);
  return value != nullptr && value->is_int() ? value->integer() : -1;
}

std::string span_text(std::string_view session, int64_t first, int64_t last) {
  return "requests " + std::to_string(first) + " to " + std::to_string(last) + " of session " +
         std::string(session);
}

}  // namespace

Result<void> RequestMatch::feed(uint64_t index, std::string_view event_class, const Json& fields) {
  if (event_class == "unrecorded") lost_ = true;
  if (event_class == "ending") return ending(index, fields);
  if (event_class != "requests") return {};
  const Json* items = fields.find("sessions");
  if (items == nullptr || !items->is_array()) return {};
  for (const Json& item : items->items()) TRY_VOID(count(index, item));
  return {};
}

Result<void> RequestMatch::count(uint64_t index, const Json& item) {
  const std::string_view session = item.text_or("session", "");
  const int64_t first = number_of(item, "first");
  int64_t last = number_of(item, "last");
  // Of a session that came back after a restart: how many the kill took from the record nobody knows.
  if (!session.empty() && first >= 1 && last == first - 1 && item.find("missing_before") != nullptr)
    return {};
  if (session.empty() || first < 1 || last < first)
    return wrong("a batch of requests that counts nothing", at(index));
  Counted& counted = sessions_[std::string(session)];
  const auto next = counted.ahead.lower_bound(first);
  const bool meets_next = next != counted.ahead.end() && next->first <= last;
  const bool meets_before = next != counted.ahead.begin() && std::prev(next)->second >= first;
  if (first <= counted.whole || meets_next || meets_before)
    return wrong(span_text(session, first, last) + " are counted twice", at(index));
  if (first != counted.whole + 1) {
    counted.ahead.emplace(first, last);
    return {};
  }
  counted.whole = last;
  for (auto one = counted.ahead.begin(); one != counted.ahead.end() && one->first == counted.whole + 1;
       one = counted.ahead.erase(one))
    counted.whole = one->second;
  return {};
}

// What was counted after the last batch stands in the ending alone.
Result<void> RequestMatch::ending(uint64_t index, const Json& fields) const {
  const auto found = sessions_.find(fields.text_or("session", ""));
  const int64_t said = number_of(fields, "requests");
  if (found == sessions_.end() || said < 0) return {};
  const Counted& counted = found->second;
  const int64_t newest = counted.ahead.empty() ? counted.whole : counted.ahead.rbegin()->second;
  if (newest <= said) return {};
  return wrong("session " + found->first + " ends with " + std::to_string(said) + " requests, but " +
                   std::to_string(newest) + " were counted",
               at(index));
}

Result<void> RequestMatch::finish() const {
  if (moving_ || lost_) return {};
  for (const auto& [session, counted] : sessions_) {
    if (counted.ahead.empty()) continue;
    const int64_t until = counted.ahead.begin()->first - 1;
    return wrong(span_text(session, counted.whole + 1, until) + " are in no batch", "end of the log");
  }
  return {};
}

}  // namespace entente::ledger
