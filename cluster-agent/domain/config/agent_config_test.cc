#include "cluster-agent/domain/config/agent_config.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster-agent/domain/config/enrollment_token.h"
#include "common/crypto/license_key.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kAddresses[] =
    "service: {enrollment: 'mc.example.com:8442', cluster: "
    "'mc.example.com:8443'}\n";

class AgentConfigTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text,
             mode_t mode = 0600) {
    std::ofstream(dir_.File(name)) << text;
    chmod(dir_.File(name).c_str(), mode);
  }
  Configuration Load(const std::string& text) {
    Write("cluster-agent.yaml", text);
    absl::StatusOr<Configuration> loaded =
        LoadConfiguration(dir_.File("cluster-agent.yaml"));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.value_or(Configuration());
  }
  std::string Problems(const std::string& text) {
    return absl::StrJoin(CheckConfiguration(Load(text)), "\n");
  }

  TempDir dir_;
};

TEST_F(AgentConfigTest, ALeaseIsCheckedWhereThereIsOne) {
  EXPECT_FALSE(Load(kAddresses).values.has_mastership());
  const std::string lease = "mastership: {kubernetes_lease: {name: agent";
  const Configuration loaded = Load(kAddresses + lease + ", token_file: t}}\n");
  EXPECT_THAT(CheckConfiguration(loaded), IsEmpty());
  const auto& values = loaded.values.mastership().kubernetes_lease();
  EXPECT_EQ(ToAbsl(values.renew_deadline()), absl::Seconds(10));
  EXPECT_EQ(values.token_file(), dir_.File("t"));
  EXPECT_EQ(values.ca_file(), "") << "the pod's";
  EXPECT_THAT(Problems(kAddresses + lease + ", renew_deadline: 20s}}\n"),
              HasSubstr("renew_deadline is not shorter"));
}

TEST_F(AgentConfigTest, DefaultsAreTheContracts) {
  const Configuration loaded = Load(kAddresses);
  const config::Schedule& schedule = loaded.values.schedule();
  EXPECT_EQ(ToAbsl(schedule.heartbeat()), absl::Minutes(1));
  EXPECT_EQ(ToAbsl(schedule.heartbeat_without_remote_access()),
            absl::Minutes(5));
  EXPECT_EQ(ToAbsl(schedule.license()), absl::Minutes(5));
  EXPECT_EQ(ToAbsl(schedule.health_check()), absl::Minutes(5));
  EXPECT_EQ(ToAbsl(schedule.updates()), absl::Hours(1));
  EXPECT_EQ(ToAbsl(schedule.consumption_time_frame()), absl::Hours(1));
  EXPECT_EQ(loaded.AdminSocket(), dir_.File("run/admin.sock"));
  EXPECT_EQ(loaded.OutboxFile(), dir_.File("state/usage.db"));
  EXPECT_THAT(CheckConfiguration(loaded), IsEmpty());
}

TEST_F(AgentConfigTest, AddressesAreRequired) {
  EXPECT_THAT(Problems("license_key_file: k\n"),
              HasSubstr("service.enrollment is missing"));
  for (const char* bad :
       {"mc.example.com", "mc:0", "mc:99999", ":1", "a:b:1"}) {
    EXPECT_THAT(Problems(absl::StrCat("service: {enrollment: 'h:1', cluster: '",
                                      bad, "'}\n")),
                HasSubstr("service.cluster"))
        << bad;
  }
  EXPECT_EQ(
      Problems("service: {enrollment: '[::1]:1', cluster: '127.0.0.1:2'}\n"),
      "");
}

TEST_F(AgentConfigTest, TheScheduleMustMakeSense) {
  const auto with = [this](const std::string& key) {
    return Problems(absl::StrCat(kAddresses, "schedule: {", key, "}\n"));
  };
  EXPECT_THAT(with("consumption_time_frame: 7m"),
              HasSubstr("consumption_time_frame"));
  EXPECT_THAT(with("heartbeat: 0s"), HasSubstr("schedule.heartbeat"));
  EXPECT_THAT(with("license: 25h"), HasSubstr("schedule.license"));
  EXPECT_THAT(with("backoff_initial: 10s, backoff_max: 1s"),
              HasSubstr("backoff_max is shorter"));
  EXPECT_EQ(with("consumption_time_frame: 15m"), "");
}

TEST_F(AgentConfigTest, EveryProblemIsListed) {
  const Configuration loaded =
      Load("schedule: {heartbeat: 0s}\nupdate_window: {start_minute: 1440}\n");
  EXPECT_EQ(FindProblems(loaded, nullptr).size(), 5u)
      << absl::StrJoin(FindProblems(loaded, nullptr), "\n");
}

TEST_F(AgentConfigTest, TheLicenseKeyComesFromAPrivateFile) {
  const std::string key = GenerateLicenseKey();
  const Configuration loaded =
      Load(absl::StrCat(kAddresses, "license_key_file: license.key\n"));
  Write("license.key", key + "\n");
  EXPECT_EQ(LoadFiles(loaded, nullptr)->license_key, key);
  Write("license.key", key, 0644);
  EXPECT_THAT(std::string(LoadFiles(loaded, nullptr).status().message()),
              HasSubstr("chmod"));
  Write("license.key", "letmein");
  const absl::Status refused = LoadFiles(loaded, nullptr).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("no license key"));
  EXPECT_FALSE(absl::StrContains(refused.message(), "letmein"));
}

TEST_F(AgentConfigTest, TheEnrollmentTokenComesFromAPrivateFile) {
  const std::string key = GenerateLicenseKey();
  const Configuration loaded =
      Load(absl::StrCat(kAddresses, "enrollment_token_file: token\n"));
  const EnrollmentTokenSource source{"", loaded.values.enrollment_token_file()};
  // It is used once: nobody misses it but a registration.
  EXPECT_TRUE(LoadFiles(loaded, key.c_str()).ok());
  EXPECT_TRUE(absl::IsNotFound(source.Read().status()));
  Write("token", "one-time-token\n");
  EXPECT_EQ(source.Read().value(), "one-time-token");
  EXPECT_EQ((EnrollmentTokenSource{"of the environment", source.file}
                 .Read()
                 .status()
                 .code()),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((EnrollmentTokenSource{"other", source.file}.Read().value()),
            "other");
  Write("token", "one-time-token", 0644);
  EXPECT_THAT(std::string(LoadFiles(loaded, key.c_str()).status().message()),
              HasSubstr("chmod"));
  Write("token", " \n");
  const std::vector<std::string> problems = FindProblems(loaded, key.c_str());
  EXPECT_THAT(problems, testing::Contains(HasSubstr("no enrollment token")));
}

TEST_F(AgentConfigTest, TheOutboxHasDefaultsAndBounds) {
  const config::Outbox outbox = Load(kAddresses).values.outbox();
  EXPECT_EQ(ToAbsl(outbox.keep_acknowledged()), absl::Hours(72));
  EXPECT_EQ(outbox.reserved_bytes(), 1 << 20);
  const Configuration loaded = Load(absl::StrCat(
      kAddresses,
      "outbox: {keep_acknowledged: 1s, max_events: 1, reserved_bytes: 1, "
      "clock_tolerance: 2h}\n"));
  const std::vector<std::string> problems = CheckConfiguration(loaded);
  for (const char* key : {"outbox.keep_acknowledged", "outbox.max_events",
                          "outbox.reserved_bytes", "outbox.clock_tolerance"}) {
    EXPECT_THAT(problems, testing::Contains(HasSubstr(key)));
  }
}

TEST_F(AgentConfigTest, TheEnvironmentTakesTheKeyFilesPlace) {
  const std::string key = GenerateLicenseKey();
  EXPECT_EQ(LoadFiles(Load(kAddresses), key.c_str())->license_key, key);
  EXPECT_FALSE(LoadFiles(Load(kAddresses), nullptr).ok());
}

TEST_F(AgentConfigTest, TheProxysPasswordIsFoundBesideTheConfiguration) {
  const std::string key = GenerateLicenseKey();
  const Configuration loaded = Load(absl::StrCat(
      kAddresses,
      "proxy: {url: 'http://proxy:3128', user_name: agent, password_file: "
      "proxy.password, no_proxy: [.internal]}\n"));
  EXPECT_THAT(std::string(LoadFiles(loaded, key.c_str()).status().message()),
              HasSubstr("proxy.password"));
  Write("proxy.password", "secret\n");
  const auto files = LoadFiles(loaded, key.c_str());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->proxy.ProxyFor("mc.example.com:8443")->password, "secret");
  EXPECT_FALSE(files->proxy.ProxyFor("mc.internal:8443").has_value());
  Write("proxy.password", "secret", 0644);
  EXPECT_THAT(FindProblems(loaded, key.c_str()),
              testing::Contains(HasSubstr("chmod")));
}

TEST_F(AgentConfigTest, TheCaMustBeOne) {
  const std::string key = GenerateLicenseKey();
  const Configuration loaded =
      Load("service: {enrollment: 'h:1', cluster: 'h:2', ca_file: ca.crt}\n");
  EXPECT_THAT(std::string(LoadFiles(loaded, key.c_str()).status().message()),
              HasSubstr("ca.crt"));
  Write("ca.crt", "nonsense");
  EXPECT_THAT(std::string(LoadFiles(loaded, key.c_str()).status().message()),
              HasSubstr("no CA certificates"));
}

}  // namespace
}  // namespace mc::agent
