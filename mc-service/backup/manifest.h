// What a backup says of itself: its first file.
#ifndef MC_SERVICE_BACKUP_MANIFEST_H_
#define MC_SERVICE_BACKUP_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace mc::service {

inline constexpr char kManifestName[] = "manifest.json";
inline constexpr char kStoreName[] = "store.db";
inline constexpr char kConfigName[] = "mc-service.yaml";

struct BackedUpFile {
  std::string name;
  int64_t bytes = 0;
  // Lower-case hexadecimal.
  std::string sha256;
};

struct Manifest {
  // RFC 3339, UTC.
  std::string created_at;
  // Of the program that made it.
  std::string program_version;
  std::string trust_domain;
  uint64_t service_epoch = 0;
  // The store's newest migration.
  int64_t schema_version = 0;
  // In the order in which they follow.
  std::vector<BackedUpFile> files;
  // Files outside the state directory that the configuration names; they are
  // somebody else's.
  std::vector<std::string> not_included;

  int64_t TotalBytes() const;
};

std::string ToJson(const Manifest& manifest);
// DATA_LOSS: it is none. FAILED_PRECONDITION: a newer program made it.
absl::StatusOr<Manifest> ParseManifest(std::string_view json);

}  // namespace mc::service

#endif  // MC_SERVICE_BACKUP_MANIFEST_H_
