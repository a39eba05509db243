// bench_decide POLICIES [libbenchmark's options]: one decision, at some sizes of the world.
#include "world.h"

#include <map>

#include <benchmark/benchmark.h>

namespace {

std::string policies;

const entente::coalition::World& world_of(size_t apps) {
  static std::map<size_t, entente::coalition::World> made;
  const auto at = made.find(apps);
  if (at != made.end()) return at->second;
  auto loaded = entente::coalition::World::load(bench::records(policies, apps), entente::Revision{1});
  if (!loaded) {
    fmt::print(stderr, "{}\n", loaded.error().text());
    std::exit(2);
  }
  return made.emplace(apps, *std::move(loaded)).first->second;
}

void decide(benchmark::State& state, const char* partner) {
  const entente::coalition::World& world = world_of(static_cast<size_t>(state.range(0)));
  const entente::coalition::Ask ask = bench::planner(partner, "/tracks");
  bool permit = true;
  while (state.KeepRunning()) permit = permit && entente::coalition::decide(world, ask).permit;
  if (!permit) state.SkipWithError("the planner is refused: this measures the wrong thing");
}

}  // namespace

BENCHMARK_CAPTURE(decide, request_of_a_partner, "XBB")->Arg(1)->Arg(10'000)->Arg(200'000);

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    fmt::print(stderr, "bench_decide: the folder of the demonstration's policies is needed\n");
    return 2;
  }
  policies = argv[1];
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
