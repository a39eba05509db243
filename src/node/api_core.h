// What every call of the operators' API goes through, whatever its subject: decide() is asked, who looks is
// recorded, and a change is committed, counted or answered in one way. Each subject is a file of its own
// (api_access.cpp, ...): what it needs, its routes, and what answers them. Private to the room.
#pragma once

#include "coalition/decide.h"
#include "node/api.h"
#include "node/records.h"

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace entente::node {

struct Foreseen;
using Answer = Api::Answer;

struct ApiLook {  // at a list: its record on the way to the disk
  explicit ApiLook(net::Loop& loop) : done(loop) {}
  net::Event done;
  size_t under_way = 0;
  std::optional<Error> why_not;
};

struct ApiRequest {
  Caller by;
  std::string name;  // {..} of the route
  std::string path;
  std::string query;
  Json body;
  std::shared_ptr<ApiLook> look{};
  bool preview = false;  // of what this would come to: nothing is changed
};

struct ApiRoute {
  std::string_view method;
  std::string_view path;  // "{}" stands for one segment
  std::function<net::Task<Answer>(ApiRequest)> handler;
  // socket_only: it answers a secret, which no browser is to hold
  enum class Also { nothing, preview, socket_only } also = Also::nothing;
};

class ApiCore {
 public:
  explicit ApiCore(const Api::Parts& parts);

  // Asks decide(); the refusal as an answer, or nothing when it is permitted. Changes ask to administer,
  // lists to view. The verdict is recorded. By the time that decisions go by, but for what may put that
  // right.
  std::optional<Answer> refused(const ApiRequest& request, coalition::Action action, coalition::Target target,
                                std::string purpose, coalition::Verdict& verdict);
  std::optional<Answer> refused_at(Instant now, const ApiRequest& request, coalition::Action action,
                                   coalition::Target target, std::string purpose,
                                   coalition::Verdict& verdict);
  // At this node, or that part of it.
  std::optional<Answer> may_not_view(const ApiRequest& request, std::string purpose);
  std::optional<Answer> may_not_view(const ApiRequest& request, std::string purpose,
                                     coalition::Target target);

  struct Words {       // of a change, for its answer
    std::string what;  // it concerns: "XBB"
    std::string done;  // "XBB is suspended"
    VerdictId verdict;
    Instant decided;
  };
  // Commits and answers, for every change alike, or says what it would come to, where that is what is asked.
  // A narrowing one acts when this is called, whatever the disk says: then the answer is "fenced, not yet
  // durable".
  net::Task<Answer> change(ApiRequest request, Change change, Words words);
  // It was made, and counts, also while the disk does not take it.
  [[nodiscard]] static bool acts(const ApiRequest& request, const Answer& answer) {
    return !request.preview && (answer.status == 200 || answer.status == 507);
  }
  [[nodiscard]] static Answer changed(const Result<Outcome>& outcome, const Words& words, bool narrowing);
  // What a change would end, as an answer, when it is counted.
  Answer foreseen(const ApiRequest& request, const Foreseen& counted);
  // Durable when it returns. `narrowing`: also on a disk that is full.
  net::Task<Result<void>> record(ledger::Record leaf, bool narrowing = true);

 private:
  // A look, to be on the disk before anything is seen.
  void record_look(const ApiRequest& request, ledger::Record record);
  // What would end if these records were so.
  net::Task<Answer> previewed(ApiRequest request, std::vector<coalition::Record> records);

  const Api::Parts& parts_;
  size_t previews_ = 0;  // being counted
};

// Said to be under way for as long as this lives, however that ends.
struct Held {
  explicit Held(bool& flag) : flag_(flag) { flag_ = true; }
  ~Held() { flag_ = false; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  bool& flag_;
};

template <class Calls>
struct RouteTo {
  std::string_view method;
  std::string_view path;
  net::Task<Answer> (Calls::*handler)(ApiRequest);
  ApiRoute::Also also = ApiRoute::Also::nothing;
};

// Those of one subject, which lives as long as they do.
template <class Calls>
std::vector<ApiRoute> routes_of(Calls calls,
                                std::type_identity_t<std::initializer_list<RouteTo<Calls>>> table) {
  const auto kept = std::make_shared<Calls>(std::move(calls));
  std::vector<ApiRoute> out;
  for (const RouteTo<Calls>& one : table) {
    const auto call = [kept, handler = one.handler](ApiRequest request) {
      return (kept.get()->*handler)(std::move(request));
    };
    out.push_back({one.method, one.path, call, one.also});
  }
  return out;
}

// Each in the file of its name.
std::vector<ApiRoute> access_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> apps_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> clock_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> connectors_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> keys_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> ledger_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> missions_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> objects_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> partners_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> releases_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> sessions_routes(ApiCore& api, const Api::Parts& parts);
std::vector<ApiRoute> status_routes(ApiCore& api, const Api::Parts& parts);

}  // namespace entente::node
