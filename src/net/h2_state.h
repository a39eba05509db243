// Private to h2_session: what a connection keeps of each stream, and in which order streams may send.
#pragma once

#include "net/chunks.h"
#include "net/h2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace entente::net {

// Bytes first in, first out, in pieces that stay where they are; gives its memory back when empty.
class ByteQueue {
 public:
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void push(ByteView bytes) {
    if (bytes.empty()) return;
    if (empty()) first_ = take_chunk(bytes.size());
    size_ += bytes.size();
    Bytes& last = more_.empty() ? first_ : more_.back();
    const size_t left = last.capacity() - last.size();
    // A large frame stays whole: what is taken by pieces is then passed on in whole frames, with no rest.
    const size_t fits = bytes.size() <= left ? bytes.size() : bytes.size() >= kWholeBytes ? 0 : left;
    append(last, bytes.first(fits));
    if (fits == bytes.size()) return;
    // As large as all that waits, so that a queue of small pieces is not all book-keeping.
    more_.push_back(take_chunk(std::max(bytes.size() - fits, std::min(size_, kChunkBytes))));
    append(more_.back(), bytes.subspan(fits));
  }
  // The first piece, to be looked at until the queue changes, and the going of some of it.
  [[nodiscard]] ByteView front() const { return ByteView(first_).subspan(head_); }
  void drop(size_t count) {
    head_ += count;
    size_ -= count;
    if (head_ == first_.size()) give_chunk(take());
  }
  size_t pop(uint8_t* into, size_t most) {
    size_t moved = 0;
    while (moved < most && !empty()) {
      const ByteView some = front().first(std::min(most - moved, front().size()));
      std::memcpy(into + moved, some.data(), some.size());
      moved += some.size();
      drop(some.size());
    }
    return moved;
  }
  // The first piece itself; nothing when it is not whole any more.
  [[nodiscard]] Bytes pop_piece() {
    if (head_ > 0) return {};
    size_ -= first_.size();
    return take();
  }
  void clear() {
    give_chunk(std::exchange(first_, {}));
    std::vector<Bytes>().swap(more_);
    head_ = size_ = 0;
  }

 private:
  static constexpr size_t kWholeBytes = kChunkBytes / 8;
  static void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
  // What was first; the next piece is first now.
  Bytes take() {
    Bytes was = std::exchange(first_, {});
    head_ = 0;
    if (more_.empty()) return was;
    first_ = std::move(more_.front());
    more_.erase(more_.begin());
    if (more_.empty()) std::vector<Bytes>().swap(more_);
    return was;
  }

  Bytes first_;
  std::vector<Bytes> more_;
  size_t head_ = 0;  // of first_, gone already
  size_t size_ = 0;
};

// A queue that holds no memory to speak of while it is empty: the next one of its thread that fills has it.
template <class T>
class Fifo {
 public:
  [[nodiscard]] bool empty() const { return head_ == items_.size(); }
  [[nodiscard]] T& front() { return items_[head_]; }
  void push_back(T item) {
    if (items_.capacity() == 0) items_.swap(spare_);
    if (head_ > kKeptItems && head_ * 2 > items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    items_.push_back(std::move(item));
  }
  void push_front(T item) {
    if (head_ == 0)
      items_.insert(items_.begin(), std::move(item));
    else
      items_[--head_] = std::move(item);
  }
  void pop_front() {
    if (++head_ < items_.size()) return;
    items_.clear();
    head_ = 0;
    if (items_.capacity() * sizeof(T) > kKeptBytes) give_up();
  }

 private:
  void give_up() {
    if (items_.capacity() > spare_.capacity() && items_.capacity() <= kKeptItems) items_.swap(spare_);
    std::vector<T>().swap(items_);  // assigned an empty list it would keep its room
  }

  static constexpr size_t kKeptBytes = 128;          // when it is empty
  static constexpr size_t kKeptItems = 64;           // gone ones, before those that wait are moved up
  static inline thread_local std::vector<T> spare_;  // empty
  std::vector<T> items_;
  size_t head_ = 0;
};

struct H2Stream {
  H2StreamId id = 0;
  H2Class klass = H2Class::interactive;
  ByteQueue in;
  ByteQueue out;
  GateRef gate;
  uint64_t burst_bytes = 0;  // sent since it last paused
  Tick last_sent{};
  uint64_t burst_bytes_in = 0;  // the same of what came
  Tick last_came{};
  size_t window_read = 0;  // since `window_since`
  Tick window_since{};
  std::optional<H2Code> broken;  // reset by either side
  uint8_t heads_waiting = 0;     // submitted and not framed yet
  bool announced = false;        // its owner knows of it and will release it
  bool answered = false;         // the final head went out (server) or came in (client)
  bool in_ended = false;
  bool out_ended = false;   // finish() was called
  bool end_framed = false;  // END_STREAM is on its way
  bool closed = false;      // the protocol is done with it
  bool released = false;
  bool fenced = false;
  bool wants_room = false;  // write() took less than it was given
  bool queued = false;      // in the schedule
  bool blocked = false;     // waits for the peer's window
  bool gates_reads = true;  // the gate is for both ways
  bool tells_sent = false;  // its owner waits for the end to be framed
  bool wide = false;        // has a larger window: see suit_window()
  bool narrow = false;      // has a smaller one

  [[nodiscard]] bool has_work() const {
    return !broken && !closed && !end_framed && (!out.empty() || out_ended);
  }
  [[nodiscard]] bool gate_closed() const { return gate && !gate->is_open(); }
};

// Which stream may send the next frame: control, then interactive, then bulk; round robin within a class. So
// that a crowd of interactive streams can't starve bulk for ever, one frame in `kBulkShare` is bulk's.
class H2Schedule {
 public:
  static constexpr unsigned kBulkShare = 16;

  void push(H2Stream& stream, H2Class klass) {
    if (stream.queued) return;
    stream.queued = true;
    ready_[static_cast<size_t>(klass)].push_back(stream.id);
  }
  // The next stream, or 0. Streams that are gone are the caller's to skip.
  [[nodiscard]] H2StreamId pop() {
    auto& [control, interactive, bulk] = ready_;
    Fifo<H2StreamId>* from = &control;
    if (control.empty()) {
      const bool bulk_turn = !bulk.empty() && (interactive.empty() || since_bulk_ + 1 >= kBulkShare);
      from = bulk_turn ? &bulk : &interactive;
      since_bulk_ = bulk_turn ? 0 : since_bulk_ + 1;
    }
    if (from->empty()) return 0;
    const H2StreamId id = from->front();
    from->pop_front();
    return id;
  }
  [[nodiscard]] bool empty() const { return ready_[0].empty() && ready_[1].empty() && ready_[2].empty(); }

 private:
  std::array<Fifo<H2StreamId>, 3> ready_;
  unsigned since_bulk_ = 0;
};

// What the peer has asked of us within the current window.
struct H2Spent {
  Tick since{};
  uint32_t resets = 0;
  uint32_t settings = 0;
  uint32_t pings = 0;
  uint32_t empty_data = 0;
  uint32_t window_updates = 0;
  uint32_t data_frames_sent = 0;
  uint32_t other = 0;
};

}  // namespace entente::net
