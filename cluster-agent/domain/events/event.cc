#include "cluster-agent/domain/events/event.h"

#include "common/crypto/digest.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

v1::Severity SeverityOf(v1::ClusterEventType type) {
  switch (type) {
    case v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED:
    case v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE:
    case v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE:
      return v1::SEVERITY_SEVERE;
    case v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST:
    case v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRING:
    case v1::CLUSTER_EVENT_TYPE_UPDATE_FAILED:
    case v1::CLUSTER_EVENT_TYPE_UPDATE_SUSPENDED:
    case v1::CLUSTER_EVENT_TYPE_ACTIVE_GATE_LOST:
    case v1::CLUSTER_EVENT_TYPE_CLOCK_OUT_OF_SYNC:
    case v1::CLUSTER_EVENT_TYPE_CERTIFICATE_EXPIRING:
      return v1::SEVERITY_WARNING;
    default:
      return v1::SEVERITY_INFO;
  }
}

}  // namespace

void CompleteEvent(v1::ClusterEvent& event, absl::Time now) {
  if (event.event_id().empty()) event.set_event_id(RandomUuid());
  if (!event.has_occurred_at()) {
    *event.mutable_occurred_at() = mc::ToProto(now);
  }
  if (event.severity() == v1::SEVERITY_UNSPECIFIED) {
    event.set_severity(SeverityOf(event.type()));
  }
}

absl::Status CheckEvent(const v1::ClusterEvent& event) {
  if (!v1::ClusterEventType_IsValid(event.type()) ||
      event.type() == v1::CLUSTER_EVENT_TYPE_UNSPECIFIED) {
    return InvalidField("type", "an event needs a type of the contract");
  }
  if (!v1::Severity_IsValid(event.severity())) {
    return InvalidField("severity", "is INFO, WARNING or SEVERE");
  }
  return CheckMessage(event);
}

}  // namespace mc::agent
