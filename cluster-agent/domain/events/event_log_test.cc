#include "cluster-agent/domain/events/event_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster-agent/domain/events/event.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

class EventLogTest : public testing::Test {
 protected:
  static v1::ClusterEvent Event(v1::ClusterEventType type) {
    v1::ClusterEvent event;
    event.set_type(type);
    return event;
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  std::vector<v1::ClusterEvent> kept_;
  absl::Status status_;
  int woken_ = 0;
  EventLog log_{{.clock = &clock_,
                 .record =
                     [this](v1::ClusterEvent event, EventLog::Recorded done) {
                       if (status_.ok()) kept_.push_back(event);
                       done(status_);
                     },
                 .wake = [this] { ++woken_; }}};
};

TEST_F(EventLogTest, AnEventGetsIdTimeAndSeverity) {
  log_.Raise(Event(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED));
  log_.Raise(Event(v1::CLUSTER_EVENT_TYPE_NODE_STARTED));
  ASSERT_EQ(kept_.size(), 2u);
  EXPECT_FALSE(kept_[0].event_id().empty());
  EXPECT_NE(kept_[0].event_id(), kept_[1].event_id());
  EXPECT_EQ(*FromProto(kept_[0].occurred_at()), clock_.Now());
  EXPECT_EQ(kept_[0].severity(), v1::SEVERITY_SEVERE);
  EXPECT_EQ(kept_[1].severity(), v1::SEVERITY_INFO);
  EXPECT_EQ(woken_, 2);
}

TEST_F(EventLogTest, WhatAnEventHasItKeeps) {
  v1::ClusterEvent event = Event(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
  event.set_event_id("mine");
  event.set_severity(v1::SEVERITY_SEVERE);
  *event.mutable_occurred_at() = mc::ToProto(clock_.Now() - absl::Hours(1));
  log_.Raise(event);
  ASSERT_EQ(kept_.size(), 1u);
  EXPECT_EQ(kept_[0].SerializeAsString(), event.SerializeAsString());
}

TEST_F(EventLogTest, AnEventThatCannotBeKeptIsCountedAndDropped) {
  status_ = absl::ResourceExhaustedError("full");
  log_.Raise(Event(v1::CLUSTER_EVENT_TYPE_NODE_STARTED));
  EXPECT_EQ(log_.not_kept(), 1);
  EXPECT_EQ(woken_, 0);
}

TEST_F(EventLogTest, AnEventThatTheServiceWouldRefuseIsNotKept) {
  v1::ClusterEvent event = Event(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
  event.set_node_id("no id \n");
  log_.Raise(event);
  log_.Raise(Event(v1::CLUSTER_EVENT_TYPE_UNSPECIFIED));
  event = Event(static_cast<v1::ClusterEventType>(9999));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckEvent(event)));
  EXPECT_EQ(log_.not_kept(), 2);
  EXPECT_TRUE(kept_.empty());
}

TEST_F(EventLogTest, DroppedEventsAreToldOnceInAWhile) {
  log_.Dropped(3);
  log_.Dropped(1);
  clock_.Advance(absl::Minutes(59));
  log_.Dropped(1);
  ASSERT_EQ(kept_.size(), 1u);
  EXPECT_EQ(kept_[0].type(), v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE);
  EXPECT_EQ(kept_[0].outbox().affected_rows(), 3);
  clock_.Advance(absl::Minutes(1));
  log_.Dropped(2);
  ASSERT_EQ(kept_.size(), 2u);
  EXPECT_EQ(kept_[1].outbox().affected_rows(), 4) << "all since";
}

TEST_F(EventLogTest, AFullDiskIsToldWhenItBeginsAndWithItsLengthWhenItEnds) {
  log_.DiskFull(true);
  clock_.Advance(absl::Seconds(42));
  log_.DiskFull(false);
  ASSERT_EQ(kept_.size(), 2u);
  EXPECT_NE(kept_[1].outbox().problem().find("42 seconds"), std::string::npos);
}

TEST_F(EventLogTest, AfterStopNothingIsRaised) {
  log_.Stop();
  log_.Raise(Event(v1::CLUSTER_EVENT_TYPE_NODE_STARTED));
  EXPECT_TRUE(kept_.empty());
}

}  // namespace
}  // namespace mc::agent
