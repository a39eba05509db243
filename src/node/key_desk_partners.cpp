// What partners' nodes ask of the key service, and what it asks of theirs.
#include "base/log.h"
#include "identity/person.h"
#include "node/key_desk.h"
#include "node/key_voucher.h"

#include <utility>

namespace entente::node {
namespace {

constexpr size_t kViewIdMax = 64;

// Of a watch: none where the member is missing, nothing where it is no list of ids.
std::optional<std::vector<std::string>> view_ids(const Json* list) {
  std::vector<std::string> out;
  if (list == nullptr) return out;
  if (!list->is_array() || list->items().size() > ViewDesk::kWatchedMax) return std::nullopt;
  for (const Json& id : list->items()) {
    if (!id.is_string() || id.string().size() > kViewIdMax) return std::nullopt;
    out.push_back(id.string());
  }
  return out;
}

}  // namespace

// A partner needs not know by which sign-in somebody looks: it could tell two of their ids to be one
// person's.
data::KasCaller KeyDesk::for_partner(data::KasCaller caller, const PartnerCode& to) {
  if (caller.by.device.starts_with(kBrowser)) {
    caller.by.device =
        std::string(kBrowser) + base64url(crypto::sha256(identity::framed({caller.by.device, to.text()})));
  }
  return caller;
}

net::Task<Result<Json>> KeyDesk::ask_partner(PartnerCode to, data::KasCaller caller, Json request) {
  std::string text = request.dump();
  const PersonId pairwise = parts_.pairwise(caller.person.id, to);
  caller = for_partner(std::move(caller), to);
  Result<std::string> voucher =
      sign_voucher(parts_.statement_key, parts_.self, to, caller, pairwise, text, parts_.clock.now());
  if (!voucher) co_return Failure(voucher.error());
  Json whole = Json::object({{"voucher", *voucher}, {"request", text}});
  std::string body = whole.dump();
  Result<std::string> answer = co_await parts_.ask_partner(std::move(to), std::move(body));
  if (!answer) co_return Failure(answer.error());
  co_return Json::parse(*answer, {.bytes_max = 4 << 20, .depth_max = 16});
}

Result<data::KasCaller> KeyDesk::vouched(const PartnerCode& from, const Json& body) {
  const coalition::Partner* partner = parts_.records.world().partner(from);
  if (partner == nullptr) return fail("node.voucher", "nobody here knows that nation");
  const Instant now = parts_.clock.now();
  TRY(Voucher voucher,
      check_voucher(body.text_or("voucher", ""), *partner, parts_.self, body.text_or("request", ""), now));
  TRY_VOID(vouchers_.use(from, voucher, now));
  return std::move(voucher.caller);
}

net::Task<data::KasAnswer> KeyDesk::watched(PartnerCode from, Watch watch) {
  Result<Json> body =
      co_await parts_.views.watched(std::move(from), std::move(watch.ids), std::move(watch.closed));
  data::KasAnswer answer = data::connect_error("resource_exhausted", "It is asked too often.");
  if (body) {
    answer = data::KasAnswer();
    answer.body = *std::move(body);
  }
  co_return answer;
}

// Nothing of the text, nor of what it was read into, is kept from here on: a disk may take long.
std::variant<data::KasAnswer, KeyDesk::Watch, KeyDesk::Vouched> KeyDesk::hear(const PartnerCode& from,
                                                                              std::string body) {
  const data::KasAnswer odd = data::connect_error("invalid_argument", "The request cannot be read.");
  Result<Json> said = Json::parse(body, {.bytes_max = 4 << 20, .depth_max = 4});
  if (!said) return odd;
  if (const Json* watch = said->find("watch")) {
    std::optional<std::vector<std::string>> ids = view_ids(watch);
    std::optional<std::vector<std::string>> closed = view_ids(said->find("closed"));
    if (ids && closed) return Watch{*std::move(ids), *std::move(closed)};
    return data::connect_error("invalid_argument", "The watch cannot be read.");
  }
  const Result<Json> wanted =
      Json::parse(said->text_or("request", ""), {.bytes_max = data::kRewrapBytesMax * 2, .depth_max = 16});
  if (!wanted || kas_.url().empty()) return odd;
  Result<data::RewrapRequest> request = data::read_rewrap(*wanted);
  if (!request) return odd;
  Result<data::KasCaller> caller = vouched(from, *said);
  if (caller) return Vouched{*std::move(caller), *std::move(request)};
  log(LogLevel::warning, "node", "a partner's voucher was not taken",
      {{"partner", from.text()}, {"why", caller.error().text()}});
  return caller.error().code() == "node.vouchers-full"
             ? data::connect_error("unavailable", "This nation asks for more than it may; try again.")
             : data::connect_error("unauthenticated", "The voucher is not good.");
}

net::Task<std::string> KeyDesk::serve_partner(PartnerCode from, std::string body) {
  use_own_url();
  auto heard = hear(from, std::exchange(body, {}));
  data::KasAnswer answer;
  if (auto* watch = std::get_if<Watch>(&heard)) {
    answer = co_await watched(std::move(from), std::move(*watch));
  } else if (auto* asked = std::get_if<Vouched>(&heard)) {
    data::Kas::Step step =
        kas_.take_for(std::move(asked->caller), std::move(asked->request), parts_.records.world(), at());
    answer = co_await walk(std::move(step));
  } else {
    answer = std::get<data::KasAnswer>(std::move(heard));
  }
  if (!answer.leaves.empty()) record_later(std::move(answer.leaves));
  const Json out = Json::object({{"status", answer.status}, {"body", std::move(answer.body)}});
  co_return out.dump();
}

}  // namespace entente::node
