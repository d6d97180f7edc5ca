#include "common/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "common/files/files.h"
#include "common/files/temp_dir.h"

namespace mc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string Captured(const std::function<void()>& speak) {
  ::testing::internal::CaptureStderr();
  speak();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, OneJsonObjectALine) {
  InitLog({});
  const std::string line = Captured([] {
    LogInfo("ready",
            {{"port", 8443}, {"name", "a\"b\n"}, {"ok", true}, {"load", 0.5}});
  });
  EXPECT_THAT(line, MatchesRegex("\\{\"time\":\"[^\"]+Z\",\"level\":\"info\","
                                 "\"message\":\"ready\",\"port\":8443,"
                                 "\"name\":\"a\\\\\"b\\\\n\",\"ok\":true,"
                                 "\"load\":0.5\\}\n"));
}

TEST(Log, InvalidUtf8AndLongValuesDoNotHarm) {
  InitLog({});
  const std::string line = Captured([] {
    LogInfo("\xff", {{"long", std::string(100000, 'x')}});
  });
  EXPECT_LT(line.size(), 5000u);
  EXPECT_THAT(line, Not(HasSubstr("\xff")));
}

TEST(Log, IntegersAreWhole) {
  InitLog({});
  EXPECT_THAT(Captured([] {
                LogInfo("x", {{"most", UINT64_MAX}, {"least", INT64_MIN}});
              }),
              HasSubstr("\"most\":18446744073709551615,"
                        "\"least\":-9223372036854775808}"));
}

TEST(Log, TheComponentIsOnEachLine) {
  InitLog({.component = "cluster-agent"});
  EXPECT_THAT(Captured([] { LogInfo("x"); }),
              HasSubstr("\"component\":\"cluster-agent\",\"message\":\"x\""));
}

TEST(Log, LinesAreAppendedToAFile) {
  TempDir dir;
  const std::string path = dir.File("log");
  for (const char* message : {"one", "two"}) {
    InitLog({.file = path});
    EXPECT_EQ(Captured([&] { LogInfo(message); }), "");
  }
  EXPECT_THAT(*ReadFile(path), MatchesRegex(".*\"one\".*\n.*\"two\".*\n"));
}

TEST(Log, AFileThatCannotBeOpenedIsSaid) {
  TempDir dir;
  EXPECT_THAT(Captured([&] {
                InitLog({.file = dir.path()});
                LogInfo("still heard");
              }),
              AllOf(HasSubstr(dir.path()), HasSubstr("still heard")));
}

TEST(Log, BelowTheLevelNothingIsSaid) {
  InitLog({.level = LogLevel::kWarning});
  EXPECT_EQ(Captured([] { LogInfo("quiet"); }), "");
  EXPECT_THAT(Captured([] { LogWarning("loud"); }), HasSubstr("loud"));
}

TEST(Log, TextForPeople) {
  InitLog({.json = false});
  EXPECT_THAT(Captured([] {
                LogError("failed", {{"code", 5}});
              }),
              HasSubstr(" error failed code=5\n"));
}

TEST(Log, AMessageCannotForgeALineOrSteerATerminal) {
  InitLog({.json = false});
  const std::string line = Captured([] {
    LogError("a\nb \x1b[31m \xff", {{"name", "c\nd\x1b"}});
  });
  EXPECT_THAT(line, HasSubstr(" error a b  [31m \xef\xbf\xbd name="));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace mc
