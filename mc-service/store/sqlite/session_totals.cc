// The ledger: totals of quota periods, host units of hours, terms of licenses.
#include <optional>

#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Statement;

constexpr std::string_view kTotal =
    "SELECT t.id, a.account_id, l.license_id, c.cluster_id, t.environment_id, "
    "t.meter, t.meter_id, t.unit, t.period_start_us, t.period_end_us, "
    "t.quantity FROM ledger_total AS t "
    "JOIN account AS a ON a.id = t.account_row "
    "JOIN license AS l ON l.id = t.license_row "
    "JOIN cluster AS c ON c.id = t.cluster_row ";

std::string Totals(std::string_view rest) {
  return std::string(kTotal).append(rest);
}

UsageTotal ReadTotal(const Statement& row) {
  UsageTotal total;
  total.account_id = row.Text(1);
  total.license_id = row.Text(2);
  total.cluster_id = row.Text(3);
  total.environment_id = row.Text(4);
  total.meter = static_cast<v1::Meter>(row.Int64(5));
  total.meter_id = row.Text(6);
  total.unit = row.Text(7);
  total.period_start = FromMicros(row.Int64(8));
  total.period_end = FromMicros(row.Int64(9));
  total.quantity = row.Int64(10);
  return total;
}

LicenseTotal ReadLicenseTotal(const Statement& row) {
  return {static_cast<v1::Meter>(row.Int64(0)),
          row.Text(1),
          row.Text(2),
          FromMicros(row.Int64(3)),
          FromMicros(row.Int64(4)),
          row.Int64(5),
          row.Int64(6)};
}

HostUnitHour ReadHour(const Statement& row) {
  return {FromMicros(row.Int64(0)), row.Int64(1)};
}

// Collects rows through `Read`.
template <typename T, T (*Read)(const Statement&)>
auto Into(std::vector<T>& rows) {
  return [&rows](const Statement& row) {
    rows.push_back(Read(row));
    return absl::OkStatus();
  };
}

}  // namespace

absl::StatusOr<std::vector<LicenseTerms>> Session::ListLicenseTerms(
    std::string_view license_id) {
  absl::StatusOr<int64_t> license = LicenseRow(license_id);
  if (!license.ok()) return license.status();
  std::vector<LicenseTerms> terms;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        LicenseTerms& added = terms.emplace_back();
        added.from = FromMicros(row.Int64(1));
        added.model = static_cast<v1::LicenseModel>(row.Int64(2));
        return tables_.terms.Load(database_, row.Int64(0), added.limits);
      },
      "SELECT id, from_us, model FROM license_terms WHERE license_row = ? "
      "ORDER BY from_us",
      *license);
  if (!done.ok()) return done;
  if (terms.empty()) return absl::DataLossError("a license without terms");
  return terms;
}

absl::Status Session::InsertTerms(int64_t license_row,
                                  const LicenseTerms& terms) {
  const int64_t keys[] = {license_row, Micros(terms.from),
                          static_cast<int64_t>(terms.model)};
  return tables_.terms.Insert(database_, keys, terms.limits).status();
}

absl::StatusOr<std::vector<UsageTotal>> Session::SumLedgerEntries(
    std::string_view license_id, std::string_view cluster_id, absl::Time from,
    absl::Time to) {
  std::vector<UsageTotal> sums;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        UsageTotal& sum = sums.emplace_back();
        sum.license_id = license_id;
        sum.cluster_id = cluster_id;
        sum.environment_id = row.Text(0);
        sum.meter = static_cast<v1::Meter>(row.Int64(1));
        sum.meter_id = row.Text(2);
        sum.unit = row.Text(3);
        sum.period_start = from;
        sum.period_end = to;
        sum.quantity = row.Int64(4);
        return absl::OkStatus();
      },
      "SELECT environment_id, meter, meter_id, unit, sum(quantity) "
      "FROM ledger_entry WHERE +license_row = (SELECT id FROM license WHERE "
      "license_id = ?) AND cluster_row = (SELECT id FROM cluster WHERE "
      "cluster_id = ?) AND start_ns >= ? AND start_ns < ? GROUP BY 1, 2, 3, 4 "
      "HAVING sum(quantity) > 0",
      license_id, cluster_id, absl::ToUnixNanos(from), absl::ToUnixNanos(to));
  if (!done.ok()) return done;
  return sums;
}

absl::StatusOr<Paged<UsageTotal>> Session::ListUsageTotals(
    const LedgerFilter& filter, const Page& page) {
  std::string sql = Totals("WHERE t.id < ?1 ");
  if (!filter.account_id.empty()) sql += "AND a.account_id = ?2 ";
  if (!filter.license_id.empty()) {
    sql +=
        "AND t.license_row = (SELECT id FROM license WHERE license_id = ?3) ";
  }
  if (!filter.cluster_id.empty()) {
    sql +=
        "AND t.cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?4) ";
  }
  if (!filter.environment_id.empty()) sql += "AND t.environment_id = ?5 ";
  if (filter.from != absl::InfinitePast()) sql += "AND t.period_end_us > ?6 ";
  if (filter.to != absl::InfiniteFuture()) {
    sql += "AND t.period_start_us < ?7 ";
  }
  sql += "ORDER BY t.id DESC LIMIT ?8";
  return List<UsageTotal>(
      page,
      [](const Statement& row) -> absl::StatusOr<UsageTotal> {
        return ReadTotal(row);
      },
      sql, Before(page), filter.account_id, filter.license_id,
      filter.cluster_id, filter.environment_id, Micros(filter.from),
      Micros(filter.to));
}

absl::StatusOr<std::vector<UsageTotal>> Session::UsageTotals(
    std::string_view license_id, absl::Time period_start,
    std::string_view cluster_id, std::string_view environment_id) {
  std::vector<UsageTotal> totals;
  absl::Status done =
      ForEach(Into<UsageTotal, ReadTotal>(totals),
              Totals("WHERE t.license_row = (SELECT id FROM license WHERE "
                     "license_id = ?1) AND t.period_start_us = ?2 AND "
                     "t.cluster_row = (SELECT id FROM cluster WHERE "
                     "cluster_id = ?3) AND (?4 = '' OR t.environment_id = ?4) "
                     "ORDER BY t.environment_id, t.meter, t.meter_id, t.unit"),
              license_id, Micros(period_start), cluster_id, environment_id);
  if (!done.ok()) return done;
  return totals;
}

absl::StatusOr<std::vector<LicenseTotal>> Session::LicenseTotals(
    std::string_view license_id, absl::Time period_start) {
  std::vector<LicenseTotal> totals;
  absl::Status done = ForEach(
      Into<LicenseTotal, ReadLicenseTotal>(totals),
      "SELECT meter, meter_id, unit, period_start_us, period_end_us, quantity, "
      "overage FROM ledger_license_total WHERE license_row = (SELECT id FROM "
      "license WHERE license_id = ?) AND period_start_us = ? "
      "ORDER BY meter, meter_id, unit",
      license_id, Micros(period_start));
  if (!done.ok()) return done;
  return totals;
}

absl::StatusOr<std::vector<LicenseTotal>> Session::SumUsageTotals(
    std::string_view license_id, absl::Time period_start) {
  std::vector<LicenseTotal> totals;
  absl::Status done = ForEach(
      Into<LicenseTotal, ReadLicenseTotal>(totals),
      "SELECT meter, meter_id, unit, period_start_us, max(period_end_us), "
      "sum(quantity), 0 FROM ledger_total WHERE license_row = (SELECT id FROM "
      "license WHERE license_id = ?) AND period_start_us = ? "
      "GROUP BY meter, meter_id, unit ORDER BY meter, meter_id, unit",
      license_id, Micros(period_start));
  if (!done.ok()) return done;
  return totals;
}

absl::StatusOr<std::vector<absl::Time>> Session::LicensePeriods(
    std::string_view license_id) {
  std::vector<absl::Time> periods;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        periods.push_back(FromMicros(row.Int64(0)));
        return absl::OkStatus();
      },
      "SELECT period_start_us FROM ledger_license_total WHERE license_row = "
      "(SELECT id FROM license WHERE license_id = ?1) "
      "UNION SELECT period_start_us FROM ledger_total WHERE license_row = "
      "(SELECT id FROM license WHERE license_id = ?1) ORDER BY 1",
      license_id);
  if (!done.ok()) return done;
  return periods;
}

absl::StatusOr<std::vector<HostUnitHour>> Session::LicenseHours(
    std::string_view license_id, absl::Time from, absl::Time to) {
  std::vector<HostUnitHour> hours;
  absl::Status done = ForEach(
      Into<HostUnitHour, ReadHour>(hours),
      "SELECT hour_us, host_units_milli FROM ledger_license_hour WHERE "
      "license_row = (SELECT id FROM license WHERE license_id = ?) AND "
      "hour_us >= ? AND hour_us < ? AND host_units_milli > 0 ORDER BY hour_us",
      license_id, Micros(from), Micros(to));
  if (!done.ok()) return done;
  return hours;
}

absl::StatusOr<std::vector<HostUnitHour>> Session::SumEnvironmentHours(
    std::string_view license_id, absl::Time from, absl::Time to) {
  std::vector<HostUnitHour> hours;
  absl::Status done =
      ForEach(Into<HostUnitHour, ReadHour>(hours),
              "SELECT hour_us, sum(host_units_milli) FROM ledger_hour WHERE "
              "license_row = (SELECT id FROM license WHERE license_id = ?) AND "
              "hour_us >= ? AND hour_us < ? GROUP BY hour_us "
              "HAVING sum(host_units_milli) > 0 ORDER BY hour_us",
              license_id, Micros(from), Micros(to));
  if (!done.ok()) return done;
  return hours;
}

absl::StatusOr<std::optional<HostUnitHour>> Session::LastLicenseHour(
    std::string_view license_id, absl::Time from, absl::Time to) {
  std::vector<HostUnitHour> hours;
  absl::Status done =
      ForEach(Into<HostUnitHour, ReadHour>(hours),
              "SELECT hour_us, host_units_milli FROM ledger_license_hour WHERE "
              "license_row = (SELECT id FROM license WHERE license_id = ?) AND "
              "hour_us >= ? AND hour_us < ? AND host_units_milli > 0 "
              "ORDER BY hour_us DESC LIMIT 1",
              license_id, Micros(from), Micros(to));
  if (!done.ok()) return done;
  if (hours.empty()) return std::nullopt;
  return hours.front();
}

absl::StatusOr<std::vector<EnvironmentHour>> Session::EnvironmentHours(
    std::string_view cluster_id, absl::Time hour) {
  std::vector<EnvironmentHour> hours;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        hours.push_back({row.Text(0), row.Text(1), row.Int64(2)});
        return absl::OkStatus();
      },
      "SELECT license_id, environment_id, host_units_milli FROM ledger_hour "
      "INDEXED BY ledger_hour_by_cluster "
      "JOIN license ON license.id = license_row WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND hour_us = ? AND "
      "host_units_milli > 0 ORDER BY environment_id, license_id",
      cluster_id, Micros(hour));
  if (!done.ok()) return done;
  return hours;
}

absl::StatusOr<std::optional<HostUnitHour>> Session::LastEnvironmentHour(
    std::string_view license_id, std::string_view cluster_id,
    std::string_view environment_id, absl::Time from, absl::Time to) {
  std::vector<HostUnitHour> hours;
  absl::Status done = ForEach(
      Into<HostUnitHour, ReadHour>(hours),
      "SELECT hour_us, host_units_milli FROM ledger_hour WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND environment_id = ? "
      "AND hour_us >= ? AND hour_us < ? AND +license_row = (SELECT id FROM "
      "license WHERE license_id = ?) AND host_units_milli > 0 "
      "ORDER BY hour_us DESC LIMIT 1",
      cluster_id, environment_id, Micros(from), Micros(to), license_id);
  if (!done.ok()) return done;
  if (hours.empty()) return std::nullopt;
  return hours.front();
}

absl::Status Session::AddUsage(const UsageTotal& total) {
  absl::StatusOr<int64_t> license = LicenseRow(total.license_id);
  if (!license.ok()) return license.status();
  absl::StatusOr<int64_t> account = AccountRowOf(*license);
  if (!account.ok()) return account.status();
  absl::StatusOr<int64_t> cluster = ClusterRow(total.cluster_id);
  if (!cluster.ok()) return cluster.status();
  // Usage can be less than before; a row's CHECK holds for what is inserted,
  // too, so a total of nothing is made first.
  absl::Status done =
      Run("INSERT INTO ledger_total (account_row, license_row, cluster_row, "
          "environment_id, meter, meter_id, unit, period_start_us, "
          "period_end_us, quantity) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, max(?10, 0)) "
          "ON CONFLICT DO UPDATE SET quantity = quantity + ?10",
          *account, *license, *cluster, total.environment_id, int{total.meter},
          total.meter_id, total.unit, Micros(total.period_start),
          Micros(total.period_end), total.quantity);
  if (!done.ok()) return done;
  return Run(
      "INSERT INTO ledger_license_total (license_row, period_start_us, "
      "meter, meter_id, unit, period_end_us, quantity, overage) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, max(?7, 0), 0) "
      "ON CONFLICT DO UPDATE SET quantity = quantity + ?7",
      *license, Micros(total.period_start), int{total.meter}, total.meter_id,
      total.unit, Micros(total.period_end), total.quantity);
}

absl::Status Session::AddHostUnitOverage(std::string_view license_id,
                                         absl::Time period_start,
                                         absl::Time period_end,
                                         int64_t overage) {
  absl::StatusOr<int64_t> license = LicenseRow(license_id);
  if (!license.ok()) return license.status();
  return Run(
      "INSERT INTO ledger_license_total (license_row, period_start_us, meter, "
      "meter_id, unit, period_end_us, quantity, overage) "
      "VALUES (?1, ?2, ?3, '', '', ?4, 0, max(?5, 0)) "
      "ON CONFLICT DO UPDATE SET overage = overage + ?5",
      *license, Micros(period_start), int{v1::METER_HOST_UNIT_HOURS_MILLI},
      Micros(period_end), overage);
}

absl::Status Session::AddHostUnits(std::string_view license_id,
                                   std::string_view cluster_id,
                                   std::string_view environment_id,
                                   const HostUnitHour& hour) {
  absl::StatusOr<int64_t> license = LicenseRow(license_id);
  if (!license.ok()) return license.status();
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::Status done =
      Run("INSERT INTO ledger_hour (cluster_row, environment_id, hour_us, "
          "license_row, host_units_milli) VALUES (?1, ?2, ?3, ?4, max(?5, 0)) "
          "ON CONFLICT DO UPDATE SET host_units_milli = host_units_milli + ?5",
          *cluster, environment_id, Micros(hour.hour), *license,
          hour.host_units_milli);
  if (!done.ok()) return done;
  return Run(
      "INSERT INTO ledger_license_hour (license_row, hour_us, "
      "host_units_milli) VALUES (?1, ?2, max(?3, 0)) "
      "ON CONFLICT DO UPDATE SET host_units_milli = host_units_milli + ?3",
      *license, Micros(hour.hour), hour.host_units_milli);
}

absl::Status Session::EndPeriods(std::string_view license_id, absl::Time at) {
  absl::StatusOr<int64_t> license = LicenseRow(license_id);
  if (!license.ok()) return license.status();
  return Atomically([&] {
    absl::Status done =
        Run("UPDATE ledger_total SET period_end_us = ?2 WHERE license_row = ?1 "
            "AND period_start_us < ?2 AND period_end_us > ?2",
            *license, Micros(at));
    if (!done.ok()) return done;
    return Run(
        "UPDATE ledger_license_total SET period_end_us = ?2 WHERE "
        "license_row = ?1 AND period_start_us < ?2 AND period_end_us > ?2",
        *license, Micros(at));
  });
}

}  // namespace mc::service
