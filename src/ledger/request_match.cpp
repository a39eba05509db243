#include "ledger/request_match.h"

#include <algorithm>

namespace entente::ledger {
namespace {

constexpr int64_t kNumberMax = int64_t{1} << 53U;  // what JSON carries exactly
constexpr size_t kRecentMax = 8'192;  // batches of which one that stands twice is known to be the same

Error wrong(std::string what, std::string where) {
  return {"ledger.requests", std::move(what), std::move(where),
          "compare with the partner's ledger and the app's own log of this session"};
}

std::string entry_at(uint64_t index) {
  return "entry " + std::to_string(index);
}

int64_t number_of(const Json& fields, std::string_view key) {
  const Json* value = fields.find(key);
  return value != nullptr && value->is_int() && value->integer() <= kNumberMax ? value->integer() : -1;
}

std::string span_text(std::string_view session, int64_t first, int64_t last) {
  return "requests " + std::to_string(first) + " to " + std::to_string(last) + " of session " +
         std::string(session);
}

}  // namespace

void RequestMatch::Faults::keep(Error fault) {
  (count++ == 0 ? first : newest) = std::move(fault);
}

void RequestMatch::keep(std::string what, std::string where) {
  faults_.keep(wrong(std::move(what), std::move(where)));
}

void RequestMatch::feed(uint64_t index, std::string_view event_class, const Json& fields) {
  if (event_class == "restart") {
    close_life();
    life_.begin = index;
  } else if (event_class == "unrecorded") {
    life_.lost = std::min(kNumberMax, life_.lost + std::max<int64_t>(number_of(fields, "lost"), 0));
  } else if (event_class == "ending") {
    ending(index, fields);
  } else if (event_class == "requests") {
    batch(index, fields);
  }
}

void RequestMatch::batch(uint64_t index, const Json& fields) {
  const int64_t number = number_of(fields, "batch");
  const Json* items = fields.find("sessions");
  if (number < 1 || items == nullptr || !items->is_array())
    return keep("a batch of requests without a number or without sessions", entry_at(index));
  if (!is_new(index, number, fields)) return;
  for (const Json& item : items->items()) count(index, item, {lives_, number});
}

// A disk that kept what it said it had refused leaves a batch twice, to the letter: that counts once.
bool RequestMatch::is_new(uint64_t index, int64_t number, const Json& fields) {
  const Hash digest = leaf_hash(as_bytes(fields.dump()));
  const auto known = life_.recent.find(number);
  if (known != life_.recent.end() && known->second == digest) return false;
  if (number <= life_.whole || life_.ahead.contains(number)) {
    keep("two batches of requests have the number " + std::to_string(number), entry_at(index));
    return false;
  }
  life_.recent.emplace(number, digest);
  if (life_.recent.size() > kRecentMax) life_.recent.erase(life_.recent.begin());
  life_.ahead.insert(number);
  while (!life_.ahead.empty() && *life_.ahead.begin() == life_.whole + 1) {
    ++life_.whole;
    life_.ahead.erase(life_.ahead.begin());
  }
  return true;
}

void RequestMatch::count(uint64_t index, const Json& item, Batch in) {
  const std::string_view session = item.text_or("session", "");
  const int64_t first = number_of(item, "first");
  const int64_t last = number_of(item, "last");
  // Of a session that came back after a restart: how many the kill took from the record nobody knows.
  if (!session.empty() && first >= 1 && last == first - 1 && item.find("missing_before") != nullptr) return;
  if (session.empty() || first < 1 || last < first)
    return keep("a batch of requests that counts nothing", entry_at(index));
  Counted& counted = sessions_[std::string(session)];
  const auto next = counted.ahead.lower_bound(first);
  const bool meets_next = next != counted.ahead.end() && next->first <= last;
  const bool meets_before = next != counted.ahead.begin() && std::prev(next)->second.last >= first;
  if (first <= counted.whole || meets_next || meets_before)
    return keep(span_text(session, first, last) + " are counted twice", entry_at(index));
  if (counted.ended && last > *counted.ended)
    keep("session " + std::string(session) + " ended with " + std::to_string(*counted.ended) +
             " requests, but " + std::to_string(last) + " were counted",
         entry_at(index));
  counted.ahead.emplace(first, Span{last, in});
  for (auto one = counted.ahead.begin(); one != counted.ahead.end() && one->first == counted.whole + 1;
       one = counted.ahead.erase(one)) {
    counted.whole = one->second.last;
    counted.whole_in = one->second.in;
  }
}

// What was counted after the last batch stands in the ending alone.
void RequestMatch::ending(uint64_t index, const Json& fields) {
  const std::string_view session = fields.text_or("session", "");
  const int64_t said = number_of(fields, "requests");
  if (session.empty() || said < 0) return;
  Counted& counted = sessions_[std::string(session)];
  if (counted.ended && *counted.ended != said)
    keep("session " + std::string(session) + " ends twice, with " + std::to_string(*counted.ended) +
             " requests and with " + std::to_string(said),
         entry_at(index));
  counted.ended = said;
  if (counted.newest() > said)
    keep("session " + std::string(session) + " ends with " + std::to_string(said) + " requests, but " +
             std::to_string(counted.newest()) + " were counted",
         entry_at(index));
}

// A node that had to drop records says how many: so many batches may be missing of that life, and no more.
void RequestMatch::close_life() {
  std::vector<Dropped> missing;
  int64_t batches = 0;
  int64_t before = life_.whole;
  for (const int64_t number : life_.ahead) {
    if (number != before + 1) {
      missing.push_back({lives_, before + 1, number - 1});
      batches += number - 1 - before;
    }
    before = number;
  }
  if (batches <= life_.lost) {
    dropped_.insert(dropped_.end(), missing.begin(), missing.end());
  } else {
    left_out_.keep(wrong("batches " + std::to_string(missing.front().first) + " to " +
                             std::to_string(missing.front().last) + " of requests are missing",
                         "the start at " + entry_at(life_.begin)));
  }
  life_ = {};
  ++lives_;
}

// Only by a batch between the two, for it must have stood there.
bool RequestMatch::excused(Batch before, Batch after) const {
  return before.life == after.life && std::ranges::any_of(dropped_, [&](const Dropped& one) {
           return one.life == after.life && one.first < after.number && one.last > before.number;
         });
}

void RequestMatch::gaps() {
  for (const auto& [session, counted] : sessions_) {
    int64_t before = counted.whole;
    Batch in = counted.whole_in;
    for (const auto& [first, span] : counted.ahead) {
      if (before == 0) in = {span.in.life, 0};
      if (first != before + 1 && !excused(in, span.in))
        keep(span_text(session, before + 1, first - 1) + " are in no batch", "end of the log");
      before = span.last;
      in = span.in;
    }
  }
}

Result<void> RequestMatch::finish() {
  if (!moving_) {
    close_life();
    gaps();
    if (left_out_.first) faults_.keep(*left_out_.first);
    if (left_out_.newest) faults_.keep(*left_out_.newest);
    if (left_out_.count > 2) faults_.count += left_out_.count - 2;
  }
  if (!faults_.first) return {};
  Error out = *faults_.first;
  if (faults_.newest)
    out.where() += "; " + std::to_string(faults_.count) +
                   " faults of this kind in all, the newest: " + faults_.newest->what() + " (" +
                   faults_.newest->where() + ")";
  return Failure(std::move(out));
}

}  // namespace entente::ledger
