#include "common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>

#include "common/metrics/metrics_server.h"

namespace mc {
namespace {

using ::testing::HasSubstr;

TEST(RpcMetrics, CountsByMethodAndCode) {
  Metrics metrics;
  RpcMetrics rpc(&metrics);
  rpc.Observe("/a/B", absl::StatusCode::kOk, absl::Milliseconds(3));
  rpc.Observe("/a/B", absl::StatusCode::kOk, absl::Milliseconds(3));
  rpc.Observe("/a/B", absl::StatusCode::kNotFound, absl::Milliseconds(3));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("mission_control_rpc_calls_total{code=\"OK\","
                              "method=\"/a/B\"} 2"));
  EXPECT_THAT(text,
              HasSubstr("mission_control_rpc_calls_total{code=\"NOT_FOUND\","
                        "method=\"/a/B\"} 1"));
  EXPECT_THAT(text, HasSubstr("mission_control_rpc_seconds_bucket{method="
                              "\"/a/B\",le=\"0.0025\"} 0"));
  EXPECT_THAT(text, HasSubstr("mission_control_rpc_seconds_bucket{method="
                              "\"/a/B\",le=\"0.005\"} 3"));
}

TEST(Metrics, AGaugeIsReadWhenItIsAskedFor) {
  Metrics metrics;
  double value = 1;
  metrics.AddGauge("depth", "How deep.", [&value] { return value; });
  EXPECT_THAT(metrics.Text(), HasSubstr("mission_control_depth 1"));
  value = 7;
  EXPECT_THAT(metrics.Text(), HasSubstr("mission_control_depth 7"));
}

TEST(MetricsServer, ServesMetricsAndProbes) {
  Metrics metrics;
  metrics.AddCounter("things_total", "Things.").Increment();
  std::atomic<bool> ready = false;
  auto server =
      MetricsServer::Start("127.0.0.1", 0, &metrics, [&] { return !!ready; });
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  EXPECT_THAT(client.Get("/metrics")->body,
              HasSubstr("mission_control_things_total 1"));
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(
      client.Post("/metrics", std::string(2000, 'x'), "text/plain")->status,
      413);
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/other")->status, 404);
}

TEST(MetricsServer, AnIdleScraperHoldsNoThread) {
  Metrics metrics;
  auto server =
      MetricsServer::Start("127.0.0.1", 0, &metrics, [] { return true; });
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client scraper("127.0.0.1", (*server)->port());
  scraper.set_keep_alive(true);
  EXPECT_EQ(scraper.Get("/metrics")->get_header_value("Connection"), "close");
}

TEST(MetricsServer, ATakenPortIsSaid) {
  Metrics metrics;
  const auto yes = [] { return true; };
  auto first = MetricsServer::Start("127.0.0.1", 0, &metrics, yes);
  ASSERT_TRUE(first.ok());
  auto second =
      MetricsServer::Start("127.0.0.1", (*first)->port(), &metrics, yes);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(MetricsServer::Start("192.0.2.1", 0, &metrics, yes).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace mc
