#include "store/failing_disk_for_test.h"

#include <atomic>
#include <climits>

#include <sqlite3.h>

namespace entente::store {

class FailingDisk::Inside {
 public:
  explicit Inside(std::string name) : name_(std::move(name)) {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~Inside() { sqlite3_vfs_unregister(&vfs_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  void fail_after(int writes) { writes_left_ = writes; }  // then writes and syncs fail
  void fail_once_after(int writes) {
    once_ = true;
    writes_left_ = writes;
  }
  // No space is left as long as this file takes it.
  void fill(std::filesystem::path reserve) {
    reserve_ = std::move(reserve);
    full_ = true;
  }
  void mend() {
    writes_left_ = INT_MAX;
    full_ = false;
    once_ = false;
  }

 private:
  struct File {
    sqlite3_file base;
    Inside* disk;
    sqlite3_io_methods methods;
    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  [[nodiscard]] int verdict() {
    if (full_ && std::filesystem::exists(reserve_)) return SQLITE_FULL;
    const int left = writes_left_.fetch_sub(1);
    return left > 0 || (left < 0 && once_) ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out) {
    auto* disk = static_cast<Inside*>(vfs->pAppData);
    File& mine = of(file);
    mine.disk = disk;
    mine.base.pMethods = nullptr;
    const int code = disk->real_->xOpen(disk->real_, path, mine.real(), flags, out);
    if (mine.real()->pMethods == nullptr) return code;
    // Everything but writing goes straight on; each wrapper differs in its file only.
    static const sqlite3_io_methods wrapped = methods();
    mine.methods = wrapped;
    mine.methods.iVersion = mine.real()->pMethods->iVersion;
    mine.base.pMethods = &mine.methods;
    return code;
  }

  static sqlite3_io_methods methods() {
    sqlite3_io_methods out{};
    out.xClose = [](sqlite3_file* f) { return of(f).real()->pMethods->xClose(of(f).real()); };
    out.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return of(f).real()->pMethods->xRead(of(f).real(), to, n, at);
    };
    out.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      const int verdict = of(f).disk->verdict();
      return verdict != SQLITE_OK ? verdict : of(f).real()->pMethods->xWrite(of(f).real(), from, n, at);
    };
    out.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return of(f).real()->pMethods->xTruncate(of(f).real(), size);
    };
    out.xSync = [](sqlite3_file* f, int flags) {
      const int verdict = of(f).disk->verdict();
      return verdict != SQLITE_OK ? verdict : of(f).real()->pMethods->xSync(of(f).real(), flags);
    };
    out.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return of(f).real()->pMethods->xFileSize(of(f).real(), size);
    };
    out.xLock = [](sqlite3_file* f, int level) { return of(f).real()->pMethods->xLock(of(f).real(), level); };
    out.xUnlock = [](sqlite3_file* f, int level) {
      return of(f).real()->pMethods->xUnlock(of(f).real(), level);
    };
    out.xCheckReservedLock = [](sqlite3_file* f, int* held) {
      return of(f).real()->pMethods->xCheckReservedLock(of(f).real(), held);
    };
    out.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return of(f).real()->pMethods->xFileControl(of(f).real(), op, arg);
    };
    out.xSectorSize = [](sqlite3_file* f) { return of(f).real()->pMethods->xSectorSize(of(f).real()); };
    out.xDeviceCharacteristics = [](sqlite3_file* f) {
      return of(f).real()->pMethods->xDeviceCharacteristics(of(f).real());
    };
    out.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** to) {
      return of(f).real()->pMethods->xShmMap(of(f).real(), page, size, extend, to);
    };
    out.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
      return of(f).real()->pMethods->xShmLock(of(f).real(), offset, n, flags);
    };
    out.xShmBarrier = [](sqlite3_file* f) { of(f).real()->pMethods->xShmBarrier(of(f).real()); };
    out.xShmUnmap = [](sqlite3_file* f, int remove) {
      return of(f).real()->pMethods->xShmUnmap(of(f).real(), remove);
    };
    out.xFetch = [](sqlite3_file* f, sqlite3_int64 at, int n, void** to) {
      return of(f).real()->pMethods->xFetch(of(f).real(), at, n, to);
    };
    out.xUnfetch = [](sqlite3_file* f, sqlite3_int64 at, void* from) {
      return of(f).real()->pMethods->xUnfetch(of(f).real(), at, from);
    };
    return out;
  }

  const std::string name_;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  std::atomic<int> writes_left_ = INT_MAX;
  std::atomic<bool> full_ = false;
  std::atomic<bool> once_ = false;
  std::filesystem::path reserve_;
};

FailingDisk::FailingDisk(std::string name) : inside_(std::make_unique<Inside>(std::move(name))) {}
FailingDisk::~FailingDisk() = default;
const std::string& FailingDisk::name() const {
  return inside_->name();
}
void FailingDisk::fail_after(int writes) {
  inside_->fail_after(writes);
}
void FailingDisk::fail_once_after(int writes) {
  inside_->fail_once_after(writes);
}
void FailingDisk::fill(std::filesystem::path reserve) {
  inside_->fill(std::move(reserve));
}
void FailingDisk::mend() {
  inside_->mend();
}

}  // namespace entente::store
