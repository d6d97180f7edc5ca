// The parts of the service that live as long as it does, and how they are
// joined.
#ifndef MC_SERVICE_SERVICE_GRAPH_H_
#define MC_SERVICE_SERVICE_GRAPH_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor/executor.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "common/tls/identity_cache.h"
#include "mc-service/api/call.h"
#include "mc-service/api/cluster_service.h"
#include "mc-service/api/enrollment_service.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/api/stream_registry.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/domain/access/operator_desk.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/findings/gap_watch.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/pacing/admission.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/domain/presence/presence.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/domain/retention/retention.h"
#include "mc-service/domain/updates/release.h"
#include "mc-service/domain/updates/updates.h"
#include "mc-service/durable_parts.h"
#include "mc-service/edge/call_limit.h"
#include "mc-service/edge/guard.h"
#include "mc-service/edge/listeners.h"
#include "mc-service/edge/refused_identities.h"
#include "mc-service/enroll/enrollment_limits.h"

namespace mc::service {

// The members are built in their order and destroyed against it, and this order
// is part of what they promise each other: a part keeps pointers to parts above
// it. What it asks of one below it (the guard of `renewals`, the streams' end
// of `clusters`) it asks only in a call, and no call is open before the
// listeners start or after they have ended. So the graph is built before the
// listeners and destroyed after them, and after whatever else calls its parts.
//
// It is not moved, for its parts point into it.
struct ServiceGraph {
  // What the graph is put into; all outlives it. The values were checked.
  struct Surroundings {
    const config::ServiceConfig& values;
    const Clock* clock;
    Metrics* metrics;
    // Where callers really are, and how they are cut; filled later.
    const Listeners* listeners;
  };

  // Between two calls of gaps.Sweep() and streams.TickAll(), which whoever runs
  // the graph makes.
  static constexpr absl::Duration kWatchInterval = absl::Seconds(5);

  ServiceGraph(const Surroundings& surroundings, DurableParts durable_parts);
  ServiceGraph(const ServiceGraph&) = delete;
  ServiceGraph& operator=(const ServiceGraph&) = delete;

  Store* store() const { return durable.store.get(); }

  const Surroundings around;
  DurableParts durable;
  RpcMetrics rpc_metrics;
  Executor executor;
  RetrySlots overload_slots;
  Admission backlog;
  ExchangeLog exchanges;
  prometheus::Counter& clones;
  Presence presence;
  ClusterDirectory clusters;
  OperatorDirectory operators;
  PeerIdentityCache identities;
  RefusedIdentities refused;
  Guard guard;
  CallLimit call_limit;
  CallRunner calls;
  StreamRegistry streams;
  EnrollmentDesk enrollment;
  RenewalDesk renewals;
  LicenseDesk licenses;
  UpdateDesk updates;
  ReleaseDesk releases;
  OperatorDesk operator_desk;
  ReportDesk reports;
  Retention retention;
  GapWatch gaps;
  EnrollmentLimits enrollment_limits;
  CallRunner enrollment_calls;
  EnrollmentService enrollment_service;
  ClusterService cluster_service;
  FleetService fleet_service;

 private:
  // Each is called where its part is built, so it may use only what is above.
  // The rules: service_graph_domain.cc.
  Presence::Options PresenceOptions();
  EnrollmentDesk::Options EnrollmentOptions();
  RenewalDesk::Options RenewalOptions();
  LicenseDesk::Options LicenseOptions();
  UpdateDesk::Options UpdateOptions();
  OperatorDesk::Options OperatorOptions();
  ReportDesk::Options ReportOptions();
  Retention::Options RetentionOptions();
  GapWatch::Options GapOptions();
  // Who calls, and the services: service_graph_calls.cc.
  Guard::Options GuardOptions();
  CallLimit::Options CallLimitOptions();
  CallRunner::Options CallOptions();
  CallRunner::Options EnrollmentCallOptions();
  ClusterService::Options ClusterOptions();
  FleetService::Options FleetOptions();

  absl::StatusOr<StreamCaller> CheckStream(const PeerIdentity& identity,
                                           std::string_view peer,
                                           std::string_view full_method);
  void ClusterChanged(std::string_view id);
};

}  // namespace mc::service

#endif  // MC_SERVICE_SERVICE_GRAPH_H_
