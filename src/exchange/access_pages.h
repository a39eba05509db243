// The lobby's pages about requests and grants, as text. Pure; every text from outside is escaped here. They
// work without scripts: what a script adds is that a waiting page goes on by itself.
#pragma once

#include "coalition/access.h"
#include "exchange/lobby_pages.h"

#include <optional>
#include <string>
#include <vector>

namespace entente::exchange {

struct RequestView {
  std::string id;
  std::string app;     // its name, as its nation calls it
  std::string nation;  // "Aldoria (XAA)"
  std::string purpose;
  std::string scope;
  std::string state;  // "open", "granted", "ended" (was granted), "denied", "withdrawn", "revoked", "over"
  std::string asked;  // times as people read them, UTC
  std::string until;  // granted, ended: its end; open: when it is over
  std::string answer;
  int64_t minutes = 0;
  int64_t approvals = 0;
  int64_t approvals_needed = 1;
  std::string open_href;   // granted: the way in
  std::string again_href;  // over, one way or another: where to ask again
};

struct AnswerView {  // somebody's request, for those who may answer it
  RequestView request;
  std::string who;    // "planner, CONFIDENTIAL, of Borealis (XBB)"
  std::string opens;  // what approving opens, in words
  std::string seen;   // the mark of what is read here
  bool can_open = true;
};

struct GrantView {
  std::string id;
  std::string app;
  std::string who;
  std::string purpose;
  std::string scope;
  std::string until;
  std::string used;  // "2 of 3"
};

struct SessionView {
  std::string id;
  std::string label;  // of the app: two may have one name
  std::string app;
  std::string nation;
  std::string who;
  std::string since;
  std::string state;
};

// A form of this page that was refused: why, and what was written in it.
struct NotDone {
  std::string why;
  std::string request{};  // whose answer it was; empty: none
  std::string words{};
  std::string app_label{};  // of a delegation; empty: it was none
  std::string to{};
  int64_t minutes = 0;
};

struct ThingsView {
  std::optional<NotDone> not_done{};
  std::vector<AnswerView> to_answer;
  bool more_to_answer = false;  // than are shown, or were looked at
  std::vector<RequestView> requests;
  std::vector<SessionView> sessions;  // one's own
  std::vector<GrantView> grants;      // to oneself, and those one may take back
  bool more_grants = false;
  std::vector<SessionView> users;  // others, on apps one answers for
  std::string own_id;              // for whoever wants to delegate to this person
  struct App {
    std::string label;
    std::string name;
    bool lends = true;  // not where one answers in somebody else's name
  };
  struct Delegation {
    std::string id;
    std::string app;
    std::string what;  // "you let ... answer"
    std::string until;
  };
  std::vector<Delegation> delegations;  // by oneself and to oneself
  std::vector<App> own;                 // apps one answers for
};

[[nodiscard]] std::string things_page(const PageFrame& frame, const ThingsView& things);
// One's own request. It goes on by itself once it is granted.
[[nodiscard]] std::string request_page(const PageFrame& frame, const RequestView& request);

// How it stands, in a sentence.
[[nodiscard]] std::string state_text(const RequestView& request);
[[nodiscard]] std::string time_text(Instant at);          // "22 November, 14:05 UTC"
[[nodiscard]] std::string minutes_text(int64_t minutes);  // "2 hours", "45 minutes"

}  // namespace entente::exchange
