#include "mc-service/domain/health/assessment.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace mc::service {
namespace {

v1::HealthCheck OneNode() {
  v1::HealthCheck check;
  v1::NodeHealth* node = check.add_nodes();
  node->set_node_id("node-1");
  node->set_server_state(v1::RUN_STATE_RUNNING);
  return check;
}

v1::StoragePartition& AddPartition(v1::HealthCheck& check, int64_t total,
                                   int64_t used) {
  v1::StoragePartition* partition = check.mutable_nodes(0)->add_partitions();
  partition->set_label("data-1");
  partition->set_total_bytes(total);
  partition->set_used_bytes(used);
  return *partition;
}

TEST(Assess, WithoutFindingsIsHealthy) {
  v1::HealthCheck check = OneNode();
  AddPartition(check, 1000, 500);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.status(), v1::HEALTH_STATUS_HEALTHY);
  EXPECT_EQ(result.findings_size(), 0);
  EXPECT_FALSE(result.message().empty());
}

TEST(Assess, PartitionOfExactlyNinetyPercentIsFine) {
  v1::HealthCheck check = OneNode();
  AddPartition(check, 1000, 900);
  EXPECT_EQ(Assess(check).status(), v1::HEALTH_STATUS_HEALTHY);
}

TEST(Assess, PartitionOverNinetyPercentIsAWarning) {
  v1::HealthCheck check = OneNode();
  AddPartition(check, 1000, 901);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.status(), v1::HEALTH_STATUS_WARNING);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).code(), "PARTITION_NEARLY_FULL");
  EXPECT_EQ(result.findings(0).node_id(), "node-1");
  EXPECT_EQ(result.findings(0).subject(), "data-1");
}

TEST(Assess, HugePartitionDoesNotOverflow) {
  const int64_t huge = std::numeric_limits<int64_t>::max();
  v1::HealthCheck full = OneNode();
  AddPartition(full, huge, huge);
  EXPECT_EQ(Assess(full).status(), v1::HEALTH_STATUS_WARNING);
  v1::HealthCheck half = OneNode();
  AddPartition(half, huge, huge / 2);
  EXPECT_EQ(Assess(half).status(), v1::HEALTH_STATUS_HEALTHY);
}

TEST(Assess, OnlyRunningStartingAndUnknownServersAreFine) {
  for (int state = v1::RunState_MIN; state <= v1::RunState_MAX; ++state) {
    v1::HealthCheck check = OneNode();
    check.mutable_nodes(0)->set_server_state(static_cast<v1::RunState>(state));
    const bool fine = state == v1::RUN_STATE_RUNNING ||
                      state == v1::RUN_STATE_STARTING ||
                      state == v1::RUN_STATE_UNSPECIFIED;
    const v1::HealthCheckResult result = Assess(check);
    EXPECT_EQ(result.status(),
              fine ? v1::HEALTH_STATUS_HEALTHY : v1::HEALTH_STATUS_CRITICAL)
        << state;
    if (!fine) {
      EXPECT_EQ(result.findings(0).code(), "NODE_NOT_RUNNING");
    }
  }
}

TEST(Assess, StoppedServiceIsCriticalAndNamed) {
  v1::HealthCheck check = OneNode();
  v1::ServiceHealth* service = check.mutable_nodes(0)->add_services();
  service->set_name("indexer");
  service->set_state(v1::RUN_STATE_STOPPED);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.status(), v1::HEALTH_STATUS_CRITICAL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).code(), "SERVICE_NOT_RUNNING");
  EXPECT_EQ(result.findings(0).subject(), "indexer");
  EXPECT_NE(result.message().find("indexer"), std::string::npos);
}

TEST(Assess, FailedActiveGateIsCritical) {
  v1::HealthCheck check = OneNode();
  v1::ActiveGateHealth* gate = check.add_active_gates();
  gate->set_active_gate_id("gate-1");
  gate->set_status(v1::RUN_STATE_FAILED);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.status(), v1::HEALTH_STATUS_CRITICAL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).subject(), "gate-1");
}

TEST(Assess, WorstFindingDecidesAndComesFirst) {
  v1::HealthCheck check = OneNode();
  AddPartition(check, 100, 100);
  v1::ServiceHealth* service = check.mutable_nodes(0)->add_services();
  service->set_name("indexer");
  service->set_state(v1::RUN_STATE_FAILED);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.status(), v1::HEALTH_STATUS_CRITICAL);
  ASSERT_EQ(result.findings_size(), 2);
  EXPECT_EQ(result.findings(0).code(), "SERVICE_NOT_RUNNING");
  EXPECT_EQ(result.findings(1).code(), "PARTITION_NEARLY_FULL");
}

TEST(Assess, FindingsAreBoundedAndAllAreCounted) {
  v1::HealthCheck check = OneNode();
  for (int i = 0; i < kMaxFindings + 50; ++i) AddPartition(check, 100, 100);
  const v1::HealthCheckResult result = Assess(check);
  EXPECT_EQ(result.findings_size(), kMaxFindings);
  EXPECT_NE(result.message().find("149 more findings"), std::string::npos)
      << result.message();
}

}  // namespace
}  // namespace mc::service
