// What must be durable, and what comes of it when it is, or cannot be.
#include "exchange/exchange_core.h"
#include "exchange/kept.h"

#include <utility>

#include <fmt/core.h>

namespace entente::exchange {

namespace {

constexpr Millis kBatchEvery{1'000};
constexpr Millis kAlarmEvery{10'000};
constexpr size_t kBatchSessionsMax = 256;
constexpr size_t kRetriesMax = 64;  // leaves tried again in one go

}  // namespace

Leaf Exchange::Core::session_leaf(std::string kind, const Session& s) const {
  Leaf leaf{std::move(kind),
            {{"at", rfc3339(now_)},
             {"session", s.id.text()},
             {"side", side_name(s.side)},
             {"partner", s.partner.text()},
             {"app", coalition::target_text(s.app)},
             {"person", s.who.id.text()},
             {"verdict", s.verdict.to_json()}}};
  // What it was decided on: who the person is said to be, and the moment.
  leaf.fields.emplace_back("facts", coalition::facts_to_json(s.who.facts));
  leaf.fields.emplace_back("context", coalition::facts_to_json(s.context));
  if (!s.request.empty()) leaf.fields.emplace_back("request", s.request);
  if (!s.at_host.empty()) leaf.fields.emplace_back("at_host", s.at_host.text());
  if (!s.connector.empty()) leaf.fields.emplace_back("connector", s.connector.text());
  if (!s.entered_by.empty()) leaf.fields.emplace_back("grant", s.entered_by.text());
  if (!s.purpose.empty()) leaf.fields.emplace_back("purpose", s.purpose);
  return leaf;
}

uint64_t Exchange::Core::append(Leaf leaf, Waiting waiting) {
  const uint64_t token = ++last_token_;
  const bool narrowing = leaf.kind == "ending" || leaf.kind == "sign-out" ||
                         leaf.kind == kRestartLeaf;  // nothing else may use the space kept in reserve
  waiting_.emplace(token, std::move(waiting));
  effects_.emplace_back(AppendEffect{token, std::move(leaf), narrowing});
  return token;
}

uint64_t Exchange::Core::commit(std::vector<coalition::Record> ops, std::optional<Leaf> leaf,
                                Waiting waiting) {
  const uint64_t token = ++last_token_;
  waiting_.emplace(token, std::move(waiting));
  effects_.emplace_back(CommitEffect{token, std::move(ops), std::move(leaf)});
  return token;
}

void Exchange::Core::append_kept(Leaf leaf) {
  Waiting waiting{.what = Waiting::For::leaf, .leaf = leaf};
  append(std::move(leaf), std::move(waiting));
}

void Exchange::Core::try_again(Leaf leaf) {
  if (unrecorded_.size() < limits_.unrecorded_max) {
    unrecorded_.push_back(std::move(leaf));
  } else {
    ++unrecorded_lost_;
  }
}

void Exchange::Core::durable(uint64_t token) {
  const auto at = waiting_.find(token);
  if (at == waiting_.end()) return;
  const Waiting done = std::move(at->second);
  waiting_.erase(at);
  used(done.grant);
  if (done.what == Waiting::For::restart) start_recorded_ = true;
  Session* s = done.serial == 0 ? nullptr : table_.by_serial(done.serial);
  const bool statement = done.what == Waiting::For::ask || done.what == Waiting::For::facts ||
                         done.what == Waiting::For::reset || done.what == Waiting::For::telling;
  if (statement) {
    AskingEnd& end_of_link = peer(done.partner).asking;
    end_of_link.statements_durable = std::max(end_of_link.statements_durable, done.number);
  }
  if (done.what == Waiting::For::reset) {
    Peer& host = peer(done.partner);
    host.asking.resetting = false;
    to_host(host, link::ResentStatements{{done.statement}});
    return fresh(host.asking) ? ask_anew(host) : void();
  }
  if (done.what == Waiting::For::telling) return to_host(peer(done.partner), done.told);
  if (done.what == Waiting::For::heard) return replace_facts(done.partner, *done.said);
  if (s == nullptr) return;
  if (done.what == Waiting::For::admission) {
    s->recorded = true;
    go_live(*s);
  } else if (done.what == Waiting::For::ask) {
    send_ask(*s, done.statement, done.number);
  } else if (done.what == Waiting::For::facts) {
    to_host(peer(done.partner), link::ReplaceFacts{done.statement});
  }
}

void Exchange::Core::failed(uint64_t token, const Error& why) {
  const auto at = waiting_.find(token);
  if (at == waiting_.end()) return;
  Waiting done = std::move(at->second);
  waiting_.erase(at);
  used(done.grant);
  const bool start = done.what == Waiting::For::restart;
  if (start) restart_ = std::move(done.leaf);
  if (start || done.what == Waiting::For::leaf) {
    if (!start) try_again(std::move(done.leaf));
    if (not_recorded_at_ != Tick{} && tick_ - not_recorded_at_ < kAlarmEvery) return;
    not_recorded_at_ = tick_;
    return alarm("exchange.not-recorded", "the ledger does not take records: " + why.what());
  }
  if (done.what == Waiting::For::heard) return not_replaced(done.partner, *done.said);
  if (done.what == Waiting::For::reset) peer(done.partner).asking.resetting = false;
  if (done.what == Waiting::For::ask || done.what == Waiting::For::facts ||
      done.what == Waiting::For::reset || done.what == Waiting::For::telling)
    statements_.not_kept(done.partner, done.number);
  Session* s = done.serial == 0 ? nullptr : table_.by_serial(done.serial);
  if (s == nullptr) return;
  // Facts that cannot be pushed end the session at both nodes: for that no disk is needed.
  end(*s, app_down("The node cannot record admissions now."));
}

void Exchange::Core::tick_records() {
  if (tick_ - batch_at_ < kBatchEvery) return;
  batch_at_ = tick_;
  if (restart_) {
    Leaf leaf = *std::exchange(restart_, std::nullopt);
    Waiting waiting{.what = Waiting::For::restart, .leaf = leaf};
    append(std::move(leaf), std::move(waiting));
  }
  if (start_recorded_) flush_requests();
  if (start_recorded_ && unrecorded_lost_ > 0 && unrecorded_.size() < limits_.unrecorded_max) {
    unrecorded_.push_back({"unrecorded", {{"at", rfc3339(now_)}, {"lost", unrecorded_lost_}}});
    unrecorded_lost_ = 0;
  }
  for (size_t tried = 0; tried < kRetriesMax && !unrecorded_.empty(); ++tried) {
    Leaf leaf = std::move(unrecorded_.front());
    unrecorded_.pop_front();
    append_kept(std::move(leaf));
  }
}

// Batches are numbered, and so are the requests of each session in them: what is missing shows. Numbers go on
// after a restart from what was recorded; what was not, at most of one interval, had numbers too.
void Exchange::Core::flush_requests() {
  Json::Array items;
  const auto send = [&] {
    if (items.empty()) return;
    append_kept({"requests",
                 {{"at", rfc3339(now_)}, {"batch", ++last_batch_}, {"sessions", std::exchange(items, {})}}});
  };
  for (const auto& [serial, s] : table_.all()) {
    const uint64_t counted = s->gate->requests();
    const bool came_back = std::exchange(s->came_back, false);
    if (counted == s->requests_recorded && !came_back) continue;
    Json item =
        Json::object({{"session", s->id.text()}, {"first", s->requests_recorded + 1}, {"last", counted}});
    if (came_back) item.set("missing_before", "restart");
    items.push_back(std::move(item));
    s->requests_recorded = counted;
    if (items.size() == kBatchSessionsMax) send();
  }
  send();
}

}  // namespace entente::exchange
