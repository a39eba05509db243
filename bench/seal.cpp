// bench_seal [libbenchmark's options]: objects sealed and opened in memory, segment by segment, as `entente
// seal` and `entente open` do with files; beside the same cipher alone over the same segments.
#include "data/seal.h"

#include "crypto/aead.h"
#include "data/open.h"

#include <benchmark/benchmark.h>

namespace {

using namespace entente;
using namespace entente::data;

constexpr size_t kBytes = size_t{128} << 20;
constexpr size_t kSegment = size_t{2} << 20;

class NoSink final : public Sink {
 public:
  Result<void> write(ByteView bytes) override {
    benchmark::DoNotOptimize(bytes.data());
    return {};
  }
};

const Bytes& plain() {
  static const Bytes out = crypto::random_bytes(kBytes);
  return out;
}

const crypto::PrivateKey& key() {
  static const crypto::PrivateKey out = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return out;
}

SealPlan plan() {
  SealPlan out;
  out.policy.uuid = "5e0f3a52-0000-4000-8000-000000000001";
  out.policy.attributes = {parse_attribute("https://xaa.example/attr/releasable/value/xbb").value()};
  out.shares = {{Recipient{key().public_key(), "https://kas.xaa.localhost", "k1", ""}}};
  return out;
}

void seal_to(Sink& sink) {
  Sealer sealer = Sealer::begin(sink, plan(), kBytes).value();
  ENTENTE_CHECK(sealer.write(plain()).has_value());
  ENTENTE_CHECK(sealer.finish().has_value());
}

void count(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(kBytes));
}

void cipher(benchmark::State& state) {
  const crypto::Aead aead(crypto::Secret::random(32).bytes());
  const Bytes nonce = crypto::random_bytes(crypto::kAeadNonceBytes);
  Bytes out(kSegment + crypto::kAeadFrameBytes);
  while (state.KeepRunning())
    for (size_t at = 0; at < kBytes; at += kSegment)
      aead.seal(nonce, ByteView(plain()).subspan(at, kSegment), out);
  count(state);
}

void seal(benchmark::State& state) {
  NoSink nowhere;
  while (state.KeepRunning()) seal_to(nowhere);
  count(state);
}

void open(benchmark::State& state) {
  MemorySink object;
  seal_to(object);
  const MemorySource source(object.bytes);
  NoSink nowhere;
  while (state.KeepRunning()) {
    const SealedObject sealed = read_object(source).value();
    OpenObject opened =
        OpenObject::open(sealed, collect_key(sealed.manifest, with_keys({key()})).value()).value();
    ENTENTE_CHECK(opened.copy_to(nowhere).has_value());
  }
  count(state);
}

BENCHMARK(cipher)->Unit(benchmark::kMillisecond);
BENCHMARK(seal)->Unit(benchmark::kMillisecond);
BENCHMARK(open)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
