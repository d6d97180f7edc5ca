// Which releases a cluster should have.
#ifndef MC_SERVICE_DOMAIN_UPDATES_UPDATES_H_
#define MC_SERVICE_DOMAIN_UPDATES_UPDATES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/updates.pb.h"

namespace mc {
class Clock;
}  // namespace mc

namespace mc::service {

// The updates of everything that is installed, without pacing. Of each line
// (component and label) it is the newest announced release that is newer than
// what is installed and can be installed on it: where a release needs a step
// before it, the newest step comes first. Never a downgrade. Where a line was
// named twice, its newest version counts.
//
// Of a line of which nothing is installed it is the newest release; but the
// cluster itself gets an update only where its version was named.
v1::CheckUpdatesResponse FindUpdates(const v1::CheckUpdatesRequest& request,
                                     std::span<const Release> releases,
                                     absl::Time now);

// Every release of a component, unspecified: of all, in no particular order.
absl::StatusOr<std::vector<Release>> AllReleases(Reader& reader,
                                                 v1::Component component);

// The OneAgent to install first: the newest announced release of the label
// "stable", of any label where that has none. Null where there is none.
const Release* CurrentOneAgent(std::span<const Release> one_agents,
                               absl::Time now);

// For people, for instance "cluster 1.5.0, OneAgent stable 1.2.0", or "up to
// date".
std::string Describe(const v1::CheckUpdatesResponse& updates);

// Answers the Updates exchange. Thread-safe. It blocks: not for reactions.
class UpdateDesk {
 public:
  struct Options {
    Store* store = nullptr;
    const Clock* clock = nullptr;
    // When clusters are told to check again; absent: at their own pace.
    std::optional<absl::Duration> next_interval;
  };

  explicit UpdateDesk(const Options& options) : options_(options) {}

  // FAILED_PRECONDITION as CheckUsable where the cluster's license is not
  // usable, PERMISSION_DENIED (IDENTITY_UNKNOWN) where it is not registered,
  // INVALID_ARGUMENT (INVALID_FIELD) for an installed version of nothing, else
  // the store's errors.
  absl::StatusOr<v1::CheckUpdatesResponse> Check(
      std::string_view cluster_id,
      const v1::CheckUpdatesRequest& request) const;

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_UPDATES_UPDATES_H_
