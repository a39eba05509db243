// How the node is: what works, and what to do about what does not.
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

struct StatusCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  const Clock& clock;
  PartnerCode self;
  std::function<std::vector<LinkState>()> links;
  std::function<std::string()> provider_fault;
  Instant started;

  net::Task<Answer> show(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> status_routes(ApiCore& api, const Api::Parts& parts) {
  return routes_of(StatusCalls{api, parts.records, parts.switchboard, parts.clock, parts.self, parts.links,
                               parts.provider_fault, parts.clock.now()},
                   {
                       {"GET", "/v1/status", &StatusCalls::show},
                   });
}

net::Task<Answer> StatusCalls::show(ApiRequest request) {
  if (auto no = api.may_not_view(request, "status")) co_return *no;
  Json checks = Json::array();
  const auto check = [&](std::string_view state, std::string_view name, std::string text, std::string hint) {
    checks.push(Json::object(
        {{"state", state}, {"name", name}, {"text", std::move(text)}, {"hint", std::move(hint)}}));
  };
  const coalition::World& world = records.world();
  check("good", "node", fmt::format("{} since {}", self.text(), rfc3339(started)), "");
  const uint64_t revision = records.durable_world().revision().value;
  check("good", "world", fmt::format("revision {}", revision), "");
  const size_t owed = records.owed();
  check(owed == 0 ? "good" : "bad", "ledger",
        owed == 0 ? fmt::format("{} entries", records.ledger().size())
                  : fmt::format("{} entries; {} changes are fenced, not yet durable", records.ledger().size(),
                                owed),
        owed == 0
            ? ""
            : "make space on the disk of the data folder, or mend it; they are written by themselves then");
  if (const std::optional<Error>& wrong = records.miscounted())
    check("bad", "counts of requests", wrong->text(), "the node works; entente ledger verify says the same");
  const Millis ahead = switchboard.ahead();
  check(ahead == Millis(0) ? "good" : "bad", "clock",
        ahead == Millis(0) ? "decisions go by the wall clock"
                           : fmt::format("decisions are {} s ahead of the wall clock, which was set back",
                                         ahead.count() / 1'000),
        ahead == Millis(0) ? ""
                           : "if it was ahead before and is right now: entente clock accept --reason TEXT");
  if (const std::string fault = provider_fault(); !fault.empty())
    check(
        "bad", "identity provider", fault,
        "nobody can sign in: see that it runs, that the node reaches it, and that `trust` has its authority");
  const std::vector<LinkState> states = links();
  for (const coalition::Partner* partner : world.partners()) {
    if (partner->code == self) continue;
    const bool shut = !partner->is_open();
    LinkState state{partner->code, false, false};
    for (const LinkState& link : states) {
      if (link.partner == partner->code) state = link;
    }
    const bool well = state.asking && state.serving;
    const std::optional<std::string> by_them = switchboard.core().told_shut(partner->code);
    if (!shut && well && by_them) {
      check("bad", fmt::format("link {}", partner->code.text()), *by_them,
            "nothing is wrong with the link: ask their operators");
      continue;
    }
    check(shut || well ? "good" : "bad", fmt::format("link {}", partner->code.text()),
          shut   ? fmt::format("{}: {}", shut_name(*partner), shut_reason(*partner))
          : well ? "open both ways"
                 : fmt::format("asking {}, serving {}", state.asking ? "open" : "down",
                               state.serving ? "open" : "down"),
          shut || well ? ""
                       : "check that the partner's node runs and can be reached, and that both pin each "
                         "other's link certificate");
  }
  const auto up = switchboard.core().connectors();
  for (const coalition::Connector* connector : world.connectors()) {
    const bool is_up =
        std::any_of(up.begin(), up.end(), [&](const auto& entry) { return entry.id == connector->id; });
    check(is_up ? "good" : "bad", fmt::format("connector {}", connector->id.text()),
          is_up ? "up" : "not connected",
          is_up ? "" : "start it beside its app: entente connector --config FILE");
  }
  for (const auto& connector : up) {
    for (const auto& [app, until] : connector.away) {
      if (!switchboard.core().roster().doubted(connector.id, app, clock.tick())) continue;
      check("bad", fmt::format("app {}", app.text()),
            fmt::format("connector {} did not reach it when somebody asked", connector.id.text()),
            "see that the app runs, and listens where that connector's configuration says");
    }
  }
  co_return Answer{200,
                   Json::object({{"partner", self.text()},
                                 {"revision", revision},
                                 {"sessions", static_cast<int64_t>(switchboard.core().sessions().size())},
                                 {"checks", std::move(checks)}})};
}

}  // namespace entente::node
