// Where the agent's parts tell what happened to the cluster.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_SINK_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_SINK_H_

#include "missioncontrol/v1/events.pb.h"

namespace mc::agent {

// Thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;

  // Draws the event's ID and sets its time where it has none, and hands it to
  // the outbox. Returns at once; may be called from a gRPC reaction. An event
  // that cannot be kept is logged and dropped: it never holds up its caller.
  virtual void Raise(missioncontrol::v1::ClusterEvent event) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_SINK_H_
