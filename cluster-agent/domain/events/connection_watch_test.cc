#include "cluster-agent/domain/events/connection_watch.h"

#include <gtest/gtest.h>

#include <vector>

#include "cluster-agent/domain/events/recording_sink.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

class ConnectionWatchTest : public testing::Test {
 protected:
  ~ConnectionWatchTest() override { timers_.Stop(); }

  ConnectionWatch::Options Options() {
    return {.clock = &clock_,
            .timers = &timers_,
            .events = &sink_,
            .last = std::nullopt};
  }
  static std::vector<v1::ClusterEventType> Types(
      const std::vector<v1::ClusterEvent>& events) {
    std::vector<v1::ClusterEventType> types;
    for (const v1::ClusterEvent& event : events) types.push_back(event.type());
    return types;
  }

  const std::vector<v1::ClusterEventType> both_ = {
      v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST,
      v1::CLUSTER_EVENT_TYPE_CONNECTION_RESTORED};
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  TimerQueue timers_{&clock_};
  RecordingSink sink_;
};

TEST_F(ConnectionWatchTest, ABlipIsNotTold) {
  ConnectionWatch watch(Options());
  watch.Lost();
  clock_.Advance(absl::Seconds(4));
  watch.Restored();
  clock_.Advance(absl::Minutes(1));
  watch.Restored();
  EXPECT_TRUE(sink_.events().empty());
}

TEST_F(ConnectionWatchTest, AnOutageIsToldWhileItLastsAndWhenItIsOver) {
  ConnectionWatch watch(Options());
  const absl::Time since = clock_.Now();
  watch.Lost();
  clock_.Advance(absl::Seconds(2));
  watch.Lost();
  clock_.Advance(absl::Seconds(4));
  const std::vector<v1::ClusterEvent> lost = sink_.WaitFor(1);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(*FromProto(lost[0].occurred_at()), since);
  clock_.Advance(absl::Seconds(84));
  watch.Restored();
  watch.Restored();
  ASSERT_EQ(Types(sink_.events()), both_);
  EXPECT_EQ(sink_.events()[1].connection().outage().seconds(), 90);
}

TEST_F(ConnectionWatchTest, SettingTheClockDoesNotChangeTheOutage) {
  ConnectionWatch watch(Options());
  watch.Lost();
  clock_.Advance(absl::Seconds(10));
  clock_.SetNow(clock_.Now() + absl::Hours(1));
  sink_.WaitFor(1);
  watch.Restored();
  ASSERT_EQ(Types(sink_.events()), both_);
  EXPECT_EQ(sink_.events()[1].connection().outage().seconds(), 10);
}

TEST_F(ConnectionWatchTest, AnOutageGoesOnOverARestart) {
  ConnectionWatch::Options options = Options();
  v1::ClusterEvent last;
  last.set_type(v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST);
  *last.mutable_occurred_at() = mc::ToProto(clock_.Now() - absl::Hours(1));
  options.last = last;
  ConnectionWatch watch(options);
  watch.Lost();
  clock_.Advance(absl::Minutes(1));
  watch.Restored();
  ASSERT_EQ(sink_.events().size(), 1u);
  EXPECT_EQ(sink_.events()[0].connection().outage().seconds(), 3660);
}

TEST_F(ConnectionWatchTest, AfterARestartInPeaceNothingIsTold) {
  ConnectionWatch::Options options = Options();
  options.last.emplace();
  options.last->set_type(v1::CLUSTER_EVENT_TYPE_CONNECTION_RESTORED);
  ConnectionWatch watch(options);
  watch.Restored();
  EXPECT_TRUE(sink_.events().empty());
}

}  // namespace
}  // namespace mc::agent
