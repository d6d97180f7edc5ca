#include "mc-service/domain/exchanges/summary.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

TEST(Summary, HealthNamesStatusNodesLoadAndMemory) {
  v1::ReportEnvelope report;
  v1::NodeHealth* node = report.mutable_health_check()->add_nodes();
  node->set_cpu_load(0.42);
  node->set_total_memory_bytes(int64_t{47} << 29);
  node->set_free_memory_bytes(3328599654);
  v1::ReportReceipt receipt;
  receipt.mutable_health_check()->set_status(v1::HEALTH_STATUS_HEALTHY);
  EXPECT_EQ(SummaryWith(receipt, Summarize(report)),
            "HEALTHY, 1 node, cpu 0.42, memory 3.1 of 23.5 GiB free");
}

TEST(Summary, UsageNamesFrameAndCounts) {
  v1::ReportEnvelope report;
  v1::Consumption* consumption = report.mutable_consumption();
  // 2026-11-21T10:00:00Z.
  consumption->mutable_time_frame()->mutable_start()->set_seconds(1795255200);
  consumption->mutable_time_frame()->mutable_end()->set_seconds(1795258800);
  consumption->add_environments()->set_rum_sessions(100);
  v1::EnvironmentConsumption* second = consumption->add_environments();
  second->set_rum_sessions(20);
  for (int i = 0; i < 3; ++i) second->add_hosts();
  v1::ReportReceipt receipt;
  receipt.mutable_consumption();
  EXPECT_EQ(SummaryWith(receipt, Summarize(report)),
            "2026-11-21T10:00Z/1h, 2 environments, 3 hosts, 120 sessions");
}

TEST(Summary, RejectionSaysWhy) {
  v1::ReportReceipt receipt;
  receipt.mutable_rejection()->set_message("the report has no payload");
  EXPECT_EQ(SummaryWith(receipt, "1 node"), "the report has no payload");
}

TEST(Summary, BeatNamesNodeAndSource) {
  v1::StreamHeartbeatsRequest beat;
  beat.set_node_id("5d2f");
  beat.set_source_type(v1::SOURCE_TYPE_SERVER);
  EXPECT_EQ(Summarize(beat), "node 5d2f SERVER");
  beat.set_node_id("5d2f0c1e-0000-4000-8000-000000000000");
  EXPECT_EQ(Summarize(beat), "node 5d2f0c1e-000… SERVER");
}

}  // namespace
}  // namespace mc::service
