#include "node/key_voucher.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kAt = from_unix_seconds(1'800'000'000);
const PartnerCode kXaa("XAA");
const PartnerCode kXbb("XBB");

data::KasCaller ingrid() {
  data::KasCaller out;
  out.person.id = PersonId("ingrid-at-home");
  out.person.partner = kXbb;
  out.person.facts["clearance"] = {std::string("SECRET"), "idp", kAt + std::chrono::hours(1)};
  out.person.facts["email"] = {std::string("ingrid@xbb.example"), "idp", kAt + std::chrono::hours(1)};
  out.context["risk"] = {int64_t{0}, "node", kAt + std::chrono::hours(1)};
  out.context["enforces"] = {std::vector<std::string>{"watermark"}, "node", kAt + std::chrono::hours(1)};
  out.by.device = "thumbprint";
  out.by.named = {"XBB/ingrid-at-home"};
  return out;
}

struct Nations {
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  coalition::Partner xbb;
  Nations() {
    xbb.code = kXbb;
    xbb.statement_keys = crypto::KeySet::from_keys(
                             {{key.public_key().thumbprint(), crypto::SignatureAlg::ES256, key.public_key()}})
                             ->json();
  }
  [[nodiscard]] std::string voucher(std::string_view request = "request") const {
    return sign_voucher(key, kXbb, kXaa, ingrid(), PersonId("pairwise"), request, kAt).value();
  }
};

}  // namespace

TEST_CASE(
    "a voucher says whose person asks, under the id made for that nation, and no more than is decided on") {
  const Nations nations;
  const auto read = check_voucher(nations.voucher(), nations.xbb, kXaa, "request", kAt);
  REQUIRE_MESSAGE(read, read.error().text());
  CHECK(read->caller.person.id == PersonId("pairwise"));
  CHECK(read->caller.person.partner == kXbb);
  CHECK(read->caller.person.facts.contains("clearance"));
  CHECK_FALSE(read->caller.person.facts.contains("email"));
  CHECK_FALSE(read->caller.context.contains("enforces"));
  CHECK(read->caller.by.device == "thumbprint");
  CHECK(read->caller.by.named == std::vector<std::string>{"XBB/ingrid-at-home"});
}

TEST_CASE("attack: a voucher says more of its person than nations tell each other") {
  const Nations nations;
  const std::string good = nations.voucher();
  const size_t first = good.find('.') + 1;
  Json claims =
      Json::parse(as_text(*from_base64url(good.substr(first, good.find('.', first) - first)))).value();
  Json facts = *claims.find("facts");
  Json email = *facts.find("clearance");
  facts.set("email", email.set("value", "konrad@xaa.example"));
  claims.set("facts", facts);
  const std::string jws = crypto::sign_jwt(nations.key,
                                           {.alg = crypto::SignatureAlg::ES256,
                                            .typ = "entente-key-request+jwt",
                                            .kid = nations.key.public_key().thumbprint()},
                                           claims)
                              .value();
  const auto read = check_voucher(jws, nations.xbb, kXaa, "request", kAt);
  REQUIRE_MESSAGE(read, read.error().text());
  CHECK(read->caller.person.facts.contains("clearance"));
  CHECK_FALSE(read->caller.person.facts.contains("email"));
}

TEST_CASE("attack: a voucher names its person as somebody of another nation, or as many") {
  const Nations nations;
  const auto taken = [&](std::vector<std::string> names) {
    data::KasCaller caller = ingrid();
    caller.by.named = std::move(names);
    const std::string voucher =
        sign_voucher(nations.key, kXbb, kXaa, caller, PersonId("pairwise"), "request", kAt).value();
    return check_voucher(voucher, nations.xbb, kXaa, "request", kAt).has_value();
  };
  CHECK(taken({"XBB/ingrid@xbb.example"}));
  CHECK_FALSE(taken({"XAA/konrad"}));
  CHECK_FALSE(taken({"konrad@xaa.example"}));
  CHECK_FALSE(taken(std::vector<std::string>(5, "XBB/ingrid")));
}

TEST_CASE("attack: a voucher is used twice, and one nation fills its memory for all") {
  UsedVouchers used(kAt, 2);
  const auto voucher = [](std::string id, Seconds life) {
    Voucher out;
    out.id = std::move(id);
    out.begin = kAt;
    out.end = kAt + life;
    return out;
  };
  CHECK(used.use(kXbb, voucher("a", Seconds(120)), kAt).has_value());
  CHECK(used.use(kXbb, voucher("a", Seconds(120)), kAt).error().code() == "node.voucher");
  CHECK(used.use(kXaa, voucher("a", Seconds(120)), kAt).has_value());
  CHECK(used.use(kXbb, voucher("b", Seconds(60)), kAt).has_value());
  CHECK(used.use(kXbb, voucher("c", Seconds(60)), kAt).error().code() == "node.vouchers-full");
  CHECK(used.use(PartnerCode("XCC"), voucher("c", Seconds(60)), kAt).has_value());
  // One that ended makes room, whichever came first.
  CHECK(used.use(kXbb, voucher("c", Seconds(120)), kAt + Seconds(60)).has_value());
  CHECK(used.use(kXbb, voucher("a", Seconds(120)), kAt + Seconds(60)).error().code() == "node.voucher");
}

TEST_CASE("attack: a voucher from before the service began is used again") {
  UsedVouchers used(kAt);
  Voucher voucher;
  voucher.id = "a";
  voucher.begin = kAt - Seconds(1);
  voucher.end = kAt + Seconds(60);
  CHECK(used.use(kXbb, voucher, kAt).error().code() == "node.voucher");
  voucher.begin = kAt;
  CHECK(used.use(kXbb, voucher, kAt).has_value());
  // Nor one from before the clock was put right.
  used.go_on_from(kAt + Seconds(10));
  voucher.id = "b";
  CHECK(used.use(kXbb, voucher, kAt).error().code() == "node.voucher");
  voucher.begin = kAt + Seconds(10);
  CHECK(used.use(kXbb, voucher, kAt + Seconds(10)).has_value());
}

TEST_CASE("attack: a voucher for another request, node, nation or time") {
  const Nations nations;
  const std::string good = nations.voucher();
  CHECK(check_voucher(good, nations.xbb, kXaa, "another", kAt).error().code() == "node.voucher");
  CHECK_FALSE(check_voucher(good, nations.xbb, PartnerCode("XCC"), "request", kAt).has_value());
  coalition::Partner xcc = nations.xbb;
  xcc.code = PartnerCode("XCC");
  CHECK_FALSE(check_voucher(good, xcc, kXaa, "request", kAt).has_value());
  CHECK_FALSE(check_voucher(good, nations.xbb, kXaa, "request", kAt + Seconds(121)).has_value());
  const Nations others;
  CHECK_FALSE(check_voucher(good, others.xbb, kXaa, "request", kAt).has_value());
}
