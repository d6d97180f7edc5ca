// A backup as a file: an archive, encrypted.
#ifndef MC_SERVICE_BACKUP_BACKUP_FILE_H_
#define MC_SERVICE_BACKUP_BACKUP_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/age/keys.h"
#include "common/age/stream.h"
#include "mc-service/backup/manifest.h"

namespace mc::service {

// Bytes of the files that are done, and of all of them.
using BackupProgress = std::function<void(int64_t done, int64_t total)>;

// A descriptor that closes itself.
class OpenedFile {
 public:
  explicit OpenedFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenedFile();
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

// With the path and errno's text.
absl::Status FileError(std::string_view what, const std::string& path);
absl::Status WriteAll(int descriptor, std::string_view bytes,
                      const std::string& path);
absl::Status SyncDirectory(const std::string& path);
// RESOURCE_EXHAUSTED where a folder's disk has less left.
absl::Status CheckSpace(const std::string& directory, int64_t bytes);

// Writes PATH.partial, which takes the place of PATH when it is finished: what
// PATH names is always a whole backup. Owner-only. Not thread-safe.
class BackupWriter {
 public:
  static absl::StatusOr<std::unique_ptr<BackupWriter>> Create(
      const std::string& path, const age::Recipient& recipient, absl::Time now);
  // Removes what was not finished.
  ~BackupWriter();
  BackupWriter(const BackupWriter&) = delete;
  BackupWriter& operator=(const BackupWriter&) = delete;

  absl::Status BeginFile(const std::string& name, int64_t bytes);
  absl::Status Write(std::string_view bytes);
  absl::Status EndFile();
  // Durable when it returns.
  absl::Status Finish();

 private:
  BackupWriter(std::string path, int descriptor, absl::Time now);

  const std::string path_;
  const std::string draft_;
  const OpenedFile file_;
  const absl::Time now_;
  int64_t size_ = 0;
  bool finished_ = false;
  std::unique_ptr<age::Encryptor> encryptor_;
};

// Told what is in a backup, in order.
class BackupVisitor {
 public:
  virtual ~BackupVisitor() = default;
  virtual absl::Status Begin(const Manifest& manifest) = 0;
  virtual absl::Status BeginFile(const BackedUpFile& file) = 0;
  virtual absl::Status Write(std::string_view bytes) = 0;
  virtual absl::Status EndFile() = 0;
};

// Reads a backup to its end. OK: every byte is authentic, and all that the
// manifest names was there. NOT_FOUND: there is no such file; else as
// age::Decryptor and ParseManifest.
absl::StatusOr<Manifest> ReadBackup(const std::string& path,
                                    const age::Identity& identity,
                                    BackupVisitor& visitor,
                                    const BackupProgress& progress);

}  // namespace mc::service

#endif  // MC_SERVICE_BACKUP_BACKUP_FILE_H_
