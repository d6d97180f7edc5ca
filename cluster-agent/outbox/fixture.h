// What the tests of the outbox share.
#ifndef MC_CLUSTER_AGENT_OUTBOX_FIXTURE_H_
#define MC_CLUSTER_AGENT_OUTBOX_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/outbox/outbox.h"
#include "common/files/temp_dir.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::agent {

// 2026-05-04T10:00:00Z
inline const absl::Time kTen = absl::FromUnixSeconds(1777888800);

missioncontrol::v1::UsageRecord SessionsRecord(const std::string& key,
                                               const std::string& environment,
                                               int64_t count, absl::Time at);
missioncontrol::v1::UsageRecord HostRecord(const std::string& key,
                                           const std::string& host,
                                           absl::Time start, absl::Time end);

// An outbox in a folder of its own, which can be closed and opened again.
class OutboxFixture {
 public:
  explicit OutboxFixture(absl::Time now = kTen + absl::Minutes(30));

  std::string path() const { return folder_.File("usage.db"); }
  Outbox::Options Options() const;
  // Fails the test where it cannot be opened.
  Outbox& Open(Outbox::Options options);
  Outbox& Open() { return Open(Options()); }
  void Close() { outbox_ = nullptr; }
  Outbox& outbox() { return *outbox_; }

  // Time passes; nobody sets the clock.
  void PassUntil(absl::Time time) { clock.Advance(time - clock.Now()); }

  absl::StatusOr<RecordUsageResult> Record(
      std::vector<missioncontrol::v1::UsageRecord> records);
  absl::StatusOr<RecordEventsResult> RecordEvents(
      std::vector<missioncontrol::v1::ClusterEvent> events);
  absl::Status SetEnvironments(std::vector<std::string> ids);
  absl::Status AddTraffic(int64_t bytes);
  absl::Status PutHealth();
  absl::Status Acknowledge(
      const ReportKey& key,
      std::optional<missioncontrol::v1::SignedDocument> receipt = {});
  absl::Status Reject(const ReportKey& key,
                      missioncontrol::v1::ErrorReason reason, bool resendable,
                      absl::Time not_before = absl::UnixEpoch());

  uint64_t Epoch(missioncontrol::v1::Lane lane);
  // All that is to be sent on a lane now.
  std::vector<OutboxReport> Waiting(missioncontrol::v1::Lane lane);
  std::vector<missioncontrol::v1::Consumption> Consumptions();

  SimulatedClock clock;
  std::vector<std::string> damage;

 private:
  TempDir folder_;
  std::unique_ptr<Outbox> outbox_;
};

missioncontrol::v1::ReportEnvelope EnvelopeOf(const OutboxReport& report);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_FIXTURE_H_
