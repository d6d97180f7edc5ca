// A file in memory whose contents change as a whole, for libraries that only
// read files: secrets do not get onto a disk, and no reader sees half of them.
#ifndef COMMON_TLS_MEMORY_FILE_H_
#define COMMON_TLS_MEMORY_FILE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mc {

// Only this process can read it. Not thread-safe, except that it may be read
// by its path meanwhile.
class MemoryFile {
 public:
  // UNAVAILABLE where there are no more descriptors, or no /proc.
  static absl::StatusOr<std::unique_ptr<MemoryFile>> Create(
      std::string_view contents);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Good as long as this object, in this process.
  const std::string& path() const { return path_; }

  // Whoever opens the path finds the old contents or the new ones, and can
  // tell them apart by the time of the last change in whole seconds, also
  // where they change twice in a second.
  absl::Status Replace(std::string_view contents);

 private:
  explicit MemoryFile(int descriptor);

  const int descriptor_;
  const std::string path_;
  int generation_ = 0;
};

}  // namespace mc

#endif  // COMMON_TLS_MEMORY_FILE_H_
