// The rules of a license: plain functions of the stored row and the time.
#ifndef MC_SERVICE_DOMAIN_LICENSE_LICENSE_H_
#define MC_SERVICE_DOMAIN_LICENSE_LICENSE_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/store/types.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc::service {

// Half-open: `start` is in it, `end` is not.
struct Period {
  absl::Time start;
  absl::Time end;
};

// An operator's decision goes before the dates. A license has started at its
// start date and has expired at its end date.
v1::LicenseStatus StatusOf(const License& license, absl::Time now);

// OK while the license is active; else FAILED_PRECONDITION with
// LICENSE_REVOKED, LICENSE_SUSPENDED, LICENSE_EXPIRED or LICENSE_NOT_STARTED.
absl::Status CheckUsable(const License& license, absl::Time now);

// How long a cluster may be without contact before overage is disallowed: the
// license's own value, else the model's (classic 14 days, trial 7). Absent for
// the subscription model, which never disallows it.
std::optional<absl::Duration> GracePeriod(const License& license);

// What the vendor signs for one cluster.
v1::LicenseDocument MakeDocument(const License& license, const Account& account,
                                 std::string_view cluster_id, absl::Time now);

// The period around `at` in which quotas count, in whole days of UTC: the
// calendar month, or the year from the day on which the license was created
// (from 28 February where that day is the 29th and the year has none). A
// license that names no reset has the month's.
Period QuotaPeriod(const License& license, absl::Time at);

// For people, for instance "ACTIVE, classic, ends 2027-01-01".
std::string Describe(const v1::LicenseDocument& license);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LICENSE_LICENSE_H_
