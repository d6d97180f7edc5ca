// Answers the License exchange.
#ifndef MC_SERVICE_DOMAIN_LICENSE_LICENSE_DESK_H_
#define MC_SERVICE_DOMAIN_LICENSE_LICENSE_DESK_H_

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc {
class Clock;
class DocumentSigner;
}  // namespace mc

namespace mc::service {

// The license of a registered cluster. PERMISSION_DENIED (IDENTITY_UNKNOWN)
// where the cluster is not registered, else the store's errors.
absl::StatusOr<License> LicenseOf(Reader& reader, std::string_view cluster_id);

// Thread-safe. It blocks: not for reactions.
class LicenseDesk {
 public:
  struct Options {
    Store* store = nullptr;
    const DocumentSigner* signer = nullptr;
    const Clock* clock = nullptr;
    // When clusters are told to check again; absent: at their own pace.
    std::optional<absl::Duration> next_interval;
    // Signed KeySuccessionDocuments, oldest first.
    std::vector<v1::SignedDocument> key_successions = {};
  };

  explicit LicenseDesk(Options options) : options_(std::move(options)) {}

  // The license as it is now, whatever its status, typed and signed; with the
  // time that it is here, and the keys that followed others. Errors as
  // LicenseOf.
  absl::StatusOr<v1::CheckLicenseResponse> Check(
      std::string_view cluster_id) const;

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LICENSE_LICENSE_DESK_H_
