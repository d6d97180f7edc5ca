// What the service makes of a health check.
#ifndef MC_SERVICE_DOMAIN_HEALTH_ASSESSMENT_H_
#define MC_SERVICE_DOMAIN_HEALTH_ASSESSMENT_H_

#include "missioncontrol/v1/health.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// Findings that an answer carries at most; the most severe are kept.
inline constexpr int kMaxFindings = 100;

// Two rules:
//  - a partition over 90 % used: PARTITION_NEARLY_FULL, a WARNING;
//  - a server, service or ActiveGate that does not run: NODE_NOT_RUNNING,
//    SERVICE_NOT_RUNNING, ACTIVE_GATE_NOT_RUNNING, CRITICAL.
// The status is that of the worst finding, HEALTHY without any. The findings
// are ordered by severity, then as reported; the message is one sentence.
// A pure function of a message whose formats were checked.
v1::HealthCheckResult Assess(const v1::HealthCheck& health_check);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_HEALTH_ASSESSMENT_H_
