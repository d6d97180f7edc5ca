// A file system for SQLite whose power can fail, for tests.
#ifndef COMMON_SQLITE_TESTING_POWER_LOSS_VFS_H_
#define COMMON_SQLITE_TESTING_POWER_LOSS_VFS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

struct sqlite3_vfs;

namespace mc::sqlite::testing {

// What power loss makes of writes that were not synced yet.
enum class Loss {
  // None of them is on the disk.
  kAll,
  // The first ones are, in their order; the last of them is torn: only its
  // first sectors.
  kTail,
  // Any sectors of any of them are.
  kAnySectors,
};
inline constexpr Loss kLosses[] = {Loss::kAll, Loss::kTail, Loss::kAnySectors};

// While it lives it is SQLite's default VFS: databases opened meanwhile are
// read and written as always, and for each file of a folder it knows what a
// sync has made durable and what not. Which shared-memory index the file has
// does not matter: it does not outlive the machine. A file that was deleted is
// gone for good.
//
// One at a time. What is opened through it must be closed before its end.
// Thread-safe.
class PowerLossVfs {
 public:
  // Runs at every sync, before (the power fails before anything of it is
  // durable) and after it, on the thread that syncs. It may open databases of
  // other folders.
  using AtSync = std::function<void()>;

  explicit PowerLossVfs(std::string folder, AtSync at_sync = nullptr);
  ~PowerLossVfs();
  PowerLossVfs(const PowerLossVfs&) = delete;
  PowerLossVfs& operator=(const PowerLossVfs&) = delete;

  // Puts the folder's files, as they may be after the power has failed now,
  // into another folder. SQLite is opened there with the system's own VFS once
  // this object is gone, or at any time: it watches its own folder alone.
  void MakeImage(const std::string& folder, Loss loss, uint64_t seed) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t syncs() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of files that are not the shared-memory index.
  int64_t unsynced_writes() const ABSL_LOCKS_EXCLUDED(mutex_);

  // For the VFS's own functions.
  struct Change {
    // A write at `offset`, or a truncation to `offset` bytes.
    bool truncate = false;
    int64_t offset = 0;
    std::string bytes;
  };
  bool Watches(const char* path) const;
  void Opened(const std::string& path);
  void Changed(const std::string& path, Change change);
  void Syncing(const std::string& path);
  void Synced(const std::string& path);
  void Deleted(const std::string& path);
  sqlite3_vfs* real() const { return real_; }

 private:
  struct File {
    std::string durable;
    std::vector<Change> pending;
  };

  static std::string After(const File& file, Loss loss, std::mt19937_64& draw);

  const std::string folder_;
  const AtSync at_sync_;
  sqlite3_vfs* const real_;
  const std::unique_ptr<sqlite3_vfs> vfs_;
  mutable absl::Mutex mutex_;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mutex_);
  int64_t syncs_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::sqlite::testing

#endif  // COMMON_SQLITE_TESTING_POWER_LOSS_VFS_H_
