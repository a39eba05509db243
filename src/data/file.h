// Files as sources and sinks of objects. Errors: "data.file" with the path in `where`.
#pragma once

#include "data/io.h"

#include <optional>
#include <string>

namespace entente::data {

// A plain file, open for reading; it must not shrink while it is read.
class FileSource final : public Source {
 public:
  [[nodiscard]] static Result<FileSource> open(const std::string& path);
  FileSource(FileSource&& other) noexcept;
  FileSource& operator=(FileSource&&) = delete;
  ~FileSource() override;
  [[nodiscard]] uint64_t size() const override { return size_; }
  [[nodiscard]] Result<void> read(uint64_t at, std::span<uint8_t> out) const override;

 private:
  FileSource(int file, uint64_t size, std::string path) : file_(file), size_(size), path_(std::move(path)) {}
  int file_;
  uint64_t size_;
  std::string path_;
};

// Written beside its place under another name and put there by commit(); without that nothing is left of it.
class NewFile final : public Sink {
 public:
  // Only the owner may read it; commit() with `shared` gives it the usual rights.
  [[nodiscard]] static Result<NewFile> create(const std::string& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() override;
  [[nodiscard]] Result<void> write(ByteView bytes) override;
  [[nodiscard]] Result<void> commit(bool shared);  // synced to disk, then renamed

 private:
  NewFile(int file, std::string path, std::string fresh)
      : file_(file), path_(std::move(path)), fresh_(std::move(fresh)) {}
  int file_;
  std::string path_;
  std::string fresh_;  // empty once it has its place
};

// Fills `out` from a descriptor as far as it goes; fewer bytes mean the end.
[[nodiscard]] Result<size_t> read_some(int file, std::span<uint8_t> out);

}  // namespace entente::data
