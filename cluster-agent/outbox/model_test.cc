// Random usage, restarts, receipts and rejections against a simple model.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cluster-agent/outbox/fixture.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::UsageRecord;

// What was used: per frame and environment, and per host and second.
struct Model {
  std::map<std::pair<int64_t, std::string>, int64_t> sessions;
  std::map<std::pair<std::string, std::string>, int64_t> meters;
  std::set<std::pair<std::string, int64_t>> host_seconds;

  bool operator==(const Model&) const = default;
};

class Game {
 public:
  explicit Game(uint32_t seed) : random_(seed) {
    static constexpr int kLengths[] = {30, 60, 900, 3600};
    options_ = f_.Options();
    options_.frame_length = absl::Seconds(kLengths[Below(4)]);
    options_.max_report_bytes = 64 << 10;
    f_.Open(options_);
  }

  void Play(int steps) {
    for (int i = 0; i < steps; ++i) {
      switch (Below(8)) {
        case 0:
          f_.Open(options_);
          break;
        case 1:
          ASSERT_TRUE(f_.outbox().CloseFrames().ok());
          break;
        case 2:
          Answer();
          break;
        case 3:
          f_.clock.SetNow(f_.clock.Now() +
                          absl::Seconds(Below(2000) - Below(600)));
          break;
        default:
          Record();
      }
    }
    f_.clock.Advance(absl::Hours(6));
    f_.outbox().SetServiceTime(f_.clock.Now());
    ASSERT_TRUE(f_.outbox().CloseFrames().ok());
    ASSERT_EQ(f_.outbox().reader().Stats()->open_usage_records, 0);
    while (f_.outbox().reader().Stats()->waiting_reports > 0) Answer();
    ASSERT_EQ(f_.outbox().reader().Stats()->set_aside_reports, 0);
    EXPECT_TRUE(sent_ == used_);
  }

 private:
  int Below(int end) {
    return std::uniform_int_distribution<int>(0, end - 1)(random_);
  }

  void Record() {
    std::vector<UsageRecord> records;
    Model model = used_;
    for (int i = Below(20); i >= 0; --i) records.push_back(Draw(model));
    const bool spoiled = Below(10) == 0;
    if (spoiled) records.push_back(SessionsRecord("bad", "env", -1, kTen));
    EXPECT_EQ(f_.Record(records).ok(), !spoiled);
    if (spoiled) return;
    used_ = model;
    // The answer was lost; the product sends the same once more.
    if (Below(4) == 0) {
      EXPECT_EQ(f_.Record(records)->recorded, 0);
    }
  }

  UsageRecord Draw(Model& model) {
    const std::string key = "key-" + std::to_string(next_key_++);
    const std::string id = std::to_string(Below(3));
    // Some of it is late, some of it two minutes ahead.
    const absl::Time at =
        f_.clock.Now() + absl::Seconds(120) - absl::Seconds(Below(4000));
    const int count = Below(50);
    if (Below(3) == 0) {
      const absl::Time end = at + absl::Seconds(Below(150) + 1);
      for (int64_t s = absl::ToUnixSeconds(at); s < absl::ToUnixSeconds(end);
           ++s) {
        model.host_seconds.insert({id, s});
      }
      return HostRecord(key, id, at, end);
    }
    UsageRecord record = SessionsRecord(key, id, count, at);
    if (Below(2) == 0) {
      record.mutable_meter()->set_meter_id("meter-" + id);
      record.mutable_meter()->set_unit("unit-" + std::to_string(count % 2));
      record.mutable_meter()->set_quantity(count);
      model.meters[{"meter-" + id, record.meter().unit()}] += count;
      return record;
    }
    const int64_t frame =
        absl::ToUnixSeconds(FrameOf(at, options_.frame_length).start);
    if (count > 0) model.sessions[{frame, id}] += count;
    return record;
  }

  // The service answers some of what waits.
  void Answer() {
    for (const OutboxReport& report : f_.Waiting(LANE_BILLING)) {
      switch (Below(6)) {
        case 0:
          ASSERT_TRUE(f_.Reject(report.key,
                                missioncontrol::v1::ERROR_REASON_OVERLOADED,
                                /*resendable=*/true)
                          .ok());
          break;
        case 1:
          if (Below(8) > 0) break;
          ASSERT_TRUE(
              f_.Reject(report.key,
                        missioncontrol::v1::ERROR_REASON_REPORT_CONFLICT,
                        /*resendable=*/false)
                  .ok());
          break;
        case 2:
          break;
        default:
          Accept(report);
      }
    }
  }

  void Accept(const OutboxReport& report) {
    EXPECT_TRUE(
        accepted_.insert({report.key.epoch, report.key.sequence}).second);
    const Consumption consumption = EnvelopeOf(report).consumption();
    const int64_t frame = consumption.time_frame().start().seconds();
    for (const auto& environment : consumption.environments()) {
      if (environment.rum_sessions() > 0) {
        sent_.sessions[{frame, environment.environment_id()}] +=
            environment.rum_sessions();
      }
      for (const auto& meter : environment.meters()) {
        sent_.meters[{meter.meter_id(), meter.unit()}] += meter.quantity();
      }
      for (const auto& host : environment.hosts()) {
        for (const auto& interval : host.monitored()) {
          EXPECT_LE(interval.end().seconds(),
                    consumption.time_frame().end().seconds());
          for (int64_t s = interval.start().seconds();
               s < interval.end().seconds(); ++s) {
            sent_.host_seconds.insert({host.host_id(), s});
          }
        }
      }
    }
    ASSERT_TRUE(f_.Acknowledge(report.key).ok());
  }

  std::mt19937 random_;
  OutboxFixture f_;
  Outbox::Options options_;
  int next_key_ = 0;
  Model used_;
  Model sent_;
  std::set<std::pair<uint64_t, uint64_t>> accepted_;
};

TEST(Model, EverythingIsSentExactlyOnce) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Game(seed).Play(60);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace mc::agent
