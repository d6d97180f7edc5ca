#include "common/files/files.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "common/files/temp_dir.h"

namespace mc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Files, WrittenIsRead) {
  TempDir dir;
  const std::string path = dir.File("a");
  ASSERT_TRUE(AtomicWrite(path, "one", 0600).ok());
  ASSERT_TRUE(AtomicWrite(path, "two", 0600).ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(*ReadPrivateFile(path), "two");
}

TEST(Files, AWriteHasTheModeAndLeavesNothingElse) {
  TempDir dir;
  ASSERT_TRUE(AtomicWrite(dir.File("a"), "x", 0640).ok());
  struct stat info = {};
  ASSERT_EQ(stat(dir.File("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  // A directory cannot be replaced by a file.
  ASSERT_TRUE(EnsurePrivateDirectory(dir.File("d")).ok());
  EXPECT_FALSE(AtomicWrite(dir.File("d"), "x", 0600).ok());
  int count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(dir.path())) {
    ++count;
  }
  EXPECT_EQ(count, 2);
}

TEST(Files, WritersAtOnceLeaveOneWholeFile) {
  TempDir dir;
  const std::string path = dir.File("a");
  const std::string one(100'000, '1'), two(100'000, '2');
  ASSERT_TRUE(AtomicWrite(path, one, 0600).ok());
  std::atomic<bool> writing = true;
  const auto write = [&](const std::string& data) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(AtomicWrite(path, data, 0600), absl::OkStatus());
    }
  };
  std::thread reader([&] {
    while (writing) {
      const auto read = ReadFile(path);
      EXPECT_TRUE(read.ok() && (*read == one || *read == two));
    }
  });
  std::thread first([&] { write(one); });
  std::thread second([&] { write(two); });
  first.join();
  second.join();
  writing = false;
  reader.join();
}

TEST(Files, MissingIsSaidWithThePath) {
  TempDir dir;
  const absl::Status status = ReadFile(dir.File("no")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(dir.File("no")), HasSubstr("check the path")));
}

TEST(Files, TooLargeAndNotAFileAreRefused) {
  TempDir dir;
  ASSERT_TRUE(AtomicWrite(dir.File("a"), "12345", 0600).ok());
  EXPECT_TRUE(ReadFile(dir.File("a"), 5).ok());
  EXPECT_FALSE(ReadFile(dir.File("a"), 4).ok());
  EXPECT_FALSE(ReadFile(dir.path()).ok());
}

TEST(Files, WhatOthersCanReadIsRefusedWithTheFix) {
  TempDir dir;
  const std::string path = dir.File("key");
  ASSERT_TRUE(AtomicWrite(path, "secret", 0644).ok());
  EXPECT_TRUE(ReadFile(path).ok());
  EXPECT_THAT(std::string(ReadPrivateFile(path).status().message()),
              HasSubstr("chmod 600 " + path));
  EXPECT_THAT(std::string(CheckPrivateFile(path).message()),
              HasSubstr("chmod 600 " + path));
}

// Whether a process of another user, in `group`, is given the file.
bool OthersMayUse(const std::string& path, gid_t group) {
  const pid_t child = fork();
  if (child == 0) {
    const bool changed =
        setgroups(1, &group) == 0 && setegid(65532) == 0 && seteuid(65532) == 0;
    _exit(changed && ReadPrivateFile(path).ok() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Files, ASecretThatRootMountedForAGroupIsPrivate) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files to others";
  constexpr gid_t kMounted = 65533;
  TempDir dir;
  ASSERT_EQ(chmod(dir.path().c_str(), 0755), 0);
  const std::string path = dir.File("license.key");
  ASSERT_TRUE(AtomicWrite(path, "secret", 0440).ok());
  ASSERT_EQ(chown(path.c_str(), 0, kMounted), 0);
  EXPECT_TRUE(OthersMayUse(path, kMounted));
  EXPECT_FALSE(OthersMayUse(path, kMounted + 1));
  for (const mode_t mode : {0444, 0460, 0640 | 0004}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_FALSE(OthersMayUse(path, kMounted)) << mode;
  }
  ASSERT_EQ(chmod(path.c_str(), 0440), 0);
  ASSERT_EQ(chown(path.c_str(), 65534, kMounted), 0);
  EXPECT_FALSE(OthersMayUse(path, kMounted));
}

TEST(Files, PrivateDirectoryIsMadeOrChecked) {
  TempDir dir;
  const std::string path = dir.File("state");
  ASSERT_TRUE(EnsurePrivateDirectory(path).ok());
  ASSERT_TRUE(EnsurePrivateDirectory(path).ok());
  chmod(path.c_str(), 0750);
  EXPECT_THAT(std::string(EnsurePrivateDirectory(path).message()),
              HasSubstr("chmod 700 " + path));
  ASSERT_TRUE(AtomicWrite(dir.File("file"), "", 0600).ok());
  EXPECT_FALSE(EnsurePrivateDirectory(dir.File("file")).ok());
  EXPECT_FALSE(EnsurePrivateDirectory(dir.File("no/such")).ok());
}

TEST(Files, PathsAreRelativeToTheirFolder) {
  EXPECT_EQ(ResolvePath("/etc/mc", "a"), "/etc/mc/a");
  EXPECT_EQ(ResolvePath("/etc/mc", "/a"), "/a");
  EXPECT_EQ(ResolvePath("/etc/mc", ""), "");
  EXPECT_EQ(DirectoryOf("/etc/mc/a"), "/etc/mc");
  EXPECT_EQ(DirectoryOf("/a"), "/");
  EXPECT_EQ(DirectoryOf("a"), ".");
}

}  // namespace
}  // namespace mc
