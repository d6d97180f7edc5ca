#include "mc-service/store/sqlite/tables.h"

#include "mc-service/store/types.h"

namespace mc::service {

Tables::Tables()
    : limits(v1::LicenseLimits::descriptor(), "license_limits", {"id"},
             {{"missioncontrol.v1.LicenseLimits.meters", "license_meter"}}),
      terms(
          v1::LicenseLimits::descriptor(), "license_terms",
          {"license_row", "from_us", "model"},
          {{"missioncontrol.v1.LicenseLimits.meters", "license_terms_meter"}}),
      entitlement(v1::Entitlement::descriptor(), "license_entitlement",
                  {"parent", "position"}, {}),
      health_check(
          v1::HealthCheck::descriptor(), "health_report",
          {"cluster_row", "received_at_us"},
          {{"missioncontrol.v1.HealthCheck.nodes", "health_node"},
           {"missioncontrol.v1.NodeHealth.partitions", "health_partition"},
           {"missioncontrol.v1.NodeHealth.services", "health_service"},
           {"missioncontrol.v1.HealthCheck.active_gates",
            "health_active_gate"}}),
      health_result(
          v1::HealthCheckResult::descriptor(), "health_result", {"id"},
          {{"missioncontrol.v1.HealthCheckResult.findings", "health_finding"}}),
      consumption(
          v1::Consumption::descriptor(), "consumption_report",
          {"account_row", "license_row", "cluster_row", "epoch", "sequence",
           "accepted_at_us"},
          {{"missioncontrol.v1.Consumption.environments",
            "consumption_environment"},
           {"missioncontrol.v1.EnvironmentConsumption.synthetic_monitors",
            "consumption_monitor"},
           {"missioncontrol.v1.EnvironmentConsumption.hosts",
            "consumption_host"},
           {"missioncontrol.v1.HostConsumption.technologies",
            "consumption_technology"},
           {"missioncontrol.v1.HostConsumption.monitored",
            "consumption_interval"},
           {"missioncontrol.v1.EnvironmentConsumption.meters",
            "consumption_meter"}}),
      event(v1::ClusterEvent::descriptor(), "cluster_event",
            {"cluster_row", "received_at_us"}, {}) {}

}  // namespace mc::service
