#include "base/archive.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <zlib.h>

namespace entente {
namespace {

constexpr size_t kBlock = 512;

Failure wrong(std::string what) {
  return fail("archive.damaged", std::move(what), {}, "a tar archive, or one packed with gzip, belongs here");
}

// Gives the unpacked bytes piece by piece; several gzip members may follow one another.
class Unpacker {
 public:
  Unpacker(std::string_view bytes, size_t bytes_max) : in_(bytes), left_(bytes_max) {
    packed_ =
        bytes.size() > 2 && static_cast<uint8_t>(bytes[0]) == 0x1f && static_cast<uint8_t>(bytes[1]) == 0x8b;
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;
  ~Unpacker() {
    if (open_) inflateEnd(&stream_);
  }

  // As many bytes as wanted, or fewer at the end.
  Result<std::string> take(size_t wanted) {
    std::string out;
    if (wanted > left_) return wrong("the archive unpacks to more than is allowed");
    if (!packed_) {
      out = in_.substr(0, wanted);
      in_.remove_prefix(out.size());
    } else {
      TRY_VOID(inflate_some(out, wanted));
    }
    left_ -= out.size();
    return out;
  }

  Result<void> skip(size_t count) {
    constexpr size_t kStep = 1 << 16;
    while (count > 0) {
      TRY(const std::string step, take(std::min(count, kStep)));
      if (step.empty()) return {};
      count -= step.size();
    }
    return {};
  }

 private:
  Result<void> inflate_some(std::string& out, size_t wanted) {
    constexpr size_t kStep = 1 << 16;
    constexpr int kGzip = 16 + MAX_WBITS;
    while (out.size() < wanted && !done_) {
      if (!open_) {
        if (inflateInit2(&stream_, kGzip) != Z_OK) return wrong("the archive cannot be unpacked");
        open_ = true;
      }
      const size_t before = out.size();
      out.resize(before + std::min(wanted - before, kStep));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in_.data()));
      stream_.avail_in = static_cast<uInt>(std::min(in_.size(), kStep));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(out.size() - before);
      const uInt given = stream_.avail_in;
      const uInt room = stream_.avail_out;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      in_.remove_prefix(given - stream_.avail_in);
      out.resize(before + (room - stream_.avail_out));
      if (result == Z_STREAM_END) {
        inflateEnd(&stream_);
        open_ = false;
        stream_ = {};
        done_ = in_.empty();
      } else if (result != Z_OK || (out.size() == before && in_.empty())) {
        return wrong("the gzip data is damaged or cut short");
      }
    }
    return {};
  }

  std::string_view in_;
  size_t left_;
  bool packed_ = false;
  bool open_ = false;
  bool done_ = false;
  z_stream stream_{};
};

std::string text_field(std::string_view block, size_t at, size_t length) {
  const std::string_view field = block.substr(at, length);
  return std::string(field.substr(0, std::min(field.find('\0'), field.size())));
}

// Octal with blanks around it, or base 256 when the top bit is set.
std::optional<uint64_t> number_field(std::string_view block, size_t at, size_t length) {
  std::string_view field = block.substr(at, length);
  uint64_t value = 0;
  if ((static_cast<uint8_t>(field[0]) & 0x80U) != 0) {
    for (size_t i = 0; i < field.size(); ++i) {
      if ((value >> 55U) != 0) return std::nullopt;
      const auto byte = static_cast<uint8_t>(field[i]);
      value = (value << 8U) | (i == 0 ? byte & 0x7fU : byte);
    }
    return value;
  }
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  for (const char c : field) {
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7' || (value >> 60U) != 0) return std::nullopt;
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool checksum_holds(std::string_view block) {
  constexpr size_t kAt = 148;
  constexpr size_t kLength = 8;
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i)
    sum += i >= kAt && i < kAt + kLength ? uint64_t{' '} : static_cast<uint8_t>(block[i]);
  return number_field(block, kAt, kLength) == sum;
}

// Without leading "./"; none when it leads anywhere else but into the archive.
std::optional<std::string> safe_name(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  if (name.empty() || name.front() == '/' || name.size() > 4096) return std::nullopt;
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (const std::string_view part = std::string_view(name).substr(begin, end - begin); part == "..")
      return std::nullopt;
    begin = end + 1;
  }
  return name;
}

class TarReader {
 public:
  TarReader(std::string_view bytes, const ArchiveLimits& limits)
      : in_(bytes, limits.bytes_max), limits_(limits) {}

  Result<std::map<std::string, std::string>> run() {
    while (true) {
      TRY(const std::string block, in_.take(kBlock));
      if (block.empty() || std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) break;
      if (block.size() < kBlock || !checksum_holds(block))
        return wrong("this is no tar archive, or it is damaged");
      TRY_VOID(entry(block));
    }
    return std::move(files_);
  }

 private:
  Result<void> entry(std::string_view block) {
    const auto size = number_field(block, 124, 12);
    if (!size) return wrong("a size in the archive is no number");
    const char type = block[156];
    const uint64_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    if (padded < *size) return wrong("a size in the archive is too large");
    if (type == 'L' || type == 'x') return describe(type, *size, padded);
    std::string name = std::move(next_name_);
    next_name_.clear();
    if (name.empty()) {
      const std::string prefix =
          block.substr(257, 5) == "ustar" ? text_field(block, 345, 155) : std::string();
      name = (prefix.empty() ? "" : prefix + "/") + text_field(block, 0, 100);
    }
    auto safe = safe_name(std::move(name));
    if ((type != '0' && type != '\0') || !safe) return in_.skip(padded);
    if (*size > limits_.file_bytes_max) return wrong(fmt::format("{} is larger than is allowed", *safe));
    TRY(std::string content, in_.take(*size));
    if (content.size() < *size) return wrong("the archive is cut short");
    if (files_.size() == limits_.files_max) return wrong("the archive holds more files than are allowed");
    files_.insert_or_assign(*std::move(safe), std::move(content));
    return in_.skip(padded - *size);
  }

  // A name for the next entry: GNU's long one, or a pax record "25 path=...\n".
  Result<void> describe(char type, uint64_t size, uint64_t padded) {
    constexpr uint64_t kDescriptionMax = 1 << 16;
    if (size > kDescriptionMax) return in_.skip(padded);
    TRY(const std::string text, in_.take(size));
    TRY_VOID(in_.skip(padded - size));
    if (type == 'L') {
      next_name_ = text.substr(0, text.find('\0'));
      return {};
    }
    for (size_t at = 0; at < text.size();) {
      const size_t space = text.find(' ', at);
      size_t length = 0;
      const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
      for (size_t i = at; i < text.size() && is_digit(text[i]) && length < kDescriptionMax; ++i)
        length = length * 10 + static_cast<size_t>(text[i] - '0');
      if (space == std::string::npos || length < space - at + 2 || at + length > text.size()) break;
      const std::string record = text.substr(space + 1, at + length - space - 2);
      if (record.starts_with("path=")) next_name_ = record.substr(5);
      at += length;
    }
    return {};
  }

  Unpacker in_;
  const ArchiveLimits& limits_;
  std::map<std::string, std::string> files_;
  std::string next_name_;
};

}  // namespace

Result<std::map<std::string, std::string>> read_archive(std::string_view bytes, const ArchiveLimits& limits) {
  return TarReader(bytes, limits).run();
}

}  // namespace entente
