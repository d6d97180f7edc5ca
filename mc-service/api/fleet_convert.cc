#include "mc-service/api/fleet_convert.h"

#include <utility>

#include "common/crypto/license_key.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/license/license.h"

namespace mc::service {
namespace {

bool IsSet(absl::Time time) {
  return time != absl::InfinitePast() && time != absl::InfiniteFuture();
}

v1::PresenceState PresenceOf(absl::Time last_heartbeat, absl::Time now,
                             absl::Duration window) {
  if (!IsSet(last_heartbeat)) return v1::PRESENCE_STATE_NEVER_SEEN;
  return last_heartbeat > now - window ? v1::PRESENCE_STATE_ONLINE
                                       : v1::PRESENCE_STATE_OFFLINE;
}

}  // namespace

v1::Account ToProto(const Account& account) {
  v1::Account proto;
  proto.set_account_id(account.id);
  proto.set_name(account.name);
  *proto.mutable_created_at() = mc::ToProto(account.created_at);
  return proto;
}

v1::License ToProto(const License& license, std::string_view account_name,
                    int64_t registered_clusters, absl::Time now) {
  v1::License proto;
  proto.set_license_id(license.id);
  proto.set_account_id(license.account_id);
  proto.set_account_name(std::string(account_name));
  proto.set_name(license.name);
  proto.set_license_key_masked(MaskedFromLastGroup(license.key_hint));
  proto.set_state(license.state);
  proto.set_status(StatusOf(license, now));
  proto.set_model(license.model);
  *proto.mutable_created_at() = mc::ToProto(license.created_at);
  *proto.mutable_starts_at() = mc::ToProto(license.starts_at);
  if (IsSet(license.ends_at)) {
    *proto.mutable_ends_at() = mc::ToProto(license.ends_at);
  }
  *proto.mutable_limits() = license.limits;
  proto.mutable_entitlements()->Assign(license.entitlements.begin(),
                                       license.entitlements.end());
  if (license.grace_period) {
    *proto.mutable_grace_period() = mc::ToProto(*license.grace_period);
  }
  proto.set_enrollment_policy(license.enrollment_policy);
  proto.set_one_agent_installation(license.one_agent_installation);
  proto.set_registered_clusters(static_cast<int32_t>(registered_clusters));
  return proto;
}

v1::Cluster ToProto(const ClusterOverview& overview, absl::Time now,
                    absl::Duration presence_window) {
  const Cluster& cluster = overview.cluster;
  v1::Cluster proto;
  proto.set_cluster_id(cluster.id);
  proto.set_account_id(overview.account_id);
  proto.set_account_name(overview.account_name);
  proto.set_license_id(cluster.license_id);
  proto.set_license_name(overview.license_name);
  proto.set_registration(cluster.registration);
  *proto.mutable_registered_at() = mc::ToProto(cluster.registered_at);
  proto.set_user_name(cluster.user_name);
  proto.set_certificate_serial(cluster.certificate_serial);
  // One that waits to be registered has none.
  if (!cluster.certificate_serial.empty()) {
    *proto.mutable_certificate_not_after() =
        mc::ToProto(cluster.certificate_not_after);
  }
  proto.set_presence(
      PresenceOf(overview.last_heartbeat_at, now, presence_window));
  if (IsSet(overview.last_heartbeat_at)) {
    *proto.mutable_last_heartbeat_at() =
        mc::ToProto(overview.last_heartbeat_at);
  }
  proto.set_health(overview.health);
  if (IsSet(overview.last_health_at)) {
    *proto.mutable_last_health_at() = mc::ToProto(overview.last_health_at);
  }
  proto.set_remote_ui_requested(cluster.remote_ui_requested);
  if (IsSet(overview.clone_suspected_at)) {
    *proto.mutable_clone_suspected_at() =
        mc::ToProto(overview.clone_suspected_at);
  }
  for (const std::string& agent : overview.clone_instance_ids) {
    proto.add_clone_instance_ids(agent);
  }
  return proto;
}

v1::EnrollmentToken ToProto(const EnrollmentToken& token) {
  v1::EnrollmentToken proto;
  proto.set_token_id(token.id);
  proto.set_license_id(token.license_id);
  *proto.mutable_created_at() = mc::ToProto(token.created_at);
  *proto.mutable_expires_at() = mc::ToProto(token.expires_at);
  if (token.used_at.has_value()) {
    *proto.mutable_used_at() = mc::ToProto(*token.used_at);
    proto.set_cluster_id(token.cluster_id);
  }
  return proto;
}

v1::Operator ToProto(const Operator& op) {
  v1::Operator proto;
  proto.set_name(op.name);
  // The numbers are the same.
  proto.set_role(static_cast<v1::OperatorRole>(op.role));
  if (IsSet(op.created_at)) {
    *proto.mutable_created_at() = mc::ToProto(op.created_at);
  }
  if (IsSet(op.certificate_not_after)) {
    *proto.mutable_certificate_not_after() =
        mc::ToProto(op.certificate_not_after);
  }
  return proto;
}

v1::NodePresence ToProto(const NodePresence& presence) {
  v1::NodePresence proto;
  proto.set_cluster_id(presence.cluster_id);
  proto.set_node_id(presence.node_id);
  proto.set_source_type(presence.source_type);
  *proto.mutable_last_heartbeat_at() = mc::ToProto(presence.last_heartbeat_at);
  proto.set_heartbeats(presence.heartbeats);
  proto.set_agent_instance_id(presence.agent_instance_id);
  return proto;
}

v1::HealthReport ToProto(StoredHealth health) {
  v1::HealthReport proto;
  *proto.mutable_received_at() = mc::ToProto(health.received_at);
  *proto.mutable_health_check() = std::move(health.health_check);
  *proto.mutable_result() = std::move(health.result);
  return proto;
}

v1::ConsumptionReport ToProto(StoredConsumption consumption) {
  v1::ConsumptionReport proto;
  *proto.mutable_accepted_at() = mc::ToProto(consumption.accepted_at);
  proto.set_epoch(consumption.key.epoch);
  proto.set_sequence(consumption.key.sequence);
  *proto.mutable_consumption() = std::move(consumption.consumption);
  return proto;
}

v1::Release ToProto(const Release& release) {
  v1::Release proto;
  proto.set_release_id(release.id);
  *proto.mutable_created_at() = mc::ToProto(release.created_at);
  *proto.mutable_release() = release.document;
  *proto.mutable_signed_release() = release.signed_document;
  return proto;
}

v1::ExchangeCount ToProto(const ExchangeCount& count) {
  v1::ExchangeCount proto;
  proto.set_cluster_id(count.cluster_id);
  proto.set_exchange(count.exchange);
  proto.set_succeeded(count.succeeded);
  proto.set_failed(count.failed);
  *proto.mutable_last_at() = mc::ToProto(count.last_at);
  proto.set_last_result(count.last_result);
  return proto;
}

v1::LedgerEntry ToProto(const LedgerEntry& entry) {
  v1::LedgerEntry proto;
  proto.set_account_id(entry.account_id);
  proto.set_license_id(entry.license_id);
  proto.set_cluster_id(entry.cluster_id);
  proto.set_environment_id(entry.identity.environment_id);
  proto.set_meter(entry.identity.meter);
  proto.set_meter_id(entry.identity.meter_id);
  proto.set_unit(entry.identity.unit);
  proto.set_resource_id(entry.identity.resource_id);
  *proto.mutable_time_frame()->mutable_start() = mc::ToProto(entry.start);
  *proto.mutable_time_frame()->mutable_end() = mc::ToProto(entry.end);
  proto.set_quantity(entry.quantity);
  proto.set_epoch(entry.epoch);
  proto.set_sequence(entry.sequence);
  *proto.mutable_accepted_at() = mc::ToProto(entry.accepted_at);
  return proto;
}

v1::UsageTotal ToProto(const UsageTotal& total, bool complete) {
  v1::UsageTotal proto;
  proto.set_account_id(total.account_id);
  proto.set_license_id(total.license_id);
  proto.set_cluster_id(total.cluster_id);
  proto.set_environment_id(total.environment_id);
  proto.set_meter(total.meter);
  proto.set_meter_id(total.meter_id);
  proto.set_unit(total.unit);
  *proto.mutable_period()->mutable_start() = mc::ToProto(total.period_start);
  *proto.mutable_period()->mutable_end() = mc::ToProto(total.period_end);
  proto.set_quantity(total.quantity);
  proto.set_complete(complete);
  return proto;
}

absl::StatusOr<v1::License> ShowLicense(Reader& reader, const License& license,
                                        absl::Time now) {
  const auto account = reader.GetAccount(license.account_id);
  if (!account.ok()) return account.status();
  const auto clusters = reader.CountClusters(license.id);
  if (!clusters.ok()) return clusters.status();
  return ToProto(license, account->name, *clusters, now);
}

}  // namespace mc::service
