// The keys that sign documents, and how one follows another.
#ifndef MC_SERVICE_CLI_DOCUMENT_KEYS_H_
#define MC_SERVICE_CLI_DOCUMENT_KEYS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/cli/state_layout.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc::service {

// The public side: what has signed so far, and who vouches for it.
struct DocumentKeyHistory {
  // Oldest first. Empty: the key was never rotated.
  std::vector<missioncontrol::v1::DocumentKey> keys;
  // Signed KeySuccessionDocuments, oldest first.
  std::vector<missioncontrol::v1::SignedDocument> successions;
};

// DATA_LOSS: the file is none that this program wrote.
absl::StatusOr<DocumentKeyHistory> ReadDocumentKeyHistory(
    const StateLayout& state);

struct RotatedKey {
  std::string key_id;
  std::string predecessor_id;
};

// Makes a new document key, has the one in use vouch for it, and puts it in
// its place; a running service takes it up when it starts again. One that was
// cut off is finished by the next one. The old private key is gone afterwards;
// its public key stays known.
absl::StatusOr<RotatedKey> RotateDocumentKey(const StateLayout& state,
                                             absl::Time now);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_DOCUMENT_KEYS_H_
