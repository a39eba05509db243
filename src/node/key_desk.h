// The key service's name at the door ("kas.<door>"): HTTP in front of data/kas.h, as unmodified clients speak
// it (docs/wire-formats/kas.md): Connect with JSON, and the REST routes from before. Nothing here decides.
// Lives on the control loop.
#pragma once

#include "base/published.h"
#include "base/room.h"
#include "data/kas.h"
#include "exchange/object_desk.h"
#include "identity/token_people.h"
#include "net/http1_parser.h"
#include "net/http_server.h"
#include "node/issuer_keys.h"
#include "node/key_voucher.h"
#include "node/records.h"
#include "node/sign_outs.h"
#include "node/token_issuers.h"
#include "node/view_desk.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace entente::node {

class KeyDesk final : public exchange::ObjectDesk {
 public:
  struct Parts {
    Records& records;
    const Clock& clock;
    net::Loop& loop;
    IssuerKeys& issuers;
    identity::Crosswalk crosswalk;
    data::KasKeys keys;
    std::filesystem::path folder;  // where those come from
    PartnerCode self;
    std::function<void()> stranger_refused;
    const crypto::PrivateKey& statement_key;  // signs for whom this node vouches
    std::function<PersonId(const PersonId&, const PartnerCode&)> pairwise;
    std::function<std::string(const PersonId&)> author;  // a person's code as the author of objects
    // Asks a partner's node over the link.
    std::function<net::Task<Result<std::string>>(PartnerCode, std::string)> ask_partner;
    ViewDesk& views;
    std::function<void(const PartnerCode&, const RequestId&, const PersonId&)> waits;  // for a release there
  };
  explicit KeyDesk(Parts parts);

  // Keys come and go without a restart: read, then used.
  [[nodiscard]] Result<data::KasKeys> read_keys() const { return data::KasKeys::load(parts_.folder); }
  void use_keys(data::KasKeys keys);
  // Of all of them: for partners. From any loop.
  [[nodiscard]] std::shared_ptr<const Json> public_keys() const { return public_keys_.get(); }
  [[nodiscard]] const data::KasKeys& keys() const { return kas_.keys(); }
  // The one of that algorithm that clients wrap for: the newest that is not recalled. Nullptr: none.
  [[nodiscard]] const data::KasKey* given_out(std::string_view algorithm) const;

  // The time goes on from here: proofs and vouchers from before it may have been used in the time that is
  // gone.
  void go_on_from(Instant now);

  // A request whose authority is that nation's key service's (empty: the own one's). Always answers.
  [[nodiscard]] net::Task<void> handle(net::HttpCall& call, net::NormalTarget target, PartnerCode of);
  [[nodiscard]] const data::Views& views() const { return parts_.views.views(); }
  [[nodiscard]] bool holds(std::string_view kid) const { return kas_.keys().find(kid) != nullptr; }
  // The lobby's pages.
  [[nodiscard]] net::Task<exchange::ObjectAnswer> keys(exchange::ObjectReader reader,
                                                       std::string request) override;
  bool close(const PersonId& person, const std::string& view) override {
    return parts_.views.close(person, view);
  }
  void sign_ins_changed(const PersonId& person) override { parts_.views.sign_ins_changed(person); }
  void signed_out(const PersonId& person) override { sign_outs_.note(person, parts_.clock.now()); }
  // Before any door is open.
  void restore(const exchange::Kept& kept) { sign_outs_.restore(kept); }
  // A partner's node asks for one of its people, or watches what was released to them. Always answers.
  [[nodiscard]] net::Task<std::string> serve_partner(PartnerCode from, std::string body);

 private:
  struct Route;
  struct Asked {
    data::KasRequest request;
    Json body;  // of a Connect call; an empty object for GET
    std::string query;
    PartnerCode of{};  // whose service's name it came to
    bool legacy = false;
  };
  using Handler = net::Task<data::KasAnswer> (KeyDesk::*)(Asked);
  [[nodiscard]] static std::span<const Route> routes();

  net::Task<data::KasAnswer> well_known(Asked asked);
  net::Task<data::KasAnswer> public_key(Asked asked);
  net::Task<data::KasAnswer> attribute_values(Asked asked);
  net::Task<data::KasAnswer> key_services(Asked asked);
  net::Task<data::KasAnswer> rewrap(Asked asked);
  net::Task<data::KasAnswer> author(Asked asked);

  void use_own_url();
  // {"algorithm", "kid", "pem"}; null: none.
  [[nodiscard]] Json key_of(const PartnerCode& nation, std::string_view algorithm) const;
  [[nodiscard]] Json first_key_of(const PartnerCode& nation) const;  // of whichever algorithm; null: none
  net::Task<data::KasAnswer> walk(data::Kas::Step step);
  struct Vouched {
    data::KasCaller caller;
    data::RewrapRequest request;
  };
  struct Watch {
    std::vector<std::string> ids;
    std::vector<std::string> closed;
  };
  // What a partner's node asks for, or what it is answered already.
  [[nodiscard]] std::variant<data::KasAnswer, Watch, Vouched> hear(const PartnerCode& from, std::string body);
  net::Task<data::KasAnswer> watched(PartnerCode from, Watch watch);
  net::Task<Result<Json>> ask_partner(PartnerCode to, data::KasCaller caller, Json request);
  [[nodiscard]] static data::KasCaller for_partner(data::KasCaller caller, const PartnerCode& to);
  [[nodiscard]] Result<data::KasCaller> vouched(const PartnerCode& from, const Json& body);
  // Whoever brings a good token: the coalition's vocabulary is for its people.
  net::Task<std::optional<data::KasAnswer>> stranger(data::KasRequest request);
  net::Task<Result<void>> record(std::vector<data::KasLeaf> leaves);
  // Error data::kFenced: it narrows, acts, and the disk does not have it yet.
  net::Task<Result<void>> write_down(std::vector<coalition::Record> records,
                                     std::vector<data::KasLeaf> leaves, bool narrowing);
  void record_later(std::vector<data::KasLeaf> leaves);
  [[nodiscard]] Result<identity::PersonFacts> person(const identity::AccessToken& token, Instant now);
  [[nodiscard]] Json value_json(const coalition::Attribute& attribute,
                                const coalition::Attribute::Value& value) const;
  [[nodiscard]] data::KasMoment at() const { return {parts_.clock.now(), parts_.clock.tick()}; }
  [[nodiscard]] std::vector<ledger::Record> records_of(std::vector<data::KasLeaf> leaves) const;

  // Records how many refusals were not recorded one by one, a minute after the first.
  void record_counted();

  static constexpr size_t kReadingMax = 64;      // of a mebibyte each, at once
  static constexpr size_t kReadingOfOneMax = 4;  // of whom a token is of
  static constexpr Seconds kReadingTime{10};     // for the whole of a body
  static constexpr Seconds kCountedEvery{60};
  static constexpr Seconds kNarrowingMax{5};                // for the disk, of what acts already
  static constexpr std::string_view kBrowser = "browser:";  // no thumbprint of a key begins so
  Parts parts_;
  Instant
      started_;  // to the second: proofs and vouchers from before it may have been used in an earlier life
  Published<Json> public_keys_;
  identity::TokenPeople people_;
  data::Kas kas_;
  TokenIssuers token_issuers_;
  Room<std::string> reading_{{.places = kReadingMax, .places_of_one = kReadingOfOneMax}};
  UsedVouchers vouchers_{started_};
  SignOuts sign_outs_;
  net::Timer counted_;
};

// What partners need to know of a key service's keys: [{"kid","algorithm","pem"}], newest last.
[[nodiscard]] Json public_kas_keys(const data::KasKeys& keys);

}  // namespace entente::node
