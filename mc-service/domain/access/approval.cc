#include "mc-service/domain/access/approval.h"

#include <string>

#include "common/status/status.h"
#include "mc-service/domain/enrollment/enrollment_policy.h"
#include "mc-service/domain/fleet/licensing.h"

namespace mc::service {

absl::Status ApproveRegistration(Store& store, std::string_view cluster_id,
                                 absl::Time now) {
  return store.WriteAndWait(
      [id = std::string(cluster_id), now](Writer& writer) -> absl::Status {
        auto cluster = writer.GetCluster(id);
        if (!cluster.ok()) {
          return ExplainMissing(cluster.status(), "cluster " + id);
        }
        if (cluster->registration == v1::REGISTRATION_STATUS_REVOKED) {
          return Error(absl::StatusCode::kFailedPrecondition,
                       v1::ERROR_REASON_IDENTITY_REVOKED,
                       "The cluster was refused or revoked, which is for "
                       "good; let it register with a new cluster ID.");
        }
        if (cluster->registration != v1::REGISTRATION_STATUS_PENDING) {
          return absl::OkStatus();
        }
        const auto license = writer.GetLicense(cluster->license_id);
        if (!license.ok()) return license.status();
        absl::Status room = CheckRoom(writer, *license);
        if (!room.ok()) return room;
        cluster->registration = v1::REGISTRATION_STATUS_REGISTERED;
        cluster->registered_at = now;
        return writer.PutCluster(*cluster);
      });
}

}  // namespace mc::service
