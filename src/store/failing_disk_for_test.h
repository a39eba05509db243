// A SQLite VFS that passes everything on to the platform's until it is told to fail. For tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace entente::store {

class FailingDisk {
 public:
  explicit FailingDisk(std::string name);
  ~FailingDisk();
  [[nodiscard]] const std::string& name() const;
  void fail_after(int writes);               // then writes and syncs fail
  void fail_once_after(int writes);          // the next one, and no other
  void fill(std::filesystem::path reserve);  // no space is left as long as this file takes it
  void mend();

 private:
  class Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace entente::store
