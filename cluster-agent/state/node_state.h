// What a node keeps on disk: who it is, and its place in a site.
#ifndef MC_CLUSTER_AGENT_STATE_NODE_STATE_H_
#define MC_CLUSTER_AGENT_STATE_NODE_STATE_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/state/directory_lock.h"
#include "missioncontrol/config/v1/node_state.pb.h"

namespace mc::agent {

// What the master answers to a node that joins.
struct JoinedSite {
  std::string certificate_der;
  std::string site_ca_der;
  // host:port
  std::string master_address;
};

// The state directory of a node, held by one agent at a time. Everything is in
// one owner-only file, node.json, which is replaced as a whole: a stop at any
// moment leaves the state before a call or the one after it, and what a
// function returned is durable.
//
// A file that is damaged, or that others may read, is FAILED_PRECONDITION or
// DATA_LOSS, with its path and what to do; it is never replaced by itself.
//
// Thread-compatible.
class NodeState {
 public:
  // Makes the directory when it is missing, and locks it. `derived_id`, where
  // it is not empty, is the node's ID; a state that was made for another one
  // (a copy of another machine's) starts anew. FAILED_PRECONDITION: another
  // agent has the directory, or it holds a cluster's state.
  static absl::StatusOr<NodeState> Open(const std::string& path,
                                        const std::string& derived_id);

  const std::string& path() const { return path_; }
  const std::string& node_id() const { return values_.node_id(); }
  const missioncontrol::config::v1::AgentNode& values() const {
    return values_;
  }
  bool joined() const { return values_.has_current(); }

  // The key that is to be certified next, with its request. The same until
  // it was certified, also after a restart.
  absl::StatusOr<missioncontrol::config::v1::NodeKeyPair> DrawNext();

  // The key of DrawNext was certified by a site that this node joins; what was
  // there of another site, or of older keys, is gone. UNAUTHENTICATED: the
  // certificate is not this node's, or not of this CA.
  absl::Status Join(const JoinedSite& site, absl::Time now);

  // The key of DrawNext was certified by the site's master; it stays beside
  // the one in use. UNAUTHENTICATED: as for Join.
  absl::Status KeepNext(const std::string& certificate_der, absl::Time now);
  // The master has accepted the next certificate: the older one is gone.
  absl::Status AdoptNext();
  // The master did not want it.
  absl::Status DropNext();

 private:
  NodeState(std::string path, DirectoryLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  // Saves `values`, and takes them over once they are durable.
  absl::Status Save(missioncontrol::config::v1::AgentNode values);

  std::string path_;
  DirectoryLock lock_;
  missioncontrol::config::v1::AgentNode values_;
};

// The state for several threads.
struct SharedNodeState {
  NodeState* directory = nullptr;
  absl::Mutex mutex;
};

// What a node's directory says, while an agent may hold it. Absent: it is no
// node's, or not yet.
absl::StatusOr<std::optional<missioncontrol::config::v1::AgentNode>>
ReadNodeState(const std::string& path);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_STATE_NODE_STATE_H_
