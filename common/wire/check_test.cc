#include "common/wire/check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "common/status/status.h"
#include "missioncontrol/v1/events.pb.h"
#include "missioncontrol/v1/health.pb.h"
#include "missioncontrol/v1/registration.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

constexpr int64_t kHour = 1'800'000'000;

void SetFrame(v1::TimeFrame* frame, int64_t start, int64_t end) {
  frame->mutable_start()->set_seconds(start);
  frame->mutable_end()->set_seconds(end);
}

v1::Consumption GoodConsumption(int environments, int hosts) {
  v1::Consumption consumption;
  consumption.set_cluster_id("0f8fad5b-d9cb-469f-a165-70867728950e");
  SetFrame(consumption.mutable_time_frame(), kHour, kHour + 3600);
  for (int e = 0; e < environments; ++e) {
    auto* environment = consumption.add_environments();
    environment->set_environment_id("env-" + std::to_string(e));
    environment->set_rum_sessions(kMaxQuantity);
    for (int h = 0; h < hosts; ++h) {
      auto* host = environment->add_hosts();
      host->set_host_id("HOST-0123456789ABCDEF-" + std::to_string(h));
      host->set_memory_bytes(int64_t{64} << 30);
      host->add_technologies("JAVA");
      host->add_technologies("NGINX");
      SetFrame(host->add_monitored(), kHour, kHour + 1800);
      SetFrame(host->add_monitored(), kHour + 2000, kHour + 3600);
    }
  }
  return consumption;
}

std::string FieldOf(const absl::Status& status) {
  const auto info = ErrorInfoOf(status);
  return info ? info->metadata().at("field") : "";
}

void ExpectInvalid(const google::protobuf::Message& message,
                   const std::string& field,
                   v1::ErrorReason reason = v1::ERROR_REASON_INVALID_FIELD) {
  const absl::Status status = CheckMessage(message);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), reason);
  EXPECT_EQ(FieldOf(status), field);
}

TEST(CheckMessage, GoodAndEmptyMessagesPass) {
  EXPECT_TRUE(CheckMessage(GoodConsumption(2, 3)).ok());
  EXPECT_TRUE(CheckMessage(v1::Consumption()).ok());
  EXPECT_TRUE(CheckMessage(v1::StreamReportsRequest()).ok());
}

TEST(CheckMessage, PathLeadsToTheField) {
  v1::Consumption consumption = GoodConsumption(4, 1);
  consumption.mutable_environments(3)->mutable_hosts(0)->set_host_id("a b");
  ExpectInvalid(consumption, "environments[3].hosts[0].host_id");
  v1::StreamReportsRequest request;
  *request.mutable_report()->mutable_consumption() = GoodConsumption(1, 1);
  request.mutable_report()
      ->mutable_consumption()
      ->mutable_environments(0)
      ->mutable_hosts(0)
      ->set_technologies(1, "-");
  ExpectInvalid(request,
                "report.consumption.environments[0].hosts[0].technologies[1]");
}

TEST(CheckMessage, ErrorsDoNotRepeatTheValue) {
  v1::RegisterRequest request;
  request.set_license_key("secret key");
  const absl::Status status = CheckMessage(request);
  EXPECT_EQ(FieldOf(status), "license_key");
  EXPECT_EQ(status.message().find("secret"), absl::string_view::npos);
}

TEST(CheckMessage, CountsAreZeroToTheBound) {
  for (const int64_t bad :
       {int64_t{-1}, kMaxQuantity + 1, std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max()}) {
    v1::Consumption consumption = GoodConsumption(1, 1);
    consumption.mutable_environments(0)->set_new_problems(bad);
    ExpectInvalid(consumption, "environments[0].new_problems");
  }
  v1::HealthCheck health;
  health.mutable_update_window()->set_start_minute(-1);
  ExpectInvalid(health, "update_window.start_minute");
  health.Clear();
  health.add_nodes()->set_memory_limit_bytes(-1);  // optional
  ExpectInvalid(health, "nodes[0].memory_limit_bytes");
}

TEST(CheckMessage, DoublesAreFiniteAndNotNegative) {
  for (const double bad :
       {std::nan(""), -0.1, 1e16, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    v1::HealthCheck health;
    health.add_nodes()->set_cpu_load(bad);
    ExpectInvalid(health, "nodes[0].cpu_load");
  }
  v1::HealthCheck health;
  health.add_nodes()->set_cpu_load(0.75);
  EXPECT_TRUE(CheckMessage(health).ok());
}

TEST(CheckMessage, SignedOffsetsAndUnsignedSequencesAreFree) {
  v1::ClockEventDetails clock;
  clock.set_offset_milliseconds(-5000);
  EXPECT_TRUE(CheckMessage(clock).ok());
  v1::ReportEnvelope report;
  report.set_epoch(std::numeric_limits<uint64_t>::max());
  report.set_sequence(std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(CheckMessage(report).ok());
}

TEST(CheckMessage, TimesAreWithinTheCenturies) {
  v1::HealthCheck health;
  auto* time = health.mutable_observed_at();
  const auto check = [&](int64_t seconds, int32_t nanos) {
    time->set_seconds(seconds);
    time->set_nanos(nanos);
    return FieldOf(CheckMessage(health));
  };
  EXPECT_EQ(check(946'684'800, 0), "");
  EXPECT_EQ(check(7'258'118'400, 0), "");
  EXPECT_EQ(check(kHour, 999'999'999), "");
  EXPECT_EQ(check(946'684'799, 999'999'999), "observed_at");
  EXPECT_EQ(check(7'258'118'400, 1), "observed_at");
  EXPECT_EQ(check(kHour, -1), "observed_at");
  EXPECT_EQ(check(kHour, 1'000'000'000), "observed_at");
  EXPECT_EQ(check(0, 0), "observed_at");
}

TEST(CheckMessage, DurationsAreZeroToTenYears) {
  v1::HealthCheck health;
  auto* duration = health.mutable_update_window()->mutable_duration();
  const auto check = [&](int64_t seconds, int32_t nanos) {
    duration->set_seconds(seconds);
    duration->set_nanos(nanos);
    return FieldOf(CheckMessage(health));
  };
  EXPECT_EQ(check(0, 0), "");
  EXPECT_EQ(check(3650LL * 86400, 0), "");
  EXPECT_EQ(check(3650LL * 86400, 1), "update_window.duration");
  EXPECT_EQ(check(-1, 0), "update_window.duration");
  EXPECT_EQ(check(0, -1), "update_window.duration");
}

TEST(CheckMessage, TimeFrameStartsBeforeItEnds) {
  v1::Consumption consumption = GoodConsumption(1, 1);
  SetFrame(consumption.mutable_time_frame(), kHour, kHour);
  ExpectInvalid(consumption, "time_frame", v1::ERROR_REASON_TIME_FRAME_INVALID);
  SetFrame(consumption.mutable_time_frame(), kHour + 1, kHour);
  ExpectInvalid(consumption, "time_frame", v1::ERROR_REASON_TIME_FRAME_INVALID);
  consumption.mutable_time_frame()->clear_start();
  ExpectInvalid(consumption, "time_frame", v1::ERROR_REASON_TIME_FRAME_INVALID);
  consumption = GoodConsumption(1, 1);
  consumption.mutable_environments(0)
      ->mutable_hosts(0)
      ->mutable_monitored(1)
      ->mutable_end()
      ->set_seconds(kHour);
  ExpectInvalid(consumption, "environments[0].hosts[0].monitored[1]",
                v1::ERROR_REASON_TIME_FRAME_INVALID);
  // One nanosecond is a time frame.
  SetFrame(consumption.mutable_time_frame(), kHour, kHour);
  consumption.mutable_time_frame()->mutable_end()->set_nanos(1);
  EXPECT_EQ(FieldOf(CheckMessage(consumption)),
            "environments[0].hosts[0].monitored[1]");
}

TEST(CheckMessage, TimeFrameWithImpossibleTimesIsAnInvalidField) {
  v1::Consumption consumption = GoodConsumption(1, 1);
  SetFrame(consumption.mutable_time_frame(), 0, kHour);
  ExpectInvalid(consumption, "time_frame.start");
}

TEST(CheckMessage, RepeatedFieldsAreBounded) {
  v1::Consumption consumption = GoodConsumption(1, 0);
  auto* environment = consumption.mutable_environments(0);
  for (int i = 0; i < kMaxEntries; ++i) environment->add_meters();
  EXPECT_TRUE(CheckMessage(consumption).ok());
  environment->add_meters();
  ExpectInvalid(consumption, "environments[0].meters");
}

TEST(CheckMessage, TextWithoutAFormatHasNoNul) {
  v1::Rejection rejection;
  rejection.set_message("two\nlines");
  EXPECT_TRUE(CheckMessage(rejection).ok());
  rejection.set_message(std::string("a\0b", 3));
  ExpectInvalid(rejection, "message");
  rejection.clear_message();
  (*rejection.mutable_metadata())["k"] = std::string("\0", 1);
  ExpectInvalid(rejection, "metadata[0].value");
}

TEST(CheckMessage, ThreadsShareThePlans) {
  const v1::Consumption consumption = GoodConsumption(2, 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        EXPECT_TRUE(CheckMessage(consumption).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mc
