// bench_rewrap POLICIES TURNS: what the key service spends on one request without TLS, sockets and disk:
// token, proof and signature checked, decided, unwrapped, bound, wrapped for the client, answered; for shares
// under RSA and EC keys; and for one that is denied. Each with an access token that was shown before, as a
// client does until it ends, and with a new one every time. Beside it the public and private key operations
// that such a request cannot do without, as `openssl speed` measures them. A turn has nine times four of
// each, medians of CPU time in microseconds, so that both see the same machine and bear the same clock; what
// is said of a row is the median of all turns, and so are share and margin, which each turn has of its own,
// once of the medians and once of the quickest tenth on both sides. And how long an answer takes by the clock
// when requests, RSA and EC in turn, come at half the rate that is possible, each at a time of its own
// whether or not the one before is done; and the same with a ledger on a disk, at half the rate that it
// allows
// (`recorded_load.h`). A line of JSON. With rsa, ec or denied behind it, or one of these
// with -new: that many requests alone, for a profiler; all of a request is in Service::serve().
#include "coalition/levels.h"
#include "crypto/openssl_heap.h"
#include "data/kas.h"
#include "identity/token_people.h"
#include "objects.h"
#include "openssl_operations.h"
#include "recorded_load.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

namespace {

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::SignatureAlg;

constexpr std::string_view kUrl = "https://kas.xaa.localhost:8441";
constexpr std::string_view kIssuer = "https://idp.xaa.localhost:8451";

struct Keys {
  PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  PrivateKey ec = PrivateKey::generate(KeyKind::p256);
  PrivateKey issuer = PrivateKey::generate(KeyKind::p256);
  PrivateKey device = PrivateKey::generate(KeyKind::p256);
  PrivateKey client = PrivateKey::generate(KeyKind::p256);
};
const Keys& keys() {
  static const Keys made;
  return made;
}

// The demonstration's, for these tokens.
identity::Crosswalk crosswalk(const std::string& policies) {
  const std::filesystem::path demo = std::filesystem::path(policies).parent_path();
  const Json genesis = bench::json(bench::whole_file(demo / "genesis-xaa.json"));
  Json out = *genesis.find("records")->find("crosswalk/main");
  out.set("valid", Json::object({{"from", rfc3339(bench::kNow - std::chrono::hours(1))},
                                 {"until", rfc3339(bench::kNow + std::chrono::hours(9))}}));
  out.set("issuers", Json::array({Json(kIssuer)}));
  return identity::Crosswalk::load(out).value();
}

Kas::Parts parts(const std::string& policies) {
  std::vector<KasKey> held;
  held.push_back({"2026-11-01-ec", keys().ec});
  held.push_back({"2026-11-01-rsa", keys().rsa});
  Kas::Parts out{
      .self = PartnerCode("XAA"),
      .url = std::string(kUrl),
      .keys = KasKeys::from(std::move(held)).value(),
      .person = [people = identity::TokenPeople(crosswalk(policies))](
                    const identity::AccessToken& token,
                    Instant now) mutable { return people.person(token, coalition::kLevels.size() - 1, now); },
      .counts = [](const PersonId&, Instant, Instant) { return Result<void>{}; },
      .context =
          [](Instant) {
            coalition::Facts facts;
            facts["risk"] = bench::fact(int64_t{0});
            facts["network"] = bench::fact(std::string("door"));
            return facts;
          }};
  out.limits.objects_burst = 50'000'000;
  out.limits.refusals_burst = 50'000'000;  // each is recorded: the most a denial can cost
  return out;
}

// Some hundred objects take turns.
std::string policy_of(std::string_view classification, size_t number) {
  DataPolicy out;
  out.uuid = fmt::format("5e0f3a52-0000-4000-8000-{:012}", number % 100);
  for (const std::string& fqn :
       {bench::object_value("classification", classification), bench::object_value("originator", "xaa")})
    out.attributes.push_back(parse_attribute(fqn).value());
  return write_policy(out);
}

std::string access_token(size_t number) {
  const Json claims =
      Json::object({{"iss", kIssuer},
                    {"aud", kUrl},
                    {"sub", "planner"},
                    {"jti", fmt::format("token-{}", number)},
                    {"client_id", "opentdf"},
                    {"clearance", "DIENST-1"},
                    {"countryOfAffiliation", "ALDORIA"},
                    {"funktion", "lagezentrum"},
                    {"acr", "urn:xaa:ausweis:karte"},
                    {"amr", Json::array({"hwk", "pin"})},
                    {"iat", unix_seconds(bench::kNow)},
                    {"exp", unix_seconds(bench::kNow) + 600},
                    {"cnf", Json::object({{"jkt", keys().device.public_key().thumbprint()}})}});
  return crypto::sign_jwt(keys().issuer, {.alg = SignatureAlg::ES256, .typ = "at+jwt", .kid = "k"}, claims)
      .value();
}

std::string proof(const std::string& token, size_t number) {
  const Json header =
      Json::object({{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", keys().device.public_key().jwk()}});
  const Json claims = Json::object({{"jti", fmt::format("proof-{}", number)},
                                    {"htm", "POST"},
                                    {"htu", std::string(kUrl) + "/v2/rewrap"},
                                    {"iat", unix_seconds(bench::kNow)},
                                    {"ath", base64url(crypto::sha256(token))}});
  const std::string covered = base64url(as_bytes(header.dump())) + "." + base64url(as_bytes(claims.dump()));
  return covered + "." + base64url(keys().device.sign(SignatureAlg::ES256, as_bytes(covered)).value());
}

// As an unmodified client writes it.
KasRequest request_for(const PrivateKey& key, const std::string& kid, const std::string& policy,
                       const std::string& token, size_t number) {
  const crypto::Secret share = crypto::Secret::random(32);
  const Json access =
      write_key_access(wrap_share(share, {key.public_key(), std::string(kUrl), kid, ""}, policy).value());
  const Json wanted = Json::object({{"keyAccessObjectId", "kao-0"}, {"keyAccessObject", access}});
  const Json one = Json::object({{"policy", Json::object({{"id", "p"}, {"body", policy}})},
                                 {"keyAccessObjects", Json::array({wanted})}});
  const Json body =
      Json::object({{"clientPublicKey", keys().client.public_key().pem()}, {"requests", Json::array({one})}});
  const Json claims = Json::object({{"requestBody", body.dump()},
                                    {"iat", unix_seconds(bench::kNow)},
                                    {"exp", unix_seconds(bench::kNow) + 60}});
  KasRequest out;
  out.path = "/v2/rewrap";
  out.authorization = "DPoP " + token;
  out.dpop = proof(token, number);
  out.body = Json::object(
                 {{"signedRequestToken",
                   crypto::sign_jwt(keys().device, {.alg = SignatureAlg::ES256, .typ = {}, .kid = {}}, claims)
                       .value()}})
                 .dump();
  return out;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// In microseconds: the median, and what the quickest tenth stays below, which other work on the machine
// touched least.
struct Cost {
  double middle = 0, quick = 0;
  Cost operator+(const Cost& other) const { return {middle + other.middle, quick + other.quick}; }
};
Cost operator*(double times, const Cost& cost) {
  return {times * cost.middle, times * cost.quick};
}

// Of so many samples, each the mean of a few in a row.
template <class Do>
Cost cost_of(size_t samples, size_t in_a_row, Do once) {
  std::vector<double> seen;
  for (size_t i = 0; i < samples; ++i) {
    const double began = bench::clock_us(CLOCK_THREAD_CPUTIME_ID);
    for (size_t j = 0; j < in_a_row; ++j) once(i * in_a_row + j);
    seen.push_back((bench::clock_us(CLOCK_THREAD_CPUTIME_ID) - began) / static_cast<double>(in_a_row));
  }
  std::ranges::sort(seen);
  return {seen[seen.size() / 2], seen[seen.size() / 10]};
}

struct What {
  bool ec = false;
  bool permits = true;
  bool new_token = false;
};
constexpr What kRsa{}, kEc{.ec = true};

struct Row {
  std::string_view name;
  What what;
};
constexpr std::array<Row, 6> kRows{{{"rsa", kRsa},
                                    {"rsa-new", {.new_token = true}},
                                    {"ec", kEc},
                                    {"ec-new", {.ec = true, .new_token = true}},
                                    {"denied", {.permits = false}},
                                    {"denied-new", {.permits = false, .new_token = true}}}};

// One operation each.
struct Peer {
  Cost verify, sign, agree, rsa;

  // Three signatures are checked (access token, proof, request), of which the token's is remembered; the
  // share is unwrapped; an ephemeral key and an agreement for the client. A key is made as a signature is:
  // one product of the curve's base point.
  [[nodiscard]] Cost least(const What& what) const {
    const Cost checks = (what.new_token ? 3 : 2) * verify;
    return what.permits ? checks + (what.ec ? agree : rsa) + sign + agree : checks;
  }
};

struct Service {
  coalition::World world;
  Kas kas;
  Kas::Issuer issuer;
  size_t proofs = 0;

  explicit Service(const std::string& policies) : world(bench::object_world(policies)), kas(parts(policies)) {
    issuer.settings.issuer = kIssuer;
    issuer.settings.audience = kUrl;
    issuer.keys = crypto::KeySet::from_keys({{"k", SignatureAlg::ES256, keys().issuer.public_key()}}).value();
  }
  void serve(const KasRequest& request, bool permits) {
    KasMoment at{bench::kNow, Tick{} + std::chrono::hours(1)};
    Kas::Step step = kas.take(request, &issuer, world, at);
    while (auto* write = std::get_if<Kas::Write>(&step)) {
      at.now += Millis(2);  // a disk takes its time
      at.tick += Millis(2);
      step = kas.written(std::move(*write), {}, world, at);
    }
    const std::string answer = std::get<KasAnswer>(step).body.dump();
    if (answer.find(permits ? "\"permit\"" : "\"fail\"") == std::string::npos) {
      fmt::print(stderr, "bench_rewrap: this measures the wrong thing: {}\n", answer);
      std::exit(1);
    }
  }
  KasRequest next(const What& what) {
    ++proofs;
    static const std::string known = access_token(0);
    const std::string token = what.new_token ? access_token(proofs) : known;
    return request_for(what.ec ? keys().ec : keys().rsa, what.ec ? "2026-11-01-ec" : "2026-11-01-rsa",
                       policy_of(what.permits ? "unclassified" : "secret", proofs), token, proofs);
  }
  Cost rewrap(const What& what, size_t samples, size_t in_a_row) {
    std::vector<KasRequest> requests;
    requests.reserve(samples * in_a_row);
    for (size_t i = 0; i < samples * in_a_row; ++i) requests.push_back(next(what));
    return cost_of(samples, in_a_row, [&](size_t i) { serve(requests[i], what.permits); });
  }
  Json turns(size_t count) {
    constexpr size_t kSamples = 9, kInARow = 4;
    bench::Operations does;
    std::map<std::string, std::vector<double>, std::less<>> seen;
    const auto note = [&](std::string_view row, std::string_view of, double value) {
      seen[fmt::format("{}.{}", row, of)].push_back(value);
    };
    for (size_t turn = 0; turn < count; ++turn) {
      const Peer peer{cost_of(kSamples, kInARow, [&](size_t) { does.verify(); }),
                      cost_of(kSamples, kInARow, [&](size_t) { does.sign(); }),
                      cost_of(kSamples, kInARow, [&](size_t) { does.agree(); }),
                      cost_of(kSamples, kInARow, [&](size_t) { does.rsa(); })};
      note("operation", "verify", peer.verify.middle);
      note("operation", "sign", peer.sign.middle);
      note("operation", "agree", peer.agree.middle);
      note("operation", "rsa", peer.rsa.middle);
      for (size_t i = 0; i < kRows.size(); ++i) {
        const auto& [name, what] = kRows[(i + turn) % kRows.size()];
        const Cost ours = rewrap(what, kSamples, kInARow), least = peer.least(what);
        note(name, "ours_us", ours.middle);
        note(name, "least_us", least.middle);
        note(name, "share", least.middle / ours.middle);
        note(name, "more_us", ours.middle - least.middle);
        note(name, "quick_share", least.quick / ours.quick);
        note(name, "quick_more_us", ours.quick - least.quick);
      }
    }
    Json out = Json::object();
    for (auto& [name, values] : seen) out.set(name, median(std::move(values)));
    return out;
  }
  Json half_load(size_t rounds) {
    std::vector<KasRequest> requests;
    requests.reserve(2 * rounds);
    for (size_t i = 0; i < 2 * rounds; ++i) requests.push_back(next(i % 2 == 0 ? kRsa : kEc));
    const auto now = [] { return bench::clock_us(CLOCK_MONOTONIC); };
    const double began = now();
    for (size_t i = 0; i < rounds; ++i) serve(requests[i], true);
    const double each = (now() - began) / static_cast<double>(rounds);
    std::mt19937_64 random(1);
    std::exponential_distribution<double> gap(1 / (2 * each));
    std::vector<double> took, cpu;
    double due = now();
    for (size_t i = rounds; i < 2 * rounds; ++i) {
      due += gap(random);
      while (now() < due) {
      }
      const double before = bench::clock_us(CLOCK_THREAD_CPUTIME_ID);
      serve(requests[i], true);
      cpu.push_back(bench::clock_us(CLOCK_THREAD_CPUTIME_ID) - before);
      took.push_back(now() - due);
    }
    return Json::object(
        {{"per_second", 1e6 / (2 * each)}, {"clock", spread(std::move(took))}, {"core", alone(cpu)}});
  }
  // The same with what the node's key desk does beside: two durable records for each release.
  Json recorded_half_load(size_t rounds) {
    std::vector<KasRequest> requests;
    requests.reserve(2 * rounds);
    for (size_t i = 0; i < 2 * rounds; ++i) requests.push_back(next(i % 2 == 0 ? kRsa : kEc));
    return bench::RecordedLoad(kas, issuer, world).half_load(requests);
  }
  // The same by CPU time: as long as it would take on a core that nobody else uses.
  static Json alone(const std::vector<double>& cpu) {
    const double mean = std::accumulate(cpu.begin(), cpu.end(), 0.0) / static_cast<double>(cpu.size());
    std::mt19937_64 random(2);
    std::exponential_distribution<double> gap(1 / (2 * mean));
    std::vector<double> took;
    double due = 0, done = 0;
    for (const double each : cpu) {
      due += gap(random);
      done = std::max(done, due) + each;
      took.push_back(done - due);
    }
    return spread(std::move(took));
  }
  static Json spread(std::vector<double> took) {
    std::ranges::sort(took);
    return Json::object({{"p50_us", took[took.size() / 2]}, {"p99_us", took[took.size() * 99 / 100]}});
  }
};

}  // namespace

int main(int argc, char** argv) {
  crypto::give_openssl_our_heap();  // as in the program, whose operator new this has, too
  if (argc != 3 && argc != 4) return 2;
  const auto count = static_cast<size_t>(std::strtoull(argv[2], nullptr, 10));
  Service service(argv[1]);
  if (argc == 4) {
    const auto* row = std::ranges::find(kRows, std::string_view(argv[3]), &Row::name);
    if (row == kRows.end()) return 2;
    fmt::print("{}\n", service.rewrap(row->what, count, 1).middle);
    return 0;
  }
  (void)service.turns(2);
  Json out = service.turns(count);
  out.set("half_load", service.half_load(8 * count));
  out.set("recorded_half_load", service.recorded_half_load(8 * count));
  fmt::print("{}\n", out.dump());
  return 0;
}
