#include "cluster-agent/collect/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster-agent/collect/fixture_tree.h"

namespace mc::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Mount> Read(const std::string& mountinfo) {
  FixtureTree tree;
  tree.Write("/proc/self/mountinfo", mountinfo);
  return ReadMounts(tree.options()).value();
}

std::vector<std::string> DataMountPoints(const std::string& mountinfo) {
  std::vector<std::string> points;
  for (const Mount& mount : DataMounts(Read(mountinfo))) {
    points.push_back(mount.mount_point);
  }
  return points;
}

TEST(Mounts, UnderAnotherRootTheMachinesOwnAreRead) {
  FixtureTree tree;
  tree.Write("/proc/self/mountinfo",
             "1 0 8:1 / /container rw - ext4 /dev/sda1 rw\n");
  tree.Write("/proc/1/mountinfo",
             "1 0 8:1 / /machine rw - ext4 /dev/sda1 rw\n");
  const std::vector<Mount> mounts = ReadMounts(tree.options()).value();
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].mount_point, "/machine");
}

TEST(Mounts, LinesAreReadWithTheirEscapesAndTags) {
  const std::vector<Mount> mounts = Read(
      "36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:7 - ext3 "
      "/dev/root rw,errors=continue\n");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].device, "98:0");
  EXPECT_EQ(mounts[0].root, "/mnt1");
  EXPECT_EQ(mounts[0].mount_point, "/mnt 2\\x");
  EXPECT_EQ(mounts[0].type, "ext3");
  EXPECT_EQ(mounts[0].source, "/dev/root");
  EXPECT_THAT(mounts[0].super_options, ElementsAre("rw", "errors=continue"));
}

TEST(Mounts, GarbledLinesAreLeftOut) {
  EXPECT_THAT(Read("\n1 2 3\n36 35 98:0 / /a rw - ext4\n"
                   "36 35 98:0 / relative rw - ext4 /dev/a rw\n"
                   "- - - - - -\n"),
              IsEmpty());
}

TEST(Mounts, ALaterMountHidesTheEarlierOnItsMountPoint) {
  EXPECT_THAT(DataMountPoints("1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n"
                              "2 0 0:5 / /data rw - tmpfs tmpfs rw\n"),
              IsEmpty());
}

TEST(DataMounts, AreDisksOnly) {
  EXPECT_THAT(
      DataMountPoints("1 0 254:0 / / rw - ext4 /dev/vda rw\n"
                      "2 1 0:21 / /proc rw - proc proc rw\n"
                      "3 1 0:22 / /run rw - tmpfs tmpfs rw\n"
                      "4 1 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n"
                      "5 1 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n"
                      "6 1 7:1 / /mnt/image rw - ext4 /dev/loop1 rw\n"
                      "7 1 11:0 / /media ro - iso9660 /dev/sr0 ro\n"
                      "8 1 0:50 / /nfs rw - nfs4 server:/export rw\n"
                      "9 1 0:51 / /var/lib/c/merged rw - overlay overlay rw\n"
                      "10 1 8:17 / /x rw - xfs /dev/sdb1 rw\n"
                      "11 1 0:40 / /b rw - btrfs /dev/sdc rw\n"
                      "12 1 0:41 / /z rw - zfs tank/data rw\n"
                      "13 1 8:33 / /f rw - f2fs /dev/sdd1 rw\n"),
      ElementsAre("/", "/b", "/f", "/x", "/z"));
}

TEST(DataMounts, OfAContainerBeginWithTheOverlayOfItsRoot) {
  EXPECT_THAT(DataMountPoints("1 0 0:60 / / rw - overlay overlay rw\n"
                              "2 1 8:1 /v /data rw - ext4 /dev/sda1 rw\n"),
              ElementsAre("/", "/data"));
}

TEST(DataMounts, ShowEachDeviceOnceByItsWholeFileSystem) {
  EXPECT_THAT(DataMountPoints("1 0 8:1 /part /a rw - xfs /dev/sda1 rw\n"
                              "2 0 8:1 / /z rw - xfs /dev/sda1 rw\n"
                              "3 0 8:1 / /y rw - xfs /dev/sda1 rw\n"
                              "4 0 8:2 /sub /b rw - btrfs /dev/sda2 rw\n"
                              "5 0 8:2 /other /c rw - btrfs /dev/sda2 rw\n"),
              ElementsAre("/b", "/y"));
}

TEST(DataMounts, KeepTheirOrderWhateverTheOrderOfMounting) {
  const std::string a = "1 0 8:1 / /data/a rw - xfs /dev/sda1 rw\n";
  const std::string b = "2 0 8:2 / /data/b rw - xfs /dev/sda2 rw\n";
  const std::string root = "3 0 8:3 / / rw - ext4 /dev/sda3 rw\n";
  EXPECT_EQ(DataMountPoints(a + b + root), DataMountPoints(root + b + a));
}

}  // namespace
}  // namespace mc::agent
