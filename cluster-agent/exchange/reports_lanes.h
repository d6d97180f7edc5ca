// The lanes of the reports stream.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_
#define MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_

#include <array>

#include "cluster-agent/exchange/status_board.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// In the order of sending. Consumption first: it is what may not be late. The
// state of the cluster comes last, for it is the newest whenever it comes.
inline constexpr std::array kReportLanes = {missioncontrol::v1::LANE_BILLING,
                                            missioncontrol::v1::LANE_EVENTS,
                                            missioncontrol::v1::LANE_HEALTH};

inline Exchange ExchangeOf(missioncontrol::v1::Lane lane) {
  switch (lane) {
    case missioncontrol::v1::LANE_BILLING:
      return Exchange::kConsumption;
    case missioncontrol::v1::LANE_EVENTS:
      return Exchange::kClusterEvents;
    default:
      return Exchange::kHealthCheck;
  }
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_REPORTS_LANES_H_
