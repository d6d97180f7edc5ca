#include "mc-service/domain/consumption/balance.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/consumption/host_units.h"
#include "mc-service/domain/ledger/terms.h"

namespace mc::service {
namespace {

// One quota in one period. Quantities are not negative.
struct Quota {
  int64_t used = 0;
  std::optional<int64_t> limit;
  bool overage_allowed = false;
  // How far overage may go. Absent: without end.
  std::optional<int64_t> overage_limit = {};

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
    return StateOf(used - *limit);
  }
  v1::UsageState StateOf(int64_t overage) const {
    if (overage == 0 || !overage_allowed) return v1::USAGE_STATE_QUOTA_REACHED;
    return overage_limit.has_value() && overage >= *overage_limit
               ? v1::USAGE_STATE_OVERAGE_QUOTA_REACHED
               : v1::USAGE_STATE_USING_OVERAGE;
  }
};

template <typename T>
std::optional<int64_t> Limit(bool present, T value) {
  if (!present) return std::nullopt;
  return std::max<int64_t>(0, value);
}

// The state of the whole is that of the quota that is furthest.
void Advance(v1::UsageState state, v1::ConsumptionResult& result) {
  result.set_state(std::max(result.state(), state));
}

void FillMeter(const std::string& id, const std::string& unit,
               const Quota& quota, v1::MeterBalance& balance) {
  balance.set_meter_id(id);
  balance.set_unit(unit);
  balance.set_consumed(quota.used);
  if (const auto remaining = quota.Remaining()) {
    balance.set_remaining(*remaining);
  }
  balance.set_overage(quota.Overage());
  balance.set_state(quota.State());
}

// The balance of one license in one period, part by part.
class Balancing {
 public:
  Balancing(Reader& reader, const License& license,
            const std::vector<LicenseTerms>& terms, absl::Time at)
      : reader_(reader),
        license_(license),
        period_(QuotaPeriodAt(license, terms, at)),
        terms_(TermsAt(terms, period_.end - absl::Microseconds(1))) {}

  absl::StatusOr<v1::ConsumptionResult> Run(
      std::string_view cluster_id, const std::vector<std::string>& environments,
      std::optional<absl::Time> hour) {
    absl::StatusOr<std::vector<LicenseTotal>> totals =
        reader_.LicenseTotals(license_.id, period_.start);
    if (!totals.ok()) return totals.status();
    result_.set_state(v1::USAGE_STATE_USING_QUOTA);
    AddSessions(*totals);
    AddExecutions(*totals);
    if (absl::Status s = AddHostUnits(*totals); !s.ok()) return s;
    AddMeters(*totals);
    for (const std::string& environment : environments) {
      absl::Status done = AddEnvironment(cluster_id, environment, hour);
      if (!done.ok()) return done;
    }
    *result_.mutable_period()->mutable_start() = ToProto(period_.start);
    *result_.mutable_period()->mutable_end() = ToProto(period_.end);
    return std::move(result_);
  }

 private:
  // A subscription bills what exceeds its commitment; it never cuts off.
  bool OverageAllowed(v1::OverageRule rule) const {
    return terms_.model == v1::LICENSE_MODEL_SUBSCRIPTION ||
           rule == v1::OVERAGE_RULE_ALLOWED;
  }

  std::optional<int64_t> OverageLimit(const std::string& what) const {
    if (terms_.model == v1::LICENSE_MODEL_SUBSCRIPTION) return std::nullopt;
    const std::string name = "overage." + what;
    for (const v1::Entitlement& entitlement : license_.entitlements) {
      if (entitlement.name() == name && entitlement.has_limit()) {
        return std::max<int64_t>(0, entitlement.limit());
      }
    }
    return std::nullopt;
  }

  Quota BuiltIn(const std::vector<LicenseTotal>& totals, v1::Meter meter,
                std::optional<int64_t> limit, const std::string& name) const {
    Quota quota{0, limit, OverageAllowed(terms_.limits.overage()),
                OverageLimit(name)};
    for (const LicenseTotal& total : totals) {
      if (total.meter == meter) quota.used = total.quantity;
    }
    return quota;
  }

  void AddSessions(const std::vector<LicenseTotal>& totals) {
    const Quota quota = BuiltIn(
        totals, v1::METER_RUM_SESSIONS,
        Limit(terms_.limits.has_rum_sessions(), terms_.limits.rum_sessions()),
        "rum_sessions");
    if (const auto remaining = quota.Remaining()) {
      result_.set_remaining_rum_sessions(*remaining);
    }
    result_.set_consumed_rum_overage(quota.Overage());
    Advance(quota.State(), result_);
  }

  void AddExecutions(const std::vector<LicenseTotal>& totals) {
    const Quota quota = BuiltIn(totals, v1::METER_SYNTHETIC_EXECUTIONS,
                                Limit(terms_.limits.has_synthetic_executions(),
                                      terms_.limits.synthetic_executions()),
                                "synthetic_executions");
    if (const auto remaining = quota.Remaining()) {
      result_.set_remaining_synthetic_executions(*remaining);
    }
    result_.set_consumed_synthetic_overage(quota.Overage());
    Advance(quota.State(), result_);
  }

  // The limit is of units at the same time: hour by hour.
  absl::Status AddHostUnits(const std::vector<LicenseTotal>& totals) {
    Quota quota = BuiltIn({}, v1::METER_HOST_UNIT_HOURS_MILLI,
                          Limit(terms_.limits.has_host_units_milli(),
                                terms_.limits.host_units_milli()),
                          "host_unit_hours_milli");
    int64_t overage = 0;
    for (const LicenseTotal& total : totals) overage += total.overage;
    result_.set_host_unit_hours_overage_milli(overage);
    // The overage of a past hour stays; a full hour ends with the hour.
    if (overage > 0) Advance(quota.StateOf(overage), result_);
    absl::StatusOr<std::optional<HostUnitHour>> last =
        reader_.LastLicenseHour(license_.id, period_.start, period_.end);
    if (!last.ok()) return last.status();
    if (last->has_value()) quota.used = (*last)->host_units_milli;
    if (quota.Overage() == 0) Advance(quota.State(), result_);
    return absl::OkStatus();
  }

  // Every meter that has a limit or was used, ordered by ID and unit. A
  // quantity in another unit than the limit's is another quantity.
  void AddMeters(const std::vector<LicenseTotal>& totals) {
    std::map<std::pair<std::string, std::string>, Quota> quotas;
    for (const LicenseTotal& total : totals) {
      if (total.meter != v1::METER_GENERIC) continue;
      quotas[{total.meter_id, total.unit}].used = total.quantity;
    }
    for (const v1::MeterLimit& meter : terms_.limits.meters()) {
      Quota& quota = quotas[{meter.meter_id(), meter.unit()}];
      quota.limit = Limit(meter.has_quantity(), meter.quantity());
      quota.overage_allowed = OverageAllowed(meter.overage());
      quota.overage_limit = OverageLimit("meter." + meter.meter_id());
    }
    for (const auto& [key, quota] : quotas) {
      FillMeter(key.first, key.second, quota, *result_.add_meters());
      Advance(quota.State(), result_);
    }
  }

  absl::Status AddEnvironment(std::string_view cluster_id,
                              const std::string& environment,
                              std::optional<absl::Time> hour) {
    absl::StatusOr<std::vector<UsageTotal>> totals = reader_.UsageTotals(
        license_.id, period_.start, cluster_id, environment);
    if (!totals.ok()) return totals.status();
    const absl::Time from = hour.value_or(period_.start);
    const absl::Time to =
        hour.has_value() ? *hour + absl::Hours(1) : period_.end;
    absl::StatusOr<std::optional<HostUnitHour>> units =
        reader_.LastEnvironmentHour(license_.id, cluster_id, environment, from,
                                    to);
    if (!units.ok()) return units.status();

    v1::EnvironmentBalance& balance = *result_.add_environments();
    balance.set_environment_id(environment);
    if (units->has_value()) {
      balance.set_host_units_milli((*units)->host_units_milli);
    }
    for (const UsageTotal& total : *totals) {
      switch (total.meter) {
        case v1::METER_RUM_SESSIONS:
          balance.set_consumed_rum_sessions(total.quantity);
          break;
        case v1::METER_SYNTHETIC_EXECUTIONS:
          balance.set_consumed_synthetic_executions(total.quantity);
          break;
        case v1::METER_GENERIC: {
          // Limits are the license's: an environment has only what it consumed.
          v1::MeterBalance& meter = *balance.add_meters();
          meter.set_meter_id(total.meter_id);
          meter.set_unit(total.unit);
          meter.set_consumed(total.quantity);
          break;
        }
        default:
          break;
      }
    }
    return absl::OkStatus();
  }

  Reader& reader_;
  const License& license_;
  const Period period_;
  // Those that hold at the period's end, or now.
  const LicenseTerms& terms_;
  v1::ConsumptionResult result_;
};

}  // namespace

absl::StatusOr<v1::ConsumptionResult> RecordConsumption(
    Writer& writer, const License& license, const StoredConsumption& report,
    const LedgerOptions& options) {
  const absl::StatusOr<std::vector<LicenseTerms>> terms =
      writer.ListLicenseTerms(license.id);
  if (!terms.ok()) return terms.status();
  absl::Status done = writer.InsertConsumption(report);
  if (done.ok()) done = EnterUsage(writer, license, *terms, report, options);
  if (!done.ok()) return done;
  const absl::Time start = TimeOf(report.consumption.time_frame().start());
  std::vector<std::string> environments;
  for (const v1::EnvironmentConsumption& e :
       report.consumption.environments()) {
    environments.push_back(e.environment_id());
  }
  return Balancing(writer, license, *terms, start)
      .Run(report.key.cluster_id, environments, HourOf(start));
}

absl::StatusOr<v1::ConsumptionResult> Balance(
    Reader& reader, const License& license, absl::Time at,
    std::string_view cluster_id, const std::vector<std::string>& environments,
    std::optional<absl::Time> hour) {
  const absl::StatusOr<std::vector<LicenseTerms>> terms =
      reader.ListLicenseTerms(license.id);
  if (!terms.ok()) return terms.status();
  return Balancing(reader, license, *terms, at)
      .Run(cluster_id, environments, hour);
}

}  // namespace mc::service
