// Runs a fuzz target without libFuzzer: every file of a corpus folder, then seeded mutations of them.
// ENTENTE_FUZZ_RUNS sets how many mutations (default 2000); ENTENTE_FUZZ_SEED replays one run.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

size_t below(std::mt19937_64& random, size_t bound) {
  return bound == 0 ? 0 : random() % bound;
}

Input mutate(const Input& seed, const std::vector<Input>& all, std::mt19937_64& random) {
  Input out = seed;
  const size_t edits = 1 + below(random, 6);
  for (size_t i = 0; i < edits; ++i) {
    const size_t at = below(random, out.size() + 1);
    const auto position = out.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(random, 5)) {
      case 0:
        if (at < out.size()) out[at] = static_cast<uint8_t>(random());
        break;
      case 1:
        out.insert(position, static_cast<uint8_t>(random()));
        break;
      case 2:
        if (at < out.size())
          out.erase(position, position + static_cast<std::ptrdiff_t>(
                                             1 + below(random, std::min<size_t>(8, out.size() - at))));
        break;
      case 3: {
        const Input& other = all[below(random, all.size())];
        const size_t from = below(random, other.size() + 1);
        out.insert(position, other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
      }
      default:
        if (at < out.size()) out[at] = static_cast<uint8_t>(out[at] ^ (1U << below(random, 8)));
    }
    if (out.size() > 65536) out.resize(65536);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Input> corpus{{}};
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::exists(argv[i])) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
  }
  const char* runs_text = std::getenv("ENTENTE_FUZZ_RUNS");
  const char* seed_text = std::getenv("ENTENTE_FUZZ_SEED");
  const uint64_t runs = runs_text != nullptr ? std::strtoull(runs_text, nullptr, 10) : 2000;
  const uint64_t seed = seed_text != nullptr ? std::strtoull(seed_text, nullptr, 10) : 1;
  for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937_64 random(seed);
  for (uint64_t i = 0; i < runs; ++i) {
    const Input input = mutate(corpus[below(random, corpus.size())], corpus, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs, %llu mutations, seed %llu: no crash\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
