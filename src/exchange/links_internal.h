// What the files of links share. Private to them.
#pragma once

#include "base/json.h"
#include "exchange/links.h"

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace entente::exchange {

inline constexpr size_t kQueuedMax = 16'384;  // control messages that wait for a slow partner
inline constexpr size_t kQueuedBytesMax = 16 << 20;
// Each list of offers is signed: a partner asks for it now and then.
inline constexpr uint32_t kOffersPerSecond = 1, kOffersBurst = 10;
inline constexpr net::CarrierTimeouts kPatient{
    .head = Millis(60'000), .read = net::kNoTimeout, .write = Millis(60'000)};
inline constexpr std::string_view kOffersPath = "/entente/offers";

// Control messages that wait to be written. Filled by the control loop, emptied by the link's.
class Outbox {
 public:
  enum class Put { first, behind, full, over };  // behind others: who writes those finds it
  Put put(std::string line) {
    const std::lock_guard lock(mutex_);
    if (over_) return Put::over;
    if (lines_.size() >= kQueuedMax || bytes_ >= kQueuedBytesMax) return Put::full;
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    return lines_.size() == 1 ? Put::first : Put::behind;
  }
  // Some of them, put together; empty when there is none.
  std::string take(size_t bytes_max) {
    const std::lock_guard lock(mutex_);
    std::string batch;
    while (!lines_.empty() && batch.size() < bytes_max) {
      bytes_ -= lines_.front().size();
      batch += lines_.front();
      lines_.pop_front();
    }
    return batch;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  bool over_ = false;
};

struct Links::Link : std::enable_shared_from_this<Link> {
  Link(net::Loop& loop, PartnerCode who, Way which, std::string shown, net::Carrier on)
      : partner(std::move(who)),
        way(which),
        thumbprint(std::move(shown)),
        carrier(std::move(on)),
        more(loop) {}
  // For the control loop to say things to the partner with.
  std::function<void(const Json&)> sender(net::Loop& loop) {
    return [&loop, box = outbox, weak = weak_from_this()](const Json& message) {
      const Outbox::Put put = box->put(message.dump() + "\n");
      if (put == Outbox::Put::over || put == Outbox::Put::behind) return;
      // The link itself is touched on its own loop only.
      net::Call wake = [weak, full = put == Outbox::Put::full] {
        const std::shared_ptr<Link> to = weak.lock();
        if (!to || to->over) return;
        if (full) to->carrier.abort();  // they take nothing: the link is as good as cut
        to->more.set();
      };
      if (loop.in_loop()) return wake();
      loop.post(std::move(wake));
    };
  }
  void end() {
    over = true;
    outbox->close();
  }
  PartnerCode partner;
  Way way;
  std::string thumbprint;
  net::Carrier carrier;
  std::shared_ptr<Outbox> outbox = std::make_shared<Outbox>();
  Budget offers_asked{kOffersBurst, kOffersPerSecond};
  net::Event more;          // in the outbox
  bool controlled = false;  // its control stream runs
  Tick up_since{};          // since when it does
  bool over = false;
};

// The lines that `bytes` complete, read as messages; `line` keeps the rest. False: what came is no message.
[[nodiscard]] bool read_lines(std::string_view bytes, std::string& line, std::vector<Json>& messages);
// A body of a bounded size, whole. "exchange.busy" where `place`, if any, has no room for it.
[[nodiscard]] net::Task<Result<std::string>> read_whole(net::Loop& loop, net::CarrierStream* stream,
                                                        size_t bytes_max,
                                                        Room<PartnerCode>::Place* place = nullptr);

}  // namespace entente::exchange
