#include "mc-service/edge/handshake_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

IpAddress Site(int number) {
  const uint8_t four[] = {192, 0, 2, static_cast<uint8_t>(number)};
  return IpAddress::V4(four);
}

constexpr absl::Duration kNow = absl::Hours(1);

std::vector<uint64_t> PopAll(HandshakeQueue& queue, absl::Duration now) {
  std::vector<uint64_t> popped;
  while (const std::optional<uint64_t> id = queue.Pop(now)) {
    popped.push_back(*id);
  }
  return popped;
}

TEST(HandshakeQueue, BeginInTheOrderInWhichTheyCame) {
  HandshakeQueue queue({});
  for (uint64_t id = 1; id <= 3; ++id) queue.Push(id, Site(1), false);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.under_way(), 3);
  EXPECT_EQ(queue.waiting(), 0);
}

TEST(HandshakeQueue, WhoIsKnownComesFirst) {
  HandshakeQueue queue({});
  queue.Push(1, Site(1), false);
  queue.Push(2, Site(2), true);
  queue.Push(3, Site(3), true);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(2, 3, 1));
}

TEST(HandshakeQueue, StrangersTakeTurns) {
  HandshakeQueue queue({});
  for (uint64_t id = 1; id <= 3; ++id) queue.Push(id, Site(1), false);
  queue.Push(4, Site(2), false);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1, 4, 2, 3));
}

TEST(HandshakeQueue, OnlySoManyAreUnderWay) {
  HandshakeQueue queue({.max_under_way = 2});
  for (uint64_t id = 1; id <= 3; ++id) queue.Push(id, Site(1), false);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1, 2));
  queue.Remove(1);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(3));
}

TEST(HandshakeQueue, StalledOneHoldsUpNoOthers) {
  HandshakeQueue queue({.max_under_way = 1});
  queue.Push(1, Site(1), false);
  queue.Push(2, Site(1), false);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1));
  const absl::Duration next = queue.NextAt(kNow);
  EXPECT_EQ(next, kNow + absl::Seconds(1));
  EXPECT_THAT(PopAll(queue, next - absl::Nanoseconds(1)), ElementsAre());
  EXPECT_THAT(PopAll(queue, next), ElementsAre(2));
  // That it is over afterwards frees nobody else's place.
  queue.Remove(1);
  EXPECT_EQ(queue.under_way(), 1);
}

TEST(HandshakeQueue, RateIsHeld) {
  HandshakeQueue queue({.per_second = 100, .max_under_way = 1000});
  for (uint64_t id = 0; id < 200; ++id) queue.Push(id, Site(1), false);
  EXPECT_EQ(PopAll(queue, kNow).size(), 10);
  EXPECT_EQ(queue.NextAt(kNow), kNow + absl::Milliseconds(10));
  size_t began = 0;
  for (int ms = 1; ms <= 1000; ++ms) {
    began += PopAll(queue, kNow + absl::Milliseconds(ms)).size();
  }
  EXPECT_EQ(began, 100);
}

TEST(HandshakeQueue, SlowRateLetsOneBeginAtATime) {
  HandshakeQueue queue({.per_second = 1});
  for (uint64_t id = 1; id <= 3; ++id) queue.Push(id, Site(1), false);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1));
  EXPECT_THAT(PopAll(queue, kNow + absl::Seconds(1)), ElementsAre(2));
}

TEST(HandshakeQueue, FullQueueTurnsAwayTheLastOfTheBusiestSite) {
  HandshakeQueue queue({.max_waiting = 3});
  EXPECT_EQ(queue.Push(1, Site(1), false), std::nullopt);
  EXPECT_EQ(queue.Push(2, Site(1), false), std::nullopt);
  EXPECT_EQ(queue.Push(3, Site(2), false), std::nullopt);
  EXPECT_THAT(queue.Push(4, Site(3), false), Optional(2));
  EXPECT_THAT(queue.Push(5, Site(3), false), Optional(5));
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1, 3, 4));
}

TEST(HandshakeQueue, StrangersGiveWayToTheKnown) {
  HandshakeQueue queue({.max_waiting = 2});
  queue.Push(1, Site(1), false);
  queue.Push(2, Site(2), true);
  EXPECT_THAT(queue.Push(3, Site(3), true), Optional(1));
  EXPECT_THAT(queue.Push(4, Site(4), true), Optional(4));
  EXPECT_THAT(queue.Push(5, Site(5), false), Optional(5));
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(2, 3));
}

TEST(HandshakeQueue, KnownSiteThatFloodsHoldsUpNoOther) {
  HandshakeQueue queue({.max_under_way = 100, .max_waiting = 8});
  uint64_t id = 0;
  while (id < 100) queue.Push(++id, Site(1), true);
  EXPECT_NE(queue.Push(101, Site(2), true), uint64_t{101});
  EXPECT_NE(queue.Push(102, Site(3), false), uint64_t{102});
  EXPECT_NE(queue.Push(103, Site(4), false), uint64_t{103});
  while (id < 200) queue.Push(++id + 1000, Site(1), true);
  EXPECT_EQ(queue.waiting(), 8);
  const std::vector<uint64_t> order = PopAll(queue, kNow);
  ASSERT_EQ(order.size(), 8);
  const auto turn = [&](uint64_t each) {
    return std::find(order.begin(), order.end(), each) - order.begin();
  };
  EXPECT_LE(turn(101), 1);
  EXPECT_EQ(turn(102), 3);
  EXPECT_LE(turn(103), 7);
}

TEST(HandshakeQueue, WhoLeftDoesNotBegin) {
  HandshakeQueue queue({});
  queue.Push(1, Site(1), false);
  queue.Push(2, Site(1), true);
  queue.Remove(2);
  EXPECT_THAT(PopAll(queue, kNow), ElementsAre(1));
  EXPECT_EQ(queue.NextAt(kNow), absl::InfiniteDuration());
}

}  // namespace
}  // namespace mc::service
