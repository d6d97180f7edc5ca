// Between the store's rows and what operators see of them.
#ifndef MC_SERVICE_API_FLEET_CONVERT_H_
#define MC_SERVICE_API_FLEET_CONVERT_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_accounts.pb.h"
#include "missioncontrol/v1/fleet_clusters.pb.h"
#include "missioncontrol/v1/fleet_exchanges.pb.h"
#include "missioncontrol/v1/fleet_identity.pb.h"
#include "missioncontrol/v1/fleet_releases.pb.h"
#include "missioncontrol/v1/fleet_usage.pb.h"

namespace mc::service {

v1::Account ToProto(const Account& account);
// The status is the one at `now`.
v1::License ToProto(const License& license, std::string_view account_name,
                    int64_t registered_clusters, absl::Time now);
// A cluster is online while its last beat is younger than `presence_window`.
v1::Cluster ToProto(const ClusterOverview& overview, absl::Time now,
                    absl::Duration presence_window);
v1::EnrollmentToken ToProto(const EnrollmentToken& token);
v1::Operator ToProto(const Operator& op);
v1::NodePresence ToProto(const NodePresence& presence);
v1::HealthReport ToProto(StoredHealth health);
v1::ConsumptionReport ToProto(StoredConsumption consumption);
v1::Release ToProto(const Release& release);
v1::ExchangeCount ToProto(const ExchangeCount& count);
v1::LedgerEntry ToProto(const LedgerEntry& entry);
v1::UsageTotal ToProto(const UsageTotal& total, bool complete);

// A license with the names and numbers that are shown with it.
absl::StatusOr<v1::License> ShowLicense(Reader& reader, const License& license,
                                        absl::Time now);

}  // namespace mc::service

#endif  // MC_SERVICE_API_FLEET_CONVERT_H_
