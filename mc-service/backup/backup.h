// Backups of a service: its store, CAs, keys and configuration in one encrypted
// file.
#ifndef MC_SERVICE_BACKUP_BACKUP_H_
#define MC_SERVICE_BACKUP_BACKUP_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/age/keys.h"
#include "common/time/clock.h"
#include "mc-service/backup/backup_file.h"
#include "mc-service/backup/manifest.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

struct BackupOptions {
  const Configuration* configuration = nullptr;
  // The file to make; one that is there is replaced when the new one is whole.
  std::string to;
  const age::Recipient* recipient = nullptr;
  const Clock* clock = nullptr;
  std::string program_version;
  BackupProgress progress = nullptr;
};

// Makes a backup while the service runs, or not: the store as it was at one
// moment, then the files beside it. The service goes on meanwhile; its log is
// not written back into the store's file until the copy is made.
//
// The copy is made in the state directory, whose disk needs room for it; it has
// no name there while it is encrypted, so that nothing of it stays.
//
// RESOURCE_EXHAUSTED: too little space. FAILED_PRECONDITION: another backup is
// being made. Else what reading and writing return.
absl::StatusOr<Manifest> MakeBackup(const BackupOptions& options);

// Reads a backup to its end and says what is in it; see ReadBackup.
absl::StatusOr<Manifest> InspectBackup(const std::string& from,
                                       const age::Identity& identity,
                                       const BackupProgress& progress);

struct RestoreOptions {
  std::string from;
  const age::Identity* identity = nullptr;
  // Absent, or an empty directory.
  std::string to;
  BackupProgress progress = nullptr;
};

// Makes a state directory out of a backup, with a new service epoch: clusters
// then send again what they keep. Everything is made and checked in
// TO.restoring, which takes the place of TO at last: TO is whole or not there.
//
// FAILED_PRECONDITION: `to` is not empty, another restore is at it, or a newer
// program made the backup. RESOURCE_EXHAUSTED: too little space. DATA_LOSS: the
// backup, or the store in it, is damaged. Else as ReadBackup.
absl::StatusOr<Manifest> Restore(const RestoreOptions& options);

}  // namespace mc::service

#endif  // MC_SERVICE_BACKUP_BACKUP_H_
