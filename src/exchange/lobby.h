// The lobby's name at the door: welcome, sign-in at the person's own provider, own apps as cards, the way
// into an app, sign-out, and the pages that say why not. Lives on the control loop.
#pragma once

#include "base/budget.h"
#include "coalition/world.h"
#include "exchange/access_desk.h"
#include "exchange/access_pages.h"
#include "exchange/browsers.h"
#include "exchange/event_stream.h"
#include "exchange/host_names.h"
#include "exchange/object_desk.h"
#include "exchange/switchboard.h"
#include "identity/crosswalk.h"
#include "identity/oidc.h"
#include "net/http1_parser.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/url.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace entente::exchange {

class Lobby {
 public:
  struct Parts {
    Switchboard& switchboard;
    AccessDesk& access;
    Browsers& browsers;
    Archive& archive;
    const Clock& clock;      // which providers' words go by, and codes
    const Clock& decisions;  // what has ended
    const net::TlsClient& provider_tls;
    net::Resolver& resolver;
    std::function<const coalition::World&()> world;
    // Sign-ins begun, of all sources and of one: many people may stand behind one address.
    uint32_t sign_ins_per_s = 50;
    uint32_t sign_ins_per_source_per_s = 10;
    // Whether this person gets into the console of this node; null where there is none.
    std::function<bool(const coalition::Person&)> opens_console{};
    ObjectDesk* objects = nullptr;  // without it no sealed object opens here
    // A partner's app that its owner said nobody serves now; null: owners say nothing of the kind.
    std::function<bool(const coalition::AppRef&)> unserved{};
  };
  Lobby(Parts parts, HostNames names, std::string provider_name, identity::OidcClient client,
        identity::Crosswalk crosswalk);

  // A request whose authority is the lobby's name. Always answers.
  [[nodiscard]] net::Task<void> handle(net::HttpCall& call, net::NormalTarget target);

  // Whether somebody of this id is signed in here.
  [[nodiscard]] bool is_in(const PersonId& person) const { return !names_here({person}).empty(); }

  // Everybody's sign-in ends, also where it is on its way.
  void sign_out_all();

  // Why nobody could sign in when the identity provider was needed last, in words for operators; empty: they
  // can.
  [[nodiscard]] const std::string& provider_fault() const { return provider_fault_; }

  [[nodiscard]] PageFrame frame(const SignIn* sign_in) const;

  // Each sign-in that is begun costs the provider a request or two, and nobody has proved anything yet.
  static constexpr uint32_t kBurstSeconds = 4, kSourceBurstSeconds = 6;  // so many seconds' worth at once
  static constexpr uint32_t kLogoutFetchesBurst = 8;  // of keys, for logout tokens; one more each second
  static constexpr size_t kSourcesMax = 4'096;        // remembered at once
  // Further cookies of open sessions that are recorded; one beyond is not known after a restart.
  static constexpr uint32_t kEntriesPerSecond = 20, kEntriesBurst = 200;
  static constexpr size_t kBeginningMax = 64;  // that wait for the provider at once
  static constexpr size_t kFormBytesMax = 8 * 1024;
  static constexpr size_t kObjectFormMax = 512 * 1024;
  static constexpr size_t kObjectFormsMax = 64, kObjectFormsOfOneMax = 4;  // that are read at once

 private:
  struct Signed {
    std::string token;
    SignIn* sign_in = nullptr;
  };
  [[nodiscard]] Signed signed_in(const net::Headers& headers);
  net::Task<void> show_home(net::HttpCall& call);
  // lobby_enter.cpp
  net::Task<void> enter_app(net::HttpCall& call, std::string query);
  net::Task<void> enter_console(net::HttpCall& call, const Signed& who, std::string path, std::string bind);
  net::Task<void> hand_off(net::HttpCall& call, std::string origin, std::string code, std::string path);
  net::Task<void> show_not_opened(net::HttpCall& call, coalition::AppRef app, Ending ending);
  net::Task<void> unknown_app(net::HttpCall& call, const SignIn& sign_in, std::string label);
  [[nodiscard]] SessionId only_one(const Signed& who, const coalition::AppRef& app, SessionId opened);
  [[nodiscard]] bool opens_console(const SignIn& sign_in) const;
  // lobby_sign_in.cpp
  net::Task<void> begin_sign_in(net::HttpCall& call, std::string return_to);
  net::Task<void> finish_sign_in(net::HttpCall& call, std::string query);
  net::Task<void> sign_out(net::HttpCall& call);
  net::Task<void> show_signed_out(net::HttpCall& call);
  net::Task<void> provider_signed_out(net::HttpCall& call);
  // A form of the lobby's own pages, sent by the person whose page it was; otherwise nothing: of the first of
  // these the caller answers, of the second it is answered.
  struct Posted {
    Signed who;
    net::Pairs fields;
  };
  [[nodiscard]] bool from_own_page(net::HttpCall& call) const;
  net::Task<std::optional<Posted>> read_posted(net::HttpCall& call, size_t bytes_max);
  net::Task<std::optional<Posted>> posted(net::HttpCall& call);
  // A sign-in between its proof and its place in the table.
  struct Arrival {
    Arrival(std::set<Arrival*>& all, PersonId who) : among(all), person(std::move(who)) {
      among.insert(this);
    }
    ~Arrival() { among.erase(this); }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;
    std::set<Arrival*>& among;
    PersonId person;
    bool left = false;  // signed out meanwhile
  };
  // lobby_objects.cpp
  net::Task<void> show_objects(net::HttpCall& call);
  net::Task<void> object_keys(net::HttpCall& call);
  net::Task<void> close_object(net::HttpCall& call);
  net::Task<void> object_answer(net::HttpCall& call, ObjectAnswer answer);
  // After every sign-in that is over: what they looked at by it ends.
  void sign_ins_changed(const PersonId& person);
  // lobby_access.cpp
  net::Task<void> access_pages(net::HttpCall& call, const std::string& path, std::string query);
  net::Task<void> access_forms(net::HttpCall& call, const std::string& path);
  // What such a form asks for. Answers where its page goes on.
  net::Task<Result<std::string>> take_form(const std::string& path, const Posted& form);
  net::Task<Result<std::string>> ask_for_access(const Posted& form);
  net::Task<Result<void>> lend(const Posted& form);
  net::Task<Result<void>> answer_request(RequestId id, std::string verb, const Posted& form);
  net::Task<void> show_things(net::HttpCall& call, Acting person, std::optional<NotDone> not_done,
                              int status);
  net::Task<void> show_request(net::HttpCall& call, const SignIn& sign_in, const RequestId& id);
  net::Task<void> send_events(net::HttpCall& call, Signed who, std::string query);
  net::Task<void> not_done(net::HttpCall& call, const SignIn* sign_in, const Error& why);
  net::Task<void> ask_again(net::HttpCall& call, const SignIn& sign_in, const net::Pairs& fields,
                            const Error& why);
  net::Task<void> go_to(net::HttpCall& call, std::string path);
  net::Task<Result<void>> end_session(Acting by, SessionId id);
  [[nodiscard]] RequestView view_of(const coalition::AccessRequest& request) const;
  [[nodiscard]] std::vector<SessionView> sessions_of(const Acting& person, bool others) const;
  [[nodiscard]] Acting acting(const SignIn& sign_in) const { return {sign_in.person, context(sign_in)}; }
  [[nodiscard]] bool may_begin(const std::string& peer);
  void leave(const SignIn& sign_in, const Ending& why);
  void forget(const PersonId& person);
  // Of what takes access away: a yes that was heard holds after any kill. Errors: what the disk says.
  net::Task<Result<void>> recorded(Leaf leaf);
  net::Task<void> not_recorded(net::HttpCall& call);
  static constexpr Seconds kRecordMax{5};
  net::Task<Result<identity::OidcStep>> walk(Result<identity::OidcStep> step, bool begins);
  net::Task<void> admit(net::HttpCall& call, identity::SignedIn who);
  net::Task<Result<void>> replace(Signed old);
  void note_refused(const PersonId& id, const std::string& issuer, std::string_view code);
  net::Task<void> unusable(net::HttpCall& call, const PersonId& id, const std::string& issuer,
                           const Error& why);
  net::Task<void> clock_is_ahead(net::HttpCall& call, const PersonId& id, const std::string& issuer);
  // As far as this node knows: somebody serves it, and the way there is open.
  [[nodiscard]] bool reachable(const coalition::AppRef& app) const;
  // What somebody may know of an app: nothing; why it is shut, on opening it; that, and its card in the
  // lobby; or it is open to them, as far as this is asked.
  enum class Sight { nothing, why, card, open };
  [[nodiscard]] Sight sight_of(const SignIn& sign_in, const coalition::AppRef& app) const;
  [[nodiscard]] std::optional<AskedBefore> asked_before(const SignIn& sign_in,
                                                        const coalition::AppRef& app) const;
  [[nodiscard]] bool answers(const Acting& person) const;  // for any app of this node
  // "Lena Berg (lYx...)", of whoever is signed in here now; others by their id.
  [[nodiscard]] std::map<PersonId, std::string> names_here(const std::set<PersonId>& people) const;
  // What is hidden is decided by policies, and what never was is not: with this it costs the same to find
  // out.
  void look_as_if(const SignIn& sign_in);
  [[nodiscard]] coalition::Facts context(const SignIn& sign_in) const;
  net::Task<void> page(net::HttpCall& call, int status, std::string html, Scripts scripts = Scripts::none);

  Parts parts_;
  HostNames names_;
  std::string provider_name_;
  std::string provider_fault_{};
  identity::OidcClient client_;
  identity::Crosswalk crosswalk_;
  Budget begun_;
  Budget logout_fetches_{kLogoutFetchesBurst, 1};
  Budget entries_recorded_{kEntriesBurst, kEntriesPerSecond};
  Budgets<std::string> begun_by_source_;  // forgetting is kinder than refusing: `begun_` holds for all
  Revision stand_in_of_{};                // the world that it is of
  std::optional<coalition::AppRef> stand_in_;
  std::set<Arrival*> arriving_;
  size_t beginning_ = 0;
  EventStream::Listening listening_;
  size_t object_forms_ = 0;
  std::map<PersonId, size_t> object_forms_of_;
};

// The frame of a page as the node shows it to whoever is not signed in.
[[nodiscard]] PageFrame page_frame(const coalition::World& world);
[[nodiscard]] std::string query_value(const net::Pairs& pairs, std::string_view name);  // empty: none
[[nodiscard]] net::ResponseHead redirect_head(std::string location);

}  // namespace entente::exchange
