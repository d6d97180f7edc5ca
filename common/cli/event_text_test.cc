#include "common/cli/event_text.h"

#include <gtest/gtest.h>

#include "google/protobuf/text_format.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

std::string Details(const std::string& text) {
  v1::ClusterEvent event;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &event));
  return EventDetails(event);
}

TEST(EventText, DetailsAreOfTheEventsKind) {
  EXPECT_EQ(Details(""), "");
  EXPECT_EQ(Details("connection {}"), "");
  EXPECT_EQ(Details("connection { outage { seconds: 90 } }"), "lasted 1m30s");
  EXPECT_EQ(Details("clock { offset_milliseconds: -7250 }"), "7250 ms behind");
  EXPECT_EQ(Details("clock { offset_milliseconds: 7250 }"), "7250 ms ahead");
  EXPECT_EQ(Details("outbox { problem: \"full\" affected_rows: 3 }"),
            "full (3)");
  EXPECT_EQ(Details("update { from_version: \"1\" to_version: \"2\" "
                    "failure: \"why\" }"),
            "1 -> 2: why");
  EXPECT_EQ(Details("license { status: LICENSE_STATUS_EXPIRED }"), "EXPIRED");
}

TEST(EventText, NamesAreTheContractsWithoutTheirPrefix) {
  EXPECT_EQ(*ParseEventType("connection_lost"),
            v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST);
  EXPECT_EQ(*ParseSeverity("Warning"), v1::SEVERITY_WARNING);
  for (const char* bad : {"", "unspecified", "nothing"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseEventType(bad).status())) << bad;
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSeverity(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace mc
