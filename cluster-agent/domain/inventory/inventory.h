// The inventory file: what a site consists of whose product does not tell the
// agent by itself.
#ifndef MC_CLUSTER_AGENT_DOMAIN_INVENTORY_INVENTORY_H_
#define MC_CLUSTER_AGENT_DOMAIN_INVENTORY_INVENTORY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "missioncontrol/config/v1/agent.pb.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// INVALID_ARGUMENT where the file is no inventory, or not a valid one; the
// message names the file and what to correct.
absl::StatusOr<missioncontrol::config::v1::Inventory> LoadInventory(
    const std::string& path);

// IDs are there and well-formed, and none comes twice; a host is in one
// environment only, for it would be paid for in each. Category and memory of
// each host are given: they decide its host units.
absl::Status CheckInventory(
    const missioncontrol::config::v1::Inventory& inventory);

std::vector<std::string> EnvironmentIds(
    const missioncontrol::config::v1::Inventory& inventory);

// One record per host, monitored during `interval`. The idempotency key comes
// from environment, host and interval: recording it again counts nothing, and
// a longer interval from the same start is not taken for the shorter one.
std::vector<missioncontrol::v1::UsageRecord> HostRecords(
    const missioncontrol::config::v1::Inventory& inventory,
    const TimeFrame& interval);

// The time in which inventory hosts count as monitored: while the agent runs.
// Not thread-safe.
class MonitoredTime {
 public:
  // A longer pause between two ticks was no running: the machine slept, or its
  // clock jumped.
  explicit MonitoredTime(absl::Time now,
                         absl::Duration longest_pause = absl::Minutes(10))
      : longest_pause_(longest_pause), until_(now) {}

  // What is to be recorded at this tick: from the last confirmed moment until
  // now; empty (start == end) after a pause or a clock that was set back, which
  // start anew from now.
  TimeFrame Tick(absl::Time now);

  // The interval of the last tick has become durable. Without this call the
  // next tick covers it too.
  void Confirm(const TimeFrame& interval) { until_ = interval.end; }

 private:
  const absl::Duration longest_pause_;
  absl::Time until_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_INVENTORY_INVENTORY_H_
