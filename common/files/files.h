// Files that must be whole, and private ones.
//
// Errors name the path and say what to do. All functions are thread-safe.
#ifndef COMMON_FILES_FILES_H_
#define COMMON_FILES_FILES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mc {

inline constexpr size_t kMaxFileBytes = 4 << 20;

// Replaces the file: whoever reads it, and whenever the machine stops, finds
// the old content or the new one, also where several write at once. Durable
// when it returns. A draft, PATH.new-*, is left only where the machine or the
// process was stopped in between.
absl::Status AtomicWrite(const std::string& path, std::string_view data,
                         mode_t mode);

// NOT_FOUND, PERMISSION_DENIED, or FAILED_PRECONDITION for what is no regular
// file or larger than max_bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes = kMaxFileBytes);

// As ReadFile, for a file that only its owner may read or write, or that root
// lets nobody else read but a group of this process (as secrets are mounted),
// or root's own group (as systemd passes credentials, by an access list):
// FAILED_PRECONDITION where others can, or where it is owned by another user.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path,
                                            size_t max_bytes = kMaxFileBytes);

// Creates the directory (0700) where it is missing. FAILED_PRECONDITION where
// others can read it, or where it is owned by another user.
absl::Status EnsurePrivateDirectory(const std::string& path);

// The same checks on what must be there already.
absl::Status CheckPrivateDirectory(const std::string& path);
absl::Status CheckPrivateFile(const std::string& path);

bool FileExists(const std::string& path);

// `path`, or `directory`/`path` where it is relative. Empty stays empty.
std::string ResolvePath(std::string_view directory, std::string_view path);
// The folder that a path is in; "." where it names none.
std::string DirectoryOf(std::string_view path);

}  // namespace mc

#endif  // COMMON_FILES_FILES_H_
