// The carriers between this node and its partners: dialing, accepting, the control stream, and the streams of
// sessions. A link has one connection for each way of asking; either node may dial both. One on each loop: a
// partner's carriers live on that partner's loop (Lanes), what they say of sessions goes to the control loop.
#pragma once

#include "base/budget.h"
#include "base/room.h"
#include "coalition/world.h"
#include "exchange/complaint.h"
#include "exchange/gateway.h"
#include "exchange/lane.h"
#include "exchange/lanes.h"
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
    std::function<Result<std::string>(const PartnerCode&)> ours;  // from any loop
    std::function<void(const PartnerCode&, std::string)> theirs;  // on the control loop
  };
  // What a partner's node asks of this one's key service, and the answer; on the control loop. Opaque here.
  using KeyDesk = std::function<net::Task<std::string>(PartnerCode, std::string)>;
  struct Caps {
    size_t streams = 8192;           // of sessions at once on one link
    uint32_t requests_per_s = 2000;  // of one partner's people; twice as many at once
  };
  struct Dialing {
    const net::TlsClient& asking_tls;
    const net::TlsClient& reverse_tls;
    net::Resolver& resolver;
  };
  Links(Lane& lane, const Lanes& lanes, Gateway& gateway, Dialing dialing, CurrentWorld world, Offers offers,
        Caps caps);
  ~Links();

  void start();  // dials this loop's partners, now and for as long as this lives
  void close_all();
  // A stream whose handshake chose one of the link protocols. Returns when the link is gone, or on
  // another loop.
  [[nodiscard]] net::Task<void> serve(std::unique_ptr<net::Stream> stream);
  // Drops links whose certificate the world no longer pins.
  void world_changed();

  void set_key_desk(KeyDesk desk) { key_desk_ = std::move(desk); }
  // Asks a partner's key service: from its loop, at most kKeysBytesMax each way; given up at `by`.
  [[nodiscard]] net::Task<Result<std::string>> ask_keys(PartnerCode partner, std::string body, Tick by);
  static constexpr size_t kKeysBytesMax = 2 << 20;
  static constexpr Millis kKeysTimeout{5000};  // for the whole of it, at either end
  static constexpr size_t kKeysAtOnce = 1024;  // under way with one partner, each way
  static constexpr size_t kKeysBytesAtOnce = 16 << 20;

  // A stream to a partner's node, for a session of ours there; `gate` is the session's. `head` must outlive
  // the task.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(PartnerCode partner, net::RequestHead& head,
                                                           bool end, net::GateRef gate,
                                                           Millis within = net::kNoTimeout);

 private:
  using Key = std::pair<PartnerCode, Way>;
  struct Link;
  net::Task<void> keep_dialing(PartnerCode partner);
  void complain(const PartnerCode& partner, std::string_view what, const Error& why);
  net::Task<bool> dial(PartnerCode partner, Way way);
  net::Task<void> run(PartnerCode partner, Way way, std::unique_ptr<net::Stream> stream, bool dialed);
  net::Task<void> arrive(PartnerCode partner, Way way, net::Parked parked);
  void down(Link& link);
  net::Task<void> ask_control(std::shared_ptr<Link> link);
  net::Task<void> serve_control(std::shared_ptr<Link> link, net::CarrierStream stream);
  net::Task<void> talk(std::shared_ptr<Link> link, net::CarrierStream* stream);
  net::Task<void> ask_offers(std::shared_ptr<Link> link);
  net::Task<void> serve_stream(std::shared_ptr<Link> link, net::CarrierStream stream);
  net::Task<void> serve_keys(std::shared_ptr<Link> link, net::CarrierStream stream);
  net::Task<void> serve_session(std::shared_ptr<Link> link, net::CarrierStream stream);

  Lane& lane_;
  const Lanes& lanes_;
  Gateway& gateway_;
  Dialing dialing_tls_;
  CurrentWorld world_;
  Offers offers_;
  KeyDesk key_desk_;
  Caps caps_;
  std::map<Key, std::shared_ptr<Link>> links_;
  std::map<PartnerCode, bool> dialing_;
  std::map<PartnerCode, Complaint> complaints_;  // of dialing each
  std::map<PartnerCode, Budget> requests_;       // of each partner, whatever link they come on
  // And of each for keys: what people ask of an app keeps no object shut, and shuts none that is shown.
  std::map<PartnerCode, Budget> key_requests_;
  Room<PartnerCode> keys_served_{{.places_of_one = kKeysAtOnce, .bytes_of_one = kKeysBytesAtOnce}};
  Room<PartnerCode> keys_asked_{{.places_of_one = kKeysAtOnce, .bytes_of_one = kKeysBytesAtOnce}};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// What links are carried with: as carrier_config(), within the caps of one partner.
[[nodiscard]] net::CarrierConfig link_carrier_config(const Links::Caps& caps);

}  // namespace entente::exchange
