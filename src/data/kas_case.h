// One request on its way through the key service. Private to the room.
#pragma once

#include "coalition/releases.h"
#include "data/kas.h"

namespace entente::data {

struct CaseItem {
  const WantedObject* object = nullptr;
  const WantedKey* key = nullptr;
  std::string problem{};  // why it is not asked about, or did not open: for the ledger
  bool alike = false;     // the asker is told what everybody is told whose key does not open
  coalition::Ask ask{};
  coalition::Verdict verdict{};
  // Of what the verdict is the answer: this question as it stands, in this world, from then on.
  std::optional<coalition::World> decided_in{};
  Instant decided_at{};
  bool permitted = false;
  std::vector<std::string> grants{};  // releases that it rests on: one a right at most
  std::optional<crypto::Secret> share{};
  std::vector<std::string> from{};  // what its sealer says it was made of, under the share
  std::string elsewhere{};          // what another nation's service said, for the asker
  std::string elsewhere_view{};     // what it released is a view there, by this name and until then
  Instant elsewhere_until = kNever;
  std::string view{};     // and here
  std::string marking{};  // how it is to be marked where it is shown
  Instant until{};
  Seconds lasts{};
  std::string waits{};  // a release: the request's id, for as long as it waits for an answer
  std::optional<coalition::Release> wish{};      // a new one, to be written down
  std::optional<coalition::ReleaseNews> news{};  // of what they asked for before, or may ask for
  bool may_recall = false;                       // they are its author, and it is not taken back by them yet
  bool recalled = false;                         // by this request, or by an earlier one of theirs
  bool fenced = false;                           // it is, and that is not on the disk yet
  Bytes wrapped{};

  // Wrong key, wrong binding, wrong label inside: nobody learns which.
  void fail_alike() {
    permitted = false;
    alike = true;
    problem = "the key did not open, or is not bound to this policy";
  }
};

class Kas::Case {
 public:
  enum class Stage : uint8_t { attempted, releasing, passing, wishing, recalling };

  Case(const Kas& of, Pending& pending, KasCaller who, RewrapRequest wanted);
  ~Case();
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  // Whose share of what may be under way it takes up.
  void count_under(std::string name);
  [[nodiscard]] const std::vector<std::string>& shares() const { return shares_; }

  [[nodiscard]] PartnerCode service_of(const coalition::World& world, const CaseItem& item) const;
  [[nodiscard]] coalition::Ask ask_about(const CaseItem& item, Instant now) const;
  // Of somebody who asks for a release: whether one would help, and is asked for already.
  void wish_for(CaseItem& item, const coalition::World& world, const coalition::WishesUnderWay& others) const;
  void decide(CaseItem& item, const coalition::World& world, Instant now) const;
  // Asks again, unless the same was asked of the very same world (not one of its revision: two that act
  // before a disk has either may bear one) and time has not changed the answer. What is refused now is not
  // permitted any more.
  [[nodiscard]] bool still_permitted(CaseItem& item, const coalition::World& newest, Instant now) const;
  // Why nothing is permitted to them any more, whatever the world says.
  [[nodiscard]] std::optional<coalition::Reason> what_lapsed(Instant now) const;
  // Which of our keys is tried: another one is another question.
  static void name_key(CaseItem& item, const std::string& kid);
  // An object can carry its label under its own key: then that is asked about too.
  [[nodiscard]] bool label_agrees(CaseItem& item, const crypto::Secret& share, const coalition::World& newest,
                                  Instant now) const;
  // What another nation's node is asked: those that are still permitted; null when there are none.
  [[nodiscard]] bool wishes() const { return request.objects.front().release.has_value(); }
  [[nodiscard]] bool recalls() const { return request.objects.front().recall.has_value(); }
  // Asked beside what they ask for: of its author alone, who sees it offered.
  [[nodiscard]] bool may_recall(const CaseItem& item, const coalition::World& world) const;
  [[nodiscard]] Json request_for_others(const coalition::World& newest, Instant now);
  // What the objects' dissem calls the person: their id there is another than here.
  [[nodiscard]] std::vector<std::string> named() const;
  void hear(const Json& said, Instant now);
  [[nodiscard]] static bool hear_view(CaseItem& item, const Json& result, Instant now);
  [[nodiscard]] KasLeaf leaf(std::string_view kind, const CaseItem& item) const;
  [[nodiscard]] crypto::Digest denial_name(size_t item) const;
  // False: its key is none that anything can be wrapped for. A denial does not look at it.
  [[nodiscard]] bool read_client();
  // For the client's key. What it takes is made when there is something to wrap: a denial costs none of it.
  [[nodiscard]] Result<Bytes> wrap(const crypto::Secret& share);
  [[nodiscard]] std::string answer_key() const {
    return session_key.empty() && rewrapper_ ? rewrapper_->session_key() : session_key;
  }
  [[nodiscard]] KasAnswer first_answer() const;
  [[nodiscard]] KasAnswer second_answer() const;

  KasCaller caller;
  RewrapRequest request;
  std::vector<CaseItem> items;
  Stage stage = Stage::attempted;
  PartnerCode service;      // whose all its keys are wrapped for
  std::string session_key;  // another service's
  std::string page;         // of a view: whose sign-in it is for
  bool vouched = false;     // by another nation's node
  size_t opened = 0;        // items that our keys were tried on
  KasMoment asked;          // another nation's service

 private:
  const Kas& service_;
  Instant began_ = service_.started();
  Pending& pending_;
  size_t bytes_ = 0;
  std::vector<std::string> shares_;
  std::optional<crypto::PublicKey> client_;
  std::optional<Rewrapper> rewrapper_;
};

}  // namespace entente::data
