#include "mc-service/domain/findings/gaps.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "common/time/proto_time.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GapsTest : public ::testing::Test {
 protected:
  GapsTest() { EXPECT_TRUE(Seed(store_, SeedLicense(now_), {"c-1"}).ok()); }

  // The report's time frame is its hour after `start_`.
  v1::TimeFrame Hour(int64_t hour) const {
    v1::TimeFrame frame;
    *frame.mutable_start() = ToProto(start_ + absl::Hours(hour));
    *frame.mutable_end() = ToProto(start_ + absl::Hours(hour + 1));
    return frame;
  }

  // As the desk accepts it: sequence n has the hour n.
  void Arrive(uint64_t sequence, uint64_t epoch = 7) {
    Arrive(sequence, epoch, Hour(static_cast<int64_t>(sequence)));
  }

  void Arrive(uint64_t sequence, uint64_t epoch, const v1::TimeFrame& frame) {
    const ReportKey key{"c-1", v1::LANE_BILLING, epoch, sequence};
    const absl::Status done = store_.WriteAndWait([&](Writer& writer) {
      absl::Status status = NoteArrival(writer, key, frame, now_);
      StoredConsumption stored;
      stored.key = key;
      stored.license_id = "license-1";
      stored.accepted_at = now_;
      *stored.consumption.mutable_time_frame() = frame;
      status.Update(writer.InsertConsumption(stored));
      status.Update(writer.InsertReport({key, "digest", "receipt", now_}));
      return status;
    });
    EXPECT_TRUE(done.ok()) << done;
  }

  int64_t RaiseAll() {
    int64_t raised = -1;
    const absl::Status done = store_.WriteAndWait([&](Writer& writer) {
      const auto gaps = RaiseGaps(writer, now_ + absl::Seconds(1), now_, 100);
      raised = gaps.value_or(-1);
      return gaps.status();
    });
    EXPECT_TRUE(done.ok()) << done;
    return raised;
  }

  std::vector<SequenceGap> Gaps() {
    std::vector<SequenceGap> gaps;
    (void)store_.Read([&](Reader& reader) {
      gaps = reader.OpenGaps({}, {})->items;
      return absl::OkStatus();
    });
    return gaps;
  }

  // "first-last" of each.
  std::vector<std::string> Ranges() {
    std::vector<std::string> ranges;
    for (const SequenceGap& gap : Gaps()) {
      ranges.push_back(std::to_string(gap.first) + "-" +
                       std::to_string(gap.last));
    }
    return ranges;
  }

  std::vector<StoredFinding> Findings(bool closed = false) {
    std::vector<StoredFinding> findings;
    (void)store_.Read([&](Reader& reader) {
      findings = reader.ListFindings({.include_closed = closed}, {})->items;
      return absl::OkStatus();
    });
    return findings;
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'795'255'200);
  const absl::Time now_ = start_ + absl::Hours(100);
  FakeStore store_;
};

TEST_F(GapsTest, ReportsInOrderLeaveNoGap) {
  for (uint64_t sequence : {1, 2, 3}) Arrive(sequence);
  EXPECT_THAT(Ranges(), IsEmpty());
}

TEST_F(GapsTest, SkippedSequencesAreAGapBetweenTheirNeighborsFrames) {
  Arrive(1);
  Arrive(5);
  ASSERT_THAT(Ranges(), ElementsAre("2-4"));
  EXPECT_EQ(Gaps()[0].time_frame,
            (TimeSpan{start_ + absl::Hours(2), start_ + absl::Hours(5)}));
}

TEST_F(GapsTest, GapBeforeTheFirstReportHasNoKnownStart) {
  Arrive(3);
  ASSERT_THAT(Ranges(), ElementsAre("1-2"));
  EXPECT_EQ(Gaps()[0].time_frame,
            (TimeSpan{absl::InfinitePast(), start_ + absl::Hours(3)}));
}

TEST_F(GapsTest, GapBetweenFramesOutOfOrderPutsBothInDoubt) {
  Arrive(1, 7, Hour(9));
  Arrive(3, 7, Hour(4));
  EXPECT_EQ(Gaps()[0].time_frame,
            (TimeSpan{start_ + absl::Hours(4), start_ + absl::Hours(10)}));
}

TEST_F(GapsTest, ReportInTheMiddleSplitsTheGap) {
  Arrive(1);
  Arrive(7);
  Arrive(4);
  ASSERT_THAT(Ranges(), ElementsAre("2-3", "5-6"));
  EXPECT_EQ(Gaps()[0].time_frame,
            (TimeSpan{start_ + absl::Hours(2), start_ + absl::Hours(4)}));
  EXPECT_EQ(Gaps()[1].time_frame,
            (TimeSpan{start_ + absl::Hours(5), start_ + absl::Hours(7)}));
}

TEST_F(GapsTest, ShuffledReportsLeaveNoGap) {
  for (uint64_t sequence : {4, 2, 8, 1, 3, 7, 5, 6}) Arrive(sequence);
  EXPECT_THAT(Ranges(), IsEmpty());
}

TEST_F(GapsTest, OldGapIsAFindingUntilItHasFilled) {
  Arrive(1);
  Arrive(4);
  EXPECT_EQ(RaiseAll(), 1);
  EXPECT_EQ(RaiseAll(), 0);
  ASSERT_EQ(Findings().size(), 1u);
  EXPECT_EQ(Findings()[0].last.key.kind, v1::FINDING_KIND_SEQUENCE_GAP);
  EXPECT_EQ(Findings()[0].last.time_frame,
            (TimeSpan{start_ + absl::Hours(2), start_ + absl::Hours(4)}));
  Arrive(3);
  EXPECT_EQ(Findings().size(), 1u);
  Arrive(2);
  EXPECT_THAT(Findings(), IsEmpty());
  ASSERT_EQ(Findings(true).size(), 1u);
  EXPECT_EQ(Findings(true)[0].closed_at, now_);
}

TEST_F(GapsTest, FindingOfASplitGapClosesWithItsLastPart) {
  Arrive(1);
  Arrive(6);
  EXPECT_EQ(RaiseAll(), 1);
  for (uint64_t sequence : {3, 5, 2}) {
    Arrive(sequence);
    EXPECT_EQ(Findings().size(), 1u) << sequence;
  }
  EXPECT_EQ(RaiseAll(), 0);
  Arrive(4);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(GapsTest, YoungGapIsNoFinding) {
  Arrive(1);
  Arrive(3);
  int64_t raised = -1;
  ASSERT_TRUE(store_
                  .WriteAndWait([&](Writer& writer) {
                    raised = RaiseGaps(writer, now_, now_, 100).value_or(-1);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(raised, 0);
}

TEST_F(GapsTest, PeriodWithUsageInDoubtHasAGap) {
  const auto has_gap = [&](int64_t from, int64_t to) {
    bool gap = false;
    EXPECT_TRUE(store_
                    .Read([&](Reader& reader) {
                      const auto answer =
                          HasGap(reader, "c-1", start_ + absl::Hours(from),
                                 start_ + absl::Hours(to));
                      gap = answer.value_or(false);
                      return answer.status();
                    })
                    .ok());
    return gap;
  };
  Arrive(1);
  Arrive(4);
  EXPECT_FALSE(has_gap(0, 2));
  EXPECT_TRUE(has_gap(0, 3));
  EXPECT_TRUE(has_gap(3, 9));
  EXPECT_FALSE(has_gap(4, 9));
  Arrive(3);
  EXPECT_FALSE(has_gap(3, 9));
  Arrive(2);
  EXPECT_FALSE(has_gap(0, 9));
}

TEST_F(GapsTest, GapsOfAnOlderEpochStayOpen) {
  Arrive(1);
  Arrive(3);
  Arrive(1, 8);
  Arrive(2, 8);
  EXPECT_THAT(Ranges(), ElementsAre("2-2"));
}

}  // namespace
}  // namespace mc::service
