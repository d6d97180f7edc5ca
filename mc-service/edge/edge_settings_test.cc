#include "mc-service/edge/edge_settings.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

config::ServiceConfig Defaults() {
  config::ServiceConfig values;
  ApplyDefaults("/nowhere", values);
  return values;
}

TEST(AcceptorLimits, AreTheConfiguredOnes) {
  config::ServiceConfig values = Defaults();
  const Acceptor::Limits limits =
      AcceptorLimits(values.limits(), Listener::kCluster, 1'000'000);
  EXPECT_EQ(limits.max_connections, 20'000);
  EXPECT_EQ(limits.max_connections_per_site, 2'000);
  EXPECT_EQ(limits.handshakes_per_second, 1'000);
  EXPECT_EQ(limits.max_handshakes, 64);
  EXPECT_EQ(limits.handshake_timeout, absl::Seconds(10));
  EXPECT_EQ(limits.traffic.slow_reader_timeout, absl::Seconds(60));
  EXPECT_EQ(limits.traffic.max_bytes_per_second, 32 << 20);
}

TEST(AcceptorLimits, ListenersShareTheDescriptors) {
  const config::ServiceConfig values = Defaults();
  size_t descriptors = 0;
  for (const Listener listener :
       {Listener::kEnrollment, Listener::kCluster, Listener::kOperator}) {
    const Acceptor::Limits limits =
        AcceptorLimits(values.limits(), listener, 8'000);
    descriptors += limits.max_connections;
  }
  EXPECT_EQ(descriptors, 8'000);
  EXPECT_EQ(
      AcceptorLimits(values.limits(), Listener::kEvery, 8'000).max_connections,
      8'000);
}

TEST(AcceptorLimits, SomeConnectionsAreAlwaysTaken) {
  const config::ServiceConfig values = Defaults();
  EXPECT_GT(
      AcceptorLimits(values.limits(), Listener::kOperator, -5).max_connections,
      0);
}

TEST(Proxies, AreTheListedOnes) {
  config::Listener listener;
  listener.add_proxy_protocol_from("192.0.2.0/24");
  listener.add_proxy_protocol_from("2001:db8::1");
  const std::vector<Network> networks = Proxies(listener);
  ASSERT_EQ(networks.size(), 2);
  EXPECT_TRUE(networks[0].Contains(*IpAddress::Parse("192.0.2.9")));
  EXPECT_TRUE(networks[1].Contains(*IpAddress::Parse("2001:db8::1")));
}

}  // namespace
}  // namespace mc::service
