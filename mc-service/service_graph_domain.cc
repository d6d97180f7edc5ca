// What the rules of the domain are made of, and what they tell the operator.
#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"
#include "mc-service/service_graph.h"

namespace mc::service {
namespace {

// Absent stays absent. The configuration was checked: it is valid.
std::optional<absl::Duration> IntervalOf(
    bool present, const google::protobuf::Duration& interval) {
  if (!present) return std::nullopt;
  return *FromProto(interval);
}

}  // namespace

Presence::Options ServiceGraph::PresenceOptions() {
  Presence::Options options;
  options.store = store();
  if (around.values.pacing().has_heartbeat_interval()) {
    options.clone_window =
        std::max(options.clone_window,
                 3 * *FromProto(around.values.pacing().heartbeat_interval()));
  }
  options.on_clone = [this](std::string_view cluster_id,
                            std::string_view instance, std::string_view other) {
    clones.Increment();
    LogWarning(
        "two agents beat in turn for one cluster; ask the customer to "
        "stop the one whose state was copied",
        {{"cluster_id", cluster_id},
         {"agent_instance_id", instance},
         {"other_agent_instance_id", other}});
  };
  return options;
}

EnrollmentDesk::Options ServiceGraph::EnrollmentOptions() {
  EnrollmentDesk::Options options;
  options.store = store();
  options.directory = &clusters;
  options.authority = &durable.cluster_ca;
  options.signer = &durable.signer;
  options.clock = around.clock;
  options.trust_domain = around.values.trust_domain();
  options.certificate_lifetime =
      *FromProto(around.values.certificates().cluster_lifetime());
  options.older_document_keys = durable.key_history.keys;
  return options;
}

RenewalDesk::Options ServiceGraph::RenewalOptions() {
  prometheus::Counter& refused_recoveries = around.metrics->AddCounter(
      "recoveries_refused_total",
      "Attempts to recover a certificate with wrong credentials.");
  RenewalDesk::Options options;
  options.store = store();
  options.directory = &clusters;
  options.clock = around.clock;
  options.rules = {
      .authority = &durable.cluster_ca,
      .trust_domain = around.values.trust_domain(),
      .lifetime = *FromProto(around.values.certificates().cluster_lifetime())};
  options.recoveries_per_hour = around.values.limits().recoveries_per_hour();
  options.on_clone = [this](std::string_view cluster_id,
                            const std::vector<std::string>& agents) {
    clones.Increment();
    LogWarning(
        "two keys follow one identity; a copy of the cluster's state is in "
        "use, or was restored: ask the customer",
        {{"cluster_id", cluster_id},
         {"agent_instance_ids", absl::StrJoin(agents, " ")}});
  };
  options.on_adopted = [this](std::string_view cluster_id) {
    presence.EndCloneSuspicion(cluster_id);
    LogInfo("the adopted agent has its own key; its copies are out",
            {{"cluster_id", cluster_id}});
  };
  options.on_refused = [&refused_recoveries] {
    refused_recoveries.Increment();
  };
  return options;
}

LicenseDesk::Options ServiceGraph::LicenseOptions() {
  const config::Pacing& pacing = around.values.pacing();
  LicenseDesk::Options options;
  options.store = store();
  options.signer = &durable.signer;
  options.clock = around.clock;
  options.next_interval =
      IntervalOf(pacing.has_license_interval(), pacing.license_interval());
  options.key_successions = durable.key_history.successions;
  return options;
}

UpdateDesk::Options ServiceGraph::UpdateOptions() {
  const config::Pacing& pacing = around.values.pacing();
  UpdateDesk::Options options;
  options.store = store();
  options.clock = around.clock;
  options.next_interval =
      IntervalOf(pacing.has_updates_interval(), pacing.updates_interval());
  return options;
}

OperatorDesk::Options ServiceGraph::OperatorOptions() {
  OperatorDesk::Options options;
  options.store = store();
  options.directory = &operators;
  options.authority = &durable.operator_ca;
  options.clock = around.clock;
  options.trust_domain = around.values.trust_domain();
  options.certificate_lifetime =
      *FromProto(around.values.certificates().operator_lifetime());
  return options;
}

ReportDesk::Options ServiceGraph::ReportOptions() {
  prometheus::Counter& conflicts = around.metrics->AddCounter(
      "report_conflicts_total",
      "Reports whose key came before with other content.");
  ReportDesk::Options options;
  options.store = store();
  options.signer = &durable.signer;
  options.clock = around.clock;
  options.backlog = &backlog;
  options.on_conflict = [&conflicts](const ReportKey&) {
    conflicts.Increment();
  };
  return options;
}

Retention::Options ServiceGraph::RetentionOptions() {
  prometheus::Counter& deleted = around.metrics->AddCounter(
      "retention_deleted_total",
      "Reports, events and findings that were deleted when their time was "
      "over.");
  Retention::Options options;
  options.store = store();
  options.clock = around.clock;
  const config::Retention& rules = around.values.retention();
  if (rules.has_consumption_reports()) {
    options.rules.consumption_reports = *FromProto(rules.consumption_reports());
  }
  options.rules.events = *FromProto(rules.events());
  options.rules.closed_findings = *FromProto(rules.closed_findings());
  options.on_deleted = [&deleted](Prunable, int64_t rows) {
    deleted.Increment(static_cast<double>(rows));
  };
  return options;
}

GapWatch::Options ServiceGraph::GapOptions() {
  prometheus::Counter& found = around.metrics->AddCounter(
      "report_gaps_total",
      "Gaps in the sequences of consumption reports that did not fill soon.");
  GapWatch::Options options;
  options.store = store();
  options.clock = around.clock;
  options.on_gaps = [&found](int64_t count) {
    found.Increment(static_cast<double>(count));
  };
  return options;
}

}  // namespace mc::service
