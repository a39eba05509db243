#include "exchange/lobby_pages.h"

#include "base/markup.h"
#include "base/text.h"
#include "exchange/access_pages.h"
#include "exchange/page_parts.h"
#include "exchange/session.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {
namespace {

using coalition::refusal_name;

std::string_view kind_next(coalition::Refusal kind) {
  switch (kind) {
    case coalition::Refusal::none:
    case coalition::Refusal::denied:
      return "Go back to the lobby, or ask the one who decides.";
    case coalition::Refusal::credential_dead:
      return "Sign in again.";
    case coalition::Refusal::app_down:
      return "Nothing is wrong with your rights.";
    case coalition::Refusal::lease_ended:
      return "Nothing was decided against you. Go to the lobby and open the app again when it is reachable.";
  }
  return "";
}

std::string refusal_body(const Refusal& refusal) {
  std::string out = "<dl>\n";
  if (!refusal.when.empty()) out += fmt::format("<dt>When</dt><dd>{}</dd>\n", on_page(refusal.when));
  for (const coalition::Reason& reason : refusal.reasons) {
    out += fmt::format("<dt>Why</dt><dd>{}</dd>\n", on_page(reason.text));
    if (!reason.change.empty())
      out += fmt::format("<dt>What would change it</dt><dd>{}</dd>\n", on_page(reason.change));
    if (!reason.who_decides.empty())
      out += fmt::format("<dt>Who decides</dt><dd>{}</dd>\n", on_page(reason.who_decides));
  }
  if (!refusal.verdict_id.empty()) {
    out += fmt::format("<dt>Verdict</dt><dd data-verdict=\"{0}\">{0}</dd>\n", on_page(refusal.verdict_id));
  }
  return out + "</dl>\n";
}

std::string due_text(const AnswersDue& due) {
  if (due.more && due.count == 0) return "Requests wait, and some may be for your answer";
  if (due.more) return fmt::format("{} or more requests wait for your answer", due.count);
  return fmt::format("{} request{} for your answer", due.count, due.count == 1 ? " waits" : "s wait");
}

}  // namespace

std::string on_page(std::string_view text) {
  return escape_markup(readable(text));
}

std::string open_page(const PageFrame& frame, std::string_view title, std::string_view script) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} - {} "
      "lobby</title>\n"
      "<link rel=\"stylesheet\" href=\"/.entente/lobby.css\">\n{}</head>\n<body>\n"
      "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
      "<header><span class=\"place\">{} ({}) lobby</span>",
      on_page(title), on_page(frame.node_name),
      script.empty() ? std::string()
                     : fmt::format("<script type=\"module\" src=\"/.entente/{}\"></script>\n", script),
      on_page(frame.node_name), on_page(frame.node_code));
  if (!frame.person.empty()) {
    out += fmt::format(
        "<nav aria-label=\"Lobby\"><a href=\"/\">Apps</a> <a href=\"/things\" data-action=\"things\">My "
        "things</a> <a href=\"/objects\" data-action=\"objects\">Sealed objects</a>{}</nav><span "
        "class=\"who\" data-person>{}</span>"
        "<form method=\"post\" action=\"/sign-out\"><input type=\"hidden\" name=\"token\" value=\"{}\">"
        "<button class=\"quiet\" data-action=\"sign-out\">Sign out everywhere</button></form>",
        frame.console_href.empty()
            ? std::string()
            : fmt::format(" <a href=\"{}\" data-action=\"console\">Console</a>", on_page(frame.console_href)),
        on_page(frame.person), on_page(frame.form_token));
  }
  out += "</header>\n";
  return out;
}

std::string close_page() {
  return "<footer>What you open is decided again for as long as you use it, and written to the ledgers of "
         "the "
         "nations involved.</footer>\n</body>\n</html>\n";
}

std::string signed_out_page(const PageFrame& frame, std::string_view provider_name,
                            std::string_view sign_in_href) {
  std::string out = open_page(frame, "Signed out");
  out += fmt::format(
      "<main id=\"main\" data-signed-out><div class=\"sheet\"><h1>You are signed out</h1>\n"
      "<p>Here, in every browser you were signed in with: nothing you had opened is open.</p>\n"
      "<p>{1} may still know you on this machine, and then whoever sits here next is let in as you. Close "
      "the "
      "browser, or sign out at {1} too.</p>\n"
      "<p><a data-action=\"sign-in\" href=\"{0}\">Sign in at {1}</a></p></div></main>\n",
      on_page(sign_in_href), on_page(provider_name));
  out += close_page();
  return out;
}

std::string welcome_page(const PageFrame& frame, std::string_view provider_name,
                         std::string_view sign_in_href) {
  std::string out = open_page(frame, "Sign in");
  out += fmt::format(
      "<main id=\"main\"><div class=\"sheet\"><h1>Welcome</h1>\n"
      "<p>You are at the door of {0}. Sign in with your own nation's identity provider to see what is open "
      "to you.</p>\n"
      "<p><a class=\"button\" data-action=\"sign-in\" href=\"{2}\">Sign in at {1}</a></p></div></main>\n",
      on_page(frame.node_name), on_page(provider_name), on_page(sign_in_href));
  out += close_page();
  return out;
}

std::string lobby_page(const PageFrame& frame, const std::vector<AppCard>& cards,
                       const std::vector<Refusal>& ended, std::optional<AnswersDue> to_answer) {
  std::string out = open_page(frame, "Your apps", to_answer ? "lobby.js" : "");
  out += fmt::format("<main id=\"main\" data-lobby{}>", to_answer ? " data-home" : "");
  if (to_answer && (to_answer->count > 0 || to_answer->more)) {
    out += fmt::format(
        "<section class=\"notice\" role=\"status\" data-to-answer=\"{0}\"><p><a href=\"/things\">{1}</a></p>"
        "</section>\n",
        to_answer->count, due_text(*to_answer));
  }
  for (const Refusal& refusal : ended) {
    out += fmt::format("<section class=\"notice\" role=\"status\" data-ended=\"{}\"><h2>{}</h2>\n",
                       refusal_name(refusal.kind), on_page(refusal.title));
    out += refusal_body(refusal) + "</section>\n";
  }
  out += "<h1>Your apps</h1>\n";
  if (cards.empty()) {
    out +=
        "<p data-empty>Nothing is open to you now. What you may use is shown here: load the page again to "
        "look.</p>\n";
  }
  out += "<ul class=\"cards\">\n";
  for (const AppCard& card : cards) {
    out += fmt::format(
        "<li><article class=\"card\" data-app=\"{}\"><div class=\"banner\" data-banner>{}</div><div "
        "class=\"inside\">"
        "<h2>{}</h2><p class=\"nation\">{}</p><p>{}</p><p class=\"state{}\" data-state>{}</p>",
        on_page(card.name_label), on_page(card.banner), on_page(card.name), on_page(card.nation),
        on_page(card.description), card.ready ? "" : " warn", on_page(card.state));
    if (!card.open_href.empty()) {
      out +=
          fmt::format("<p class=\"act\"><a class=\"button\" data-action=\"open\" href=\"{}\">Open {}</a></p>",
                      on_page(card.open_href), on_page(card.name));
    }
    out += "</div></article></li>\n";
  }
  out += "</ul></main>\n";
  out += close_page();
  return out;
}

namespace {

// How long to ask for: what the owner's terms allow.
std::string ask_form(const PageFrame& frame, const AskForm& ask) {
  std::vector<int64_t> lengths{15, 30, 60, 120, 240, 480, 1440, 4320, 10080, 43200};
  std::erase_if(lengths, [&](int64_t minutes) { return minutes >= ask.terms.minutes; });
  lengths.push_back(ask.terms.minutes);
  const int64_t chosen =
      std::ranges::find(lengths, ask.minutes) == lengths.end() ? ask.terms.minutes : ask.minutes;
  std::string options;
  for (const int64_t minutes : lengths) {
    options += fmt::format("<option value=\"{}\"{}>{}</option>", minutes,
                           minutes == chosen ? " selected" : "", minutes_text(minutes));
  }
  return fmt::format(
      "<section class=\"ask\" aria-labelledby=\"ask\"><h2 id=\"ask\">Ask for it</h2>\n<p>{0} would have to "
      "approve.</p>"
      "<form method=\"post\" action=\"/requests\"><input type=\"hidden\" name=\"token\" value=\"{1}\">"
      "<input type=\"hidden\" name=\"app\" value=\"{2}\"><input type=\"hidden\" name=\"most\" value=\"{6}\">"
      "<input type=\"hidden\" name=\"approvals\" value=\"{7}\"><p><label for=\"purpose\">What for</label> "
      "<input id=\"purpose\" name=\"purpose\" required pattern=\".*\\S.*\" maxlength=\"{3}\" "
      "value=\"{5}\"></p>"
      "<p><label for=\"minutes\">For how long</label> <select id=\"minutes\" "
      "name=\"minutes\">{4}</select></p>"
      "<p><label><input type=\"checkbox\" name=\"read_only\" value=\"yes\"{8}> To read only (no live "
      "connections)</label></p>"
      "<p><button data-action=\"ask\">Send the request</button></p></form></section>\n",
      ask.terms.approvals == 1 ? "One person" : fmt::format("{} people", ask.terms.approvals),
      on_page(frame.form_token), on_page(ask.app_label), coalition::kPurposeBytesMax, options,
      on_page(ask.purpose), ask.terms.minutes, ask.terms.approvals, ask.read_only ? " checked" : "");
}

}  // namespace

std::string refusal_page(const PageFrame& frame, const Refusal& refusal, std::string_view lobby_href) {
  std::string out = open_page(frame, ending_title(refusal.kind));
  out += fmt::format("<main id=\"main\" data-refusal=\"{}\"><div class=\"sheet\"><h1>{}</h1>\n",
                     refusal_name(refusal.kind),
                     on_page(refusal.title.empty() ? ending_title(refusal.kind) : refusal.title));
  out += refusal_body(refusal);
  if (refusal.asked && !frame.form_token.empty()) {
    out += fmt::format(
        "<section class=\"ask\" aria-labelledby=\"asked\"><h2 id=\"asked\">You asked for it</h2><p "
        "data-asked>{}</p><p><a class=\"button\" data-action=\"request\" href=\"/requests/{}\">See your "
        "request</a></p></section>\n",
        on_page(refusal.asked->words), on_page(refusal.asked->id));
  }
  if (refusal.ask && !frame.form_token.empty()) out += ask_form(frame, *refusal.ask);
  // A sign-in that one nation refuses may be good for all else: the lobby alone would not offer a new one.
  const bool anew = refusal.kind == coalition::Refusal::credential_dead;
  out += fmt::format(
      "<p>{0}</p><p>{1}<a class=\"button\" data-action=\"lobby\" href=\"{2}\">Go to the "
      "lobby</a></p></div></main>\n",
      kind_next(refusal.kind),
      anew ? fmt::format("<a class=\"button\" data-action=\"sign-in\" href=\"{}sign-in\">Sign in again</a> ",
                         on_page(lobby_href))
           : std::string(),
      on_page(lobby_href));
  out += close_page();
  return out;
}

std::string plain_page(const PageFrame& frame, std::string_view title, std::string_view text,
                       std::string_view href, std::string_view next) {
  std::string out = open_page(frame, title);
  out += fmt::format(
      "<main id=\"main\"><div class=\"sheet\"><h1>{}</h1><p>{}</p>"
      "<p><a class=\"button\" data-action=\"lobby\" href=\"{}\">{}</a></p></div></main>\n",
      on_page(title), on_page(text), on_page(href), on_page(next));
  out += close_page();
  return out;
}

std::string objects_page(const PageFrame& frame, std::string_view page, std::string_view services,
                         std::string_view originators) {
  std::string out = open_page(frame, "Sealed objects", "objects.js");
  out += fmt::format(
      "<main id=\"main\" data-objects data-token=\"{}\" data-page=\"{}\" data-services=\"{}\" "
      "data-originators=\"{}\"><h1>Sealed objects</h1>\n"
      "<p>Open a sealed file that another nation, or your own, has given you. It is opened here, in your "
      "browser; your node asks every nation it is of whether you may, and it goes from this page as soon as "
      "one of them takes that back.</p>\n"
      "<noscript><p>This page needs scripts, which are switched off here. On a terminal, <code>entente open "
      "FILE</code> opens the same files.</p></noscript>\n"
      "<p><label for=\"object-file\">Sealed file</label> <input type=\"file\" id=\"object-file\" "
      "accept=\".tdf,.ztdf\"></p>\n"
      "<p role=\"status\" data-status></p>\n"
      "<section class=\"viewer\" aria-label=\"What is open\" data-viewer hidden>"
      "<div class=\"banner\" data-banner></div>\n<p data-signed></p>\n<div data-content></div>\n"
      "<div class=\"banner\" data-banner></div>\n"
      "<p class=\"act\"><button type=\"button\" data-close>Close it</button></p></section></main>\n",
      on_page(frame.form_token), page, on_page(services), on_page(originators));
  out += close_page();
  return out;
}

void add_page_headers(net::Headers& headers, Scripts scripts) {
  headers.set("Content-Type", "text/html; charset=utf-8");
  headers.set("Cache-Control", "no-store");
  headers.set("Content-Security-Policy",
              fmt::format("default-src 'none'; style-src 'self'; img-src 'self'{}; {}form-action 'self'; "
                          "base-uri 'none'; frame-ancestors 'none'",
                          scripts == Scripts::objects ? " blob:" : "",
                          scripts == Scripts::none ? "" : "script-src 'self'; connect-src 'self'; "));
  headers.set("X-Content-Type-Options", "nosniff");
  // Not "no-referrer": with that a browser sends `Origin: null` with the lobby's own forms.
  headers.set("Referrer-Policy", "same-origin");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Permissions-Policy", "geolocation=(), camera=(), microphone=(), payment=(), usb=()");
  headers.set("Strict-Transport-Security", "max-age=31536000");
}

Refusal refusal_of(const Ending& ending, std::string_view app_name) {
  std::string title(ending_title(ending.which));
  if (!app_name.empty()) {
    // They were inside: it is the session that is over, and the app may be open again.
    const bool denied = ending.which == coalition::Refusal::denied;
    title = fmt::format("{}: {}", app_name, denied ? "This session was ended" : title);
  }
  return {.kind = ending.which,
          .title = std::move(title),
          .reasons = {{coalition::Layer::structure, "", ending.what, ending.change, ending.who}},
          .verdict_id = ending.verdict.text()};
}

}  // namespace entente::exchange
