#include "common/config/yaml_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc {
namespace {

using missioncontrol::config::v1::AgentConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  AgentConfig config;
  const absl::Status status = ParseYaml(text, "agent.yaml", &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(YamlConfig, FillsTheMessage) {
  AgentConfig config;
  ASSERT_EQ(ParseYaml(R"(
service:
  enrollment: example.com:8442
schedule: {heartbeat: 1m, license: 500ms, consumption_time_frame: 1h}
privacy_settings:
  telemetry: denied
  remote_access: on_approval
update_window:
  day: sunday
  start_minute: 120
data_partitions:
  - path: /data
    label: data
  - path: "/other"
)",
                      "agent.yaml", &config),
            absl::OkStatus());
  EXPECT_EQ(config.service().enrollment(), "example.com:8442");
  EXPECT_EQ(config.schedule().heartbeat().seconds(), 60);
  EXPECT_EQ(config.schedule().license().nanos(), 500'000'000);
  EXPECT_EQ(config.privacy_settings().telemetry(),
            missioncontrol::v1::PERMISSION_DENIED);
  EXPECT_EQ(config.privacy_settings().remote_access(),
            missioncontrol::v1::REMOTE_ACCESS_POLICY_ON_APPROVAL);
  EXPECT_EQ(config.update_window().start_minute(), 120);
  EXPECT_EQ(config.data_partitions_size(), 2);
  EXPECT_EQ(config.data_partitions(1).path(), "/other");
}

TEST(YamlConfig, DaysAreDurations) {
  AgentConfig config;
  ASSERT_TRUE(
      ParseYaml("schedule: {backoff_max: 14d}", "a.yaml", &config).ok());
  EXPECT_EQ(config.schedule().backoff_max().seconds(), 14 * 86400);
}

TEST(YamlConfig, EmptyIsEmpty) {
  AgentConfig config;
  EXPECT_TRUE(ParseYaml("", "a.yaml", &config).ok());
  EXPECT_TRUE(ParseYaml("# only a comment\nservice:\n", "a", &config).ok());
}

TEST(YamlConfig, UnknownKeyIsSaidWithLineAndKnownOnes) {
  EXPECT_THAT(ErrorOf("service:\n  enrolment: x\n"),
              AllOf(HasSubstr("agent.yaml:2"), HasSubstr("service.enrolment"),
                    HasSubstr("enrollment, cluster, ca_file")));
}

TEST(YamlConfig, WrongValuesAreSaidWithWhatIsAllowed) {
  EXPECT_THAT(ErrorOf("schedule: {heartbeat: soon}"), HasSubstr("'soon'"));
  EXPECT_THAT(ErrorOf("schedule: {heartbeat: -1s}"), HasSubstr("duration"));
  EXPECT_THAT(ErrorOf("schedule: {heartbeat: 60}"), HasSubstr("duration"));
  EXPECT_THAT(ErrorOf("update_window: {start_minute: 1.5}"),
              HasSubstr("whole number"));
  EXPECT_THAT(ErrorOf("privacy_settings: {telemetry: maybe}"),
              HasSubstr("one of allowed, denied"));
  EXPECT_THAT(ErrorOf("data_partitions: {path: /data}"),
              HasSubstr("must be a list"));
  EXPECT_THAT(ErrorOf("service: x"), HasSubstr("must have keys"));
  EXPECT_THAT(ErrorOf("time_zone: [a]"), HasSubstr("must be one value"));
}

TEST(YamlConfig, TextIsUtf8WithoutNul) {
  AgentConfig config;
  ASSERT_TRUE(
      ParseYaml("host_root: /\u00e4\u20ac\U0001f600", "a", &config).ok());
  EXPECT_EQ(config.host_root(), "/\u00e4\u20ac\U0001f600");
  for (const char* wrong : {"\xe4", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82",
                            "\xf4\x90\x80\x80", "\xff", "\"\\0\""}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("host_root: ", wrong)),
                HasSubstr("UTF-8"));
  }
}

TEST(YamlConfig, AKeyThatComesTwiceIsAnError) {
  EXPECT_THAT(ErrorOf("time_zone: UTC\ntime_zone: UTC\n"), HasSubstr("twice"));
}

TEST(YamlConfig, ASecondDocumentIsNotIgnored) {
  EXPECT_THAT(ErrorOf("time_zone: UTC\n---\nlog:\n"),
              AllOf(HasSubstr("agent.yaml:3"), HasSubstr("second document")));
  AgentConfig config;
  EXPECT_TRUE(ParseYaml("---\ntime_zone: UTC\n", "a.yaml", &config).ok());
  EXPECT_EQ(config.time_zone(), "UTC");
}

TEST(YamlConfig, WhatBeginsNothingIsAnErrorAndNoLoop) {
  for (const char* text : {",", "a, b: [,a]*a", "time_zone: UTC\n, c\n", ")"}) {
    EXPECT_NE(ErrorOf(text), "") << text;
  }
}

TEST(YamlConfig, NestingIsBounded) {
  EXPECT_NE(ErrorOf("time_zone: " + std::string(100'000, '[')), "");
}

TEST(YamlConfig, AFileThatIsTooLargeIsSaidWithItsPath) {
  TempDir dir;
  const std::string path = dir.File("a.yaml");
  ASSERT_TRUE(AtomicWrite(path, std::string((1 << 20) + 1, '#'), 0600).ok());
  AgentConfig config;
  EXPECT_THAT(std::string(LoadYaml(path, &config).message()),
              AllOf(HasSubstr(path), HasSubstr("larger than")));
}

TEST(YamlConfig, BrokenYamlIsSaidWithItsLine) {
  EXPECT_THAT(ErrorOf("service:\n  a: [\n"), HasSubstr("is not YAML"));
}

TEST(YamlConfig, AMissingFileIsSaidWithItsPath) {
  TempDir dir;
  AgentConfig config;
  const absl::Status status = LoadYaml(dir.File("no.yaml"), &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir.File("no.yaml")));
}

}  // namespace
}  // namespace mc
