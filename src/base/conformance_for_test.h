// Public test sets that lie beside the repository, for the tests that read them: $ENTENTE_CONFORMANCE, or
// ../shared/conformance. Any folder of the same layout does, with other files and other counts; what is not
// there is said and skipped.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace entente {

inline std::filesystem::path conformance(std::string_view set) {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  return std::filesystem::path(given != nullptr ? given : "../shared/conformance") / set;
}

inline std::string conformance_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The files under a folder whose names end so, at any depth and in order. None: says that it is skipped.
inline std::vector<std::filesystem::path> conformance_files(const std::filesystem::path& folder,
                                                            std::string_view end) {
  std::vector<std::filesystem::path> out;
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && entry.path().filename().string().ends_with(end))
        out.push_back(entry.path());
  std::ranges::sort(out);
  if (out.empty())
    MESSAGE("skipped: no *" << end << " in " << folder.string() << " (set ENTENTE_CONFORMANCE)");
  return out;
}

}  // namespace entente
