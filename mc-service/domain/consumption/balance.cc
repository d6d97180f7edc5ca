#include "mc-service/domain/consumption/balance.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "common/time/proto_time.h"
#include "mc-service/domain/consumption/host_units.h"

namespace mc::service {
namespace {

int64_t SaturatedAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    return std::numeric_limits<int64_t>::max();
  }
  return sum;
}

// One quota in one period. Quantities are not negative.
struct Quota {
  int64_t used = 0;
  std::optional<int64_t> limit;
  bool overage_allowed = false;

  int64_t Overage() const {
    return limit.has_value() ? std::max<int64_t>(0, used - *limit) : 0;
  }
  std::optional<int64_t> Remaining() const {
    if (!limit.has_value()) return std::nullopt;
    return std::max<int64_t>(0, *limit - used);
  }
  // A quota of nothing is not reached as long as nothing is used.
  v1::UsageState State() const {
    if (!limit.has_value() || used == 0 || used < *limit) {
      return v1::USAGE_STATE_USING_QUOTA;
    }
    return used > *limit && overage_allowed ? v1::USAGE_STATE_USING_OVERAGE
                                            : v1::USAGE_STATE_QUOTA_REACHED;
  }
};

template <typename T>
std::optional<int64_t> Limit(bool present, T value) {
  if (!present) return std::nullopt;
  return std::max<int64_t>(0, value);
}

// A subscription bills what exceeds its commitment; it never cuts off.
bool OverageAllowed(const License& license, v1::OverageRule rule) {
  return license.model == v1::LICENSE_MODEL_SUBSCRIPTION ||
         rule == v1::OVERAGE_RULE_ALLOWED;
}

// The state of the whole is that of the quota that is furthest.
void Advance(v1::UsageState state, v1::ConsumptionResult& result) {
  result.set_state(std::max(result.state(), state));
}

v1::MeterBalance ToBalance(const MeterSum& sum, const Quota& quota) {
  v1::MeterBalance balance;
  balance.set_meter_id(sum.meter_id);
  balance.set_unit(sum.unit);
  balance.set_consumed(quota.used);
  if (const auto remaining = quota.Remaining()) {
    balance.set_remaining(*remaining);
  }
  balance.set_overage(quota.Overage());
  balance.set_state(quota.State());
  return balance;
}

// Every meter that has a limit or was used, ordered by ID and unit. A quantity
// in another unit than the limit's is another quantity.
std::vector<v1::MeterBalance> MeterBalances(const License& license,
                                            const std::vector<MeterSum>& sums) {
  std::map<std::pair<std::string, std::string>, Quota> quotas;
  for (const MeterSum& sum : sums) {
    Quota& quota = quotas[{sum.meter_id, sum.unit}];
    quota.used = SaturatedAdd(quota.used, sum.quantity);
  }
  for (const v1::MeterLimit& meter : license.limits.meters()) {
    Quota& quota = quotas[{meter.meter_id(), meter.unit()}];
    quota.limit = Limit(meter.has_quantity(), meter.quantity());
    quota.overage_allowed = OverageAllowed(license, meter.overage());
  }
  std::vector<v1::MeterBalance> balances;
  balances.reserve(quotas.size());
  for (const auto& [key, quota] : quotas) {
    balances.push_back(
        ToBalance({.meter_id = key.first, .unit = key.second}, quota));
  }
  return balances;
}

absl::Status AddHostUnits(Reader& reader, const License& license,
                          const Period& period, v1::ConsumptionResult& result) {
  absl::StatusOr<std::vector<HostUnitHour>> hours =
      reader.HostUnitHours(license.id, "", period.start, period.end);
  if (!hours.ok()) return hours.status();
  Quota quota;
  quota.limit = Limit(license.limits.has_host_units_milli(),
                      license.limits.host_units_milli());
  quota.overage_allowed = OverageAllowed(license, license.limits.overage());
  int64_t overage = 0;
  for (const HostUnitHour& hour : *hours) {
    quota.used = hour.host_units_milli;
    overage = SaturatedAdd(overage, quota.Overage());
    // The overage of a past hour stays; a full hour ends with the hour.
    if (quota.Overage() > 0 || &hour == &hours->back()) {
      Advance(quota.State(), result);
    }
  }
  result.set_host_unit_hours_overage_milli(overage);
  return absl::OkStatus();
}

absl::StatusOr<v1::EnvironmentBalance> BalanceOf(
    Reader& reader, const License& license, const Period& period,
    const std::string& environment, std::optional<absl::Time> hour) {
  absl::StatusOr<UsageSums> sums =
      reader.SumUsage(license.id, environment, period.start, period.end);
  if (!sums.ok()) return sums.status();
  const absl::Time from = hour.value_or(period.start);
  const absl::Time to = hour.has_value() ? *hour + absl::Hours(1) : period.end;
  absl::StatusOr<std::vector<HostUnitHour>> hours =
      reader.HostUnitHours(license.id, environment, from, to);
  if (!hours.ok()) return hours.status();

  v1::EnvironmentBalance balance;
  balance.set_environment_id(environment);
  balance.set_consumed_rum_sessions(sums->rum_sessions);
  balance.set_consumed_synthetic_executions(sums->synthetic_executions);
  if (!hours->empty()) {
    balance.set_host_units_milli(hours->back().host_units_milli);
  }
  // Limits are the license's: an environment has only what it consumed.
  std::sort(sums->meters.begin(), sums->meters.end(),
            [](const MeterSum& a, const MeterSum& b) {
              return std::tie(a.meter_id, a.unit) <
                     std::tie(b.meter_id, b.unit);
            });
  for (const MeterSum& sum : sums->meters) {
    v1::MeterBalance* meter = balance.add_meters();
    meter->set_meter_id(sum.meter_id);
    meter->set_unit(sum.unit);
    meter->set_consumed(sum.quantity);
  }
  return balance;
}

absl::Status UpdateHostHour(Writer& writer, const StoredConsumption& report,
                            const std::string& environment,
                            const v1::HostConsumption& host, absl::Time hour) {
  absl::StatusOr<std::vector<v1::TimeFrame>> intervals = writer.HostIntervals(
      report.key.cluster_id, environment, host.host_id(), hour);
  if (!intervals.ok()) return intervals.status();
  HostHour host_hour;
  host_hour.license_id = report.license_id;
  host_hour.cluster_id = report.key.cluster_id;
  host_hour.environment_id = environment;
  host_hour.host_id = host.host_id();
  host_hour.hour = hour;
  host_hour.monitored = Covered(*intervals, hour, hour + absl::Hours(1));
  if (host_hour.monitored >= kCountsFrom) {
    // Where memory or mode changed within the hour, the last report decides.
    host_hour.host_units_milli =
        HostUnitsMilli(host.memory_bytes(), host.host_category());
  }
  return writer.PutHostHour(host_hour);
}

}  // namespace

absl::StatusOr<v1::ConsumptionResult> RecordConsumption(
    Writer& writer, const License& license, const StoredConsumption& report) {
  if (absl::Status s = writer.InsertConsumption(report); !s.ok()) return s;
  const absl::Time start = TimeOf(report.consumption.time_frame().start());
  const absl::Time hour = HourOf(start);
  std::vector<std::string> environments;
  for (const v1::EnvironmentConsumption& e :
       report.consumption.environments()) {
    environments.push_back(e.environment_id());
    for (const v1::HostConsumption& host : e.hosts()) {
      if (host.monitored().empty()) continue;
      if (absl::Status s =
              UpdateHostHour(writer, report, e.environment_id(), host, hour);
          !s.ok()) {
        return s;
      }
    }
  }
  return Balance(writer, license, QuotaPeriod(license, start), environments,
                 hour);
}

absl::StatusOr<v1::ConsumptionResult> Balance(
    Reader& reader, const License& license, const Period& period,
    const std::vector<std::string>& environments,
    std::optional<absl::Time> hour) {
  absl::StatusOr<UsageSums> sums =
      reader.SumUsage(license.id, "", period.start, period.end);
  if (!sums.ok()) return sums.status();
  const v1::LicenseLimits& limits = license.limits;
  const bool overage_allowed = OverageAllowed(license, limits.overage());

  v1::ConsumptionResult result;
  result.set_state(v1::USAGE_STATE_USING_QUOTA);
  const Quota sessions{sums->rum_sessions,
                       Limit(limits.has_rum_sessions(), limits.rum_sessions()),
                       overage_allowed};
  if (const auto remaining = sessions.Remaining()) {
    result.set_remaining_rum_sessions(*remaining);
  }
  result.set_consumed_rum_overage(sessions.Overage());
  Advance(sessions.State(), result);

  const Quota executions{
      sums->synthetic_executions,
      Limit(limits.has_synthetic_executions(), limits.synthetic_executions()),
      overage_allowed};
  if (const auto remaining = executions.Remaining()) {
    result.set_remaining_synthetic_executions(*remaining);
  }
  result.set_consumed_synthetic_overage(executions.Overage());
  Advance(executions.State(), result);

  if (absl::Status s = AddHostUnits(reader, license, period, result); !s.ok()) {
    return s;
  }
  for (v1::MeterBalance& meter : MeterBalances(license, sums->meters)) {
    Advance(meter.state(), result);
    *result.add_meters() = std::move(meter);
  }
  for (const std::string& environment : environments) {
    absl::StatusOr<v1::EnvironmentBalance> balance =
        BalanceOf(reader, license, period, environment, hour);
    if (!balance.ok()) return balance.status();
    *result.add_environments() = *std::move(balance);
  }
  *result.mutable_period()->mutable_start() = ToProto(period.start);
  *result.mutable_period()->mutable_end() = ToProto(period.end);
  return result;
}

}  // namespace mc::service
