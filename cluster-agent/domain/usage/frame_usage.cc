#include "cluster-agent/domain/usage/frame_usage.h"

#include <algorithm>

#include "cluster-agent/domain/usage/check.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::EnvironmentConsumption;
using missioncontrol::v1::HostConsumption;
using missioncontrol::v1::HostInterval;
using missioncontrol::v1::MeterConsumption;
using missioncontrol::v1::SyntheticExecutions;
using missioncontrol::v1::SyntheticMonitorConsumption;
using missioncontrol::v1::UsageRecord;

// Whether `count` (not negative) still fits; then it is added.
bool Fits(int64_t& total, int64_t count) {
  if (count < 0 || count > kMaxQuantityPerReport - total) return false;
  total += count;
  return true;
}

}  // namespace

void FrameUsage::AddEnvironment(std::string_view environment_id) {
  environments_.try_emplace(std::string(environment_id));
}

absl::Status FrameUsage::AddToTotals(const UsageRecord& record) {
  bool fits = true;
  switch (record.usage_case()) {
    case UsageRecord::kNewProblems:
      fits = Fits(totals_.problems, record.new_problems());
      break;
    case UsageRecord::kRumSessions:
      fits = Fits(totals_.sessions, record.rum_sessions());
      break;
    case UsageRecord::kSynthetic: {
      int64_t executions = totals_.executions;
      int64_t actions = totals_.actions;
      fits = Fits(executions, record.synthetic().success_count()) &&
             Fits(executions, record.synthetic().failure_count()) &&
             Fits(actions, record.synthetic().action_count());
      if (fits) {
        totals_.executions = executions;
        totals_.actions = actions;
      }
      break;
    }
    case UsageRecord::kMeter:
      fits = Fits(totals_.meters[record.meter().meter_id()],
                  record.meter().quantity());
      break;
    case UsageRecord::kHost:
      break;
    case UsageRecord::USAGE_NOT_SET:
      return absl::InvalidArgumentError("the record names no usage");
  }
  if (fits) return absl::OkStatus();
  return absl::OutOfRangeError("more than one report may carry");
}

void FrameUsage::AddSynthetic(const SyntheticExecutions& executions,
                              Environment& environment) {
  SyntheticMonitorConsumption& monitor =
      environment.monitors[executions.monitor_id()];
  monitor.set_monitor_id(executions.monitor_id());
  monitor.set_description(executions.description());
  monitor.set_type(executions.type());
  monitor.set_success_count(monitor.success_count() +
                            executions.success_count());
  monitor.set_failure_count(monitor.failure_count() +
                            executions.failure_count());
  monitor.set_action_count(monitor.action_count() + executions.action_count());
}

void FrameUsage::AddHost(const HostInterval& interval,
                         const TimeFrame& monitored, Environment& environment) {
  Host& host = environment.hosts[interval.host_id()];
  host.category = interval.host_category();
  host.memory_bytes = std::max(host.memory_bytes, interval.memory_bytes());
  host.technologies.insert(interval.technologies().begin(),
                           interval.technologies().end());
  host.monitored.push_back(monitored);
  if (host.monitored.size() >= host.unite_at) {
    host.monitored = Union(std::move(host.monitored));
    host.unite_at = std::max(host.unite_at, 2 * host.monitored.size());
  }
}

absl::Status FrameUsage::Add(const UsageRecord& record) {
  const absl::StatusOr<TimeFrame> used = UsedDuring(record);
  if (!used.ok()) return used.status();
  const TimeFrame inside = Intersection(*used, frame_);
  if (record.has_host()
          ? inside.start >= inside.end
          : used->start < frame_.start || used->start >= frame_.end) {
    return absl::InvalidArgumentError("the record lies outside the time frame");
  }
  absl::Status counted = AddToTotals(record);
  if (!counted.ok()) return counted;
  Environment& environment = environments_[record.environment_id()];
  switch (record.usage_case()) {
    case UsageRecord::kNewProblems:
      environment.new_problems += record.new_problems();
      break;
    case UsageRecord::kRumSessions:
      environment.rum_sessions += record.rum_sessions();
      break;
    case UsageRecord::kSynthetic:
      AddSynthetic(record.synthetic(), environment);
      break;
    case UsageRecord::kHost:
      AddHost(record.host(), inside, environment);
      break;
    case UsageRecord::kMeter:
      environment.meters[{record.meter().meter_id(), record.meter().unit()}] +=
          record.meter().quantity();
      break;
    case UsageRecord::USAGE_NOT_SET:
      break;
  }
  return absl::OkStatus();
}

Consumption FrameUsage::Build(std::string_view cluster_id) const {
  Consumption consumption;
  consumption.set_cluster_id(std::string(cluster_id));
  *consumption.mutable_time_frame() = ToProto(frame_);
  for (const auto& [id, environment] : environments_) {
    EnvironmentConsumption& out = *consumption.add_environments();
    out.set_environment_id(id);
    out.set_new_problems(environment.new_problems);
    out.set_rum_sessions(environment.rum_sessions);
    for (const auto& [monitor_id, monitor] : environment.monitors) {
      *out.add_synthetic_monitors() = monitor;
    }
    for (const auto& [host_id, host] : environment.hosts) {
      HostConsumption& out_host = *out.add_hosts();
      out_host.set_host_id(host_id);
      out_host.set_host_category(host.category);
      out_host.set_memory_bytes(host.memory_bytes);
      for (const std::string& technology : host.technologies) {
        out_host.add_technologies(technology);
      }
      for (const TimeFrame& monitored : Union(host.monitored)) {
        *out_host.add_monitored() = ToProto(monitored);
      }
    }
    for (const auto& [key, quantity] : environment.meters) {
      MeterConsumption& meter = *out.add_meters();
      meter.set_meter_id(key.first);
      meter.set_unit(key.second);
      meter.set_quantity(quantity);
    }
  }
  return consumption;
}

absl::StatusOr<Consumption> BuildConsumption(
    std::string_view cluster_id, const TimeFrame& frame,
    std::span<const UsageRecord> records,
    std::span<const std::string> known_environments) {
  FrameUsage usage(frame);
  for (const std::string& environment : known_environments) {
    usage.AddEnvironment(environment);
  }
  for (const UsageRecord& record : records) {
    absl::Status added = usage.Add(record);
    if (!added.ok()) return added;
  }
  return usage.Build(cluster_id);
}

}  // namespace mc::agent
