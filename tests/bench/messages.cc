#include "tests/bench/messages.h"

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc::bench {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

v1::ReportEnvelope& NewReport(v1::Lane lane, uint64_t epoch, uint64_t sequence,
                              absl::Time now,
                              v1::StreamReportsRequest& request) {
  v1::ReportEnvelope& report = *request.mutable_report();
  report.set_lane(lane);
  report.set_epoch(epoch);
  report.set_sequence(sequence);
  *report.mutable_created_at() = ToProto(now);
  return report;
}

void FillNode(int number, absl::Time now, v1::NodeHealth& node) {
  node.set_node_id(absl::StrCat("node-", number));
  node.set_os_name("Debian GNU/Linux");
  node.set_os_version("12");
  node.set_cpu_cores(16);
  node.set_cpu_load(3.25);
  node.set_total_memory_bytes(64 * kGiB);
  node.set_free_memory_bytes(20 * kGiB);
  node.set_server_state(v1::RUN_STATE_RUNNING);
  node.set_master(number == 0);
  *node.mutable_started_at() = ToProto(now - absl::Hours(500));
  node.set_product_version("1.5.0");
  node.set_agent_version("0.1.0");
  for (int i = 0; i < 2; ++i) {
    v1::StoragePartition* partition = node.add_partitions();
    partition->set_label(absl::StrCat("data-", i));
    partition->set_total_bytes(2000 * kGiB);
    partition->set_used_bytes(900 * kGiB);
  }
  for (const char* name : {"server", "datastore", "search", "gateway"}) {
    v1::ServiceHealth* service = node.add_services();
    service->set_name(name);
    service->set_state(v1::RUN_STATE_RUNNING);
  }
}

}  // namespace

v1::StreamHeartbeatsRequest MakeBeat(const std::string& cluster_id) {
  v1::StreamHeartbeatsRequest beat;
  beat.set_cluster_id(cluster_id);
  beat.set_node_id("node-0");
  beat.set_source_type(v1::SOURCE_TYPE_SERVER);
  return beat;
}

v1::CheckUpdatesRequest MakeUpdatesRequest() {
  v1::CheckUpdatesRequest request;
  for (const v1::Component component :
       {v1::COMPONENT_CLUSTER, v1::COMPONENT_ONE_AGENT}) {
    v1::InstalledVersion* installed = request.add_installed();
    installed->set_component(component);
    if (component != v1::COMPONENT_CLUSTER) installed->set_label("stable");
    installed->set_version("1.5.0");
  }
  return request;
}

v1::StreamReportsRequest MakeHello(const std::string& cluster_id,
                                   uint64_t epoch) {
  v1::StreamReportsRequest request;
  v1::Hello* hello = request.mutable_hello();
  hello->set_cluster_id(cluster_id);
  hello->set_agent_instance_id("bench");
  for (const v1::Lane lane :
       {v1::LANE_BILLING, v1::LANE_EVENTS, v1::LANE_HEALTH}) {
    v1::LaneEpoch* lane_epoch = hello->add_epochs();
    lane_epoch->set_lane(lane);
    lane_epoch->set_epoch(epoch);
  }
  return request;
}

v1::StreamReportsRequest MakeHealth(const std::string& cluster_id,
                                    uint64_t epoch, uint64_t sequence,
                                    absl::Time now) {
  v1::StreamReportsRequest request;
  v1::HealthCheck* health =
      NewReport(v1::LANE_HEALTH, epoch, sequence, now, request)
          .mutable_health_check();
  health->set_cluster_id(cluster_id);
  *health->mutable_observed_at() = ToProto(now);
  health->set_time_zone("Europe/Vienna");
  for (int i = 0; i < 3; ++i) FillNode(i, now, *health->add_nodes());
  return request;
}

v1::StreamReportsRequest MakeConsumption(const std::string& cluster_id,
                                         uint64_t epoch, uint64_t sequence,
                                         absl::Time now, int hosts) {
  v1::StreamReportsRequest request;
  v1::Consumption* consumption =
      NewReport(v1::LANE_BILLING, epoch, sequence, now, request)
          .mutable_consumption();
  consumption->set_cluster_id(cluster_id);
  // The last whole minute: it crosses no hour.
  const absl::Time end =
      absl::FromUnixSeconds(absl::ToUnixSeconds(now) / 60 * 60);
  v1::TimeFrame frame;
  *frame.mutable_start() = ToProto(end - absl::Minutes(1));
  *frame.mutable_end() = ToProto(end);
  *consumption->mutable_time_frame() = frame;
  for (int i = 0; i < 2; ++i) {
    v1::EnvironmentConsumption* environment = consumption->add_environments();
    environment->set_environment_id(absl::StrCat("environment-", i));
    environment->set_new_problems(2);
    environment->set_rum_sessions(120);
    for (int h = 0; h < hosts; ++h) {
      v1::HostConsumption* host = environment->add_hosts();
      host->set_host_id(absl::StrCat("host-", i, "-", h));
      host->set_host_category(v1::HOST_CATEGORY_FULL_STACK);
      host->set_memory_bytes(16 * kGiB);
      host->add_technologies("JAVA");
      *host->add_monitored() = frame;
    }
  }
  return request;
}

v1::StreamReportsRequest MakeEvents(const std::string& cluster_id,
                                    uint64_t epoch, uint64_t sequence,
                                    absl::Time now) {
  v1::StreamReportsRequest request;
  v1::ClusterEvents* events =
      NewReport(v1::LANE_EVENTS, epoch, sequence, now, request)
          .mutable_cluster_events();
  events->set_cluster_id(cluster_id);
  v1::ClusterEvent* event = events->add_events();
  event->set_event_id(absl::StrCat(cluster_id, "-", epoch, "-", sequence));
  event->set_type(v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE);
  event->set_severity(v1::SEVERITY_WARNING);
  *event->mutable_occurred_at() = ToProto(now);
  event->set_node_id("node-0");
  v1::OutboxEventDetails* outbox = event->mutable_outbox();
  outbox->set_problem(std::string(120, 'x'));
  outbox->set_affected_rows(1);
  return request;
}

}  // namespace mc::bench
