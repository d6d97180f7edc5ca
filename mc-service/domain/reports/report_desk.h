// Takes reports in: checks them, makes them durable once, answers them.
#ifndef MC_SERVICE_DOMAIN_REPORTS_REPORT_DESK_H_
#define MC_SERVICE_DOMAIN_REPORTS_REPORT_DESK_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/domain/ledger/ledger.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc {
class Clock;
class DocumentSigner;
}  // namespace mc

namespace mc::service {

class Admission;

// A report as a cluster sent it.
struct Submission {
  // The caller's, as its certificate says.
  std::string cluster_id;
  // SHA-256 of the message's bytes as they were received.
  std::string digest;
  v1::ReportEnvelope report;
  // A hint: the service has probably answered it before.
  bool likely_repeat = false;
};

// A receipt that rejects the report with this key for the reason of `status`.
v1::ReportReceipt Reject(v1::Lane lane, uint64_t epoch, uint64_t sequence,
                         const absl::Status& status, bool resendable);

// The cluster that the report's payload is from; empty where it says none.
std::string_view PayloadClusterId(const v1::ReportEnvelope& report);

// Thread-safe. It outlives the store's works that it queued.
class ReportDesk {
 public:
  struct Options {
    Store* store = nullptr;
    const DocumentSigner* signer = nullptr;
    const Clock* clock = nullptr;
    // Health checks that are kept of one cluster: a week of them.
    int keep_health_checks = 2016;
    // What an agent is told to wait when the store's queue is full.
    absl::Duration overload_retry_delay = absl::Seconds(5);
    // A report that is older when it comes is part of a backlog, and asks for
    // admission. Null: all are admitted. It outlives the desk.
    absl::Duration backlog_age = absl::Minutes(5);
    Admission* backlog = nullptr;
    // Called for each report that conflicts with an earlier one, after the
    // alarm was logged; for a counter. May be null. On the store's thread.
    std::function<void(const ReportKey&)> on_conflict;
    // What is done about usage that several epochs reported.
    LedgerOptions ledger = {};
  };
  using Done = std::function<void(v1::ReportReceipt)>;

  explicit ReportDesk(Options options);

  // Answers Hello: where the service stands in each of its epochs, and when to
  // begin. It blocks.
  // INVALID_ARGUMENT (INVALID_FIELD): a lane twice or unknown, an epoch or ID
  // out of its bounds; else the store's error.
  absl::StatusOr<v1::Welcome> Greet(const v1::Hello& hello);

  // `done` is called once with the receipt: at once for what is rejected by
  // its content, else when the store has committed or refused, then on the
  // store's thread. It must be short. Does not block.
  //
  // The stream has made sure that the payload names no other cluster than the
  // caller and that the epoch is that of Hello. Usage is recorded whatever
  // the state of the license.
  void Accept(Submission submission, Done done);

 private:
  // Whether the report may come in now; where it may, `done` becomes one that
  // tells its sender to slow down if that is due.
  bool Admit(const v1::ReportEnvelope& report, const ReportKey& key,
             Done& done) const;
  void AcceptHealth(Submission submission, Done done);
  void AcceptConsumption(Submission submission, Done done);
  void AcceptEvents(Submission submission, Done done);
  // Queues the work that fills `receipt`, and gives it to `done`.
  void Write(const ReportKey& key, std::shared_ptr<v1::ReportReceipt> receipt,
             Store::WriteWork work, Done done);

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_REPORTS_REPORT_DESK_H_
