// The key access service, as logic without sockets: who asks is proved, each object is asked of decide(), the
// attempt is recorded, and only then a private key is touched; what is released is recorded durably before it
// is answered. Steps say what to make durable; the owner does so and comes back with written(). A denial
// costs no private-key operation. Not thread-safe: one loop owns it. docs/wire-formats/kas.md.
#pragma once

#include "base/budget.h"
#include "base/used_once.h"
#include "coalition/decide.h"
#include "data/kas_counted.h"
#include "data/kas_keys.h"
#include "data/kas_request.h"
#include "data/views.h"
#include "identity/access_token.h"
#include "identity/dpop.h"
#include "identity/person.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace entente::data {

struct CaseItem;

struct KasMoment {
  Instant now{};
  Tick tick{};
};

struct KasRequest {  // as it came; names of headers in the comments
  std::string method = "POST";
  std::string origin{};         // what it was addressed to; empty: our own service
  std::string path{};           // normalised, without query: what `htu` has to name
  std::string authorization{};  // Authorization
  std::string dpop{};           // DPoP
  std::string client_key{};     // X-VirtruPubKey: base64 of PEM; of a token that is bound to nothing
  std::string body{};
};

struct KasLeaf {  // of the ledger: "key.attempt", "key.release", "key.withheld", "key.refusal",
                  // "key.refusals", "object.view", "object.recall", "release.asked"
  std::string kind{};
  Json::Object fields{};
};

struct KasAnswer {
  int status = 200;
  Json body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::vector<KasLeaf> leaves{};  // to be recorded; nobody waits for them
  bool stranger = false;          // somebody who proved nothing: counted, not recorded
};

// Who asks, and by what: proved here, or vouched for by their nation's node.
struct KasCaller {
  coalition::Person person{};
  coalition::Facts context{};
  coalition::KeyUse by{};
  std::optional<Instant> issued{};  // the token they came with; none: by a sign-in here, or vouched for
};

struct KasLimits {
  size_t pending_max = 4096;  // requests between two steps; a quarter of them one person's, or one partner's
  size_t pending_bytes_max = 64 << 20;
  uint32_t operations_per_turn = 4;  // of private keys, before others have the loop
  uint32_t objects_burst = 2'000;    // key access objects of one caller at once
  uint32_t objects_per_second = 200;
  uint32_t partner_objects_burst = 10'000;  // of all whom one partner vouches for
  uint32_t partner_objects_per_second = 1'000;
  uint32_t refusals_burst = 100;  // recorded one by one, of one of our people
  uint32_t refusals_per_minute = 30;
  uint32_t partner_refusals_burst = 500;  // of all whom one partner vouches for
  uint32_t partner_refusals_per_minute = 120;
  uint32_t recalls_burst = 16;  // of what one author takes back
  uint32_t recalls_per_minute = 8;
  size_t callers_max = 50'000;
  size_t denials_max = 20'000;  // remembered, to know a retry
  Seconds denial_retry{30};
};

struct CaseItem;

class Kas {
 public:
  struct Parts {
    PartnerCode self;
    std::string url;  // our own, as key access objects name it
    KasKeys keys;
    bool nonces = false;  // each proof bears a nonce of ours
    Instant started{};    // proofs from before it may have been used in an earlier life of this service
    // Whom a token is of, by the nation's crosswalk; risk, network and the like, as this node sees them.
    std::function<Result<identity::PersonFacts>(const identity::AccessToken&, Instant)> person;
    // Whether a token of theirs from then still counts: asked when it comes, and again before each key. Must
    // be set.
    std::function<Result<void>(const PersonId&, Instant issued, Instant now)> counts;
    std::function<coalition::Facts(Instant end)> context;
    KasLimits limits{};
    Views* views = nullptr;  // looks after what is released to be viewed; without it nothing is
    // One of this node's people waits for a release of another nation's, by this name there.
    std::function<void(const PartnerCode&, const RequestId&, const PersonId&)> waits{};
    // What this node alone can say of one of its people, as the author of objects (data_policy.h): no two are
    // alike, and nobody else can make one. Without it nobody is an author here.
    std::function<std::string(const PersonId&)> author{};
  };
  explicit Kas(Parts parts);
  ~Kas();
  Kas(const Kas&) = delete;
  Kas& operator=(const Kas&) = delete;

  class Case;
  struct FreeCase {
    void operator()(Case* one) const noexcept;
  };
  // All of the leaves or none; then written(). Drop it to give the request up: what was attempted stays
  // recorded as that.
  struct Write {
    std::vector<KasLeaf> leaves;
    std::vector<coalition::Record> records;  // with them, in one commit: releases asked for, a recall
    bool narrowing = false;                  // acts at once, whatever the disk says
    std::unique_ptr<Case, FreeCase> rest;
  };
  // Wrapped for another nation's service: decided here and recorded, it is that nation's node that is asked
  // next, with the person vouched for; then forwarded().
  struct Forward {
    PartnerCode to;
    KasCaller caller;
    Json request;
    std::unique_ptr<Case, FreeCase> rest;
  };
  // As many private operations as one turn of the loop may hold are done: go_on() on a later one.
  struct Pause {
    std::unique_ptr<Case, FreeCase> rest;
  };
  using Step = std::variant<KasAnswer, Write, Forward, Pause>;

  struct Issuer {
    identity::TokenIssuer settings;
    crypto::KeySet keys;
  };
  // A person's own request. `issuer`: the one unverified_issuer() of its token names; nullptr when unknown.
  [[nodiscard]] Step take(const KasRequest& request, const Issuer* issuer, const coalition::World& world,
                          KasMoment at);
  // Somebody vouched for: their nation has decided already, and sends what it read.
  [[nodiscard]] Step take_for(KasCaller caller, RewrapRequest request, const coalition::World& world,
                              KasMoment at);
  // One of this node's own people, at a page of its own: what is released is a view, and ends as one (a page
  // may ask for a release, too: that is none). `page` is whose sign-in it is.
  [[nodiscard]] Step take_for_page(KasCaller caller, std::string page, RewrapRequest request,
                                   const coalition::World& world, KasMoment at);
  // What the other node said, {"status", "body"}: believed about the keys it was asked for, and no further.
  [[nodiscard]] Step forwarded(Forward forward, const Result<Json>& said, const coalition::World& newest,
                               KasMoment at);
  // Error kFenced: it acts, and is not on the disk. `newest`: the world now; what it refuses is not released,
  // whatever an older one said.
  [[nodiscard]] Step written(Write write, const Result<void>& durable, const coalition::World& newest,
                             KasMoment at);

  [[nodiscard]] Step go_on(Pause pause, const coalition::World& newest, KasMoment at);

  // Refusals beyond what is recorded one by one: ask now and then, and record what it gives.
  [[nodiscard]] std::vector<KasLeaf> counted(Instant now);
  [[nodiscard]] bool counts() const { return !counted_.empty(); }

  // Whether the token is one of ours at all, and whose: before a body is read for somebody.
  [[nodiscard]] static Result<std::string> admits(const KasRequest& request, const Issuer* issuer,
                                                  KasMoment at);
  // Who brings this token, without a request to sign: for what is the coalition's people's to read.
  [[nodiscard]] Result<KasCaller> who(const KasRequest& request, const Issuer* issuer, KasMoment at);
  [[nodiscard]] KasAnswer unproved(const Error& why, KasMoment at) const;

  [[nodiscard]] const KasKeys& keys() const { return parts_.keys; }
  // From now on these: what is under way opens with them, or not.
  void use_keys(KasKeys keys) { parts_.keys = std::move(keys); }
  // By another clock: proofs from before `started` count no more, and what was refused by the old one is
  // nobody's retry.
  void go_on_from(Instant started);
  [[nodiscard]] Instant started() const { return parts_.started; }
  [[nodiscard]] const PartnerCode& self() const { return parts_.self; }
  [[nodiscard]] const std::string& url() const { return parts_.url; }
  void name(std::string url) { parts_.url = std::move(url); }  // as the world names it now
  [[nodiscard]] size_t pending() const { return pending_.all.requests; }
  // The access token of a request, bare: "" when there is none.
  [[nodiscard]] static std::string_view token_of(const KasRequest& request);

 private:
  struct Proved {
    KasCaller caller;
    crypto::PublicKey key;  // signs the request
  };
  [[nodiscard]] Result<Proved> prove(const KasRequest& request, const Issuer* issuer, KasMoment at);
  [[nodiscard]] Result<crypto::PublicKey> prove_key(const KasRequest& request,
                                                    const identity::AccessToken& read,
                                                    const identity::DpopLeniency& lenient, KasMoment at,
                                                    coalition::KeyUse& by);
  [[nodiscard]] bool within_budget(const coalition::Person& who, bool vouched, size_t objects, Tick tick);
  [[nodiscard]] bool is_crowded(const Case& work) const;
  [[nodiscard]] bool is_recorded(const Case& work, size_t item, KasMoment at);
  [[nodiscard]] Step begin(KasCaller caller, RewrapRequest request, bool vouched, std::string page,
                           const coalition::World& world, KasMoment at);
  // Of a request to view: whether it is looked after from here on. What is not, is not answered.
  [[nodiscard]] bool shown(Case& work, CaseItem& item, const coalition::World& newest, KasMoment at);
  void give_up(const Case& work, const CaseItem& item);
  [[nodiscard]] Step wish(std::unique_ptr<Case, FreeCase> work, const coalition::World& world, KasMoment at);
  [[nodiscard]] Step recall(std::unique_ptr<Case, FreeCase> work, const coalition::World& world,
                            KasMoment at);
  void judge(Case& work, const coalition::World& world, KasMoment at);
  [[nodiscard]] KasAnswer passed(Case& work, const coalition::World& newest, KasMoment at);
  [[nodiscard]] bool is_retry(const Case& work, size_t item, Instant now);
  [[nodiscard]] bool open(Case& work, const coalition::World& newest, KasMoment at);
  void open_one(Case& work, CaseItem& item, const std::vector<const KasKey*>& candidates,
                const coalition::World& newest, KasMoment at);
  [[nodiscard]] Step attempted(std::unique_ptr<Case, FreeCase> work, const coalition::World& newest,
                               KasMoment at);
  [[nodiscard]] KasAnswer released(Case& work, const coalition::World& newest, KasMoment at);
  [[nodiscard]] KasAnswer unusable(Case& work, KasMoment at);
  void tell_waits(const Case& work) const;
  [[nodiscard]] KasAnswer answer(Case& work, KasMoment at);

  Parts parts_;
  identity::DpopReplays replays_;
  identity::DpopNonces nonces_;
  Budgets<std::string> own_budgets_;
  Budgets<std::string> vouched_budgets_;
  Budgets<std::string> partner_budgets_;
  Budgets<std::string> refusal_budgets_;
  Budgets<std::string> partner_refusal_budgets_;
  Budgets<std::string> recall_budgets_;
  Counted counted_;
  UsedOnce denials_{SIZE_MAX, SIZE_MAX};
  struct Load {
    size_t requests = 0;
    size_t bytes = 0;
  };
  struct Pending {
    Load all;
    std::map<std::string, Load> of;  // persons and partners
  };
  Pending pending_;
};

// What narrows acts; the disk does not have it yet.
inline constexpr std::string_view kFenced = "kas.fenced";

// Connect's error body: {"code": "permission_denied", "message": ...}, with the HTTP status it goes with.
[[nodiscard]] KasAnswer connect_error(std::string_view code, std::string message);

}  // namespace entente::data
