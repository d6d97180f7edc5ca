// Makes releases: the rules of what an operator may announce.
#ifndef MC_SERVICE_DOMAIN_UPDATES_RELEASE_H_
#define MC_SERVICE_DOMAIN_UPDATES_RELEASE_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_releases.pb.h"
#include "missioncontrol/v1/updates.pb.h"

namespace mc {
class Clock;
class DocumentSigner;
}  // namespace mc

namespace mc::service {

// How long after its announcement a release is not installed unless the
// operator says otherwise.
inline constexpr absl::Duration kDefaultNotice = absl::Hours(24);

// The document of a release that is announced `now` unless the request says
// otherwise. INVALID_ARGUMENT (INVALID_FIELD) names the field that breaks a
// rule of CreateReleaseRequest.
absl::StatusOr<v1::ReleaseDocument> MakeReleaseDocument(
    const v1::CreateReleaseRequest& request, absl::Time now);

// Thread-safe. It blocks: not for reactions.
class ReleaseDesk {
 public:
  struct Options {
    Store* store = nullptr;
    const DocumentSigner* signer = nullptr;
    const Clock* clock = nullptr;
  };

  explicit ReleaseDesk(const Options& options) : options_(options) {}

  // Signs and stores a release. Errors of MakeReleaseDocument, ALREADY_EXISTS
  // (ALREADY_PRESENT) where component, label and version are taken, else those
  // of the store.
  absl::StatusOr<Release> Create(const v1::CreateReleaseRequest& request) const;

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_UPDATES_RELEASE_H_
