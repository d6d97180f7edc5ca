// `cluster-agent doctor`: everything that can keep an agent from its service,
// looked at in order.
#ifndef MC_CLUSTER_AGENT_DOCTOR_DOCTOR_H_
#define MC_CLUSTER_AGENT_DOCTOR_DOCTOR_H_

#include <string>

#include "cluster-agent/doctor/check.h"
#include "common/time/clock.h"

namespace mc::agent {

struct DoctorOptions {
  std::string config_file;
  // The value of MC_LICENSE_KEY; null: not set.
  const char* license_key = nullptr;
  // Of each connection.
  absl::Duration timeout = absl::Seconds(10);
};

// Blocks for some seconds. Works while the agent runs or not; writes nothing.
// What depends on something that failed is SKIPPED.
CheckResults Diagnose(const DoctorOptions& options, const Clock& clock);

Outcome Worst(const CheckResults& results);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_DOCTOR_H_
