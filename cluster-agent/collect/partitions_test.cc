#include "cluster-agent/collect/partitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/fixture_tree.h"
#include "cluster-agent/collect/mounts.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> Labels(const PartitionReport& report) {
  std::vector<std::string> labels;
  for (const Partition& partition : report.partitions) {
    labels.push_back(partition.label);
  }
  return labels;
}

TEST(Partitions, ConfiguredOnesCarryTheirLabelOrTheirNumber) {
  FixtureTree tree;
  tree.Directory("/srv/a");
  tree.Directory("/srv/b");
  const PartitionReport report =
      ReadPartitions(tree.options(), {{"/srv/a", "metrics"}, {"/srv/b", ""}});
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(Labels(report), testing::ElementsAre("metrics", "data-2"));
}

TEST(Partitions, AMissingOneIsNamedInTheErrorAndKeepsItsNumber) {
  FixtureTree tree;
  tree.Directory("/srv/b");
  const PartitionReport report =
      ReadPartitions(tree.options(), {{"/srv/gone", ""}, {"/srv/b", ""}});
  EXPECT_THAT(Labels(report), testing::ElementsAre("data-2"));
  ASSERT_THAT(report.errors, SizeIs(1));
  EXPECT_TRUE(absl::IsNotFound(report.errors[0]));
  EXPECT_THAT(std::string(report.errors[0].message()),
              testing::AllOf(HasSubstr("/srv/gone"), HasSubstr("data-1")));
}

TEST(Partitions, DiscoveredOnesAreNumberedAndSingleFilesAreNotAmongThem) {
  FixtureTree tree;
  tree.Directory("/data");
  tree.Directory("/secret-name");
  tree.Write("/etc/hosts", "");
  tree.Write("/proc/self/mountinfo",
             "1 0 8:9 /x /etc/hosts rw - ext4 /dev/sdz9 rw\n"
             "2 0 8:1 / /data rw - ext4 /dev/sda1 rw\n"
             "3 0 8:2 / /secret-name rw - xfs /dev/mapper/customer rw\n");
  const PartitionReport report = ReadPartitions(tree.options(), {});
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(Labels(report), testing::ElementsAre("data-1", "data-2"));
}

TEST(Partitions, WithoutAnyTheErrorSaysWhatToConfigure) {
  FixtureTree tree;
  EXPECT_THAT(ReadPartitions(tree.options(), {}).errors, SizeIs(1));
  tree.Write("/proc/self/mountinfo", "1 0 0:1 / / rw - tmpfs tmpfs rw\n");
  const PartitionReport report = ReadPartitions(tree.options(), {});
  EXPECT_THAT(report.partitions, IsEmpty());
  ASSERT_THAT(report.errors, SizeIs(1));
  EXPECT_THAT(std::string(report.errors[0].message()), HasSubstr("partitions"));
}

TEST(PartitionConfig, LabelsThatCouldGiveAPathAwayAreRefused) {
  EXPECT_TRUE(CheckPartitions({{"/a", "Data_1.x:y-z"}, {"/b", ""}}).ok());
  const std::string long_label(129, 'a');
  for (const std::string& label :
       {std::string("/srv/data"), std::string("srv/data"), std::string(" "),
        std::string("-x"), std::string("a b"), std::string("é"), long_label}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckPartitions({{"/a", label}})))
        << label;
  }
}

TEST(PartitionConfig, EachLabelIsUsedOnce) {
  EXPECT_FALSE(CheckPartitions({{"/a", "x"}, {"/b", "x"}}).ok());
  EXPECT_FALSE(CheckPartitions({{"/a", "data-2"}, {"/b", ""}}).ok());
}

TEST(PartitionConfig, PathsAreAbsolute) {
  EXPECT_FALSE(CheckPartitions({{"srv", "x"}}).ok());
  EXPECT_FALSE(CheckPartitions({{"", "x"}}).ok());
}

// Our own reading lies between two equal ones of df and is the same: on a disk
// that others write to, it takes a few attempts.
void ExpectEqualToDf(const std::string& path) {
  const std::string df =
      absl::StrCat("df -B1 --output=size,used '", path,
                   "' | tail -n 1 | tr -s ' ' | sed 's/^ //'");
  std::string before;
  std::string read;
  for (int i = 0; i < 200; ++i) {
    before = Output(df);
    const PartitionReport report = ReadPartitions({}, {{path, "x"}});
    ASSERT_THAT(report.partitions, SizeIs(1));
    read = absl::StrCat(report.partitions[0].total_bytes, " ",
                        report.partitions[0].used_bytes);
    if (read == before && before == Output(df)) return;
  }
  FAIL() << path << ": df says " << before << ", and we read " << read;
}

TEST(TruePartitions, AreWhatDfSays) {
  ExpectEqualToDf("/");
  ExpectEqualToDf(std::filesystem::temp_directory_path());
  ExpectEqualToDf("/dev/shm");
}

TEST(TruePartitions, AreDiscoveredAsDfListsThem) {
  std::set<std::string> devices;
  for (const Mount& mount : DataMounts(ReadMounts({}).value())) {
    EXPECT_TRUE(devices.insert(mount.device).second);
    ExpectEqualToDf(mount.mount_point);
  }
  if (devices.empty()) GTEST_SKIP() << "this machine has no disk";
  const PartitionReport report = ReadPartitions({}, {});
  ASSERT_THAT(report.partitions, Not(IsEmpty()));
  for (const Partition& partition : report.partitions) {
    EXPECT_GT(partition.total_bytes, 0);
    EXPECT_LE(partition.used_bytes, partition.total_bytes);
    EXPECT_EQ(partition.label.rfind("data-", 0), 0u);
  }
}

}  // namespace
}  // namespace mc::agent
