#include "exchange/access_pages.h"

#include "exchange/page_parts.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

namespace entente::exchange {
namespace {

std::string button_form(const PageFrame& frame, std::string_view action, std::string_view text,
                        std::string_view marker, bool quiet, std::string_view inner = "") {
  return fmt::format(
      "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"token\" value=\"{}\">{}"
      "<button{} data-action=\"{}\">{}</button></form>",
      on_page(action), on_page(frame.form_token), inner, quiet ? " class=\"quiet\"" : "", marker,
      on_page(text));
}

std::string row(std::string_view name, std::string_view value) {
  if (value.empty()) return "";
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, on_page(value));
}

std::string request_facts(const RequestView& request) {
  std::string out = "<dl>\n";
  out += row("Purpose", request.purpose);
  out += row("For how long", minutes_text(request.minutes));
  out += row("What it covers", request.scope);
  out += row("Asked", request.asked);
  if (request.state == "open") out += row("Waits until", request.until);
  if (request.state == "granted") out += row("Open until", request.until);
  if (request.state == "ended") out += row("Ended", request.until);
  out += row("Answer", request.answer);
  return out + "</dl>\n";
}

std::string again_link(const RequestView& request) {
  if (request.again_href.empty()) return "";
  return fmt::format("<p class=\"act\"><a data-action=\"again\" href=\"{}\">Ask again</a></p>",
                     on_page(request.again_href));
}

std::string own_request(const PageFrame& frame, const RequestView& request) {
  std::string out = fmt::format(
      "<li class=\"thing\" data-request=\"{}\" data-state=\"{}\"><h3><a href=\"/requests/{}\">{}</a></h3>"
      "<p class=\"nation\">{}</p><p data-state-text>{}</p>",
      on_page(request.id), on_page(request.state), on_page(request.id), on_page(request.app),
      on_page(request.nation), state_text(request));
  out += request_facts(request);
  if (request.state == "open")
    out += button_form(frame, fmt::format("/requests/{}/withdraw", request.id), "Withdraw", "withdraw", true);
  return out + again_link(request) + "</li>\n";
}

std::string to_answer(const PageFrame& frame, const AnswerView& item, const std::optional<NotDone>& before) {
  const RequestView& request = item.request;
  std::string out =
      fmt::format("<li class=\"thing\" data-answer=\"{}\"><h3>{}</h3><p class=\"nation\">{}</p>",
                  on_page(request.id), on_page(request.app), on_page(item.who));
  out += request_facts(request);
  out += fmt::format("<p data-opens>{}</p>", on_page(item.opens));
  const std::string words = fmt::format(
      "<label for=\"words-{0}\">A word to them</label> <input id=\"words-{0}\" name=\"words\" "
      "maxlength=\"500\" value=\"{1}\"> ",
      on_page(request.id), before && before->request == request.id ? on_page(before->words) : "");
  const std::string seen =
      fmt::format("<input type=\"hidden\" name=\"seen\" value=\"{}\">", on_page(item.seen));
  out += "<div class=\"act\">";
  if (item.can_open)
    out += button_form(frame, fmt::format("/requests/{}/approve", request.id), "Approve", "approve", false,
                       seen);
  out += button_form(frame, fmt::format("/requests/{}/deny", request.id), "Deny", "deny", true, seen + words);
  return out + "</div></li>\n";
}

std::string grant_item(const PageFrame& frame, const GrantView& grant) {
  std::string out =
      fmt::format("<li class=\"thing\" data-grant=\"{}\"><h3>{}</h3><p class=\"nation\">{}</p><dl>\n",
                  on_page(grant.id), on_page(grant.app), on_page(grant.who));
  out += row("Purpose", grant.purpose) + row("What it covers", grant.scope) + row("Until", grant.until) +
         row("Used", grant.used) + "</dl>\n";
  out += button_form(frame, fmt::format("/grants/{}/revoke", grant.id), "Take back", "revoke", true);
  return out + "</li>\n";
}

std::string session_item(const PageFrame& frame, const SessionView& session) {
  std::string out =
      fmt::format("<li class=\"thing\" data-session=\"{}\"><h3>{}</h3><p class=\"nation\">{}</p><dl>\n",
                  on_page(session.id), on_page(session.app), on_page(session.nation));
  out += row("Who", session.who) + row("Since", session.since) + row("State", session.state) + "</dl>\n";
  out += button_form(frame, fmt::format("/sessions/{}/end", session.id), "End", "end-session", true);
  return out + "</li>\n";
}

std::string delegation_item(const PageFrame& frame, const ThingsView::Delegation& item) {
  return fmt::format(
             "<li class=\"thing\" data-delegation=\"{}\"><h3>{}</h3><p class=\"nation\">{}, until {}</p>",
             on_page(item.id), on_page(item.app), on_page(item.what), on_page(item.until)) +
         button_form(frame, fmt::format("/delegations/{}/end", item.id), "End", "end-delegation", true) +
         "</li>\n";
}

template <class Item, class Print>
std::string section(std::string_view id, std::string_view title, const std::vector<Item>& items,
                    std::string_view none, const Print& print) {
  if (items.empty() && none.empty()) return "";
  std::string out = fmt::format("<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2>\n", id, title);
  if (items.empty()) return out + fmt::format("<p>{}</p></section>\n", none);
  out += "<ul class=\"things\">\n";
  for (const Item& item : items) out += print(item);
  return out + "</ul></section>\n";
}

std::string inside_text(std::ptrdiff_t others) {
  if (others == 0) return "Nobody else uses it now.";
  return others == 1 ? "One session of somebody else." : fmt::format("{} sessions of others.", others);
}

// Why something was not done, and words that no form of the page has any more.
std::string not_done(const ThingsView& things) {
  if (!things.not_done) return "";
  const NotDone& before = *things.not_done;
  const bool has_form = std::ranges::any_of(
      things.to_answer, [&](const AnswerView& one) { return one.request.id == before.request; });
  std::string out = fmt::format(
      "<section class=\"notice\" role=\"alert\" data-not-done><h2>This was not done</h2><p>{}</p>",
      on_page(before.why));
  if (!before.words.empty() && !has_form)
    out += fmt::format("<p>You had written: <q>{}</q></p>", on_page(before.words));
  return out + "</section>\n";
}

std::string delegation(const PageFrame& frame, const ThingsView& things) {
  const NotDone before = things.not_done.value_or(NotDone{});
  const auto selected = [](bool is) { return is ? " selected" : ""; };
  std::string options, lengths;
  for (const ThingsView::App& app : things.own)
    if (app.lends)
      options += fmt::format("<option value=\"{}\"{}>{}</option>", on_page(app.label),
                             selected(app.label == before.app_label), on_page(app.name));
  if (options.empty()) return "";
  for (const int64_t minutes : {240, 1440, 10080})
    lengths += fmt::format("<option value=\"{}\"{}>{}</option>", minutes, selected(minutes == before.minutes),
                           minutes_text(minutes));
  const std::string inner = fmt::format(
      "<label for=\"delegate-app\">App</label> <select id=\"delegate-app\" name=\"app\">{}</select> "
      "<label for=\"delegate-to\">Their id</label> <input id=\"delegate-to\" name=\"to\" required "
      "maxlength=\"64\" value=\"{}\"> "
      "<label for=\"delegate-for\">For</label> <select id=\"delegate-for\" name=\"minutes\">{}</select> ",
      options, on_page(before.to), lengths);
  return "<section aria-labelledby=\"delegate\"><h2 id=\"delegate\">Let somebody answer for you</h2>\n"
         "<p>They find their id at the end of this page when they are signed in.</p>" +
         button_form(frame, "/delegations", "Delegate", "delegate", true, inner) + "</section>\n";
}

}  // namespace

std::string state_text(const RequestView& request) {
  if (request.state == "open") {
    return request.approvals_needed > 1 ? fmt::format("Waiting: {} of {} people have approved it.",
                                                      request.approvals, request.approvals_needed)
                                        : "Waiting for an answer.";
  }
  if (request.state == "granted") return "Granted.";
  if (request.state == "ended") return "It was granted, and has ended.";
  if (request.state == "denied") return "Not granted.";
  if (request.state == "withdrawn") return "Withdrawn.";
  if (request.state == "revoked") return "Taken back.";
  return "Nobody answered in time.";
}

std::string time_text(Instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(at - day).count();
  constexpr std::array<std::string_view, 12> months{"January",   "February", "March",    "April",
                                                    "May",       "June",     "July",     "August",
                                                    "September", "October",  "November", "December"};
  return fmt::format("{} {}, {:02}:{:02} UTC", unsigned{date.day()}, months[unsigned{date.month()} - 1],
                     minutes / 60, minutes % 60);
}

std::string minutes_text(int64_t minutes) {
  const auto counted = [](int64_t count, std::string_view name) {
    return fmt::format("{} {}{}", count, name, count == 1 ? "" : "s");
  };
  if (minutes % 1440 == 0) return counted(minutes / 1440, "day");
  if (minutes % 60 == 0) return counted(minutes / 60, "hour");
  return counted(minutes, "minute");
}

std::string things_page(const PageFrame& frame, const ThingsView& things) {
  std::string out = open_page(frame, "My things", "lobby.js");
  out +=
      "<main id=\"main\" data-things><h1>My things</h1>\n"
      "<p role=\"status\" data-news hidden><span data-news-words>Something changed.</span> "
      "<a href=\"/things\">Load it again</a></p>\n";
  out += not_done(things);
  out += section("answers", "Waiting for your answer", things.to_answer, "",
                 [&](const AnswerView& item) { return to_answer(frame, item, things.not_done); });
  if (things.more_to_answer)
    out +=
        "<p data-more-answers>More wait than are shown here. Answer these first: those that wait longest "
        "come "
        "first.</p>\n";
  out += section("requests", "Your requests", things.requests, "You have asked for nothing.",
                 [&](const RequestView& item) { return own_request(frame, item); });
  out += section("sessions", "Open now", things.sessions, "You have no app open.",
                 [&](const SessionView& item) { return session_item(frame, item); });
  out += section("grants", "Grants", things.grants, "",
                 [&](const GrantView& item) { return grant_item(frame, item); });
  if (things.more_grants)
    out +=
        "<p data-more-grants>There are more grants than are shown here: those that end first come "
        "first.</p>\n";
  out += section("users", "Who uses what you answer for", things.users, "",
                 [&](const SessionView& item) { return session_item(frame, item); });
  out += section("apps", "Apps you answer for", things.own, "", [&](const ThingsView::App& app) {
    const auto inside = std::ranges::count(things.users, app.label, &SessionView::label);
    return fmt::format("<li class=\"thing\" data-own-app=\"{}\"><h3>{}</h3><p>{}</p></li>\n",
                       on_page(app.label), on_page(app.name), inside_text(inside));
  });
  out += section("delegations", "Answering in another name", things.delegations, "",
                 [&](const ThingsView::Delegation& item) { return delegation_item(frame, item); });
  out += delegation(frame, things);
  out += fmt::format("<p class=\"quiet-text\">Your id on this node: <code data-own-id>{}</code></p></main>\n",
                     on_page(things.own_id));
  return out + close_page();
}

std::string request_page(const PageFrame& frame, const RequestView& request) {
  std::string out = open_page(frame, request.app, "lobby.js");
  out += fmt::format(
      "<main id=\"main\" data-waiting=\"{}\" data-state=\"{}\"><div class=\"sheet\"><h1>{}</h1>"
      "<p class=\"nation\">{}</p><p role=\"status\" data-state-text>{}</p>\n",
      on_page(request.id), on_page(request.state), on_page(request.app), on_page(request.nation),
      state_text(request));
  out += request_facts(request);
  if (!request.open_href.empty()) {
    out += fmt::format("<p><a class=\"button\" data-action=\"open\" href=\"{}\">Open {}</a></p>\n",
                       on_page(request.open_href), on_page(request.app));
  }
  if (request.state == "open") {
    out += fmt::format(
        "<p>This page goes on by itself once it is answered. <a href=\"/requests/{}\">Look again</a></p>",
        on_page(request.id));
    out += button_form(frame, fmt::format("/requests/{}/withdraw", request.id), "Withdraw", "withdraw", true);
  }
  out += again_link(request);
  out += "<p><a href=\"/things\">My things</a></p></div></main>\n";
  return out + close_page();
}

}  // namespace entente::exchange
