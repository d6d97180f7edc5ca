// Archives of regular files in the ustar format (POSIX.1-1988), so that what
// is in a backup can be taken out by ordinary tools, too.
#ifndef MC_SERVICE_BACKUP_TAR_H_
#define MC_SERVICE_BACKUP_TAR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::service {

inline constexpr size_t kTarBlock = 512;

struct TarEntry {
  // Relative, below nothing but itself: no "..", no empty part.
  std::string name;
  int64_t size = 0;
  absl::Time modified_at;
};

// The block before an entry's contents. INVALID_ARGUMENT: a name that cannot
// be in such an archive.
absl::StatusOr<std::string> TarHeader(const TarEntry& entry);
// What follows contents of this size.
std::string TarPadding(int64_t size);
// What ends an archive.
std::string TarEnd();

// Reads a header; absent where it is the first block of the end. DATA_LOSS: it
// is none, or not of a regular file, or its name leads elsewhere.
absl::StatusOr<std::optional<TarEntry>> ParseTarHeader(std::string_view block);

// Whether a name may be in an archive of ours.
bool IsPlainName(std::string_view name);

}  // namespace mc::service

#endif  // MC_SERVICE_BACKUP_TAR_H_
