#include "mc-service/domain/exchanges/exchange_log.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/status/status.h"
#include "mc-service/domain/testing/held_store.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class ExchangeLogTest : public testing::Test {
 protected:
  ExchangeEvent Event(const std::string& cluster,
                      absl::Status status = absl::OkStatus()) {
    return {.at = at_ += absl::Seconds(1),
            .exchange = v1::EXCHANGE_HEARTBEAT,
            .cluster_id = cluster,
            .status = std::move(status),
            .summary = "node n-1 SERVER"};
  }

  absl::Status Flush() {
    absl::Status status;
    absl::Notification flushed;
    log_.Flush([&](absl::Status s) {
      status = std::move(s);
      flushed.Notify();
    });
    flushed.WaitForNotification();
    return status;
  }

  std::vector<ExchangeCount> Counts() {
    std::vector<ExchangeCount> counts;
    EXPECT_TRUE(store_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto page = reader.ListExchangeCounts("", {});
                      if (!page.ok()) return page.status();
                      counts = page->items;
                      return absl::OkStatus();
                    })
                    .ok());
    return counts;
  }

  absl::Time at_ = absl::FromUnixSeconds(1'800'000'000);
  FakeStore fake_;
  HeldStore store_{&fake_};
  ExchangeLog log_{
      {.store = &store_, .max_queued_records = 3, .max_watchers = 2}};
};

TEST_F(ExchangeLogTest, CountsAreWrittenByFlush) {
  log_.Record(Event("c-1"));
  log_.Record(Event("c-1", InvalidField("node_id", "no node")));
  EXPECT_TRUE(Counts().empty());
  ASSERT_TRUE(Flush().ok());
  log_.Record(Event("c-1"));
  ASSERT_TRUE(Flush().ok());
  const std::vector<ExchangeCount> counts = Counts();
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].succeeded, 2);
  EXPECT_EQ(counts[0].failed, 1);
  EXPECT_EQ(counts[0].last_result, "OK");
  EXPECT_EQ(counts[0].last_at, at_);
}

TEST_F(ExchangeLogTest, FailedFlushIsCountedByTheNextOne) {
  log_.Record(Event("c-1"));
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_FALSE(Flush().ok());
  EXPECT_TRUE(Counts().empty());
  store_.FailCommits(absl::OkStatus());
  store_.Refuse(true);
  EXPECT_FALSE(Flush().ok());
  store_.Refuse(false);
  log_.Record(Event("c-1", InvalidField("node_id", "no node")));
  ASSERT_TRUE(Flush().ok());
  const std::vector<ExchangeCount> counts = Counts();
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].succeeded, 1);
  EXPECT_EQ(counts[0].failed, 1);
  EXPECT_EQ(counts[0].last_result, "INVALID_ARGUMENT/INVALID_FIELD");
}

TEST_F(ExchangeLogTest, WatcherSeesItsClusterOnly) {
  int ready = 0;
  EXPECT_FALSE(log_.watched());
  auto watch = log_.Subscribe("c-1", [&] { ++ready; });
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(log_.watched());
  log_.Record(Event("c-2"));
  EXPECT_EQ(ready, 0);
  log_.Record(Event("c-1"));
  log_.Record(Event("c-1"));
  EXPECT_EQ(ready, 1) << "told once until it has read everything";
  const auto first = (*watch)->Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->record().cluster_id(), "c-1");
  EXPECT_EQ(first->record().result(), "OK");
  EXPECT_EQ(first->record().summary(), "node n-1 SERVER");
  EXPECT_TRUE((*watch)->Next().has_value());
  EXPECT_FALSE((*watch)->Next().has_value());
  log_.Record(Event("c-1"));
  EXPECT_EQ(ready, 2);
}

TEST_F(ExchangeLogTest, SlowWatcherIsBoundedAndToldWhatItMissed) {
  auto watch = log_.Subscribe("", [] {});
  ASSERT_TRUE(watch.ok());
  for (int i = 0; i < 10; ++i) log_.Record(Event("c-1"));
  for (int i = 0; i < 3; ++i) {
    const auto record = (*watch)->Next();
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->skipped(), 0);
  }
  EXPECT_FALSE((*watch)->Next().has_value());
  log_.Record(Event("c-1"));
  const auto next = (*watch)->Next();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->skipped(), 7);
}

TEST_F(ExchangeLogTest, ClosedWatchGetsNothingAndMakesRoom) {
  auto first = log_.Subscribe("", [] {});
  auto second = log_.Subscribe("", [] { FAIL() << "closed"; });
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(ReasonOf(log_.Subscribe("", [] {}).status()),
            v1::ERROR_REASON_OVERLOADED);
  (*second)->Close();
  log_.Record(Event("c-1"));
  EXPECT_FALSE((*second)->Next().has_value());
  EXPECT_TRUE(log_.Subscribe("", [] {}).ok());
}

}  // namespace
}  // namespace mc::service
