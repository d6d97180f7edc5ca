#include "cluster-agent/domain/description/description.h"

#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

TEST(Description, ARestartForgetsNothing) {
  TempDir dir;
  {
    auto described = Description::Open(dir.path());
    ASSERT_TRUE(described.ok()) << described.status();
    missioncontrol::v1::DescribeNodeRequest node;
    node.set_product_version("7.7.7");
    missioncontrol::v1::DescribeActiveGatesRequest gates;
    gates.add_active_gates()->set_active_gate_id("gate-1");
    missioncontrol::v1::DescribeEnvironmentsRequest environments;
    environments.add_environment_ids("quiet");
    ASSERT_TRUE((*described)->SetNode(node).ok());
    ASSERT_TRUE((*described)->SetActiveGates(gates).ok());
    ASSERT_TRUE((*described)->SetEnvironments(environments).ok());
  }
  auto again = Description::Open(dir.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->node().product_version(), "7.7.7");
  EXPECT_EQ((*again)->active_gates().active_gates(0).active_gate_id(),
            "gate-1");
  EXPECT_EQ((*again)->environments().environment_ids(0), "quiet");
}

TEST(Description, TheLatestReplacesTheEarlier) {
  TempDir dir;
  auto described = Description::Open(dir.path());
  ASSERT_TRUE(described.ok());
  missioncontrol::v1::DescribeNodeRequest node;
  node.add_services()->set_name("indexer");
  ASSERT_TRUE((*described)->SetNode(node).ok());
  ASSERT_TRUE(
      (*described)->SetNode(missioncontrol::v1::DescribeNodeRequest()).ok());
  EXPECT_EQ((*described)->node().services_size(), 0);
}

TEST(Description, ADamagedFileIsNamed) {
  TempDir dir;
  const std::string file = dir.File("described-node.json");
  ASSERT_TRUE(AtomicWrite(file, "garbage", 0600).ok());
  const absl::Status status = Description::Open(dir.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find(file), absl::string_view::npos);
}

}  // namespace
}  // namespace mc::agent
