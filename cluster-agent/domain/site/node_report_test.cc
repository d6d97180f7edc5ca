#include "cluster-agent/domain/site/node_report.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

bool IsRefused(const v1::NodeReport& report) {
  return ReasonOf(CheckNodeReport(report)) == v1::ERROR_REASON_INVALID_FIELD;
}

TEST(NodeReport, ListsHaveTheirBounds) {
  v1::NodeReport report;
  for (int i = 0; i < 64; ++i) report.mutable_node()->add_partitions();
  for (int i = 0; i < 256; ++i) {
    report.mutable_node()->add_services();
    report.add_active_gates()->set_active_gate_id(absl::StrCat("gate-", i));
  }
  EXPECT_TRUE(CheckNodeReport(report).ok()) << CheckNodeReport(report);

  v1::NodeReport more = report;
  more.mutable_node()->add_partitions();
  EXPECT_TRUE(IsRefused(more));
  more = report;
  more.mutable_node()->add_services();
  EXPECT_TRUE(IsRefused(more));
  more = report;
  more.add_active_gates()->set_active_gate_id("one-more");
  EXPECT_TRUE(IsRefused(more));
}

TEST(NodeReport, EachActiveGateHasAnIdOfItsOwn) {
  v1::NodeReport report;
  report.add_active_gates();
  EXPECT_TRUE(IsRefused(report));
  report.mutable_active_gates(0)->set_active_gate_id("a");
  EXPECT_FALSE(IsRefused(report));
  *report.add_active_gates() = report.active_gates(0);
  EXPECT_TRUE(IsRefused(report));
}

TEST(NodeReport, FieldsHaveTheirFormats) {
  v1::NodeReport report;
  report.mutable_node()->set_node_id("not an ID\n");
  EXPECT_TRUE(IsRefused(report));
}

}  // namespace
}  // namespace mc::agent
