#include "ledger/tiles.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace entente::ledger {
namespace {

std::string level_name(int level) {
  return level < 0 ? "entries" : std::to_string(level);
}

// How many hashes of `level` a log of that size has.
uint64_t row_size(int level, uint64_t size) {
  return level <= 0 ? size : size >> (8 * static_cast<unsigned>(level));
}

Failure io(const std::filesystem::path& path) {
  const int code = errno;
  return fail(code == ENOSPC || code == EDQUOT ? "ledger.full" : "ledger.io",
              std::string("a tile can't be written: ") + std::strerror(code), path);
}

Result<void> write_all(int file, ByteView bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return io(path);
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  if (::fdatasync(file) != 0) return io(path);
  return {};
}

}  // namespace

std::string tile_path(int level, uint64_t index, uint64_t width) {
  const auto three = [](uint64_t n) {
    const std::string digits = std::to_string(n % 1000);
    return std::string(3 - digits.size(), '0') + digits;
  };
  std::string path = three(index);
  for (uint64_t rest = index / 1000; rest > 0; rest /= 1000) path.insert(0, "x" + three(rest) + "/");
  if (width < kTileWidth) path += ".p/" + std::to_string(width);
  return "tile/" + level_name(level) + "/" + path;
}

std::vector<TileFile> hash_tiles(const Tree& tree, uint64_t from, uint64_t to) {
  std::vector<TileFile> out;
  for (int level = 0; level < static_cast<int>(kTileLevelsMax) && row_size(level, to) > 0; ++level) {
    const std::span<const Hash> row = tree.row(static_cast<unsigned>(level));
    const uint64_t end = row_size(level, to);
    for (uint64_t tile = row_size(level, from) / kTileWidth; tile * kTileWidth < end; ++tile) {
      const uint64_t width = std::min(kTileWidth, end - tile * kTileWidth);
      TileFile file{.path = tile_path(level, tile, width), .bytes = {}};
      for (const Hash& hash : row.subspan(tile * kTileWidth, width)) {
        file.bytes.insert(file.bytes.end(), hash.begin(), hash.end());
      }
      out.push_back(std::move(file));
    }
  }
  return out;
}

void add_to_bundle(Bytes& bundle, ByteView entry) {
  bundle.push_back(static_cast<uint8_t>(entry.size() >> 8U));
  bundle.push_back(static_cast<uint8_t>(entry.size()));
  bundle.insert(bundle.end(), entry.begin(), entry.end());
}

Result<void> put_file(const std::filesystem::path& path, ByteView bytes) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::string draft = path.string() + ".tmp";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return io(path);
  const Result<void> written = write_all(file, bytes, path);
  ::close(file);
  if (written) std::filesystem::rename(draft, path, error);
  if (!written || error) std::filesystem::remove(draft, error);
  return written;
}

void forget_partial_tiles(const std::filesystem::path& folder, uint64_t former, uint64_t size) {
  for (int level = -1; level < static_cast<int>(kTileLevelsMax); ++level) {
    const uint64_t tile = row_size(level, former) / kTileWidth;
    const auto width_at = [&](uint64_t at) {
      const uint64_t row = row_size(level, at);
      return row > tile * kTileWidth ? std::min(kTileWidth, row - tile * kTileWidth) : 0;
    };
    const std::filesystem::path partial = (folder / tile_path(level, tile, 1)).parent_path();
    std::error_code error;
    if (width_at(size) == kTileWidth) {
      std::filesystem::remove_all(partial, error);
      continue;
    }
    const std::string keep_old = std::to_string(width_at(former));
    const std::string keep_new = std::to_string(width_at(size));
    std::vector<std::filesystem::path> old;
    for (const auto& entry : std::filesystem::directory_iterator(partial, error)) {
      const std::string name = entry.path().filename();
      if (name != keep_old && name != keep_new) old.push_back(entry.path());
    }
    for (const std::filesystem::path& path : old) std::filesystem::remove(path, error);
  }
}

}  // namespace entente::ledger
