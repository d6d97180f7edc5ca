#include "mc-service/edge/call_limit.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/status/status.h"
#include "common/time/clock.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

constexpr std::string_view kCheap =
    "/missioncontrol.v1.ClusterService/CheckLicense";
constexpr std::string_view kDear =
    "/missioncontrol.v1.ClusterService/RenewCertificate";

class CallLimitTest : public testing::Test {
 protected:
  int LetIn(std::string_view cluster_id, std::string_view method) {
    int count = 0;
    while (limit_.Take(cluster_id, "ipv4:192.0.2.1:7", method).ok() &&
           count < 1000)
      ++count;
    return count;
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'795'255'200)};
  int refused_ = 0;
  std::string offender_;
  CallLimit limit_{{.calls_per_second = 10,
                    .clock = &clock_,
                    .on_refused = [this] { ++refused_; },
                    .on_offender =
                        [this](auto cluster_id, auto peer) {
                          offender_ =
                              std::string(cluster_id).append(" ").append(peer);
                        }}};
};

TEST_F(CallLimitTest, FiveSecondsWorthMayComeAtOnce) {
  EXPECT_EQ(LetIn("c-1", kCheap), 50);
  EXPECT_EQ(refused_, 1);
}

TEST_F(CallLimitTest, RefusalSaysWhenToComeAgain) {
  LetIn("c-1", kCheap);
  const absl::Status refused = limit_.Take("c-1", "", kCheap);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_RATE_LIMITED);
  const std::optional<absl::Duration> delay = RetryDelayOf(refused);
  ASSERT_TRUE(delay.has_value());
  clock_.Advance(*delay);
  EXPECT_TRUE(limit_.Take("c-1", "", kCheap).ok());
}

TEST_F(CallLimitTest, OneClusterTakesNothingFromAnother) {
  LetIn("c-1", kCheap);
  EXPECT_EQ(LetIn("c-2", kCheap), 50);
}

TEST_F(CallLimitTest, CertificatesCostMore) {
  EXPECT_EQ(LetIn("c-1", kDear), 10);
}

TEST_F(CallLimitTest, WhoDoesNotStopIsAnOffender) {
  for (int i = 0; i < 400; ++i) LetIn("c-1", kCheap);
  EXPECT_EQ(offender_, "");
  LetIn("c-1", kCheap);
  EXPECT_EQ(offender_, "c-1 ipv4:192.0.2.1:7");
}

TEST_F(CallLimitTest, WhoCallsTwiceAsOftenIsRefusedForEver) {
  for (int i = 0; i < 10'000; ++i) {
    clock_.Advance(absl::Milliseconds(50));
    (void)limit_.Take("c-1", "", kCheap);
  }
  EXPECT_GT(refused_, 4000);
  EXPECT_EQ(offender_, "");
}

TEST_F(CallLimitTest, FloodIsStoppedBeforeAnythingIsDoneForIt) {
  int begun = 0;
  while (limit_.Begins("c-1") && begun < 1000) ++begun;
  EXPECT_EQ(begun, 500);
  EXPECT_TRUE(limit_.Begins("c-2"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(limit_.Begins("c-1"));
}

TEST_F(CallLimitTest, WhatOthersThanClustersCallIsNotCountedHere) {
  EXPECT_EQ(LetIn("c-1", "/missioncontrol.v1.FleetService/ListClusters"), 1000);
  EXPECT_EQ(LetIn("c-1", "/grpc.health.v1.Health/Check"), 1000);
  EXPECT_EQ(refused_, 0);
}

}  // namespace
}  // namespace mc::service
