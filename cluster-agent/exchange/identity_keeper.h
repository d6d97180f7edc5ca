// The cluster's certificate: renewed in time, recovered when it is good no
// more, and what the service's answers about it lead to.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_KEEPER_H_
#define MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_KEEPER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "cluster-agent/domain/identity/renewal_plan.h"
#include "cluster-agent/exchange/cluster_link.h"
#include "cluster-agent/exchange/enrollment.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/exchange/status_board.h"
#include "cluster-agent/state/state_directory.h"
#include "common/executor/executor.h"
#include "common/retry/backoff.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"

namespace mc::agent {

// Two phases: the key is durable before it is certified, the answer before it
// is used, and the old certificate stays until the service has accepted a call
// with the new one. Then the link moves, and the state directory follows. A
// start finishes what was cut off. Thread-safe; one step at a time.
class IdentityKeeper {
 public:
  struct Options {
    // Outlive this, as all pointers do.
    const Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    Executor* executor = nullptr;
    InFlight* in_flight = nullptr;
    SharedState* state = nullptr;
    StatusBoard* board = nullptr;
    // May be null.
    EventSink* events = nullptr;
    CurrentLink* links = nullptr;
    Enrollment* enrollment = nullptr;
    std::string agent_instance_id;
    // After failures; refusals wait for the longest pause.
    Backoff::Options backoff;
    UniformDraw draw;
    // Connects to the cluster listener.
    std::function<absl::StatusOr<std::shared_ptr<ClusterLink>>(
        const std::string& chain_pem, const std::string& key_pem)>
        connect;
    // Whether the service refuses this certificate in the handshake. May block
    // for seconds.
    std::function<bool(const std::string& chain_pem,
                       const std::string& key_pem)>
        handshake_refused;
    // `links` has another link: what is open on the older one is to move.
    std::function<void()> on_moved;
    // Not OK: no exchange takes place until this is called with OK.
    std::function<void(const absl::Status&)> on_stopped;
  };
  explicit IdentityKeeper(Options options);

  // The cluster is registered, and `links` has a link.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Another certificate at once.
  void RenewNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // The same certificate, on a new connection.
  void Reconnect() ABSL_LOCKS_EXCLUDED(mutex_);
  // How a call on the link in use has ended, or a stream.
  void Noted(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nobody answered a call on the link in use: it ended so.
  void NotedUnreachable(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Renewal = missioncontrol::config::v1::AgentRenewal;
  enum class Step { kIdle, kRenew, kRecover, kProve, kReconnect, kConfirm };

  void Schedule(absl::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run(uint64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  Step Choose(const std::optional<Renewal>& renewal)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads the certificate's life anew.
  void Plan() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Renew();
  void Recover();
  void AskForRecovery(missioncontrol::v1::RecoverCertificateRequest request,
                      std::vector<std::string> passwords);
  template <typename Answer>
  absl::Status Keep(const Answer& answer) ABSL_LOCKS_EXCLUDED(mutex_);
  // `renewed`: confirmed where the service accepts it.
  void Prove(const std::string& chain_pem, const std::string& key_pem,
             bool renewed) ABSL_LOCKS_EXCLUDED(mutex_);
  void Proven(std::shared_ptr<ClusterLink> link, bool renewed, uint64_t wished,
              const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Confirm() ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins the renewal anew.
  void Reject();

  // The step is over; the next one is looked for after the pause.
  void Done(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, where nothing is left to do now.
  void Rest() ABSL_LOCKS_EXCLUDED(mutex_);
  void Failed(const absl::Status& status, bool asked)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The service said of this identity what only a person can change.
  void Stop(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume() ABSL_LOCKS_EXCLUDED(mutex_);
  // Says whether the exchanges may go on.
  void Tell() ABSL_LOCKS_EXCLUDED(telling_, mutex_);
  void TellNearEnd() ABSL_LOCKS_EXCLUDED(mutex_);
  double Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return options_.draw();
  }
  bool Expired() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return options_.clock->Now() > life_.end;
  }

  const Options options_;
  // Of two that tell at once the last one says what is true.
  absl::Mutex telling_;
  absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  // A timer of an earlier round does nothing.
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  CertificateLife life_ ABSL_GUARDED_BY(mutex_) = {absl::InfinitePast(),
                                                   absl::InfiniteFuture()};
  absl::Time renews_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool near_end_told_ ABSL_GUARDED_BY(mutex_) = false;
  // Another certificate has to be asked for with the password.
  bool recover_ ABSL_GUARDED_BY(mutex_) = false;
  // For a refused handshake alone, which proves nothing.
  bool suspected_ ABSL_GUARDED_BY(mutex_) = false;
  // How often another connection was wished for, and which wish the link in use
  // has met.
  uint64_t wished_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t connected_ ABSL_GUARDED_BY(mutex_) = 0;
  // The certificate that waits to be proven was tried in vain.
  bool proof_failed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status stopped_ ABSL_GUARDED_BY(mutex_);
  // Answers in a row that left everything as it is.
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  // By the time since boot: no question, no look at the handshake before.
  absl::Duration ask_from_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration look_from_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration renewed_at_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();
  // No renewal before, whatever the certificate's dates say.
  absl::Duration renew_from_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();
  // Since the last call that was answered.
  bool unreachable_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_IDENTITY_KEEPER_H_
