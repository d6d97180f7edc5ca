#include "mc-service/service_graph.h"

#include <utility>

namespace mc::service {
namespace {

// Those that find the service full come again spread like this.
constexpr double kRetriesPerSecond = 500;

}  // namespace

ServiceGraph::ServiceGraph(const Surroundings& surroundings,
                           DurableParts durable_parts)
    : around(surroundings),
      durable(std::move(durable_parts)),
      rpc_metrics(around.metrics),
      executor(around.values.limits().worker_threads(),
               around.values.limits().max_queued_calls()),
      overload_slots(kRetriesPerSecond, absl::Minutes(1)),
      backlog({.per_second = static_cast<double>(
                   around.values.limits().backlog_reports_per_second())}),
      exchanges({.store = store()}),
      clones(around.metrics->AddCounter(
          "clones_suspected_total",
          "Occurrences of two agents that beat in turn for one cluster, or of "
          "two keys that follow one identity.")),
      presence(PresenceOptions()),
      clusters({.store = store(), .clock = around.clock}),
      operators({.store = store(), .clock = around.clock}),
      guard(GuardOptions()),
      call_limit(CallLimitOptions()),
      calls(CallOptions()),
      streams([this](std::string_view cluster_id) {
        return presence.CloneSuspected(cluster_id, around.clock->Now());
      }),
      enrollment(EnrollmentOptions()),
      renewals(RenewalOptions()),
      licenses(LicenseOptions()),
      updates(UpdateOptions()),
      releases(
          {.store = store(), .signer = &durable.signer, .clock = around.clock}),
      operator_desk(OperatorOptions()),
      reports(ReportOptions()),
      retention(RetentionOptions()),
      gaps(GapOptions()),
      enrollment_limits(
          {.per_minute_per_address =
               around.values.limits().enrollments_per_minute_per_address(),
           .per_minute_per_license =
               around.values.limits().enrollments_per_minute_per_license(),
           .clock = around.clock,
           .metrics = around.metrics}),
      enrollment_calls(EnrollmentCallOptions()),
      enrollment_service({.runner = &enrollment_calls,
                          .desk = &enrollment,
                          .renewals = &renewals}),
      cluster_service(ClusterOptions()),
      fleet_service(FleetOptions()) {}

absl::StatusOr<StreamCaller> ServiceGraph::CheckStream(
    const PeerIdentity& identity, std::string_view peer,
    std::string_view full_method) {
  const absl::StatusOr<Caller> caller =
      guard.Check(identity, peer, full_method);
  if (!caller.ok()) return caller.status();
  const auto cluster = clusters.Registered(caller->id);
  if (!cluster.ok()) return cluster.status();
  return StreamCaller{.cluster_id = caller->id,
                      .remote_ui_requested = (*cluster)->remote_ui_requested,
                      .renewing_instance_id = (*cluster)->adopted_instance_id,
                      .renewal_wanted = (*cluster)->password_digest.empty()};
}

void ServiceGraph::ClusterChanged(std::string_view id) {
  clusters.Invalidate(id);
  const absl::Status status = clusters.CheckRegistered(id);
  refused.Update(id, status);
  if (absl::IsPermissionDenied(status)) streams.EndStreamsOf(id, status);
}

}  // namespace mc::service
