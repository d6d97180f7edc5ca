// The lanes of the reports stream.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_
#define MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_

#include <array>

#include "cluster-agent/exchange/status_board.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// In the order of sending. Consumption first: it is what may not be late.
inline constexpr std::array kReportLanes = {missioncontrol::v1::LANE_BILLING,
                                            missioncontrol::v1::LANE_HEALTH};

inline Exchange ExchangeOf(missioncontrol::v1::Lane lane) {
  return lane == missioncontrol::v1::LANE_BILLING ? Exchange::kConsumption
                                                  : Exchange::kHealthCheck;
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_
