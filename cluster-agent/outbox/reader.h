// Reads the outbox's file, also while another process has it open.
#ifndef MC_CLUSTER_AGENT_OUTBOX_READER_H_
#define MC_CLUSTER_AGENT_OUTBOX_READER_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/events.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// Thread-safe. Every function reads the disk: not for a gRPC reaction.
class OutboxReader {
 public:
  // Read-only. NOT_FOUND where there is no file; DATA_LOSS where it is
  // damaged; the message names it and says what to do.
  static absl::StatusOr<std::unique_ptr<OutboxReader>> Open(
      const std::string& path);

  // Reports without a receipt, those that were set aside included, in the
  // order of sending; with those that have theirs and are kept where
  // `include_acknowledged`. `now` tells which wait for a time. INVALID_ARGUMENT
  // for a page token that no page gave.
  absl::StatusOr<ListedReports> List(int page_size, std::string_view page_token,
                                     absl::Time now,
                                     bool include_acknowledged = false) const;
  // One of them. NOT_FOUND where there is none (any more).
  absl::StatusOr<FoundReport> Find(const ReportKey& key, absl::Time now) const;
  absl::StatusOr<OutboxStats> Stats() const;
  absl::StatusOr<std::vector<std::string>> Environments() const;
  // The newest first, of 10000 at least. INVALID_ARGUMENT as for List.
  absl::StatusOr<ListedEvents> ListEvents(int page_size,
                                          std::string_view page_token) const;
  // The last recorded event of any of these types; NOT_FOUND where there is
  // none (any more).
  absl::StatusOr<missioncontrol::v1::ClusterEvent> LastEvent(
      std::initializer_list<missioncontrol::v1::ClusterEventType> types) const;
  // The signed receipt of an acknowledged consumption report. NOT_FOUND where
  // there is none (any more); DATA_LOSS where it is damaged.
  absl::StatusOr<missioncontrol::v1::SignedDocument> FindReceipt(
      uint64_t epoch, uint64_t sequence) const;
  // All of them, in the order of epoch and sequence. INVALID_ARGUMENT as List.
  absl::StatusOr<KeptReceipts> ListReceipts(int page_size,
                                            std::string_view page_token) const;

 private:
  friend class Outbox;
  struct NextReports {
    std::vector<OutboxReport> reports;
    std::vector<ReportKey> damaged;
  };

  explicit OutboxReader(std::unique_ptr<sqlite::Database> database)
      : database_(std::move(database)) {}

  absl::StatusOr<std::vector<missioncontrol::v1::LaneEpoch>> SendingEpochs()
      const;
  absl::StatusOr<NextReports> Next(const ReportKey& after, size_t max_reports,
                                   size_t max_bytes, absl::Duration age) const;

  mutable absl::Mutex mutex_;
  const std::unique_ptr<sqlite::Database> database_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_READER_H_
