// Requests to a key service at half the rate that is possible with a ledger on a disk: each attempt and each
// release is durable before the request goes on, as the node's key desk has it, while others are under way.
#pragma once

#include "data/kas.h"
#include "ledger/ledger.h"
#include "objects.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace bench {

class RecordedLoad {
 public:
  RecordedLoad(data::Kas& kas, const data::Kas::Issuer& issuer, const coalition::World& world)
      : kas_(kas), issuer_(issuer), world_(world) {
    std::string made = (std::filesystem::temp_directory_path() / "entente-rewrap-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) end("no folder for a ledger");
    folder_ = made;
    ledger_ = ledger::Ledger::open({.folder = folder_,
                                    .origin = "entente.xaa/ledger",
                                    .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519)})
                  .value();
  }
  ~RecordedLoad() {
    ledger_.reset();
    std::filesystem::remove_all(folder_);
  }
  RecordedLoad(const RecordedLoad&) = delete;
  RecordedLoad& operator=(const RecordedLoad&) = delete;

  // The first half as fast as it goes, so many at once, to see what is possible; the other at half of that.
  // `cpu_us`: of all threads, for one request; `sync_us`: one sync of that disk alone.
  [[nodiscard]] Json half_load(const std::vector<data::KasRequest>& requests) {
    const size_t half = requests.size() / 2;
    const double began = now_us();
    (void)run(requests.data(), std::vector<double>(half, began), kAtOnce);
    const double each = (now_us() - began) / static_cast<double>(half);
    std::mt19937_64 random(3);
    std::exponential_distribution<double> gap(1 / (2 * each));
    std::vector<double> due(half);
    double at = now_us();
    for (double& one : due) one = at += gap(random);
    const double used = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    std::vector<double> took = run(requests.data() + half, due, half);
    const double cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - used;
    std::ranges::sort(took);
    return Json::object({{"per_second", 1e6 / (2 * each)},
                         {"p50_us", took[half / 2]},
                         {"p99_us", took[half * 99 / 100]},
                         {"cpu_us", cpu / static_cast<double>(half)},
                         {"appends", static_cast<double>(appends_) / static_cast<double>(requests.size())},
                         {"sync_us", sync_us()}});
  }

 private:
  static constexpr size_t kAtOnce = 64;
  static double now_us() { return clock_us(CLOCK_MONOTONIC); }
  [[noreturn]] static void end(std::string_view why) {
    fmt::print(stderr, "bench_rewrap: {}\n", why);
    std::exit(1);
  }

  // How long each took from when it was due to its answer.
  std::vector<double> run(const data::KasRequest* requests, const std::vector<double>& due, size_t at_once) {
    std::vector<double> took;
    size_t next = 0;
    while (took.size() < due.size()) {
      std::deque<size_t> durable;
      {
        std::unique_lock lock(mutex_);
        const bool may_start = next < due.size() && next - took.size() < at_once;
        const double wait_us = may_start ? due[next] - now_us() : 1e6;
        if (durable_.empty() && wait_us > 0)
          wake_.wait_for(lock, std::chrono::microseconds(static_cast<int64_t>(wait_us)));
        durable.swap(durable_);
      }
      const data::KasMoment at{kNow + Millis(2), Tick{} + std::chrono::hours(1)};
      const auto go_on = [&](size_t number, data::Kas::Step step) {
        if (auto* write = std::get_if<data::Kas::Write>(&step)) {
          record(number, std::move(*write));
        } else {
          const std::string answer = std::get<data::KasAnswer>(step).body.dump();
          if (answer.find("\"permit\"") == std::string::npos) end(answer);
          took.push_back(now_us() - due[number]);
        }
      };
      for (const size_t number : durable) {
        auto held = writes_.extract(number);
        go_on(number, kas_.written(std::move(held.mapped()), {}, world_, at));
      }
      if (next < due.size() && next - took.size() < at_once && due[next] <= now_us()) {
        const size_t number = next++;
        go_on(number, kas_.take(requests[number], &issuer_, world_, at));
      }
    }
    return took;
  }

  void record(size_t number, data::Kas::Write write) {
    std::vector<ledger::Record> records;
    for (data::KasLeaf& leaf : write.leaves) {
      ledger::Record record{.event_class = leaf.kind, .time = kNow, .fields = {}};
      for (auto& [name, value] : leaf.fields) record.fields.emplace_back(name, value);
      records.push_back(std::move(record));
    }
    ++appends_;
    writes_.emplace(number, std::move(write));
    ledger_->append(std::move(records), ledger::Space::ordinary,
                    [this, number](const Result<ledger::Appended>& appended) {
                      if (!appended) end(appended.error().text());
                      const std::scoped_lock lock(mutex_);
                      durable_.push_back(number);
                      wake_.notify_one();
                    });
  }

  [[nodiscard]] double sync_us() const {
    const int file = ::open((folder_ / "sync").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::array<char, 4096> page{};
    std::vector<double> took;
    for (int i = 0; i < 64; ++i) {
      if (::pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size())) end("no disk");
      const double began = now_us();
      if (::fdatasync(file) != 0) end("no sync");
      took.push_back(now_us() - began);
    }
    ::close(file);
    std::ranges::sort(took);
    return took[took.size() / 2];
  }

  data::Kas& kas_;
  const data::Kas::Issuer& issuer_;
  const coalition::World& world_;
  std::filesystem::path folder_;
  std::map<size_t, data::Kas::Write> writes_;  // until they are durable
  size_t appends_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<size_t> durable_;
  std::unique_ptr<ledger::Ledger> ledger_;  // ends first: it answers into the above
};

}  // namespace bench
