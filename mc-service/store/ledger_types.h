// The rows of the ledger: what was used, once each, and what it adds up to.
//
// Quantities are in the fixed unit of their meter (see Meter of the contract)
// and never negative. Times of frames and hours are UTC; frames are kept to the
// nanosecond, periods to the microsecond.
#ifndef MC_SERVICE_STORE_LEDGER_TYPES_H_
#define MC_SERVICE_STORE_LEDGER_TYPES_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "missioncontrol/v1/fleet_usage.pb.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// What was used, within one cluster.
struct UsageIdentity {
  std::string environment_id;
  v1::Meter meter = v1::METER_UNSPECIFIED;
  // Of a generic meter; else empty.
  std::string meter_id = {};
  std::string unit = {};
  // The host or monitor; empty where the meter has none.
  std::string resource_id = {};

  friend auto operator<=>(const UsageIdentity&, const UsageIdentity&) = default;
};

// What the reports of one epoch say of one identity and time frame.
struct LedgerPart {
  uint64_t epoch = 0;
  int64_t quantity = 0;

  friend bool operator==(const LedgerPart&, const LedgerPart&) = default;
};

// Its key is cluster, identity and time frame.
struct LedgerEntry {
  // Of the license; the store fills it in.
  std::string account_id;
  std::string license_id;
  std::string cluster_id;
  UsageIdentity identity;
  // Of the report; for host units the UTC hour.
  absl::Time start;
  absl::Time end;
  int64_t quantity = 0;
  // The last report that belongs to it.
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  absl::Time accepted_at;
  // Where frames of several epochs overlap: what each brought for this frame.
  // `quantity` is what counts of it. Else empty: all is of `epoch`.
  std::vector<LedgerPart> parts;
};

// All that is given must hold.
struct LedgerFilter {
  // Empty: any.
  std::string account_id = {};
  std::string license_id = {};
  std::string cluster_id = {};
  std::string environment_id = {};
  // Entries whose time frame starts in [from, to); totals whose period overlaps
  // it.
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
};

// A time frame of which a cluster has reported in an epoch.
struct ReportedFrame {
  absl::Time start;
  absl::Time end;
  uint64_t epoch = 0;
  // Accepted reports of it.
  int64_t reports = 0;
};

// What one environment of one cluster used of one meter in one quota period.
// Its key is license, cluster, environment, meter, unit and start of period.
struct UsageTotal {
  // Of the license; the store fills it in.
  std::string account_id;
  std::string license_id;
  std::string cluster_id;
  std::string environment_id;
  v1::Meter meter = v1::METER_UNSPECIFIED;
  std::string meter_id;
  std::string unit;
  absl::Time period_start;
  absl::Time period_end;
  int64_t quantity = 0;
};

// The same over all clusters of a license.
struct LicenseTotal {
  v1::Meter meter = v1::METER_UNSPECIFIED;
  std::string meter_id;
  std::string unit;
  absl::Time period_start;
  absl::Time period_end;
  int64_t quantity = 0;
  // Of host-unit-hours: what exceeded the limit, hour by hour. Others: 0; their
  // overage is what exceeds the limit of the period.
  int64_t overage = 0;
};

// The host units that were in use in one UTC hour, over all hosts that counted.
struct HostUnitHour {
  absl::Time hour;
  // Thousandths.
  int64_t host_units_milli = 0;
};

// The same of one environment of one cluster, for one license.
struct EnvironmentHour {
  std::string license_id;
  std::string environment_id;
  int64_t host_units_milli = 0;
};

// One host in one UTC hour. Its key is cluster, environment, host and hour.
struct HostHour {
  std::string license_id;
  std::string cluster_id;
  std::string environment_id;
  std::string host_id;
  absl::Time hour;
  // Union of the monitored intervals within the hour.
  absl::Duration monitored;
  // What it weighs, whether it was monitored long enough to count or not.
  int64_t host_units_milli = 0;
};

// When a report of `epoch` says that a host was monitored.
struct MonitoredInterval {
  uint64_t epoch = 0;
  absl::Time start;
  absl::Time end;
};

// What holds for a license from a time on, until the next terms hold.
struct LicenseTerms {
  absl::Time from;
  v1::LicenseModel model = v1::LICENSE_MODEL_UNSPECIFIED;
  v1::LicenseLimits limits;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_LEDGER_TYPES_H_
