#include "cluster-agent/domain/health/health_builder.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/fixture_tree.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

const absl::Time kNow = absl::FromUnixSeconds(1777888800);

class HealthBuilder : public testing::Test {
 protected:
  HealthBuilder() {
    tree_.Write("/etc/os-release", "NAME=Debian\nVERSION_ID=12\n");
    tree_.Write("/proc/loadavg", "0.25 0.10 0.05 1/100 1000\n");
    tree_.Write("/proc/meminfo",
                "MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n");
    tree_.Write("/proc/stat", "cpu 0\nbtime 1777800000\n");
    tree_.Write("/proc/self/mountinfo", "");
    tree_.Write("/etc/timezone", "Europe/Vienna\n");
    description_ = *Description::Open(dir_.path());
    sources_ = {.collect = tree_.options(),
                .values = &values_,
                .inventory = &inventory_,
                .description = description_.get(),
                .cluster_id = "cluster",
                .node_id = "node",
                .agent_version = "0.1.0"};
  }

  v1::HealthCheck Build() {
    const auto built = BuildHealthCheck(sources_, kNow);
    EXPECT_TRUE(built.ok()) << built.status();
    return built.ok() ? built->check : v1::HealthCheck();
  }

  TempDir dir_;
  FixtureTree tree_;
  config::AgentConfig values_;
  config::Inventory inventory_;
  std::unique_ptr<Description> description_;
  HealthSources sources_;
};

TEST_F(HealthBuilder, HasTheMachinesValues) {
  const v1::HealthCheck check = Build();
  EXPECT_EQ(check.cluster_id(), "cluster");
  EXPECT_EQ(check.time_zone(), "Europe/Vienna");
  ASSERT_EQ(check.nodes_size(), 1);
  const v1::NodeHealth& node = check.nodes(0);
  EXPECT_EQ(node.os_name(), "Debian");
  EXPECT_EQ(node.os_version(), "12");
  EXPECT_EQ(node.cpu_load(), 0.25);
  EXPECT_EQ(node.total_memory_bytes(), 4096 * 1024);
  EXPECT_EQ(node.free_memory_bytes(), 1024 * 1024);
  EXPECT_TRUE(node.master());
  EXPECT_EQ(node.agent_version(), "0.1.0");
}

TEST_F(HealthBuilder, ANodesPartIsTheSameButForTheMaster) {
  const auto own = BuildNodeHealth(sources_);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_FALSE(own->node.master());
  v1::NodeHealth expected = Build().nodes(0);
  expected.clear_master();
  EXPECT_EQ(own->node.SerializeAsString(), expected.SerializeAsString());
}

TEST_F(HealthBuilder, WithoutAProductTheMachineIsTheServer) {
  const v1::HealthCheck check = Build();
  EXPECT_EQ(check.nodes(0).server_state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(check.nodes(0).started_at().seconds(), 1777800000);
}

TEST_F(HealthBuilder, ThePidFileTellsOfTheServer) {
  values_.mutable_product()->set_pid_file(dir_.File("pid"));
  EXPECT_EQ(Build().nodes(0).server_state(), v1::RUN_STATE_STOPPED);
  EXPECT_FALSE(Build().nodes(0).has_started_at());
  sources_.collect = CollectOptions();
  ASSERT_TRUE(
      AtomicWrite(dir_.File("pid"), absl::StrCat(getpid(), "\n"), 0600).ok());
  EXPECT_EQ(Build().nodes(0).server_state(), v1::RUN_STATE_RUNNING);
  EXPECT_TRUE(Build().nodes(0).has_started_at());
}

TEST_F(HealthBuilder, AnUnreadablePidFileIsMissingNotStopped) {
  values_.mutable_product()->set_pid_file(dir_.File("pid"));
  ASSERT_TRUE(AtomicWrite(dir_.File("pid"), "soon", 0600).ok());
  const auto built = BuildHealthCheck(sources_, kNow);
  ASSERT_TRUE(built.ok());
  EXPECT_EQ(built->check.nodes(0).server_state(), v1::RUN_STATE_UNSPECIFIED);
  EXPECT_TRUE(std::any_of(
      built->missing.begin(), built->missing.end(), [](const auto& missing) {
        return absl::StrContains(missing.message(), "product.pid_file");
      }));
}

TEST_F(HealthBuilder, TheProductKnowsBest) {
  values_.mutable_product()->set_version("1.0.0");
  EXPECT_EQ(Build().nodes(0).product_version(), "1.0.0");
  v1::DescribeNodeRequest node;
  node.set_product_version("7.7.7");
  node.set_server_state(v1::RUN_STATE_STOPPING);
  node.mutable_started_at()->set_seconds(42);
  v1::ServiceHealth& service = *node.add_services();
  service.set_name("indexer");
  service.set_state(v1::RUN_STATE_FAILED);
  ASSERT_TRUE(description_->SetNode(node).ok());
  v1::ServiceHealth& listed = *inventory_.add_services();
  listed.set_name("indexer");
  listed.set_state(v1::RUN_STATE_RUNNING);
  inventory_.add_services()->set_name("gateway");
  const v1::NodeHealth built = Build().nodes(0);
  EXPECT_EQ(built.product_version(), "7.7.7");
  EXPECT_EQ(built.server_state(), v1::RUN_STATE_STOPPING);
  EXPECT_EQ(built.started_at().seconds(), 42);
  ASSERT_EQ(built.services_size(), 2);
  EXPECT_EQ(built.services(0).state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(built.services(1).name(), "gateway");
}

TEST_F(HealthBuilder, TheVersionFileComesBeforeTheConfiguration) {
  values_.mutable_product()->set_version("1.0.0");
  values_.mutable_product()->set_version_file(dir_.File("version"));
  EXPECT_FALSE(ProductVersion(sources_).ok());
  ASSERT_TRUE(AtomicWrite(dir_.File("version"), "2.0.0\nmore\n", 0600).ok());
  EXPECT_EQ(*ProductVersion(sources_), "2.0.0");
  ASSERT_TRUE(AtomicWrite(dir_.File("version"), "no version\n", 0600).ok());
  EXPECT_FALSE(ProductVersion(sources_).ok());
}

TEST_F(HealthBuilder, TheMasterSpeaksForEveryNode) {
  sources_.other_nodes = [] {
    std::vector<KnownNode> nodes(2);
    nodes[0].node_id = "live";
    nodes[0].state = v1::NODE_STATE_LIVE;
    nodes[1].node_id = "silent";
    nodes[1].state = v1::NODE_STATE_SILENT;
    nodes[1].report.add_active_gates()->set_active_gate_id("gate");
    return nodes;
  };
  const v1::HealthCheck check = Build();
  ASSERT_EQ(check.nodes_size(), 3);
  EXPECT_TRUE(check.nodes(0).master());
  EXPECT_EQ(check.nodes(1).node_id(), "live");
  EXPECT_FALSE(check.nodes(1).master());
  EXPECT_EQ(check.nodes(2).server_state(), v1::RUN_STATE_SILENT);
  ASSERT_GE(check.active_gates_size(), 1);
  const v1::ActiveGateHealth& gate =
      check.active_gates(check.active_gates_size() - 1);
  EXPECT_EQ(gate.active_gate_id(), "gate");
  EXPECT_EQ(gate.status(), v1::RUN_STATE_SILENT);
}

TEST_F(HealthBuilder, UndecidedRemoteAccessIsOff) {
  EXPECT_EQ(Build().privacy_settings().remote_access(),
            v1::REMOTE_ACCESS_POLICY_OFF);
  values_.mutable_privacy_settings()->set_remote_access(
      v1::REMOTE_ACCESS_POLICY_ON_APPROVAL);
  EXPECT_EQ(Build().privacy_settings().remote_access(),
            v1::REMOTE_ACCESS_POLICY_ON_APPROVAL);
}

TEST_F(HealthBuilder, WhatCannotBeReadOfTheMachineIsAnError) {
  tree_.Write("/proc/meminfo", "nothing");
  EXPECT_FALSE(BuildHealthCheck(sources_, kNow).ok());
}

}  // namespace
}  // namespace mc::agent
