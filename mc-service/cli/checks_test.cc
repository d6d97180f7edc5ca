#include "mc-service/cli/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/testing/service_folder.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ServiceFolder;

class ChecksTest : public ::testing::Test {
 protected:
  absl::Time Now() const { return RealClock().Now(); }

  // The configuration file with more text at its end.
  absl::StatusOr<Configuration> LoadWith(const std::string& text) {
    const std::string file = folder_.state().ConfigFile();
    const std::string good = *ReadFile(file);
    EXPECT_TRUE(AtomicWrite(file, good + text, 0600).ok());
    auto configuration = LoadConfiguration(file);
    EXPECT_TRUE(AtomicWrite(file, good, 0600).ok());
    return configuration;
  }

  ServiceFolder folder_;
};

TEST_F(ChecksTest, UnknownKeyIsNamed) {
  const auto configuration = LoadWith("write_behind: 1s\n");
  EXPECT_EQ(ExitCodeOf(configuration.status()), 2);
  EXPECT_THAT(std::string(configuration.status().message()),
              HasSubstr("write_behind"));
}

struct BadValue {
  std::string where;
  std::function<void(config::ServiceConfig&)> change;
  Problem::Severity severity = Problem::Severity::kError;
};

TEST_F(ChecksTest, BadValueIsReportedWhereItIs) {
  using C = config::ServiceConfig;
  const std::vector<BadValue> table = {
      {"trust_domain", [](C& c) { c.set_trust_domain("Upper Case"); }},
      {"trust_domain", [](C& c) { c.clear_trust_domain(); }},
      {"listeners.cluster.address",
       [](C& c) {
         c.mutable_listeners()->mutable_cluster()->set_address("8443");
       }},
      {"listeners.enrollment.address",
       [](C& c) {
         c.mutable_listeners()->mutable_enrollment()->set_address("h:70000");
       }},
      {"listeners.cluster.address",
       [](C& c) {
         c.mutable_listeners()->mutable_enrollment()->set_address(
             "127.0.0.1:8443");
         c.mutable_listeners()->mutable_cluster()->set_address("h:8443");
       }},
      {"listeners.operator.key_file",
       [](C& c) {
         c.mutable_listeners()->mutable_operator_()->clear_key_file();
       }},
      {"limits.max_message_bytes",
       [](C& c) { c.mutable_limits()->set_max_message_bytes(-1); }},
      {"limits.max_connections",
       [](C& c) { c.mutable_limits()->set_max_connections(-1); }},
      {"limits.max_connections_per_address",
       [](C& c) { c.mutable_limits()->set_max_connections_per_address(-1); }},
      {"limits.handshakes_per_second",
       [](C& c) { c.mutable_limits()->set_handshakes_per_second(-1); }},
      {"limits.max_handshakes",
       [](C& c) { c.mutable_limits()->set_max_handshakes(-1); }},
      {"limits.handshake_timeout",
       [](C& c) {
         c.mutable_limits()->mutable_handshake_timeout()->set_seconds(0);
       }},
      {"limits.memory_quota_bytes",
       [](C& c) { c.mutable_limits()->set_memory_quota_bytes(1); }},
      {"limits.slow_reader_timeout",
       [](C& c) {
         c.mutable_limits()->mutable_slow_reader_timeout()->set_seconds(-1);
       }},
      {"limits.max_bytes_per_second_per_connection",
       [](C& c) {
         c.mutable_limits()->set_max_bytes_per_second_per_connection(1);
       }},
      {"listeners.cluster.proxy_protocol_from",
       [](C& c) {
         c.mutable_listeners()->mutable_cluster()->add_proxy_protocol_from(
             "balancer.example.com");
       }},
      {"listeners.metrics.proxy_protocol_from",
       [](C& c) {
         c.mutable_listeners()->mutable_metrics()->add_proxy_protocol_from(
             "192.0.2.1");
       }},
      {"listeners.operator.proxy_protocol_from",
       [](C& c) {
         c.mutable_listeners()->mutable_operator_()->add_proxy_protocol_from(
             "0.0.0.0/0");
       },
       Problem::Severity::kWarning},
      {"limits.max_queued_calls",
       [](C& c) { c.mutable_limits()->set_max_queued_calls(-5); }},
      {"limits.worker_threads",
       [](C& c) { c.mutable_limits()->set_worker_threads(5000); }},
      {"limits.max_reports_per_cluster",
       [](C& c) { c.mutable_limits()->set_max_reports_per_cluster(-1); }},
      {"limits.recoveries_per_hour",
       [](C& c) { c.mutable_limits()->set_recoveries_per_hour(-1); }},
      {"limits.backlog_reports_per_second",
       [](C& c) { c.mutable_limits()->set_backlog_reports_per_second(-1); }},
      {"limits.enrollments_per_minute_per_address",
       [](C& c) {
         c.mutable_limits()->set_enrollments_per_minute_per_address(-1);
       }},
      {"limits.enrollments_per_minute_per_license",
       [](C& c) {
         c.mutable_limits()->set_enrollments_per_minute_per_license(-1);
       }},
      {"enrollment_front.socket", [](C& c) { c.mutable_enrollment_front(); }},
      {"enrollment_front.socket",
       [](C& c) {
         c.mutable_enrollment_front()->set_socket(std::string(108, 'x'));
       }},
      {"limits.calls_per_second_per_cluster",
       [](C& c) { c.mutable_limits()->set_calls_per_second_per_cluster(-1); }},
      {"drain_timeout",
       [](C& c) { c.mutable_drain_timeout()->set_seconds(-1); }},
      {"write_behind_interval",
       [](C& c) { c.mutable_write_behind_interval()->set_seconds(0); }},
      {"pacing.license_interval",
       [](C& c) { c.mutable_pacing()->mutable_license_interval(); }},
      {"certificates.cluster_lifetime",
       [](C& c) {
         c.mutable_certificates()->mutable_cluster_lifetime()->set_seconds(1);
       }},
      {"certificates.operator_lifetime",
       [](C& c) {
         c.mutable_certificates()->mutable_operator_lifetime()->set_seconds(1);
       }},
      {"certificates.operator_lifetime",
       [](C& c) {
         c.mutable_certificates()->mutable_operator_lifetime()->set_seconds(
             400 * 86400);
       },
       Problem::Severity::kWarning},
      {"listeners.cluster.reflection",
       [](C& c) {
         c.mutable_listeners()->mutable_cluster()->set_reflection(true);
       },
       Problem::Severity::kWarning},
      {"listeners.metrics.address",
       [](C& c) {
         c.mutable_listeners()->mutable_metrics()->set_address("0.0.0.0:9464");
       },
       Problem::Severity::kWarning},
      {"certificates.cluster_lifetime",
       [](C& c) {
         c.mutable_certificates()->mutable_cluster_lifetime()->set_seconds(
             400 * 86400);
       },
       Problem::Severity::kWarning},
  };
  for (const BadValue& bad : table) {
    SCOPED_TRACE(bad.where);
    Configuration configuration = folder_.Load();
    bad.change(configuration.values);
    const auto problems = CheckConfiguration(configuration, Now());
    ASSERT_EQ(problems.size(), 1u) << ProblemsAsText(problems);
    EXPECT_THAT(problems[0].where, HasSubstr(bad.where));
    EXPECT_EQ(problems[0].severity, bad.severity);
    EXPECT_EQ(FirstError(problems).ok(),
              bad.severity == Problem::Severity::kWarning);
  }
}

TEST_F(ChecksTest, EachKeyIsMissedWhenItIsNotThereOpenOrBroken) {
  const StateLayout& state = folder_.state();
  const Configuration configuration = folder_.Load();
  for (const std::string& key :
       {state.ServerCa().key, state.ClusterCa().key, state.OperatorCa().key,
        state.ServerCertificate().key, state.DocumentKeyFile()}) {
    SCOPED_TRACE(key);
    const std::string good = *ReadFile(key);
    const auto error = [&] {
      const absl::Status status =
          FirstError(CheckConfiguration(configuration, Now()));
      return std::string(status.message());
    };
    fs::permissions(key, fs::perms(0644));
    EXPECT_THAT(error(), HasSubstr("chmod"));
    EXPECT_THAT(error(), HasSubstr(key));
    fs::permissions(key, fs::perms(0600));
    ASSERT_TRUE(AtomicWrite(key, "garbage", 0600).ok());
    EXPECT_THAT(error(), HasSubstr(key));
    fs::remove(key);
    EXPECT_THAT(error(), HasSubstr(key));
    EXPECT_THAT(error(), Not(HasSubstr("\n")));
    ASSERT_TRUE(AtomicWrite(key, good, 0600).ok());
    EXPECT_EQ(error(), "");
  }
}

TEST_F(ChecksTest, TheFrontNeedsTheListenersCertificateAlone) {
  Configuration configuration = folder_.Load();
  configuration.values.mutable_enrollment_front()->set_socket("front.sock");
  const CertificateFiles files = folder_.state().ServerCertificate();
  const std::string certificate = folder_.state().directory() + ".crt";
  const std::string key = folder_.state().directory() + ".key";
  fs::copy_file(files.certificate, certificate);
  fs::copy_file(files.key, key);
  config::Listener* listener =
      configuration.values.mutable_listeners()->mutable_enrollment();
  listener->set_certificate_file(certificate);
  listener->set_key_file(key);
  // With the state directory in reach it says so.
  const auto problems = CheckFront(configuration, Now());
  ASSERT_EQ(problems.size(), 1u) << ProblemsAsText(problems);
  EXPECT_EQ(problems[0].severity, Problem::Severity::kWarning);
  EXPECT_THAT(problems[0].message, HasSubstr("a user of its own"));
  fs::remove_all(folder_.state().directory());
  EXPECT_EQ(ProblemsAsText(CheckFront(configuration, Now())), "No problems.\n");
  fs::remove(key);
  EXPECT_THAT(
      std::string(FirstError(CheckFront(configuration, Now())).message()),
      HasSubstr(key));
}

TEST_F(ChecksTest, AFrontWithoutASocketIsAnError) {
  const absl::Status status = FirstError(CheckFront(folder_.Load(), Now()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("enrollment_front"));
}

TEST_F(ChecksTest, KeyOfAnotherCertificateIsReported) {
  const CertificateFiles files = folder_.state().ServerCertificate();
  ASSERT_TRUE(
      AtomicWrite(files.key, PrivateKey::GenerateP256().ToPem(), 0600).ok());
  const auto problems = CheckConfiguration(folder_.Load(), Now());
  ASSERT_EQ(problems.size(), 1u) << ProblemsAsText(problems);
  EXPECT_EQ(problems[0].where, files.key);
  EXPECT_THAT(problems[0].message, HasSubstr("match"));
}

TEST_F(ChecksTest, StateDirectoryThatOthersCanReadIsReported) {
  const std::string& directory = folder_.state().directory();
  fs::permissions(directory, fs::perms(0755));
  const absl::Status status =
      FirstError(CheckConfiguration(folder_.Load(), Now()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("chmod"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory));
}

TEST_F(ChecksTest, DatesOfCertificatesAreChecked) {
  const Configuration configuration = folder_.Load();
  const auto text = [&](absl::Duration later) {
    return ProblemsAsText(CheckConfiguration(configuration, Now() + later));
  };
  EXPECT_EQ(text(absl::ZeroDuration()), "No problems.\n");
  EXPECT_THAT(text(absl::Hours(24 * 800)), HasSubstr("warning: "));
  EXPECT_THAT(text(absl::Hours(24 * 826)), HasSubstr("expired at"));
  EXPECT_THAT(text(-absl::Hours(24)), HasSubstr("valid only from"));
}

TEST_F(ChecksTest, JsonNamesSeverityAndPlace) {
  Configuration configuration = folder_.Load();
  configuration.values.mutable_limits()->set_worker_threads(-1);
  const auto json = nlohmann::json::parse(
      ProblemsAsJson(CheckConfiguration(configuration, Now())));
  ASSERT_EQ(json["problems"].size(), 1u);
  EXPECT_EQ(json["problems"][0]["severity"], "error");
  EXPECT_THAT(json["problems"][0]["where"].get<std::string>(),
              HasSubstr("limits.worker_threads"));
}

TEST(ParseHostPort, TakesNamesAndAddresses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:8443")->port, 8443);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort("localhost:1")->host, "localhost");
  for (const char* bad : {"", ":", "host", "host:", ":1", "host:x", "host:-1",
                          "host:65536", "::1:80"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace mc::service
