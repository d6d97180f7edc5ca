// Consumption reports, and sums over them.
#include "mc-service/store/checks.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Statement;

// Beyond what 64 bits hold, the first or last time that they do.
int64_t Nanos(absl::Time time) { return absl::ToUnixNanos(time); }

// The environments of a license's reports of a period; ?1 to ?4 are license,
// environment, start and end.
constexpr std::string_view kEnvironments =
    "FROM consumption_report AS r "
    "JOIN consumption_environment AS e ON e.parent = r.id ";
constexpr std::string_view kOfPeriod =
    "WHERE r.license_row = (SELECT id FROM license WHERE license_id = ?1) "
    "AND (?2 = '' OR e.environment_id = ?2) "
    "AND r.time_frame_start_ns >= ?3 AND r.time_frame_start_ns < ?4 ";

std::string OfPeriod(std::string_view select, std::string_view join,
                     std::string_view rest = "") {
  return std::string(select)
      .append(kEnvironments)
      .append(join)
      .append(kOfPeriod)
      .append(rest);
}

}  // namespace

absl::StatusOr<StoredConsumption> Session::ReadConsumption(
    const Statement& row) {
  StoredConsumption stored;
  stored.key = {row.Text(1), v1::LANE_BILLING, row.Uint64(2), row.Uint64(3)};
  stored.license_id = row.Text(4);
  stored.accepted_at = FromMicros(row.Int64(5));
  absl::Status loaded =
      tables_.consumption.Load(database_, row.Int64(0), stored.consumption);
  if (!loaded.ok()) return loaded;
  return stored;
}

absl::StatusOr<Paged<StoredConsumption>> Session::ListConsumption(
    const ConsumptionFilter& filter, const Page& page) {
  // Every value is bound whether its condition is there or not.
  std::string sql =
      "SELECT r.id, cluster.cluster_id, r.epoch, r.sequence, license_id, "
      "r.accepted_at_us FROM consumption_report AS r "
      "JOIN cluster ON cluster.id = r.cluster_row "
      "JOIN license ON license.id = r.license_row WHERE r.id < ?1 ";
  if (!filter.account_id.empty()) {
    sql +=
        "AND r.account_row = (SELECT id FROM account WHERE account_id = ?2) ";
  }
  if (!filter.license_id.empty()) {
    sql +=
        "AND r.license_row = (SELECT id FROM license WHERE license_id = ?3) ";
  }
  if (!filter.cluster_id.empty()) {
    sql +=
        "AND r.cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?4) ";
  }
  if (!filter.environment_id.empty()) {
    sql +=
        "AND EXISTS (SELECT 1 FROM consumption_environment AS e "
        "WHERE e.parent = r.id AND e.environment_id = ?5) ";
  }
  if (filter.from != absl::InfinitePast()) {
    sql += "AND r.time_frame_start_ns >= ?6 ";
  }
  if (filter.to != absl::InfiniteFuture()) {
    sql += "AND r.time_frame_start_ns < ?7 ";
  }
  sql += "ORDER BY r.id DESC LIMIT ?8";
  return List<StoredConsumption>(
      page, [&](const Statement& row) { return ReadConsumption(row); }, sql,
      Before(page), filter.account_id, filter.license_id, filter.cluster_id,
      filter.environment_id, Nanos(filter.from), Nanos(filter.to));
}

absl::StatusOr<UsageSums> Session::SumUsage(std::string_view license_id,
                                            std::string_view environment_id,
                                            absl::Time from, absl::Time to) {
  UsageSums sums;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        sums.new_problems = row.Int64(0);
        sums.rum_sessions = row.Int64(1);
        return absl::OkStatus();
      },
      OfPeriod("SELECT sum(e.new_problems), sum(e.rum_sessions) ", ""),
      license_id, environment_id, Nanos(from), Nanos(to));
  if (!done.ok()) return done;
  done = ForEach(
      [&](const Statement& row) {
        sums.synthetic_executions = row.Int64(0);
        return absl::OkStatus();
      },
      OfPeriod("SELECT sum(m.success_count + m.failure_count) ",
               "JOIN consumption_monitor AS m ON m.parent = e.id "),
      license_id, environment_id, Nanos(from), Nanos(to));
  if (!done.ok()) return done;
  done = ForEach(
      [&](const Statement& row) {
        sums.meters.push_back({row.Text(0), row.Text(1), row.Int64(2)});
        return absl::OkStatus();
      },
      OfPeriod("SELECT m.meter_id, m.unit, sum(m.quantity) ",
               "JOIN consumption_meter AS m ON m.parent = e.id ",
               "GROUP BY m.meter_id, m.unit ORDER BY m.meter_id, m.unit"),
      license_id, environment_id, Nanos(from), Nanos(to));
  if (!done.ok()) return done;
  return sums;
}

absl::Status Session::InsertConsumption(const StoredConsumption& stored) {
  if (absl::Status valid = CheckConsumption(stored); !valid.ok()) return valid;
  absl::StatusOr<int64_t> cluster = ClusterRow(stored.key.cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<int64_t> license = LicenseRow(stored.license_id);
  if (!license.ok()) return license.status();
  absl::StatusOr<int64_t> account = AccountRowOf(*license);
  if (!account.ok()) return account.status();
  return Atomically([&] {
    const int64_t keys[] = {*account,
                            *license,
                            *cluster,
                            static_cast<int64_t>(stored.key.epoch),
                            static_cast<int64_t>(stored.key.sequence),
                            Micros(stored.accepted_at)};
    return tables_.consumption.Insert(database_, keys, stored.consumption)
        .status();
  });
}

}  // namespace mc::service
