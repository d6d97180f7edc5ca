#include "mc-service/edge/service_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/files.h"
#include "common/files/temp_dir.h"

namespace mc::service {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(ServiceMetrics, StoreCountsWithWhatIsBesideIt) {
  TempDir dir;
  Metrics metrics;
  ASSERT_TRUE(AtomicWrite(dir.File("store.db"), "12345", 0600).ok());
  AddServiceFigures({dir.File("store.db"), absl::UnixEpoch(), {}}, &metrics);
  EXPECT_THAT(metrics.Text(), HasSubstr("mission_control_store_bytes 5\n"));
  ASSERT_TRUE(AtomicWrite(dir.File("store.db-wal"), "123", 0600).ok());
  EXPECT_THAT(metrics.Text(), HasSubstr("mission_control_store_bytes 8\n"));
  EXPECT_THAT(
      metrics.Text(),
      ContainsRegex("mission_control_store_volume_free_bytes [1-9][0-9]"));
}

TEST(ServiceMetrics, WhatCannotBeReadIsNoFigure) {
  TempDir dir;
  Metrics metrics;
  AddServiceFigures({dir.File("no/store.db"), absl::UnixEpoch(), {}}, &metrics);
  EXPECT_THAT(metrics.Text(), HasSubstr("mission_control_store_bytes Nan\n"));
}

TEST(ServiceMetrics, EachCertificateTellsItsEnd) {
  Metrics metrics;
  AddServiceFigures({"store.db",
                     absl::FromUnixSeconds(7),
                     {{"cluster listener", absl::FromUnixSeconds(90)}}},
                    &metrics);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("mission_control_certificate_not_after_seconds{"
                        "certificate=\"cluster listener\"} 90"));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("mission_control_start_time_seconds 7"));
}

}  // namespace
}  // namespace mc::service
