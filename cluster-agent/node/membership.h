// A node's place in its site: it joins, stays connected to the master, and
// renews its certificate.
#ifndef MC_CLUSTER_AGENT_NODE_MEMBERSHIP_H_
#define MC_CLUSTER_AGENT_NODE_MEMBERSHIP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/node/master_link.h"
#include "cluster-agent/state/node_state.h"
#include "common/retry/backoff.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent.pb.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// Thread-safe. What it waits for is logged once, when it changes.
class Membership {
 public:
  struct Options {
    // Checked, with defaults; outlives this. So do all that follow.
    const missioncontrol::config::v1::AgentConfig* values = nullptr;
    Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    Executor* executor = nullptr;
    SharedNodeState* state = nullptr;
    // Empty: the node joins by `cluster-agent node join` alone.
    JoinTokenSource token;
    std::string agent_version;
    // Random, new at every start.
    std::string agent_instance_id;
    std::function<absl::StatusOr<missioncontrol::v1::NodeReport>()> report;
    // Told once when the node cannot go on without a person: it has not
    // joined, was removed (NODE_REMOVED), or its certificate is good no more,
    // and no token is configured with which it could join again.
    std::function<void(const absl::Status&)> on_failed;
    UniformDraw draw = RandomDraw();
  };
  explicit Membership(Options options);

  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // The node was described anew.
  void ReportNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the connection. Nothing is started any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Fills in all that is known of site, connection and certificate.
  void Fill(missioncontrol::v1::GetStatusResponse& status) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The certificate in use, and the one that takes its place.
  enum class Pair { kCurrent, kNext };

  // `round` tells timers of an earlier schedule apart.
  void ScheduleStep(absl::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Joins or connects, whatever is due; on the executor.
  void Step(uint64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  void Join(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Connect(const missioncontrol::config::v1::AgentNode& node, Pair pair)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The certificate to connect with, or why there is none.
  absl::StatusOr<Pair> Choose(const missioncontrol::config::v1::AgentNode& node)
      const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string MasterAddress(
      const missioncontrol::config::v1::AgentNode& node) const;
  missioncontrol::config::v1::AgentNode Node() const;

  void OnWelcome(uint64_t link_number,
                 const missioncontrol::v1::NodeWelcome& welcome)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReceipt(uint64_t link_number) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOver(uint64_t link_number, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The pause until the next attempt, and what follows from a refusal.
  absl::Duration AfterEnd(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void PlanRenewal(const missioncontrol::config::v1::NodeKeyPair& pair)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ScheduleRenewal(absl::Duration pause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Renew(uint64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRenewed(
      const absl::StatusOr<missioncontrol::v1::RenewNodeCertificateResponse>&
          answer) ABSL_LOCKS_EXCLUDED(mutex_);

  void WaitFor(const absl::Status& status, std::string text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  InFlight in_flight_;
  mutable absl::Mutex mutex_;
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t renewal_round_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<MasterLink> link_ ABSL_GUARDED_BY(mutex_);
  uint64_t link_number_ ABSL_GUARDED_BY(mutex_) = 0;
  Pair pair_ ABSL_GUARDED_BY(mutex_) = Pair::kCurrent;
  // The next certificate is tried in turn with the current one.
  bool prefer_next_ ABSL_GUARDED_BY(mutex_) = true;
  // Of these the master has said that they are good no more, and why.
  std::set<Pair> refused_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  // The master of the last Welcome, and when it last answered, by boot time.
  std::string last_master_ ABSL_GUARDED_BY(mutex_);
  absl::Duration last_contact_ ABSL_GUARDED_BY(mutex_);
  // For people; empty: nothing.
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_key_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::ExchangeStatus joins_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::ExchangeStatus reports_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::ExchangeStatus renewals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_NODE_MEMBERSHIP_H_
