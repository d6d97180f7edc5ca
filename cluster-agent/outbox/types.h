// What the outbox hands out.
#ifndef MC_CLUSTER_AGENT_OUTBOX_TYPES_H_
#define MC_CLUSTER_AGENT_OUTBOX_TYPES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

struct ReportKey {
  missioncontrol::v1::Lane lane = missioncontrol::v1::LANE_UNSPECIFIED;
  uint64_t epoch = 0;
  uint64_t sequence = 0;

  bool operator==(const ReportKey&) const = default;
};

// A report to be sent.
struct OutboxReport {
  ReportKey key;
  absl::Time created_at;
  // Answers that asked for another attempt.
  int64_t attempts = 0;
  // A serialized StreamReportsRequest: exactly these bytes are sent, each time,
  // for the service tells a repeat by them.
  std::string request;
};

enum class ReportState {
  kWaiting = 1,
  kRejected = 2,
  kDamaged = 3,
  // The service has it; it is kept in case the service is restored.
  kAcknowledged = 4,
};

// A report as it is listed.
struct ListedReport {
  ReportKey key;
  ReportState state = ReportState::kWaiting;
  absl::Time created_at;
  int64_t size_bytes = 0;
  int64_t attempts = 0;
  // For people.
  std::string waiting_for;
  // Of the last rejection: reason and message; empty where there was none.
  std::string rejection;
};

struct ListedReports {
  std::vector<ListedReport> reports;
  // Empty at the end.
  std::string next_page_token;
};

// One report, as it is shown.
struct FoundReport {
  ListedReport listed;
  // A serialized StreamReportsRequest; empty where it is damaged.
  std::string request;
};

// The receipt of a consumption report.
struct KeptReceipt {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  // Not set where it is damaged.
  std::optional<missioncontrol::v1::SignedDocument> document;
};

struct KeptReceipts {
  std::vector<KeptReceipt> receipts;
  // Empty at the end.
  std::string next_page_token;
};

struct OutboxStats {
  // Usage that no closed time frame holds yet.
  int64_t open_usage_records = 0;
  // To be sent, or sent and without a receipt.
  int64_t waiting_reports = 0;
  // Rejected for good, or damaged: an administrator's matter.
  int64_t set_aside_reports = 0;
  int64_t damaged_usage_records = 0;
  // Acknowledged ones that are kept.
  int64_t kept_reports = 0;
};

// What Welcome has changed.
struct WelcomeResult {
  // An epoch for Hello is another one now: the stream is to be opened anew.
  bool epochs_changed = false;
  // The service is ahead of this outbox, which was restored from a copy.
  bool outbox_restored = false;
  // The service was restored from a backup: so many reports wait again.
  int64_t sent_again = 0;
};

struct RecordUsageResult {
  int recorded = 0;
  // Known by their idempotency keys.
  int repeated = 0;
};

struct RecordEventsResult {
  int recorded = 0;
  // Known by their IDs.
  int repeated = 0;
  // Older ones that had to go for these.
  int64_t dropped = 0;
};

struct ListedEvents {
  // Newest first.
  std::vector<missioncontrol::v1::RecordedEvent> events;
  // Empty at the end.
  std::string next_page_token;
};

struct CloseResult {
  int frames = 0;
  int reports = 0;
};

// For tests that end the process at a step of a transaction.
using Failpoint = std::function<void(std::string_view step)>;

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_TYPES_H_
