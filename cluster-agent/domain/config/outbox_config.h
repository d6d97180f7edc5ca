// The part of the configuration that says what the outbox keeps.
#ifndef MC_CLUSTER_AGENT_DOMAIN_CONFIG_OUTBOX_CONFIG_H_
#define MC_CLUSTER_AGENT_DOMAIN_CONFIG_OUTBOX_CONFIG_H_

#include <string>
#include <vector>

#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

void ApplyOutboxDefaults(missioncontrol::config::v1::Outbox& outbox);

// As CheckConfiguration.
void CheckOutbox(const missioncontrol::config::v1::Outbox& outbox,
                 std::vector<std::string>& problems);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_CONFIG_OUTBOX_CONFIG_H_
