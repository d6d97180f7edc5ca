// For how long the service was not reached, and what time it is there.
//
// Within a boot both count on CLOCK_BOOTTIME, which nobody can set. Across
// boots only the wall clock is left: it adds to the offline time what it has
// gone forward, and says nothing about the service's time any more.
#ifndef MC_CLUSTER_AGENT_DOMAIN_LICENSE_CONTACT_H_
#define MC_CLUSTER_AGENT_DOMAIN_LICENSE_CONTACT_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/license/outage.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent_state.pb.h"

namespace mc::agent {

// Thread-compatible.
class Contact {
 public:
  // `boot_id` names this boot of the machine; empty: nobody knows, and what
  // was kept counts as from another boot.
  Contact(const Clock* clock, std::string boot_id)
      : clock_(clock), boot_id_(std::move(boot_id)) {}

  // What an earlier process has kept.
  void Restore(const missioncontrol::config::v1::AgentContact& kept);
  // The service has answered, and said what time it is.
  void Reached(absl::Time service_time);

  // False: there was never a contact.
  bool ever() const { return ever_; }
  absl::Duration Offline() const;
  // The service's time; absent after a reboot until the next contact.
  std::optional<absl::Time> Anchored() const;

  // Fills in everything but the license and whether it is unreachable.
  LicenseSituation Situation() const;
  // To be kept.
  missioncontrol::config::v1::AgentContact Note() const;

 private:
  struct Anchor {
    absl::Time service_time;
    absl::Duration since_boot;
  };

  const Clock* const clock_;
  const std::string boot_id_;
  bool ever_ = false;
  // By this clock.
  absl::Time contact_at_ = absl::UnixEpoch();
  // `offline_` held when the time since boot was `offline_as_of_`.
  absl::Duration offline_;
  absl::Duration offline_as_of_;
  std::optional<Anchor> anchor_;
  // The service's time was at least this.
  absl::Time passed_ = absl::InfinitePast();
};

// The situation in which `kept` was written.
LicenseSituation SituationOf(
    const missioncontrol::config::v1::AgentContact& kept);

// What stands in for a contact that was not kept: the license was verified
// then, by this clock. `service_time`: when the service signed it.
missioncontrol::config::v1::AgentContact ContactOf(absl::Time verified_at,
                                                   absl::Time service_time);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_LICENSE_CONTACT_H_
