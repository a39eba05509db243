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
  friend class NewFile;
  FileSource(int file, uint64_t size, std::string path) : file_(file), size_(size), path_(std::move(path)) {}
  int file_;
  uint64_t size_;
  std::string path_;
};

// Written beside its place and put there by commit(). Without that nothing is left of it, however the process
// ends, where the file system knows files without a name (O_TMPFILE); elsewhere it has another name
// meanwhile, which stays behind when the process is killed.
class NewFile final : public Sink {
 public:
  // Where a file of that name goes: behind the links in it, and only where a plain file is or nothing yet.
  [[nodiscard]] static Result<std::string> place(const std::string& path);
  // Only the owner may read it; commit() with `shared` gives it the usual rights.
  [[nodiscard]] static Result<NewFile> create(const std::string& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() override;
  [[nodiscard]] Result<void> write(ByteView bytes) override;
  [[nodiscard]] Result<void> commit(bool shared);    // synced to disk, then renamed
  [[nodiscard]] Result<FileSource> written() const;  // what is in it by now

 private:
  NewFile(int file, std::string path, std::string fresh)
      : file_(file), path_(std::move(path)), fresh_(std::move(fresh)) {}
  int file_;
  std::string path_;
  std::string fresh_;  // the other name, while it has one
};

// Fills `out` from a descriptor as far as it goes; fewer bytes mean the end.
[[nodiscard]] Result<size_t> read_some(int file, std::span<uint8_t> out);

}  // namespace entente::data
