// The lobby's pages as text. Pure. Everything that comes from outside is escaped here, and only here.
// They work without scripts, with the keyboard, in dark and light; a strict content security policy goes with
// them.
#pragma once

#include "coalition/verdict.h"
#include "net/http_message.h"

#include <optional>
#include <string>
#include <vector>

namespace entente::exchange {

struct Ending;

struct PageFrame {
  std::string node_name;       // "Borealis"
  std::string node_code;       // "XBB"
  std::string person;          // display name; empty: nobody is signed in
  std::string form_token;      // for the sign-out form
  std::string console_href{};  // for operators
};

struct AppCard {
  std::string name_label;  // "cop-xaa": the first label of its host name
  std::string name;
  std::string description;
  std::string nation;  // "Aldoria (XAA)"
  std::string banner;
  std::string state;  // "ready", "not reachable now", "held: asking again"
  bool ready = true;
  std::string open_href;
};

struct AskForm {
  std::string app_label;  // "cop-xaa"
  coalition::GrantTerms terms;
  // What they wrote before, where that was refused.
  std::string purpose{};
  int64_t minutes = 0;  // 0: as long as the terms let it
  bool read_only = false;
};

struct AskedBefore {
  std::string id;
  std::string words;  // when, and what came of it
  bool waits = false;
};

struct Refusal {
  coalition::Refusal kind = coalition::Refusal::denied;
  std::string title;
  std::vector<coalition::Reason> reasons;
  std::string verdict_id;
  std::optional<AskForm> ask{};  // a grant would open it
  std::optional<AskedBefore> asked{};
  std::string app_label{};  // of a session that ended: which app's, and when
  std::string when{};
};

// What signing out did, and what it did not.
[[nodiscard]] std::string signed_out_page(const PageFrame& frame, std::string_view provider_name,
                                          std::string_view sign_in_href);
[[nodiscard]] std::string welcome_page(const PageFrame& frame, std::string_view provider_name,
                                       std::string_view sign_in_href);
// Requests that wait for this person's answer.
struct AnswersDue {
  size_t count = 0;
  bool more = false;  // or more than that
};
// `to_answer`: if they answer for any app; then the page goes on by itself.
[[nodiscard]] std::string lobby_page(const PageFrame& frame, const std::vector<AppCard>& cards,
                                     const std::vector<Refusal>& ended,
                                     std::optional<AnswersDue> to_answer = std::nullopt);
[[nodiscard]] std::string refusal_page(const PageFrame& frame, const Refusal& refusal,
                                       std::string_view lobby_href);
// `href` and `next`: where to go from there, and what the way is called.
[[nodiscard]] std::string plain_page(const PageFrame& frame, std::string_view title, std::string_view text,
                                     std::string_view href, std::string_view next = "Go to the lobby");

// Where a sealed object is opened, in the browser. `services`: the nations' key services by address, as JSON;
// `originators`: by code a nation's name and the keys that sign what it seals.
[[nodiscard]] std::string objects_page(const PageFrame& frame, std::string_view page,
                                       std::string_view services, std::string_view originators);

// What every page of ours is sent with: CSP, no-store, no sniffing, no framing, no referrer, no powers.
// Scripts::own lets the lobby's scripts run and ask the lobby; no page for strangers has it.
// Scripts::objects shows pictures as well that they made themselves, from bytes.
enum class Scripts { none, own, objects };
void add_page_headers(net::Headers& headers, Scripts scripts = Scripts::none);

// A refusal as a person may read it; texts where the verdict has none.
[[nodiscard]] Refusal refusal_of(const Ending& ending, std::string_view app_name = {});

}  // namespace entente::exchange
