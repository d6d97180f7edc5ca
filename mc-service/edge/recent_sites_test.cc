#include "mc-service/edge/recent_sites.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

IpAddress Site(int number) {
  const uint8_t four[] = {192, 0, 2, static_cast<uint8_t>(number)};
  return IpAddress::V4(four);
}

TEST(RecentSites, AreKnownForTheirTime) {
  RecentSites sites(10, absl::Hours(1));
  sites.Add(Site(1), absl::Hours(5));
  EXPECT_TRUE(sites.Has(Site(1), absl::Hours(6)));
  EXPECT_FALSE(sites.Has(Site(1), absl::Hours(7)));
  EXPECT_FALSE(sites.Has(Site(2), absl::Hours(5)));
  sites.Add(Site(1), absl::Hours(7));
  EXPECT_TRUE(sites.Has(Site(1), absl::Hours(7)));
}

TEST(RecentSites, TheOldestGivesWay) {
  RecentSites sites(2);
  sites.Add(Site(1), absl::Seconds(1));
  sites.Add(Site(2), absl::Seconds(2));
  sites.Add(Site(1), absl::Seconds(3));
  sites.Add(Site(3), absl::Seconds(4));
  EXPECT_TRUE(sites.Has(Site(1), absl::Seconds(5)));
  EXPECT_FALSE(sites.Has(Site(2), absl::Seconds(5)));
  EXPECT_TRUE(sites.Has(Site(3), absl::Seconds(5)));
}

}  // namespace
}  // namespace mc::service
