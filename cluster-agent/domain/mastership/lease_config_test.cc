#include "cluster-agent/domain/mastership/lease_config.h"

#include <functional>

#include "absl/strings/str_join.h"
#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;
using ::testing::HasSubstr;

std::string Problems(
    const std::function<void(config::KubernetesLease&)>& change) {
  config::KubernetesLease lease;
  lease.set_name("cluster-agent");
  change(lease);
  ApplyLeaseDefaults(lease);
  std::vector<std::string> problems;
  CheckLease(lease, problems);
  return absl::StrJoin(problems, "\n");
}

TEST(LeaseConfig, DefaultsAreThoseOfKubernetes) {
  config::KubernetesLease lease;
  ApplyLeaseDefaults(lease);
  EXPECT_EQ(lease.lease_duration().seconds(), 15);
  EXPECT_EQ(lease.renew_deadline().seconds(), 10);
  EXPECT_EQ(lease.retry_period().seconds(), 2);
  EXPECT_EQ(Problems([](auto&) {}), "");
}

TEST(LeaseConfig, NamesAreThoseOfObjects) {
  EXPECT_THAT(Problems([](auto& lease) { lease.clear_name(); }),
              HasSubstr("name is missing"));
  for (const char* name : {"a/b", "A", "-a", "a-", "a..b", "a b", "../x"}) {
    EXPECT_THAT(Problems([&](auto& lease) { lease.set_name(name); }),
                HasSubstr("kubernetes_lease.name"))
        << name;
    EXPECT_THAT(Problems([&](auto& lease) { lease.set_namespace_(name); }),
                HasSubstr("kubernetes_lease.namespace"))
        << name;
  }
  EXPECT_EQ(Problems([](auto& lease) { lease.set_name("site-1.agent"); }), "");
}

TEST(LeaseConfig, AHolderMustStopBeforeAnotherMayBegin) {
  const auto set = [](absl::Duration duration, absl::Duration deadline,
                      absl::Duration retry) {
    return Problems([&](auto& lease) {
      *lease.mutable_lease_duration() = mc::ToProto(duration);
      *lease.mutable_renew_deadline() = mc::ToProto(deadline);
      *lease.mutable_retry_period() = mc::ToProto(retry);
    });
  };
  EXPECT_EQ(set(absl::Seconds(3), absl::Seconds(2), absl::Seconds(0.5)), "");
  EXPECT_THAT(set(absl::Seconds(10), absl::Seconds(10), absl::Seconds(2)),
              HasSubstr("renew_deadline is not shorter"));
  EXPECT_THAT(set(absl::Seconds(15), absl::Seconds(10), absl::Seconds(9)),
              HasSubstr("no time for a second try"));
  EXPECT_THAT(set(absl::Seconds(1.5), absl::Seconds(1), absl::Seconds(0.2)),
              HasSubstr("whole seconds"));
  EXPECT_THAT(set(absl::Hours(2), absl::Hours(1), absl::Minutes(1)),
              HasSubstr("from 1s to 1h"));
  EXPECT_THAT(set(absl::Seconds(15), absl::Seconds(10), absl::Seconds(-2)),
              HasSubstr("shorter than 100ms"));
}

TEST(LeaseConfig, TheApiServerIsReachedByHttpsAlone) {
  const auto good = [](const char* url, const char* host, int port) {
    const auto server = ParseApiServer(url);
    ASSERT_TRUE(server.ok()) << url << server.status();
    EXPECT_EQ(server->host, host) << url;
    EXPECT_EQ(server->port, port) << url;
  };
  good("https://kubernetes.default.svc", "kubernetes.default.svc", 443);
  good("https://10.0.0.1:6443/", "10.0.0.1", 6443);
  good("https://[fd00::1]:6443", "fd00::1", 6443);
  good("https://[fd00::1]", "fd00::1", 443);
  for (const char* url :
       {"http://a:1", "a:1", "https://", "https://:1", "https://a:0",
        "https://a:x", "https://a/b", "https://u@a", "https://[fd00::1"}) {
    EXPECT_FALSE(ParseApiServer(url).ok()) << url;
    EXPECT_THAT(Problems([&](auto& lease) { lease.set_api_server(url); }),
                HasSubstr("api_server"));
  }
}

}  // namespace
}  // namespace mc::agent
