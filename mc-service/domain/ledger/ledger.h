// Enters reports into the ledger: each unit of usage once, totals with it.
//
// The identity of usage is cluster, environment, meter (with ID and unit),
// resource and time frame; for host units the time frame is the UTC hour.
//  - A host's monitored time in an hour is the union of all intervals, from
//    whatever report and epoch. With five minutes or more the host counts, with
//    the largest weight (memory, mode) that was reported for the hour.
//  - Everything else is counted: reports of one epoch are added, those of
//    several epochs merged as merge.h says.
//
// What comes of a set of reports does not depend on the order in which they
// came. A quantity belongs to the license of the report that brought it first.
#ifndef MC_SERVICE_DOMAIN_LEDGER_LEDGER_H_
#define MC_SERVICE_DOMAIN_LEDGER_LEDGER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// A report whose usage another epoch had reported, too, in part or in whole.
struct UsageOverlap {
  // Of the later report.
  ReportKey key;
  std::string license_id;
  absl::Time start;
  absl::Time end;
  absl::Time accepted_at;
  // How many identities it concerns, and one of them in words.
  int64_t identities = 0;
  std::string example;
};

// A finding for operators, one for each later epoch.
absl::Status RaiseOverlap(Writer& writer, const UsageOverlap& overlap);

struct LedgerOptions {
  // Called for a report that overlaps, within its transaction; an error undoes
  // the report.
  std::function<absl::Status(Writer&, const UsageOverlap&)> on_overlap =
      RaiseOverlap;
};

// The report has been inserted in the same transaction, and for the first
// time; it has passed CheckConsumption. `license` is the one that it names,
// with its terms. After an error the transaction must be undone.
absl::Status EnterUsage(Writer& writer, const License& license,
                        const std::vector<LicenseTerms>& terms,
                        const StoredConsumption& report,
                        const LedgerOptions& options);

// Enters the reports that the store took before it had a ledger, in works of a
// bounded size, each durable for itself: it may be killed at any time and goes
// on at the next start. Before reports are taken; nothing to do is cheap.
absl::Status EnterBacklog(Store& store, const LedgerOptions& options);

// The license has been updated in the same transaction; `before` are its terms
// of before that. Where it has new ones, brings the totals that depend on them
// up to date.
absl::Status ApplyTerms(Writer& writer, const License& license,
                        const std::vector<LicenseTerms>& before);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_LEDGER_H_
