// The view that others read and keep (C2SP tlog-tiles v0.1.0): tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>]
// and checkpoint, made from the segments and rebuildable at any time. For this room only.
#pragma once

#include "base/bytes.h"
#include "ledger/merkle.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace entente::ledger {

inline constexpr uint64_t kTileWidth = 256;
inline constexpr unsigned kTileLevelsMax = 8;

// "tile/0/x001/x234/067.p/12"; level -1 is "entries"; width 256 is a full tile.
[[nodiscard]] std::string tile_path(int level, uint64_t index, uint64_t width);

struct TileFile {
  std::string path{};  // below the ledger's folder
  Bytes bytes{};
};

// The hash tiles that a log which grew from `from` to `to` leaves needs; partial ones where its right edge
// is.
[[nodiscard]] std::vector<TileFile> hash_tiles(const Tree& tree, uint64_t from, uint64_t to);
// An entry bundle: each entry behind its length, 16 bit big endian.
void add_to_bundle(Bytes& bundle, ByteView entry);

// Writes beside, syncs, renames: a reader sees the old file or the new one.
[[nodiscard]] Result<void> put_file(const std::filesystem::path& path, ByteView bytes);
// Removes partial tiles that neither `size` nor `former` has at its right edge.
void forget_partial_tiles(const std::filesystem::path& folder, uint64_t former, uint64_t size);

}  // namespace entente::ledger
