#include "cluster-agent/site/site.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/log/log.h"

namespace mc::agent {
namespace {

constexpr absl::Duration kSaveInterval = absl::Minutes(1);
// How late the log may say that a node is silent.
constexpr absl::Duration kLongestTick = absl::Seconds(5);

absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Site>> Site::Open(Options options) {
  const missioncontrol::config::v1::Site& values = *options.values;
  absl::StatusOr<SiteAuthority> authority =
      SiteAuthority::Open({.state_directory = options.state_directory,
                           .ca_certificate_file = values.ca_certificate_file(),
                           .ca_key_file = values.ca_key_file(),
                           .cluster_id = options.cluster_id,
                           .node_certificate_lifetime =
                               DurationOf(values.node_certificate_lifetime())});
  if (!authority.ok()) return authority.status();
  std::unique_ptr<Site> site(
      new Site(std::move(options), *std::move(authority)));
  absl::StatusOr<std::unique_ptr<NodeRegistry>> registry =
      NodeRegistry::Open({.state_directory = site->options_.state_directory,
                          .authority = &site->authority_,
                          .clock = site->options_.clock,
                          .executor = site->options_.executor,
                          .silent_after = DurationOf(values.silent_after()),
                          .master_node_id = site->options_.master_node_id,
                          .events = site->options_.events,
                          .standing_token = site->options_.standing_token});
  if (!registry.ok()) return registry.status();
  site->registry_ = *std::move(registry);
  return site;
}

absl::Status Site::Listen() {
  const missioncontrol::config::v1::Site& values = *options_.values;
  SiteServer::Options options;
  options.join_address = values.listen().join();
  options.nodes_address = values.listen().nodes();
  options.told_address = values.node_address();
  options.deps.authority = &authority_;
  options.deps.registry = registry_.get();
  options.deps.executor = options_.executor;
  options.deps.clock = options_.clock;
  options.deps.cluster_id = options_.cluster_id;
  options.deps.master_node_id = options_.master_node_id;
  options.deps.master_instance_id = options_.master_instance_id;
  options.deps.report_interval = DurationOf(values.report_interval());
  options.deps.silent_after = DurationOf(values.silent_after());
  options.deps.is_master = options_.is_master;
  options.deps.on_other_master = options_.on_other_master;
  absl::StatusOr<std::unique_ptr<SiteServer>> server =
      SiteServer::Start(std::move(options));
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  registry_->SetOnRemoved(
      [this](const std::string& node_id) { server_->OnRemoved(node_id); });
  const absl::Status written =
      AtomicWrite(PortsFile(),
                  absl::StrCat("{\"join\": ", server_->join_port(),
                               ", \"nodes\": ", server_->nodes_port(), "}\n"),
                  0644);
  if (!written.ok()) return written;
  LogInfo("nodes can join", {{"join_port", server_->join_port()},
                             {"nodes_port", server_->nodes_port()}});
  WatchSilence();
  KeepReports();
  return absl::OkStatus();
}

std::string Site::PortsFile() const {
  return absl::StrCat(options_.socket_directory, "/site-ports.json");
}

void Site::WatchSilence() {
  registry_->NoteSilence();
  options_.timers->ScheduleAfter(
      std::min(DurationOf(options_.values->silent_after()) / 4, kLongestTick),
      [this] { WatchSilence(); });
}

void Site::KeepReports() {
  options_.timers->ScheduleAfter(kSaveInterval, [this] {
    options_.executor->TryRun([this] { registry_->SaveReports(); });
    KeepReports();
  });
}

void Site::Stop(absl::Duration grace) {
  if (server_ == nullptr) return;
  ::unlink(PortsFile().c_str());
  server_->Stop(grace);
  registry_->SaveReports();
}

}  // namespace mc::agent
