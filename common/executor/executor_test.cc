#include "common/executor/executor.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace mc {
namespace {

TEST(Executor, RunsWhatItTook) {
  std::atomic<int> ran = 0;
  Executor executor(4, 1000);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(executor.TryRun([&] { ++ran; }));
  }
  executor.Shutdown();
  EXPECT_EQ(ran, 1000);
}

TEST(Executor, RefusesWhenTheQueueIsFull) {
  Executor executor(1, 1);
  absl::Notification started, go;
  ASSERT_TRUE(executor.TryRun([&] {
    started.Notify();
    go.WaitForNotification();
  }));
  started.WaitForNotification();
  EXPECT_TRUE(executor.TryRun([] {}));
  EXPECT_EQ(executor.queued(), 1);
  EXPECT_FALSE(executor.TryRun([] {}));
  go.Notify();
}

TEST(Executor, TakesNothingAfterShutdown) {
  Executor executor(1, 10);
  executor.Shutdown();
  EXPECT_FALSE(executor.TryRun([] {}));
}

}  // namespace
}  // namespace mc
