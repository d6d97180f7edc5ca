// The nodes of a site as their master knows them: who has joined, with which
// certificates, what each reported last, and which of them are silent.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REGISTRY_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent_state.pb.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/site.pb.h"

namespace mc::agent {

// A node besides the master.
struct KnownNode {
  std::string node_id;
  missioncontrol::v1::NodeState state =
      missioncontrol::v1::NODE_STATE_UNSPECIFIED;
  absl::Time joined_at;
  std::string agent_version;
  // Of its newest certificate.
  absl::Time certificate_not_after;
  // Absent: it has never reported.
  std::optional<absl::Time> last_report_at;
  // The newest; empty where it has never reported.
  missioncontrol::v1::NodeReport report;
};

struct CreatedToken {
  // A secret.
  std::string token;
  absl::Time expires_at;
};

// Thread-safe. Joining, renewing, removing and tokens wait for the disk: what
// they answered is durable, and nothing has changed where they fail. Reports
// are kept in memory and written behind.
//
// A node is silent when nothing was heard of it for `silent_after` of the time
// since boot: nobody can silence nodes by setting the clock. Nodes are
// forgotten by Remove alone.
class NodeRegistry {
 public:
  struct Options {
    std::string state_directory;
    const SiteAuthority* authority = nullptr;
    const Clock* clock = nullptr;
    // For what a reaction must not wait for; shut down before this goes.
    Executor* executor = nullptr;
    absl::Duration silent_after = absl::Seconds(90);
    std::string master_node_id;
    // Told of nodes that are added and removed; may be null.
    EventSink* events = nullptr;
    // The text of a token that is good as long as it can be read; asked at
    // each attempt to join. Null: there is none.
    std::function<absl::StatusOr<std::string>()> standing_token = nullptr;
  };

  static constexpr int kMaxNodes = 1000;
  static constexpr int kMaxTokens = 1000;
  static constexpr int kMaxTokenUses = 10'000;
  static constexpr absl::Duration kDefaultTokenLifetime = absl::Hours(1);
  static constexpr absl::Duration kMaxTokenLifetime = absl::Hours(24 * 30);

  // DATA_LOSS for a file that is not what the agent wrote.
  static absl::StatusOr<std::unique_ptr<NodeRegistry>> Open(Options options);

  // Called without a lock, after the node was removed.
  void SetOnRemoved(std::function<void(const std::string& node_id)> run)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // `uses` 0: one; `lifetime` zero: the default. INVALID_ARGUMENT
  // (INVALID_FIELD), RESOURCE_EXHAUSTED (OVERLOADED), UNAVAILABLE
  // (STORE_UNAVAILABLE).
  absl::StatusOr<CreatedToken> CreateToken(absl::Duration lifetime, int uses);

  // The errors of SiteService.Join but those of attempts.
  absl::StatusOr<IssuedCertificate> Join(
      const missioncontrol::v1::JoinRequest& request);

  // For a node that Admit has let in. The errors of RenewNodeCertificate.
  absl::StatusOr<IssuedCertificate> Renew(std::string_view node_id,
                                          std::string_view csr_der);

  // Whether a certificate of the site's CA is good now. The first use of a
  // newer one is the end of those before it. PERMISSION_DENIED: NODE_REMOVED,
  // IDENTITY_REVOKED. Does not wait.
  absl::Status Admit(std::string_view node_id, std::string_view serial)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of a node that Admit has let in. Does not wait.
  void Report(std::string_view node_id, missioncontrol::v1::NodeReport report)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // NOT_FOUND (UNKNOWN_RESOURCE), INVALID_ARGUMENT (INVALID_FIELD): the master
  // itself. UNAVAILABLE (STORE_UNAVAILABLE).
  absl::Status Remove(std::string_view node_id);

  // In the order of their IDs.
  std::vector<KnownNode> Nodes() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Says in the log which nodes have gone silent since the last call.
  void NoteSilence() ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes the reports where there are new ones. Waits for the disk.
  void SaveReports() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Tell(missioncontrol::v1::ClusterEventType type,
            std::string_view node_id) const;
  using SiteNodes = missioncontrol::config::v1::SiteNodes;
  using SiteNode = missioncontrol::config::v1::SiteNode;

  // What is known of a node beside its certificates.
  struct Facts {
    // Since boot: the last report to this process; or, while there is none,
    // since when one could have come.
    absl::Duration heard;
    bool reported_here = false;
    // It was said that it is silent.
    bool said = false;
    std::optional<absl::Time> received_at;
    missioncontrol::v1::NodeReport report;
  };

  explicit NodeRegistry(Options options) : options_(std::move(options)) {}

  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes `change` durable, then valid.
  absl::Status Change(const std::function<absl::Status(SiteNodes&)>& change)
      ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // Claims a use for the node and its key. A standing token has no uses.
  absl::Status Claim(const std::string& secret, const std::string& node_id,
                     const std::string& spki_sha256, SiteNodes& nodes) const;
  bool IsStandingToken(const std::string& secret) const;
  // A newer certificate of the node was used.
  void DropOlder(const std::string& node_id, const std::string& serial);
  missioncontrol::v1::NodeState StateOf(const Facts& facts) const;
  KnownNode Describe(const SiteNode& node) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  const SiteNode* Find(std::string_view node_id) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const Options options_;
  // Held over a write to the disk; taken before mutex_.
  absl::Mutex write_mutex_;
  mutable absl::Mutex mutex_;
  SiteNodes nodes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Facts, std::less<>> facts_ ABSL_GUARDED_BY(mutex_);
  bool unsaved_reports_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void(const std::string&)> on_removed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REGISTRY_H_
