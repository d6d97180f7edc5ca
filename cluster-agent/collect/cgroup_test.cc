#include "cluster-agent/collect/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/fixture_tree.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kV2[] = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
constexpr char kV1[] =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

constexpr char kSlice[] = "/sys/fs/cgroup/product.slice";
constexpr char kUnit[] = "/sys/fs/cgroup/product.slice/server.service";

class CgroupV2 : public testing::Test {
 protected:
  CgroupV2() {
    tree_.Write("/proc/self/mountinfo", kV2);
    tree_.Directory(kUnit);
  }

  void Set(const std::string& group, const std::string& file,
           const std::string& text) {
    tree_.Write(absl::StrCat(group, "/", file), text);
  }
  absl::StatusOr<CgroupLimits> Read(
      const std::string& path = "/product.slice/server.service") {
    return ReadCgroupLimits(tree_.options(), path);
  }

  FixtureTree tree_;
};

TEST_F(CgroupV2, MaxIsNoLimit) {
  Set(kUnit, "memory.max", "max\n");
  Set(kUnit, "cpu.max", "max 100000\n");
  const CgroupLimits limits = Read().value();
  EXPECT_EQ(limits.memory_bytes, std::nullopt);
  EXPECT_EQ(limits.cpu_millicores, std::nullopt);
}

TEST_F(CgroupV2, FilesThatAreNotThereAreNoLimit) {
  const CgroupLimits limits = Read().value();
  EXPECT_EQ(limits.memory_bytes, std::nullopt);
  EXPECT_EQ(limits.cpu_millicores, std::nullopt);
}

TEST_F(CgroupV2, LimitsAreBytesAndThousandthsOfAProcessor) {
  Set(kUnit, "memory.max", "536870912\n");
  Set(kUnit, "cpu.max", "150000 100000\n");
  const CgroupLimits limits = Read().value();
  EXPECT_THAT(limits.memory_bytes, Optional(536870912));
  EXPECT_THAT(limits.cpu_millicores, Optional(1500));
}

TEST_F(CgroupV2, TheSmallestOnTheWayUpCounts) {
  Set(kUnit, "memory.max", "2000\n");
  Set(kSlice, "memory.max", "1000\n");
  Set(kUnit, "cpu.max", "50000 100000\n");
  Set(kSlice, "cpu.max", "400000 100000\n");
  const CgroupLimits limits = Read().value();
  EXPECT_THAT(limits.memory_bytes, Optional(1000));
  EXPECT_THAT(limits.cpu_millicores, Optional(500));
}

TEST_F(CgroupV2, TheMountPointItselfIsNotAsked) {
  Set("/sys/fs/cgroup", "memory.max", "10\n");
  Set(kUnit, "memory.max", "2000\n");
  EXPECT_THAT(Read().value().memory_bytes, Optional(2000));
  EXPECT_EQ(Read("/").value().memory_bytes, std::nullopt);
}

TEST_F(CgroupV2, ADirectoryOrARelativePathNamesTheGroupAsWell) {
  Set(kUnit, "memory.max", "2000\n");
  EXPECT_THAT(Read(kUnit).value().memory_bytes, Optional(2000));
  EXPECT_THAT(Read("product.slice/server.service").value().memory_bytes,
              Optional(2000));
  EXPECT_THAT(Read(absl::StrCat(kUnit, "/")).value().memory_bytes,
              Optional(2000));
}

TEST_F(CgroupV2, TheSmallestQuotaIsStillALimit) {
  Set(kUnit, "cpu.max", "1 1000000\n");
  EXPECT_THAT(Read().value().cpu_millicores, Optional(1));
}

TEST_F(CgroupV2, HugeValuesAreNoLimit) {
  Set(kUnit, "memory.max", "18446744073709551615\n");
  Set(kUnit, "cpu.max", "9223372036854775807 100000\n");
  const CgroupLimits limits = Read().value();
  EXPECT_EQ(limits.memory_bytes, std::nullopt);
  EXPECT_EQ(limits.cpu_millicores, std::nullopt);
}

TEST_F(CgroupV2, GarbageIsAnErrorThatNamesTheFile) {
  for (const char* text : {"", "x", "-1", "1 2", "99999999999999999999"}) {
    Set(kUnit, "memory.max", text);
    const absl::Status status = Read().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("memory.max"));
  }
  Set(kUnit, "memory.max", "max");
  for (const char* text : {"", "x 100000", "100000", "5 0", "5 -1", "1 2 3"}) {
    Set(kUnit, "cpu.max", text);
    EXPECT_TRUE(absl::IsDataLoss(Read().status())) << text;
  }
}

TEST_F(CgroupV2, AGroupThatIsNotThereIsNamed) {
  const absl::Status status = Read("/other.slice").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/other.slice"));
}

TEST_F(CgroupV2, PathsThatLeaveTheHierarchyAreRefused) {
  for (const char* path : {"..", "/product.slice/../..", "a/../b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Read(path).status())) << path;
  }
}

TEST(CgroupV1, HierarchiesOfBothControllersCount) {
  FixtureTree tree;
  tree.Write("/proc/self/mountinfo", kV1);
  const std::string memory = "/sys/fs/cgroup/memory/docker/abc";
  const std::string cpu = "/sys/fs/cgroup/cpu,cpuacct/docker/abc";
  tree.Write(memory + "/memory.limit_in_bytes", "9223372036854771712\n");
  tree.Write(cpu + "/cpu.cfs_quota_us", "-1\n");
  tree.Write(cpu + "/cpu.cfs_period_us", "100000\n");
  CgroupLimits limits = ReadCgroupLimits(tree.options(), "/docker/abc").value();
  EXPECT_EQ(limits.memory_bytes, std::nullopt);
  EXPECT_EQ(limits.cpu_millicores, std::nullopt);

  tree.Write("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "4096\n");
  tree.Write(cpu + "/cpu.cfs_quota_us", "25000\n");
  // A directory of one hierarchy names the group in all of them.
  limits = ReadCgroupLimits(tree.options(), memory).value();
  EXPECT_THAT(limits.memory_bytes, Optional(4096));
  EXPECT_THAT(limits.cpu_millicores, Optional(250));
}

TEST(CgroupV1, AQuotaWithoutItsPeriodIsAnError) {
  FixtureTree tree;
  tree.Write("/proc/self/mountinfo", kV1);
  tree.Write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n");
  EXPECT_TRUE(
      absl::IsDataLoss(ReadCgroupLimits(tree.options(), "/a").status()));
}

// The smallest number in `file` of the directory and those above it, below
// `top`, as a shell user would look it up.
std::optional<int64_t> SmallestLimit(std::filesystem::path directory,
                                     const std::filesystem::path& top,
                                     const std::string& file) {
  std::optional<int64_t> smallest;
  for (; directory != top; directory = directory.parent_path()) {
    int64_t bytes = 0;
    if (!(std::ifstream(directory / file) >> bytes)) continue;
    if (bytes >= int64_t{1} << 62) continue;
    if (!smallest.has_value() || bytes < *smallest) smallest = bytes;
  }
  return smallest;
}

TEST(TrueCgroup, OfThisProcessHasTheLimitsThatItsFilesSay) {
  // HIERARCHY:CONTROLLERS:PATH
  std::ifstream groups("/proc/self/cgroup");
  bool compared = false;
  for (std::string line; std::getline(groups, line);) {
    const size_t path_at = line.find(':', line.find(':') + 1) + 1;
    const std::string group = line.substr(path_at);
    const bool v2 = line.rfind("0::", 0) == 0;
    const bool memory = line.find(":memory:") != std::string::npos;
    const std::string top = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    if (!(v2 || memory) || group == "/" ||
        !std::filesystem::exists(top + group)) {
      continue;
    }
    compared = true;
    EXPECT_EQ(ReadCgroupLimits({}, group).value().memory_bytes,
              SmallestLimit(top + group, top,
                            v2 ? "memory.max" : "memory.limit_in_bytes"))
        << line;
  }
  if (!compared) GTEST_SKIP() << "this process is in no cgroup but the root";
}

}  // namespace
}  // namespace mc::agent
