// The outbox: what the agent must never lose, in one SQLite file. Recorded
// usage, closed time frames, and reports until the service has confirmed them.
#ifndef MC_CLUSTER_AGENT_OUTBOX_OUTBOX_H_
#define MC_CLUSTER_AGENT_OUTBOX_OUTBOX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/usage/billing_time.h"
#include "cluster-agent/domain/usage/split.h"
#include "cluster-agent/outbox/file.h"
#include "cluster-agent/outbox/reader.h"
#include "cluster-agent/outbox/space_reserve.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/group_commit.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/health.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// Thread-safe. One writer thread commits what waits in one transaction. OK
// means: it is on the disk.
//
// Functions with `done` return at once, and may be called from a gRPC reaction;
// `done` runs on the writer thread (or on the caller's, where the request is
// refused at once) and must be short and must not call the outbox's blocking
// functions. All others wait for the disk: they belong on the executor.
//
// Errors: UNAVAILABLE (the disk fails, the queue is full or stopping) and
// RESOURCE_EXHAUSTED (the disk is full) mean that nothing was kept and that it
// may be tried again; DATA_LOSS means that the file is damaged.
class Outbox {
 public:
  struct Options {
    // usage.db; it and what SQLite puts beside it are owner-only (0600).
    std::string path;
    std::string cluster_id;
    // Outlives the outbox.
    const Clock* clock = nullptr;
    // See CheckFrameLength.
    absl::Duration frame_length = absl::Hours(1);
    size_t max_report_bytes = kDefaultMaxReportBytes;
    // The three that follow count the time for which the agent runs, which no
    // clock that is set can hurry.
    //
    // How long acknowledged consumption is kept, see ApplyWelcome.
    absl::Duration keep_acknowledged = absl::Hours(72);
    // How long a repeated usage record is recognized.
    absl::Duration key_retention = absl::Hours(40 * 24);
    // How long signed receipts are kept: an invoice for a year may be checked
    // for another year after it.
    absl::Duration receipt_retention = absl::Hours(800 * 24);
    // Space for what must be possible on a full disk; see SpaceReserve.
    int64_t reserved_bytes = 0;
    // Whether events may leave the site, and how many are kept to be sent.
    bool send_events = true;
    int64_t max_events = 10000;
    // With less space on the disk no event is kept: usage comes first.
    int64_t event_floor_bytes = 512 << 10;
    // Told, for people, what was found damaged and set aside.
    std::function<void(const std::string&)> on_damage;
    // Told how many sequences new reports declare as dropped.
    std::function<void(int64_t sequences)> on_events_dropped;
    // Told when the disk becomes full, and when something is kept again; on
    // the writer thread.
    std::function<void(bool full)> on_disk_full;
    // Only for tests.
    Failpoint failpoint;
  };

  using Done = std::function<void(absl::Status)>;
  using RecordDone = std::function<void(absl::StatusOr<RecordUsageResult>)>;
  using EventsDone = std::function<void(absl::StatusOr<RecordEventsResult>)>;

  // FAILED_PRECONDITION: another process has it open, the file is of a newer
  // version, or may not be written. DATA_LOSS: it is damaged. INVALID_ARGUMENT:
  // an option is not valid.
  static absl::StatusOr<std::unique_ptr<Outbox>> Open(Options options);
  // Finishes what waits.
  ~Outbox();

  // At most 1000 records, all or nothing. A record whose idempotency key is
  // known counts as repeated and is not stored. INVALID_ARGUMENT
  // (INVALID_FIELD, TIME_FRAME_INVALID) where CheckUsageRecord refuses one.
  void RecordUsage(std::vector<missioncontrol::v1::UsageRecord> records,
                   RecordDone done);

  // Checked ones, with ID and time, all or nothing; one whose ID is known is
  // not recorded again. Beyond max_events the oldest without a receipt go, and
  // the next report of the lane EVENTS declares the gap.
  void RecordEvents(std::vector<missioncontrol::v1::ClusterEvent> events,
                    EventsDone done);

  // Replaces what was described before.
  void SetEnvironments(std::vector<std::string> environment_ids, Done done);

  // Bytes for the next health check; see PutHealth. INVALID_ARGUMENT below 0.
  void AddTraffic(int64_t bytes, Done done);

  // Closes the time frames that have ended, in one transaction: their usage
  // becomes reports of the lane BILLING and leaves the open usage.
  //  - The first report of a frame names every known environment. Such a report
  //    is made for each frame in which the agent ran, also when nothing was
  //    used; not for those that passed while it was down.
  //  - Usage of a frame that is closed already (recorded late, or after the
  //    clock was set back) comes in a further report of that frame.
  //  - Which frames have ended is BillingTime's to say: a clock that jumps
  //  ahead
  //    closes none. What was stamped in the future by a clock that turned out
  //    to be wrong is counted for the time that it was.
  // To be called shortly after each frame's end; more often costs nothing.
  absl::StatusOr<CloseResult> CloseFrames() ABSL_LOCKS_EXCLUDED(close_mutex_);

  // Takes the place of the health check that waits, under a higher sequence.
  //
  // Durable like the rest, although the next one comes in minutes: its number
  // must never be used twice, the traffic that it carries must not be lost, and
  // one commit in five minutes costs nothing.
  //
  // Fills in traffic_size: all bytes of AddTraffic since the last health check
  // that was acknowledged; traffic_rows.h has the rule.
  void PutHealth(missioncontrol::v1::HealthCheck check, Done done);

  // For Hello: in which epoch each lane is to be sent.
  absl::StatusOr<std::vector<missioncontrol::v1::LaneEpoch>> Epochs() const;

  // For Welcome, all in one transaction.
  //
  // A mark of ours that is higher than what was ever numbered here: the disk
  // was restored from a copy, and other numbers are taken. New reports are then
  // numbered in a new epoch. Waiting ones keep their numbers and bytes at
  // first: what the service has already, it confirms once more and does not
  // count; what conflicts there, Reject files in the new epoch. So nothing is
  // billed twice.
  //
  // Another service epoch than the last time: the service was restored from a
  // backup. Consumption that it may have lost waits again, as it was sent.
  absl::StatusOr<WelcomeResult> ApplyWelcome(
      uint64_t service_epoch,
      std::span<const missioncontrol::v1::LaneMark> marks);

  // Waiting reports of the lane and epoch of `after` with a higher sequence
  // (sequence 0: from the first), in order, without those whose next attempt is
  // still to come; at most `max_reports`, and `max_bytes` unless the first
  // alone is larger. Another epoch than the one that Hello declared belongs in
  // another stream. A damaged report is set aside, told to on_damage, and the
  // others go on.
  absl::StatusOr<std::vector<OutboxReport>> Next(const ReportKey& after,
                                                 size_t max_reports,
                                                 size_t max_bytes);

  // The service has it: it is not sent any more. Consumption is kept for
  // keep_acknowledged, its signed receipt for longer; others go. The caller has
  // checked the signature. A receipt for a report that is not here (any more)
  // is OK and changes nothing.
  void Acknowledge(const ReportKey& key,
                   std::optional<missioncontrol::v1::SignedDocument> receipt,
                   Done done);

  // resendable: stays, to be sent again from `not_before` on, as far away as
  // the wall clock says now. Otherwise it is set aside, listed, and not sent
  // again; consumption is never deleted. Except with REPORT_CONFLICT, which
  // says that the number is taken: then the report moves to another epoch (a
  // health check goes; the next one is due soon).
  void Reject(const ReportKey& key, missioncontrol::v1::Rejection rejection,
              absl::Time not_before, Done done);

  // The service's clock shows `time` now; see BillingTime.
  void SetServiceTime(absl::Time time) { billing_time_.Anchor(time); }
  // What time it is for what is used now.
  absl::Time BillingNow() const { return billing_time_.Read().now; }

  // Everything that is only read.
  const OutboxReader& reader() const { return *reader_; }

 private:
  // What a work is for: on a full disk telemetry is shed first, then no usage
  // is taken in, and the rest uses the reserve.
  enum class Intake { kTelemetry, kUsage };

  explicit Outbox(Options options);

  absl::Status Start();
  // Runs `work` in a savepoint of the writer, once more where the disk is full
  // and the reserve helps.
  void Submit(sqlite::GroupCommitter::Work work, Done done);
  absl::Status RunWork(const sqlite::GroupCommitter::Work& work);
  // OK, or RESOURCE_EXHAUSTED without a look at the file.
  absl::Status CheckRoom(Intake intake);
  // As Submit, where there is room.
  void SubmitIntake(Intake intake, sqlite::GroupCommitter::Work work,
                    Done done);
  absl::Status Prune();
  // For how long the agent has run with this outbox.
  absl::Duration Age() const;
  // Makes reports of the events that wait. Where that fails they wait on.
  void PackWaitingEvents();
  bool HasRoomForEvents() const;
  void ObserveDisk(const absl::Status& status);

  const Options options_;
  BillingTime billing_time_;
  SpaceReserve reserve_;
  // The age at the start, less the time since boot.
  absl::Duration age_base_;
  // Destroyed last.
  std::unique_ptr<OutboxLock> lock_;
  std::unique_ptr<OutboxReader> reader_;
  // The highest sequence of HEALTH that Next has handed out.
  std::atomic<uint64_t> handed_out_health_ = 0;
  std::atomic<bool> events_wait_ = false;
  std::atomic<bool> disk_full_ = false;
  absl::Mutex close_mutex_;
  absl::Time running_since_ ABSL_GUARDED_BY(close_mutex_);
  std::unique_ptr<sqlite::GroupCommitter> writer_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_OUTBOX_H_
