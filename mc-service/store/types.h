// The rows of the store: plain values, the same for every backend.
//
// The contents of reports, limits and releases are the contract's own
// messages: a mirror of each would be a second definition of the same thing.
// A backend keeps them in typed columns; only what is signed is kept as bytes.
// A message comes back as it was written, times within it to the nanosecond
// (they are between the years 1678 and 2261); times beside it are kept to the
// microsecond.
#ifndef MC_SERVICE_STORE_TYPES_H_
#define MC_SERVICE_STORE_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "missioncontrol/v1/consumption.pb.h"
#include "missioncontrol/v1/fleet_accounts.pb.h"
#include "missioncontrol/v1/fleet_exchanges.pb.h"
#include "missioncontrol/v1/health.pb.h"
#include "missioncontrol/v1/heartbeat.pb.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/registration.pb.h"
#include "missioncontrol/v1/reports.pb.h"
#include "missioncontrol/v1/updates.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// A page of a listing: at most `limit` rows (one at least) whose position is
// behind `after`. Positions are given by the store and never change; 0 is
// before the first.
struct Page {
  int limit = 50;
  int64_t after = 0;
};

template <typename T>
struct Paged {
  std::vector<T> items;
  // Where the next page starts; absent when there is none.
  std::optional<int64_t> next;
};

struct Account {
  std::string id;
  std::string name;
  absl::Time created_at;
};

struct License {
  std::string id;
  std::string account_id;
  std::string name;
  // SHA-256 of the key; the key itself is not kept.
  std::string key_digest;
  // The last group of the key, to recognize it by.
  std::string key_hint;
  v1::LicenseState state = v1::LICENSE_STATE_VALID;
  v1::LicenseModel model = v1::LICENSE_MODEL_CLASSIC;
  v1::EnrollmentPolicy enrollment_policy = v1::ENROLLMENT_POLICY_AUTO;
  absl::Time created_at;
  absl::Time starts_at;
  // absl::InfiniteFuture(): without end.
  absl::Time ends_at = absl::InfiniteFuture();
  v1::LicenseLimits limits;
  std::vector<v1::Entitlement> entitlements;
  // Absent: the default of the model.
  std::optional<absl::Duration> grace_period;
  bool one_agent_installation = false;
};

struct Cluster {
  std::string id;
  std::string license_id;
  v1::RegistrationStatus registration = v1::REGISTRATION_STATUS_REGISTERED;
  absl::Time registered_at;
  std::string user_name;
  // SHA-256 of the password.
  std::string password_digest;
  // SHA-256 of the certified key's SubjectPublicKeyInfo.
  std::string tls_key_digest;
  // Ed25519, 32 bytes.
  std::string site_public_key;
  std::string certificate_serial;
  absl::Time certificate_not_after;
  bool remote_ui_requested = false;
  // The agent that an operator chose of two, until it has a key of its own;
  // empty, absl::InfinitePast(): none.
  std::string adopted_instance_id;
  absl::Time adopted_at = absl::InfinitePast();
};

enum class Role { kViewer = 1, kOperator = 2, kAdmin = 3 };

struct Operator {
  std::string name;
  Role role = Role::kViewer;
  // absl::InfinitePast(): before it was noted.
  absl::Time created_at = absl::InfinitePast();
  // Of the certificate that this service issued last; absl::InfinitePast():
  // none.
  absl::Time certificate_not_after = absl::InfinitePast();
};

// What identifies a report for good.
struct ReportKey {
  std::string cluster_id;
  v1::Lane lane = v1::LANE_UNSPECIFIED;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};

// A report that was accepted, as its repeats need it.
struct AcceptedReport {
  ReportKey key;
  // SHA-256 of the bytes as they were received.
  std::string digest;
  // The serialized ReportReceipt.
  std::string receipt;
  absl::Time accepted_at;
};

struct StoredHealth {
  std::string cluster_id;
  absl::Time received_at;
  v1::HealthCheck health_check;
  v1::HealthCheckResult result;
};

struct StoredConsumption {
  // Its lane is LANE_BILLING.
  ReportKey key;
  std::string license_id;
  absl::Time accepted_at;
  v1::Consumption consumption;
};

// Its key is cluster, node and source type.
struct NodePresence {
  std::string cluster_id;
  std::string node_id;
  v1::SourceType source_type = v1::SOURCE_TYPE_UNSPECIFIED;
  absl::Time last_heartbeat_at;
  int64_t heartbeats = 0;
  // Of the agent that sent the last beat; empty: it did not say.
  std::string agent_instance_id = {};
};

struct ExchangeCount {
  // Empty: callers without an identity.
  std::string cluster_id;
  v1::Exchange exchange = v1::EXCHANGE_UNSPECIFIED;
  int64_t succeeded = 0;
  int64_t failed = 0;
  absl::Time last_at;
  std::string last_result;
};

struct Release {
  std::string id;
  absl::Time created_at;
  // What the signed bytes say.
  v1::ReleaseDocument document;
  v1::SignedDocument signed_document;
};

// A cluster with what the listings show of it.
struct ClusterOverview {
  Cluster cluster;
  std::string account_id;
  std::string account_name;
  std::string license_name;
  // absl::InfinitePast(): never.
  absl::Time last_heartbeat_at = absl::InfinitePast();
  v1::HealthStatus health = v1::HEALTH_STATUS_UNSPECIFIED;
  absl::Time last_health_at = absl::InfinitePast();
  // absl::InfinitePast(): never.
  absl::Time clone_suspected_at = absl::InfinitePast();
  // In their own order.
  std::vector<std::string> clone_instance_ids;
};

// All that is given must hold.
struct ClusterFilter {
  // Empty: any.
  std::string account_id = {};
  std::string license_id = {};
  // Unspecified: any.
  v1::HealthStatus health = v1::HEALTH_STATUS_UNSPECIFIED;
  // Unspecified: any.
  v1::RegistrationStatus registration = v1::REGISTRATION_STATUS_UNSPECIFIED;
  // Clusters whose last heartbeat was at or after this, was before that, or
  // never was.
  std::optional<absl::Time> heartbeat_since = {};
  std::optional<absl::Time> heartbeat_before = {};
  bool never_seen = false;
};

struct ConsumptionFilter {
  // Empty: any.
  std::string account_id = {};
  std::string license_id = {};
  std::string cluster_id = {};
  std::string environment_id = {};
  // Reports whose time frame starts in [from, to).
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
};

// Sums of accepted consumption reports.
struct MeterSum {
  std::string meter_id;
  std::string unit;
  int64_t quantity = 0;
};

struct UsageSums {
  int64_t new_problems = 0;
  int64_t rum_sessions = 0;
  // Successes and failures of synthetic monitors.
  int64_t synthetic_executions = 0;
  std::vector<MeterSum> meters;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_TYPES_H_
