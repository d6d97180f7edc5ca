// Where the agent stands: what it did, what failed, what it waits for.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_STATUS_BOARD_H_
#define MC_CLUSTER_AGENT_EXCHANGE_STATUS_BOARD_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

enum class Exchange {
  kInstallation,
  kRegistration,
  kLicense,
  kHealthCheck,
  kConsumption,
  kHeartbeat,
  kUpdates,
  kClusterEvents,
  kCertificate,
};
inline constexpr int kExchanges = 9;

// As in GetStatus, for instance "health_check".
std::string_view ExchangeName(Exchange exchange);

// Thread-safe. Each change of what the agent waits for is logged once.
class StatusBoard {
 public:
  explicit StatusBoard(const Clock* clock) : clock_(clock) {}

  void Attempted(Exchange exchange);
  void Succeeded(Exchange exchange);
  // A refusal becomes part of what the agent waits for, until it succeeds.
  void Failed(Exchange exchange, const absl::Status& status);
  // What was refused is not asked for any more.
  void Withdrawn(Exchange exchange);
  void Next(Exchange exchange, absl::Time at);

  // The service has answered, in whatever way.
  void Reached();
  // Nobody answers at `address`.
  void Unreachable(std::string_view address, const absl::Status& status);
  // Why, where more is known than what gRPC says; it holds until the service
  // answers or the cause is another one. Ignored for an address that is not
  // the unreachable one.
  void Explain(std::string_view address, std::string_view cause);
  void Registered();

  // What only a person can change about this cluster's identity; OK: nothing.
  // It comes before all else that the agent waits for.
  void SetIdentity(const absl::Status& trouble);
  // When the certificate is to be renewed.
  void SetRenewal(absl::Time at);

  void SetHealth(const missioncontrol::v1::HealthCheckResult& result);
  void SetConsumption(const missioncontrol::v1::ConsumptionResult& result);
  // Both 0: there is no backlog.
  void SetBacklog(int64_t confirmed, int64_t total);
  void SetUpdates(const std::vector<std::string>& available);

  // Fills in all that the board knows.
  void Fill(missioncontrol::v1::GetStatusResponse& status) const;

 private:
  struct Record {
    missioncontrol::v1::ExchangeStatus status;
    // What to do about the last refusal; empty: none.
    std::string refusal;
    std::string refusal_key;
  };
  missioncontrol::v1::ConnectionState State() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::string WaitingFor() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Record& At(Exchange exchange) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return records_[static_cast<size_t>(exchange)];
  }

  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  std::array<Record, kExchanges> records_ ABSL_GUARDED_BY(mutex_);
  bool registered_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status identity_ ABSL_GUARDED_BY(mutex_);
  // Since the last time that it could not be reached.
  bool reached_ ABSL_GUARDED_BY(mutex_) = false;
  // Where nobody answers, and how that shows; empty: it was not tried yet, or
  // it answers.
  std::string unreachable_ ABSL_GUARDED_BY(mutex_);
  std::string unreachable_detail_ ABSL_GUARDED_BY(mutex_);
  std::string cause_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::GetStatusResponse last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_STATUS_BOARD_H_
