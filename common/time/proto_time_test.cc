#include "common/time/proto_time.h"

#include <gtest/gtest.h>

namespace mc {
namespace {

TEST(ProtoTime, TimesSurviveTheRoundTrip) {
  for (const absl::Time time :
       {absl::UnixEpoch(), absl::FromUnixNanos(1777888800123456789),
        absl::FromUnixNanos(-1)}) {
    EXPECT_EQ(*FromProto(ToProto(time)), time);
    EXPECT_GE(ToProto(time).nanos(), 0);
  }
}

TEST(ProtoTime, DurationsSurviveTheRoundTrip) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Milliseconds(1500),
        absl::Milliseconds(-1500), absl::Hours(24 * 365)}) {
    EXPECT_EQ(*FromProto(ToProto(duration)), duration);
  }
}

TEST(ProtoTime, OutOfRangeIsRefused) {
  google::protobuf::Timestamp time;
  time.set_nanos(-1);
  EXPECT_FALSE(FromProto(time).ok());
  time.set_nanos(0);
  time.set_seconds(253402300800);
  EXPECT_FALSE(FromProto(time).ok());
  google::protobuf::Duration duration;
  duration.set_seconds(1);
  duration.set_nanos(-1);
  EXPECT_FALSE(FromProto(duration).ok());
}

TEST(ProtoTime, Rfc3339) {
  EXPECT_EQ(FormatUtc(absl::FromUnixMillis(1777888800123)),
            "2026-05-04T10:00:00.123Z");
  EXPECT_EQ(*ParseRfc3339("2026-05-04T12:00:00+02:00"),
            absl::FromUnixSeconds(1777888800));
  EXPECT_FALSE(ParseRfc3339("yesterday").ok());
  EXPECT_FALSE(ParseRfc3339("infinite-future").ok());
  EXPECT_FALSE(ParseRfc3339("infinite-past").ok());
  EXPECT_FALSE(ParseRfc3339("200000-01-01T00:00:00Z").ok());
}

}  // namespace
}  // namespace mc
