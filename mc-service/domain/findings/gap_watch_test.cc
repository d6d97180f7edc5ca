#include "mc-service/domain/findings/gap_watch.h"

#include <gtest/gtest.h>

#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

TEST(GapWatch, TellsOfAGapOnceItIsOldEnough) {
  SimulatedClock clock(absl::FromUnixSeconds(1'795'255'200));
  FakeStore store;
  ASSERT_TRUE(Seed(store, SeedLicense(clock.Now()), {"c-1"}).ok());
  ASSERT_TRUE(store
                  .WriteAndWait([&](Writer& writer) {
                    SequenceGap gap;
                    gap.cluster_id = "c-1";
                    gap.first = gap.last = gap.origin = 2;
                    gap.opened_at = clock.Now();
                    return writer.PutGap(gap);
                  })
                  .ok());
  int64_t told = 0;
  GapWatch watch({.store = &store,
                  .clock = &clock,
                  .patience = absl::Seconds(30),
                  .on_gaps = [&](int64_t gaps) { told += gaps; }});
  // Returns when the store has done all that was queued.
  const auto sweep = [&] {
    watch.Sweep();
    EXPECT_TRUE(
        store.WriteAndWait([](Writer&) { return absl::OkStatus(); }).ok());
  };
  clock.Advance(absl::Seconds(30));
  sweep();
  EXPECT_EQ(told, 0);
  clock.Advance(absl::Seconds(1));
  sweep();
  EXPECT_EQ(told, 1);
  sweep();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace mc::service
