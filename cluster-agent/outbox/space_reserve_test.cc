#include "cluster-agent/outbox/space_reserve.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "common/files/files.h"
#include "common/files/temp_dir.h"

namespace mc::agent {
namespace {

TEST(SpaceReserve, ItIsAllocatedGivenUpAndMadeAnew) {
  TempDir folder;
  const std::string path = folder.File("reserve");
  SpaceReserve reserve(path, 100000);
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 100000);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(reserve.Release());
  EXPECT_FALSE(FileExists(path));
  EXPECT_FALSE(reserve.Release()) << "there is nothing more to give";
  // There is space again.
  EXPECT_TRUE(reserve.HasRoomForUsage());
  EXPECT_TRUE(FileExists(path));
  EXPECT_TRUE(reserve.HasRoomForTelemetry());
}

TEST(SpaceReserve, WithoutItsSpaceNothingIsTakenIn) {
  TempDir folder;
  SpaceReserve reserve(folder.File("reserve"), int64_t{1} << 60);
  EXPECT_FALSE(reserve.HasRoomForUsage());
  EXPECT_FALSE(reserve.HasRoomForTelemetry());
  EXPECT_FALSE(reserve.Release());
}

TEST(SpaceReserve, NoneHoldsNothingBack) {
  TempDir folder;
  SpaceReserve(folder.File("reserve"), 1000);
  SpaceReserve reserve(folder.File("reserve"), 0);
  EXPECT_FALSE(FileExists(folder.File("reserve")));
  EXPECT_TRUE(reserve.HasRoomForUsage());
  EXPECT_TRUE(reserve.HasRoomForTelemetry());
}

}  // namespace
}  // namespace mc::agent
