#include "mc-service/domain/events/events.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

v1::ReportEnvelope Report(int events) {
  v1::ReportEnvelope report;
  report.set_lane(v1::LANE_EVENTS);
  report.set_epoch(1);
  report.set_sequence(10);
  report.mutable_cluster_events()->set_cluster_id("c-1");
  for (int i = 0; i < events; ++i) {
    v1::ClusterEvent& event = *report.mutable_cluster_events()->add_events();
    event.set_event_id(absl::StrCat("e-", i));
    event.set_type(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
    event.set_severity(v1::SEVERITY_INFO);
    event.mutable_occurred_at()->set_seconds(1'777'888'800);
  }
  return report;
}

void AddRange(v1::ReportEnvelope& report, uint64_t first, uint64_t last) {
  v1::DroppedRange& range = *report.add_dropped();
  range.set_first_sequence(first);
  range.set_last_sequence(last);
}

TEST(Events, AThousandAreTheMost) {
  EXPECT_TRUE(CheckEvents(Report(1)).ok());
  EXPECT_TRUE(CheckEvents(Report(1000)).ok());
  EXPECT_FALSE(CheckEvents(Report(0)).ok());
  EXPECT_FALSE(CheckEvents(Report(1001)).ok());
}

TEST(Events, EachHasWhatTellsItApart) {
  const std::function<void(v1::ClusterEvent&)> breaks[] = {
      [](v1::ClusterEvent& e) { e.clear_event_id(); },
      [](v1::ClusterEvent& e) { e.set_event_id("e-0"); },
      [](v1::ClusterEvent& e) { e.clear_type(); },
      [](v1::ClusterEvent& e) { e.clear_severity(); },
      [](v1::ClusterEvent& e) { e.clear_occurred_at(); },
  };
  for (const auto& change : breaks) {
    v1::ReportEnvelope report = Report(2);
    change(*report.mutable_cluster_events()->mutable_events(1));
    const absl::Status status = CheckEvents(report);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << status;
  }
}

TEST(Events, TypesOfANewerClusterAreAccepted) {
  v1::ReportEnvelope report = Report(1);
  report.mutable_cluster_events()->mutable_events(0)->set_type(
      static_cast<v1::ClusterEventType>(9999));
  EXPECT_TRUE(CheckEvents(report).ok());
}

TEST(Events, DroppedRangesAreBeforeTheReport) {
  v1::ReportEnvelope report = Report(1);
  EXPECT_TRUE(CheckDroppedRanges(report).ok());
  AddRange(report, 1, 4);
  AddRange(report, 9, 9);
  EXPECT_TRUE(CheckDroppedRanges(report).ok());
  for (const auto& [first, last] :
       {std::pair(0, 1), std::pair(3, 2), std::pair(9, 10)}) {
    v1::ReportEnvelope bad = Report(1);
    AddRange(bad, first, last);
    EXPECT_FALSE(CheckDroppedRanges(bad).ok()) << first << "-" << last;
  }
}

TEST(Events, OtherLanesDropNothing) {
  v1::ReportEnvelope report;
  report.set_lane(v1::LANE_BILLING);
  report.set_sequence(10);
  EXPECT_TRUE(CheckDroppedRanges(report).ok());
  AddRange(report, 1, 1);
  EXPECT_FALSE(CheckDroppedRanges(report).ok());
}

}  // namespace
}  // namespace mc::service
