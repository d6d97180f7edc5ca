// The log of an agent that runs.
#ifndef MC_CLUSTER_AGENT_CLI_PROCESS_LOG_H_
#define MC_CLUSTER_AGENT_CLI_PROCESS_LOG_H_

#include "missioncontrol/config/v1/log.pb.h"

namespace mc::agent {

// As configured; what gRPC has to say goes into it, too.
void BeginLog(const missioncontrol::config::v1::Log& log);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_PROCESS_LOG_H_
