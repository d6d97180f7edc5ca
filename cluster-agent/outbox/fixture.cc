#include "cluster-agent/outbox/fixture.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Lane;
using missioncontrol::v1::UsageRecord;

// Waits for the outcome of a function with a callback.
template <typename Result>
Result WaitFor(const std::function<void(std::function<void(Result)>)>& start) {
  absl::Notification finished;
  std::optional<Result> result;
  start([&](Result r) {
    result = std::move(r);
    finished.Notify();
  });
  finished.WaitForNotification();
  return *std::move(result);
}

}  // namespace

UsageRecord SessionsRecord(const std::string& key,
                           const std::string& environment, int64_t count,
                           absl::Time at) {
  UsageRecord record;
  record.set_idempotency_key(key);
  record.set_environment_id(environment);
  *record.mutable_used_at() = mc::ToProto(at);
  record.set_rum_sessions(count);
  return record;
}

UsageRecord HostRecord(const std::string& key, const std::string& host,
                       absl::Time start, absl::Time end) {
  UsageRecord record;
  record.set_idempotency_key(key);
  record.set_environment_id("env");
  record.mutable_host()->set_host_id(host);
  record.mutable_host()->set_host_category(
      missioncontrol::v1::HOST_CATEGORY_FULL_STACK);
  record.mutable_host()->set_memory_bytes(int64_t{8} << 30);
  *record.mutable_host()->mutable_monitored() = ToProto(TimeFrame{start, end});
  return record;
}

OutboxFixture::OutboxFixture(absl::Time now) : clock(now) {}

Outbox::Options OutboxFixture::Options() const {
  Outbox::Options options;
  options.path = path();
  options.cluster_id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  options.clock = &clock;
  return options;
}

Outbox& OutboxFixture::Open(Outbox::Options options) {
  Close();
  options.on_damage = [this](const std::string& what) {
    damage.push_back(what);
  };
  absl::StatusOr<std::unique_ptr<Outbox>> opened =
      Outbox::Open(std::move(options));
  EXPECT_TRUE(opened.ok()) << opened.status();
  outbox_ = std::move(opened).value();
  return *outbox_;
}

absl::StatusOr<RecordUsageResult> OutboxFixture::Record(
    std::vector<UsageRecord> records) {
  return WaitFor<absl::StatusOr<RecordUsageResult>>([&](auto done) {
    outbox_->RecordUsage(std::move(records), std::move(done));
  });
}

absl::StatusOr<RecordEventsResult> OutboxFixture::RecordEvents(
    std::vector<missioncontrol::v1::ClusterEvent> events) {
  return WaitFor<absl::StatusOr<RecordEventsResult>>([&](auto done) {
    outbox_->RecordEvents(std::move(events), std::move(done));
  });
}

absl::Status OutboxFixture::SetEnvironments(std::vector<std::string> ids) {
  return WaitFor<absl::Status>([&](auto done) {
    outbox_->SetEnvironments(std::move(ids), std::move(done));
  });
}

absl::Status OutboxFixture::AddTraffic(int64_t bytes) {
  return WaitFor<absl::Status>(
      [&](auto done) { outbox_->AddTraffic(bytes, std::move(done)); });
}

absl::Status OutboxFixture::PutHealth() {
  return WaitFor<absl::Status>([&](auto done) {
    missioncontrol::v1::HealthCheck check;
    check.set_cluster_id("cluster");
    outbox_->PutHealth(std::move(check), std::move(done));
  });
}

absl::Status OutboxFixture::Acknowledge(
    const ReportKey& key,
    std::optional<missioncontrol::v1::SignedDocument> receipt) {
  return WaitFor<absl::Status>([&](auto done) {
    outbox_->Acknowledge(key, std::move(receipt), std::move(done));
  });
}

absl::Status OutboxFixture::Reject(const ReportKey& key,
                                   missioncontrol::v1::ErrorReason reason,
                                   bool resendable, absl::Time not_before) {
  missioncontrol::v1::Rejection rejection;
  rejection.set_reason(reason);
  rejection.set_message("for a test");
  rejection.set_resendable(resendable);
  return WaitFor<absl::Status>([&](auto done) {
    outbox_->Reject(key, std::move(rejection), not_before, std::move(done));
  });
}

uint64_t OutboxFixture::Epoch(Lane lane) {
  const auto epochs = outbox_->Epochs();
  EXPECT_TRUE(epochs.ok()) << epochs.status();
  for (const auto& epoch : *epochs) {
    if (epoch.lane() == lane) return epoch.epoch();
  }
  ADD_FAILURE() << "no epoch for lane " << lane;
  return 0;
}

std::vector<OutboxReport> OutboxFixture::Waiting(Lane lane) {
  auto reports =
      outbox_->Next({lane, Epoch(lane), 0}, std::numeric_limits<size_t>::max(),
                    std::numeric_limits<size_t>::max());
  EXPECT_TRUE(reports.ok()) << reports.status();
  return *std::move(reports);
}

std::vector<missioncontrol::v1::Consumption> OutboxFixture::Consumptions() {
  std::vector<missioncontrol::v1::Consumption> consumptions;
  for (const auto& report : Waiting(missioncontrol::v1::LANE_BILLING)) {
    consumptions.push_back(EnvelopeOf(report).consumption());
  }
  return consumptions;
}

missioncontrol::v1::ReportEnvelope EnvelopeOf(const OutboxReport& report) {
  missioncontrol::v1::StreamReportsRequest request;
  EXPECT_TRUE(request.ParseFromString(report.request));
  EXPECT_EQ(request.report().lane(), report.key.lane);
  EXPECT_EQ(request.report().epoch(), report.key.epoch);
  EXPECT_EQ(request.report().sequence(), report.key.sequence);
  return request.report();
}

}  // namespace mc::agent
