// The passes of all sessions that live, for every loop to look up. Written by the control loop alone;
// sharded, each lock held for one look. What changes about a session while streams hold its pass is in the
// gate.
#pragma once

#include "exchange/session.h"

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace entente::exchange {

class Passes {
 public:
  using Ref = std::shared_ptr<const Pass>;

  [[nodiscard]] Ref find(const SessionId& id) const {
    const Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.passes.find(id);
    return at == shard.passes.end() ? nullptr : at->second;
  }
  void put(Ref pass) {
    Shard& shard = shard_of(pass->id);
    const std::lock_guard lock(shard.mutex);
    shard.passes[pass->id].swap(pass);
  }
  // The one that was there, or nullptr.
  Ref take(const SessionId& id) {
    Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.passes.find(id);
    if (at == shard.passes.end()) return nullptr;
    Ref pass = std::move(at->second);
    shard.passes.erase(at);
    return pass;
  }

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<SessionId, Ref> passes;
  };
  [[nodiscard]] Shard& shard_of(const SessionId& id) { return shards_[std::hash<SessionId>()(id) % kShards]; }
  [[nodiscard]] const Shard& shard_of(const SessionId& id) const {
    return shards_[std::hash<SessionId>()(id) % kShards];
  }
  std::array<Shard, kShards> shards_;
};

}  // namespace entente::exchange
