// Where a certificate's renewal stands. Nothing is written.
#ifndef MC_CLUSTER_AGENT_DOCTOR_RENEWAL_CHECK_H_
#define MC_CLUSTER_AGENT_DOCTOR_RENEWAL_CHECK_H_

#include <string>

#include "absl/time/time.h"
#include "cluster-agent/doctor/check.h"

namespace mc::agent {

// WARNING where one has been under way for an hour or more, FAILED where its
// file is damaged.
CheckResult CheckRenewal(const std::string& state_directory, absl::Time now);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_RENEWAL_CHECK_H_
