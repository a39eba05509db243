// What was released of sealed objects, to whom, and what can still be opened.
#include "data/policy_id.h"
#include "net/url.h"
#include "node/api.h"
#include "node/api_answers.h"
#include "node/recall_order.h"

#include <charconv>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr Millis kReleasedBeforeMax{2'000};  // an answer to a recall waits for no more of the ledger

Failure wrong_query(std::string_view where, std::string what, std::string hint) {
  return fail("field.value", std::move(what), std::string(where), std::move(hint));
}

Result<data::ExposureFilter> read_filter(const std::string& query) {
  TRY(const net::Pairs pairs, net::parse_form(query));
  data::ExposureFilter out;
  for (const auto& [name, text] : pairs) {
    if (name == "partner") {
      out.partner = text;
    } else if (name == "person") {
      out.person = text;
    } else if (name == "object") {
      out.object = data::plain_policy_id(text);
    } else if (name == "device") {
      out.device = text;
    } else if (name == "before") {
      const char* const end = text.data() + text.size();
      const auto read = std::from_chars(text.data(), end, out.before);
      if (read.ec != std::errc() || read.ptr != end || out.before == 0)
        return wrong_query("before", "this is no entry of the ledger", "the number that the last page had");
    } else {
      return wrong_query(name, "nothing of what was released has this",
                         "partner, person, object, device, or before");
    }
  }
  return out;
}

bool is_narrow(const data::ExposureFilter& filter) {
  return !filter.partner.empty() || !filter.person.empty() || !filter.object.empty() ||
         !filter.device.empty();
}

Api::Answer unread(const data::Exposure& exposure, const Error& why) {
  return refusal(503,
                 {"exposure.unread",
                  fmt::format("entry {} of the ledger cannot be read: {}", exposure.read(), why.what()),
                  why.where(), "What was released cannot be told before it can: `entente ledger verify`."});
}

struct Held {  // however that ends
  explicit Held(bool& flag) : flag_(flag) { flag_ = true; }
  ~Held() { flag_ = false; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  bool& flag_;
};

}  // namespace

// What the ledger has got since it was last asked; the loop goes on in between.
net::Task<Result<void>> Api::read_exposure(data::Exposure* exposure, uint64_t until) {
  for (bool more = true; more;) {
    const Result<bool> read = exposure->read_on(parts_.records.ledger(), until, data::kExposureReadAtOnce);
    if (!read) co_return Failure(read.error());
    more = *read;
    co_await parts_.switchboard.loop().sleep(Millis(0));
  }
  co_return Result<void>();
}

net::Task<std::optional<bool>> Api::released_before(std::string kind, std::string what) {
  if (const auto known = exposure_.knows(kind, what); known == true) co_return known;
  const uint64_t until = parts_.records.ledger().size();
  const Tick start = parts_.clock.tick();
  for (bool more = true; more;) {
    const Result<bool> read = exposure_.read_on(parts_.records.ledger(), until, data::kExposureReadAtOnce);
    if (!read) co_return std::nullopt;
    more = *read;
    if (more && parts_.clock.tick() - start > kReleasedBeforeMax) co_return std::nullopt;
    co_await parts_.switchboard.loop().sleep(Millis(0));
  }
  co_return exposure_.knows(kind, what);
}

net::Task<Json> Api::report_exposure(const data::Exposure* exposure, data::ExposureFilter filter) {
  data::ExposureReport report(*exposure, std::move(filter), parts_.records.world(), parts_.decisions.now());
  while (report.step(data::kExposureGroupsAtOnce)) co_await parts_.switchboard.loop().sleep(Millis(0));
  Json said = report.take();
  // What it can be checked by: a checkpoint of that many entries or more, which the ledger's proofs lead to.
  said.set("checkpoint", parts_.records.ledger().checkpoint());
  co_return said;
}

net::Task<Api::Answer> Api::show_exposure(Request request) {
  if (auto no = may_not_view(request, "exposure")) co_return *no;
  const Result<data::ExposureFilter> filter = read_filter(request.query);
  if (!filter) co_return refusal(400, filter.error());
  const uint64_t until = parts_.records.ledger().size();
  const Result<void> read = co_await read_exposure(&exposure_, until);
  if (!read) co_return unread(exposure_, read.error());
  const Result<void> checked =
      check_exposure(parts_.records.world(), *filter,
                     [this](std::string_view partner) { return exposure_.names_partner(partner); });
  if (!checked) co_return refusal(400, checked.error());
  if (!is_narrow(*filter) || exposure_.incomplete(*filter) == 0) {
    Json said = co_await report_exposure(&exposure_, *filter);
    co_return Answer{200, std::move(said)};
  }
  // Some of it had no room beside all else: read for this alone, it has. As much memory again, so one at a
  // time.
  if (reading_again_)
    co_return refusal(
        429,
        {"api.busy", "the ledger is being read for another such question now", {}, "ask again in a moment"});
  const Held held(reading_again_);
  data::Exposure own(parts_.self, *filter);
  const Result<void> again = co_await read_exposure(&own, until);
  if (!again) co_return unread(own, again.error());
  Json said = co_await report_exposure(&own, *filter);
  co_return Answer{200, std::move(said)};
}

}  // namespace entente::node
