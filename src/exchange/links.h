// The carriers between this node and its partners: dialing, accepting, the control stream, and the streams of
// sessions. A link has one connection for each way of asking; either node may dial both. Lives on the control
// loop.
#pragma once

#include "coalition/world.h"
#include "exchange/budget.h"
#include "exchange/gateway.h"
#include "exchange/switchboard.h"
#include "net/carrier.h"
#include "net/dial.h"
#include "net/tls.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace entente::exchange {

inline constexpr std::string_view kLinkAlpn = "entente-link/1";                 // who dials asks
inline constexpr std::string_view kReverseLinkAlpn = "entente-link-reverse/1";  // who dials serves
inline constexpr std::string_view kControlProtocol =
    "entente-control";  // of the control stream's extended CONNECT

class Links {
 public:
  struct Offers {  // what the node says of its apps to a partner, and what it does with what partners say
    std::function<Result<std::string>(const PartnerCode&)> ours;
    std::function<void(const PartnerCode&, std::string)> theirs;
  };
  Links(Switchboard& switchboard, Gateway& gateway, const net::TlsClient& asking_tls,
        const net::TlsClient& reverse_tls, net::Resolver& resolver,
        std::function<const coalition::World&()> world, Offers offers, uint32_t requests_per_s);
  ~Links();

  void start();  // dials partners, now and for as long as this lives
  void close_all();
  // A stream whose handshake chose one of the link protocols. Returns when the link is gone.
  [[nodiscard]] net::Task<void> serve(std::unique_ptr<net::Stream> stream);
  // Drops links whose certificate the world no longer pins.
  void world_changed();

  // A stream to a partner's node, for a session of ours there; `gate` is the session's.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(PartnerCode partner, net::RequestHead head,
                                                           bool end, net::GateRef gate);
  [[nodiscard]] bool up(const PartnerCode& partner, Way way) const;

 private:
  using Key = std::pair<PartnerCode, Way>;
  struct Link;
  net::Task<void> keep_dialing(PartnerCode partner);
  net::Task<bool> dial(PartnerCode partner, Way way);
  net::Task<void> run(PartnerCode partner, Way way, std::unique_ptr<net::Stream> stream);
  net::Task<void> ask_control(std::shared_ptr<Link> link);
  net::Task<void> serve_control(std::shared_ptr<Link> link, net::CarrierStream stream);
  net::Task<void> talk(std::shared_ptr<Link> link, net::CarrierStream* stream);
  net::Task<void> ask_offers(std::shared_ptr<Link> link);
  net::Task<void> serve_stream(std::shared_ptr<Link> link, net::CarrierStream stream);
  net::Task<void> serve_session(std::shared_ptr<Link> link, net::CarrierStream stream);

  Switchboard& switchboard_;
  Gateway& gateway_;
  const net::TlsClient& asking_tls_;
  const net::TlsClient& reverse_tls_;
  net::Resolver& resolver_;
  std::function<const coalition::World&()> world_;
  Offers offers_;
  std::map<Key, std::shared_ptr<Link>> links_;
  std::map<PartnerCode, bool> dialing_;
  uint32_t requests_per_s_;
  std::map<PartnerCode, Budget> requests_;  // of each partner, whatever link they come on
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace entente::exchange
