// The usage of one time frame, summed up from records.
#ifndef MC_CLUSTER_AGENT_DOMAIN_USAGE_FRAME_USAGE_H_
#define MC_CLUSTER_AGENT_DOMAIN_USAGE_FRAME_USAGE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::agent {

// Not thread-safe. Takes memory by what is distinct (environments, monitors,
// hosts, meters), not by records.
class FrameUsage {
 public:
  explicit FrameUsage(const TimeFrame& frame) : frame_(frame) {}

  // The environment appears, with zeros where nothing else is added.
  void AddEnvironment(std::string_view environment_id);

  // Problems, sessions, monitors by ID and meters by ID and unit are summed up;
  // a host counts once: its intervals are united, its memory is the largest,
  // its technologies come together. What cannot be summed (description, type,
  // category) is that of the record that was added last.
  //
  // Of a host's interval only the part inside the frame is taken.
  // INVALID_ARGUMENT: the record lies outside the frame, or names no usage.
  // OUT_OF_RANGE: a quantity would pass what one report may carry
  // (kMaxQuantityPerReport); a further FrameUsage has room for it. After an
  // error nothing has changed.
  absl::Status Add(const missioncontrol::v1::UsageRecord& record);

  // Everything that was added, sorted by ID: the same records give the same
  // message in whatever order they came, but for what the last one decides.
  missioncontrol::v1::Consumption Build(std::string_view cluster_id) const;

 private:
  struct Host {
    missioncontrol::v1::HostCategory category =
        missioncontrol::v1::HOST_CATEGORY_UNSPECIFIED;
    int64_t memory_bytes = 0;
    std::set<std::string> technologies;
    std::vector<TimeFrame> monitored;
    // Intervals are united whenever there are this many.
    size_t unite_at = 64;
  };
  struct Environment {
    int64_t new_problems = 0;
    int64_t rum_sessions = 0;
    std::map<std::string, missioncontrol::v1::SyntheticMonitorConsumption>
        monitors;
    std::map<std::string, Host> hosts;
    std::map<std::pair<std::string, std::string>, int64_t> meters;
  };

  // Of one report, over all environments.
  struct Totals {
    int64_t problems = 0;
    int64_t sessions = 0;
    int64_t executions = 0;
    int64_t actions = 0;
    std::map<std::string, int64_t> meters;
  };

  // Counts the record into the totals, or refuses it.
  absl::Status AddToTotals(const missioncontrol::v1::UsageRecord& record);
  static void AddSynthetic(
      const missioncontrol::v1::SyntheticExecutions& executions,
      Environment& environment);
  static void AddHost(const missioncontrol::v1::HostInterval& interval,
                      const TimeFrame& monitored, Environment& environment);

  TimeFrame frame_;
  Totals totals_;
  std::map<std::string, Environment, std::less<>> environments_;
};

// The consumption of one frame at once; see FrameUsage.
absl::StatusOr<missioncontrol::v1::Consumption> BuildConsumption(
    std::string_view cluster_id, const TimeFrame& frame,
    std::span<const missioncontrol::v1::UsageRecord> records,
    std::span<const std::string> known_environments);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_USAGE_FRAME_USAGE_H_
