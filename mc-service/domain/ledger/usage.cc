#include "mc-service/domain/ledger/usage.h"

#include <string>

#include "mc-service/domain/consumption/host_units.h"

namespace mc::service {

absl::Status ForEachCounter(
    const v1::Consumption& consumption,
    absl::FunctionRef<absl::Status(const UsageIdentity&, int64_t)> enter) {
  UsageIdentity identity;
  absl::Status done;
  const auto add = [&](v1::Meter meter, const std::string& meter_id,
                       const std::string& unit, const std::string& resource,
                       int64_t quantity) {
    if (!done.ok() || quantity == 0) return;
    identity.meter = meter;
    identity.meter_id = meter_id;
    identity.unit = unit;
    identity.resource_id = resource;
    done = enter(identity, quantity);
  };
  for (const v1::EnvironmentConsumption& e : consumption.environments()) {
    identity.environment_id = e.environment_id();
    add(v1::METER_PROBLEMS, "", "", "", e.new_problems());
    add(v1::METER_RUM_SESSIONS, "", "", "", e.rum_sessions());
    for (const v1::SyntheticMonitorConsumption& m : e.synthetic_monitors()) {
      add(v1::METER_SYNTHETIC_EXECUTIONS, "", "", m.monitor_id(),
          m.success_count() + m.failure_count());
    }
    for (const v1::MeterConsumption& m : e.meters()) {
      add(v1::METER_GENERIC, m.meter_id(), m.unit(), "", m.quantity());
    }
    if (!done.ok()) return done;
  }
  return done;
}

std::vector<MonitoredInterval> IntervalsOf(const v1::HostConsumption& host,
                                           uint64_t epoch) {
  std::vector<MonitoredInterval> intervals;
  intervals.reserve(host.monitored_size());
  for (const v1::TimeFrame& interval : host.monitored()) {
    intervals.push_back(
        {epoch, TimeOf(interval.start()), TimeOf(interval.end())});
  }
  return intervals;
}

UsageIdentity HostIdentity(const std::string& environment_id,
                           const std::string& host_id) {
  return {environment_id, v1::METER_HOST_UNIT_HOURS_MILLI, "", "", host_id};
}

}  // namespace mc::service
