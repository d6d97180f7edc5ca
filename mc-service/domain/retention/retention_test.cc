#include "mc-service/domain/retention/retention.h"

#include <gtest/gtest.h>

#include <string>

#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1777888800);
constexpr absl::Duration kDay = absl::Hours(24);
constexpr char kCluster[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

TEST(RetentionTime, FollowsTheClock) {
  EXPECT_EQ(RetentionTime(kNow + kDay, kNow, kDay), kNow + kDay);
}

TEST(RetentionTime, CatchesUpAtTwiceThePaceAfterAJumpAhead) {
  EXPECT_EQ(RetentionTime(kNow + 365 * kDay, kNow, absl::Hours(1)),
            kNow + absl::Hours(2));
  EXPECT_EQ(RetentionTime(kNow + absl::Minutes(90), kNow, absl::Hours(1)),
            kNow + absl::Minutes(90));
}

TEST(RetentionTime, StandsWhileTheClockIsBehind) {
  EXPECT_EQ(RetentionTime(kNow - kDay, kNow, absl::Hours(1)), kNow);
  EXPECT_EQ(RetentionTime(kNow + kDay, kNow, absl::ZeroDuration()), kNow);
}

class RetentionTest : public ::testing::Test {
 protected:
  RetentionTest() {
    EXPECT_TRUE(Seed(store_, SeedLicense(kNow), {kCluster}).ok());
    options_.store = &store_;
    options_.clock = &clock_;
    options_.rules.consumption_reports = 100 * kDay;
    options_.chunk = 2;
    options_.on_deleted = [this](Prunable, int64_t rows) { deleted_ += rows; };
  }

  void Accept(uint64_t sequence, absl::Time at) {
    EXPECT_TRUE(store_
                    .WriteAndWait([&](Writer& writer) {
                      StoredConsumption stored;
                      stored.key = {kCluster, v1::LANE_BILLING, 1, sequence};
                      stored.license_id = "license-1";
                      stored.accepted_at = at;
                      absl::Status done = writer.InsertConsumption(stored);
                      done.Update(writer.InsertReport({.key = stored.key,
                                                       .digest = "d",
                                                       .receipt = "r",
                                                       .accepted_at = at}));
                      return done;
                    })
                    .ok());
  }

  FakeStore store_;
  SimulatedClock clock_{kNow};
  Retention::Options options_;
  int64_t deleted_ = 0;
};

TEST_F(RetentionTest, DeletesWhatIsOverInChunks) {
  for (uint64_t i = 1; i <= 5; ++i) Accept(i, kNow - 101 * kDay);
  Accept(6, kNow - 99 * kDay);
  Accept(7, kNow);
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_EQ(deleted_, 5);
}

TEST_F(RetentionTest, AClockThatJumpsAheadDeletesNoMoreThanTime) {
  Accept(1, kNow - 99 * kDay);
  Accept(2, kNow);
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  clock_.SetNow(kNow + 365 * kDay);
  clock_.Advance(absl::Hours(1));
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_EQ(deleted_, 0);
  // Nor does starting again with it.
  Retention again(options_);
  ASSERT_TRUE(again.Run().ok());
  EXPECT_EQ(deleted_, 0);
  clock_.SetNow(kNow + absl::Hours(1));
  clock_.Advance(2 * kDay);
  ASSERT_TRUE(again.Run().ok());
  EXPECT_EQ(deleted_, 1);
}

TEST_F(RetentionTest, AWrongClockAtTheFirstStartDeletesNothing) {
  Accept(1, kNow - 50 * kDay);
  clock_.SetNow(kNow + 3650 * kDay);
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_EQ(deleted_, 0);
}

TEST_F(RetentionTest, WithoutARuleEverythingStays) {
  Accept(1, kNow - 5000 * kDay);
  Accept(2, kNow);
  options_.rules.consumption_reports = absl::InfiniteDuration();
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_EQ(deleted_, 0);
}

TEST_F(RetentionTest, EnrollmentTokensGoSomeTimeAfterTheyExpired) {
  EXPECT_TRUE(store_
                  .WriteAndWait([](Writer& writer) {
                    absl::Status done;
                    for (const int days : {89, 91}) {
                      const std::string id = std::to_string(days);
                      done.Update(writer.PutEnrollmentToken(
                          {.id = id,
                           .license_id = "license-1",
                           .digest = id,
                           .created_at = kNow - 100 * kDay,
                           .expires_at = kNow - days * kDay}));
                    }
                    return done;
                  })
                  .ok());
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_EQ(deleted_, 1);
}

TEST_F(RetentionTest, FinishesAScrubThatIsPending) {
  EXPECT_TRUE(store_
                  .WriteAndWait([](Writer& writer) {
                    ErasedRows erased;
                    return writer.EraseSome("account-1", 10, erased).status();
                  })
                  .ok());
  Retention retention(options_);
  ASSERT_TRUE(retention.Run().ok());
  EXPECT_TRUE(store_
                  .Read([](Reader& reader) {
                    EXPECT_FALSE(reader.Upkeep()->scrub_pending);
                    return absl::OkStatus();
                  })
                  .ok());
}

}  // namespace
}  // namespace mc::service
