// The node's API for operators: JSON over HTTP/1.1 on a local socket, and the same at the door for the
// console (console.h). Who asks is known by the socket's peer credentials, or by their sign-in; what they may
// do is asked of decide() like everything else, and each change is in the ledger before it is answered
// (narrowing acts first). docs/openapi.json describes it; a test holds the two against each other.
#pragma once

#include "coalition/decide.h"
#include "data/exposure.h"
#include "exchange/access_desk.h"
#include "exchange/switchboard.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "node/missions.h"
#include "node/operators.h"
#include "node/records.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace entente::node {

struct LinkState {
  PartnerCode partner;
  bool asking = false;   // our people can ask there
  bool serving = false;  // their people can ask here
};

class KeyDesk;
struct Foreseen;

class Api {
 public:
  struct Parts {
    Records& records;
    exchange::Switchboard& switchboard;
    exchange::AccessDesk& access;
    MissionDesk& missions;
    KeyDesk& keys;
    const Clock& clock;      // the wall's: what is written, and what ends from now on
    const Clock& decisions;  // what is asked, and what begins from now on: it never goes back
    PartnerCode self;
    std::function<std::vector<LinkState>()> links;
    // Why nobody can sign in, as it was last found; empty: they can.
    std::function<std::string()> provider_fault;
    // Whether somebody of this id is signed in here.
    std::function<bool(const PersonId&)> is_in;
    // An operator's answer to whoever asked for a release acts.
    std::function<void(const coalition::Release&)> release_answered;
    // Once it is written that the clock is right: ends what stands, and lets decisions go by it.
    std::function<void(const exchange::AccessDesk::Closing&)> put_right;
  };
  explicit Api(Parts parts);

  // Serves until the listener is closed.
  [[nodiscard]] net::Task<void> serve(net::Listener& listener);

  // The operator that a user of this machine is.
  [[nodiscard]] std::optional<Caller> local(uint32_t uid) const;
  // One call; `path` as on the request line.
  struct Answer {
    int status = 200;
    Json body;
  };
  [[nodiscard]] net::Task<Answer> call(Caller by, std::string method, std::string path, Json body);
  // How much waits for an answer of theirs, of what waits longest: {"count", "more"}.
  [[nodiscard]] Json requests_due(const Caller& by) const;
  [[nodiscard]] Json releases_due(const Caller& by) const;
  [[nodiscard]] static net::Task<Result<Json>> read_body(net::HttpCall& call);  // null where there is none
  [[nodiscard]] static net::Task<void> send(net::HttpCall& call, Answer answer);

 private:
  struct Route;
  struct Look;  // at a list: its record on the way to the disk
  struct Request {
    Caller by;
    std::string name;  // {..} of the route
    std::string path;
    std::string query;
    Json body;
    std::shared_ptr<Look> look{};
    bool preview = false;  // of what this would come to: nothing is changed
  };
  using Handler = net::Task<Answer> (Api::*)(Request);
  [[nodiscard]] static std::span<const Route> routes();

  // The name in the path, where it is that route's.
  [[nodiscard]] static std::optional<std::string_view> name_in(std::string_view path, const Route& route);
  net::Task<Answer> answer(const Route& route, Request request, bool looks);
  net::Task<void> connection(net::Socket socket);
  net::Task<Answer> list_partners(Request request);
  net::Task<Answer> suspend_partner(Request request);
  net::Task<Answer> resume_partner(Request request);
  net::Task<Answer> isolate_partner(Request request);
  net::Task<Answer> rejoin_partner(Request request);
  net::Task<Answer> list_apps(Request request);
  net::Task<Answer> withdraw_app(Request request);
  net::Task<Answer> list_domains(Request request);
  net::Task<Answer> list_sessions(Request request);
  net::Task<Answer> cut_session(Request request);
  net::Task<Answer> list_connectors(Request request);
  net::Task<Answer> add_connector(Request request);
  net::Task<Answer> cut_connector(Request request);
  net::Task<Answer> list_missions(Request request);
  net::Task<Answer> show_mission(Request request);
  net::Task<Answer> set_phase(Request request);
  net::Task<Answer> set_threat(Request request);
  net::Task<Answer> end_mission(Request request);
  net::Task<Answer> list_requests(Request request);
  net::Task<Answer> show_request(Request request);
  net::Task<Answer> approve_request(Request request);
  net::Task<Answer> deny_request(Request request);
  net::Task<Answer> list_grants(Request request);
  net::Task<Answer> revoke_grant(Request request);
  net::Task<Answer> list_delegations(Request request);
  net::Task<Answer> add_delegation(Request request);
  net::Task<Answer> end_delegation(Request request);
  net::Task<Answer> list_releases(Request request);
  net::Task<Answer> propose_release(Request request);
  net::Task<Answer> approve_release(Request request);
  net::Task<Answer> deny_release(Request request);
  net::Task<Answer> revoke_release(Request request);
  net::Task<Answer> list_recalls(Request request);
  net::Task<Answer> recall_object(Request request);
  net::Task<Answer> lift_recall(Request request);
  net::Task<Answer> reload_keys(Request request);
  net::Task<Answer> show_exposure(Request request);
  net::Task<Result<void>> read_exposure(data::Exposure* exposure, uint64_t until);
  // Whether what a recall names was ever released; nothing where that is not known soon.
  net::Task<std::optional<bool>> released_before(std::string kind, std::string what);
  [[nodiscard]] bool is_in_an_app(const PartnerCode& partner, const PersonId& person) const;
  net::Task<Json> report_exposure(const data::Exposure* exposure, data::ExposureFilter filter);
  net::Task<Answer> show_verdict(Request request);
  net::Task<Answer> show_ledger(Request request);
  net::Task<Answer> show_entry(Request request);
  net::Task<Answer> show_status(Request request);
  net::Task<Answer> show_clock(Request request);
  net::Task<Answer> accept_clock(Request request);

  // Asks decide(); the refusal as an answer, or nothing when it is permitted. Changes ask to administer,
  // lists to view. The verdict is recorded. By the time that decisions go by, but for what may put that
  // right.
  std::optional<Answer> refused(const Request& request, coalition::Action action, coalition::Target target,
                                std::string purpose, coalition::Verdict& verdict);
  std::optional<Answer> refused_at(Instant now, const Request& request, coalition::Action action,
                                   coalition::Target target, std::string purpose,
                                   coalition::Verdict& verdict);
  // At this node, or that part of it.
  std::optional<Answer> may_not_view(const Request& request, std::string purpose);
  std::optional<Answer> may_not_view(const Request& request, std::string purpose, coalition::Target target);
  // A look, to be on the disk before anything is seen.
  void record_look(const Request& request, ledger::Record record);
  // What would end if these records were so; and as an answer, when it is counted.
  net::Task<Answer> previewed(Request request, std::vector<coalition::Record> records);
  Answer foreseen(const Request& request, const Foreseen& counted);
  [[nodiscard]] Json mission_json(const coalition::Mission& mission) const;
  // An operator's word on a mission, asked of decide() and said as every change is.
  net::Task<Answer> say_of_mission(Request request, MissionDesk::Word word, std::string reason);
  [[nodiscard]] Json request_json(const coalition::AccessRequest& request) const;
  [[nodiscard]] Json request_row(const Caller& by, const coalition::AccessRequest& request) const;
  // Why an answer to somebody's request came to nothing: what decide() says of it, where it says no.
  [[nodiscard]] Answer unanswered(const Request& request, const AppId& app, const Error& why);
  [[nodiscard]] std::optional<Answer> not_released(const Request& request, coalition::Release& release,
                                                   bool gives, coalition::Verdict& verdict);
  [[nodiscard]] Result<coalition::Release> open_release(const Request& request) const;
  net::Task<Answer> end_release(Request request, bool revokes);
  net::Task<Answer> commit_release(Request request, coalition::Release release, std::string kind,
                                   coalition::Verdict verdict, std::string text);
  struct Words {       // of a change, for its answer
    std::string what;  // it concerns: "XBB"
    std::string done;  // "XBB is suspended"
    VerdictId verdict;
    Instant decided;
  };
  // Or says what it would come to, where that is what is asked.
  net::Task<Answer> change(Request request, Change change, Words words);
  net::Task<Answer> readmit(Request request, PartnerCode partner, Change change, Words words);
  // It was made, and counts, also while the disk does not take it.
  [[nodiscard]] static bool acts(const Request& request, const Answer& answer) {
    return !request.preview && (answer.status == 200 || answer.status == 507);
  }
  [[nodiscard]] Answer changed(const Result<Outcome>& outcome, const Words& words, bool narrowing) const;
  [[nodiscard]] ledger::Record disclosure(const coalition::Person& who,
                                          const coalition::Verdict& verdict) const;
  // Durable when it returns. `narrowing`: also on a disk that is full.
  net::Task<Result<void>> record(ledger::Record leaf, bool narrowing = true);

  Parts parts_;
  Instant started_;
  data::Exposure exposure_;     // of what the ledger held up to here
  bool reading_again_ = false;  // the ledger, for an exposure of its own
  bool searching_ = false;      // for a verdict
  size_t previews_ = 0;         // being counted
};

}  // namespace entente::node
