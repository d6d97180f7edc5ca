#include "cluster-agent/collect/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/fixture_tree.h"

namespace mc::agent {
namespace {

// The first line of a file that begins with `key`, without the key.
std::string TrueLine(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(key.size());
  }
  ADD_FAILURE() << path << " has no " << key;
  return "";
}

TEST(OsRelease, IsReadWithItsQuotes) {
  FixtureTree tree;
  tree.Write("/etc/os-release",
             "# NAME=comment\nPRETTY_NAME=\"Wrong 1\"\n"
             "NAME=\"Some \\\"Quoted\\\" OS\"\nVERSION_ID='9.4'\nID=x\n");
  const OsRelease os = ReadOsRelease(tree.options());
  EXPECT_EQ(os.name, "Some \"Quoted\" OS");
  EXPECT_EQ(os.version, "9.4");
}

TEST(OsRelease, BareValuesAndCarriageReturnsAreUnderstood) {
  FixtureTree tree;
  tree.Write("/etc/os-release", "NAME=Fedora\r\nVERSION_ID=40\r\n");
  EXPECT_EQ(ReadOsRelease(tree.options()).name, "Fedora");
  EXPECT_EQ(ReadOsRelease(tree.options()).version, "40");
}

TEST(OsRelease, UsrLibIsTheSecondPlace) {
  FixtureTree tree;
  tree.Write("/usr/lib/os-release", "NAME=Debian\nVERSION_ID=12\n");
  EXPECT_EQ(ReadOsRelease(tree.options()).name, "Debian");
}

TEST(OsRelease, TheKernelStandsInForWhatIsMissingOrGarbage) {
  utsname kernel = {};
  ASSERT_EQ(uname(&kernel), 0);
  FixtureTree tree;
  OsRelease os = ReadOsRelease(tree.options());
  EXPECT_EQ(os.name, kernel.sysname);
  ASSERT_FALSE(os.version.empty());
  EXPECT_EQ(std::string(kernel.release).rfind(os.version, 0), 0u);
  EXPECT_EQ(os.version.find_first_not_of("0123456789."), std::string::npos);

  tree.Write("/etc/os-release",
             absl::StrCat("NAME=\"", std::string(5000, 'x'),
                          "\"\nVERSION_ID=\"host name; rm\"\n"));
  os = ReadOsRelease(tree.options());
  EXPECT_EQ(os.name, kernel.sysname);
  EXPECT_EQ(os.version.find(' '), std::string::npos);

  tree.Write("/etc/os-release", std::string("NAME=a\0b\n\x7f\xff=", 13));
  EXPECT_EQ(ReadOsRelease(tree.options()).name, kernel.sysname);
}

TEST(OsRelease, OfThisMachineIsWhatTheShellReads) {
  const OsRelease os = ReadOsRelease({});
  const std::string file = "/etc/os-release";
  EXPECT_EQ(os.name, Output("sh -c '. " + file + "; echo \"$NAME\"'"));
  const std::string version =
      Output("sh -c '. " + file + "; echo \"$VERSION_ID\"'");
  if (!version.empty()) {
    EXPECT_EQ(os.version, version);
  }
}

TEST(Processors, AreWhatNprocCounts) {
  EXPECT_EQ(absl::StrCat(ProcessorCount()),
            Output("env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc"));
}

TEST(Processors, FollowTheAffinity) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(ProcessorCount(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST(LoadAverage, IsTheFirstNumber) {
  FixtureTree tree;
  tree.Write("/proc/loadavg", "12.34 5.00 1.00 3/400 999\n");
  EXPECT_DOUBLE_EQ(ReadLoadAverage(tree.options()).value(), 12.34);
}

TEST(LoadAverage, GarbageIsAnErrorAndNeverANumber) {
  FixtureTree tree;
  EXPECT_TRUE(absl::IsNotFound(ReadLoadAverage(tree.options()).status()));
  for (const char* text : {"", "nan 1 1", "inf 1 1", "-1 0 0", "x 1 1", " 1"}) {
    tree.Write("/proc/loadavg", text);
    EXPECT_TRUE(absl::IsDataLoss(ReadLoadAverage(tree.options()).status()))
        << text;
  }
}

TEST(LoadAverage, OfThisMachineIsWhatProcSays) {
  // The kernel changes it every five seconds: read around it until it stands.
  for (int i = 0; i < 100; ++i) {
    const std::string before = TrueLine("/proc/loadavg", "");
    const double load = ReadLoadAverage({}).value();
    const std::string after = TrueLine("/proc/loadavg", "");
    if (before.substr(0, before.find(' ')) !=
        after.substr(0, after.find(' '))) {
      continue;
    }
    EXPECT_DOUBLE_EQ(load, std::strtod(before.c_str(), nullptr));
    return;
  }
  FAIL() << "/proc/loadavg never stood still";
}

TEST(Memory, IsInBytes) {
  FixtureTree tree;
  tree.Write("/proc/meminfo",
             "MemTotal:       16384 kB\nMemFree:  1 kB\n"
             "MemAvailable:    8192 kB\n");
  const Memory memory = ReadMemory(tree.options()).value();
  EXPECT_EQ(memory.total_bytes, 16384 * 1024);
  EXPECT_EQ(memory.available_bytes, 8192 * 1024);
}

TEST(Memory, GarbageMissingAndHugeValuesAreErrors) {
  FixtureTree tree;
  EXPECT_TRUE(absl::IsNotFound(ReadMemory(tree.options()).status()));
  for (const char* text :
       {"", "MemTotal: 5 kB\n", "MemTotal: x kB\nMemAvailable: 5 kB\n",
        "MemTotal: -5 kB\nMemAvailable: 5 kB\n",
        "MemTotal: 5\nMemAvailable: 5 kB\n",
        "MemTotal: 9223372036854775807 kB\nMemAvailable: 5 kB\n",
        "MemTotal: 99999999999999999999 kB\nMemAvailable: 5 kB\n"}) {
    tree.Write("/proc/meminfo", text);
    EXPECT_TRUE(absl::IsDataLoss(ReadMemory(tree.options()).status())) << text;
  }
}

TEST(Memory, OfThisMachineIsWhatProcSays) {
  const auto kib = [](const char* key) {
    return std::strtoll(TrueLine("/proc/meminfo", key).c_str(), nullptr, 10);
  };
  // What is available changes all the time: read around it until it stands.
  for (int i = 0; i < 1000; ++i) {
    const int64_t before = kib("MemAvailable:");
    const Memory memory = ReadMemory({}).value();
    if (before != kib("MemAvailable:")) continue;
    EXPECT_EQ(memory.total_bytes, kib("MemTotal:") * 1024);
    EXPECT_EQ(memory.available_bytes, before * 1024);
    return;
  }
  FAIL() << "MemAvailable never stood still";
}

TEST(BootTime, IsBtime) {
  FixtureTree tree;
  tree.Write("/proc/stat", "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n");
  EXPECT_EQ(ReadBootTime(tree.options()).value(),
            absl::FromUnixSeconds(1700000000));
}

TEST(BootTime, GarbageMissingAndHugeValuesAreErrors) {
  FixtureTree tree;
  EXPECT_TRUE(absl::IsNotFound(ReadBootTime(tree.options()).status()));
  for (const char* text : {"", "btime\n", "btime x\n", "btime -1\n",
                           "btime 9223372036854775807\n"}) {
    tree.Write("/proc/stat", text);
    EXPECT_TRUE(absl::IsDataLoss(ReadBootTime(tree.options()).status()))
        << text;
  }
}

TEST(BootTime, OfThisMachineIsWhatProcSays) {
  // The kernel computes it from two clocks: it may differ by a second from
  // one reading to the next.
  EXPECT_NEAR(
      static_cast<double>(absl::ToUnixSeconds(ReadBootTime({}).value())),
      std::strtod(TrueLine("/proc/stat", "btime ").c_str(), nullptr), 1);
}

TEST(KernelFiles, AFileWithoutEndIsRefused) {
  FixtureTree tree;
  tree.Write("/proc/meminfo", std::string((8 << 20) + 1, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(ReadMemory(tree.options()).status()));
}

}  // namespace
}  // namespace mc::agent
