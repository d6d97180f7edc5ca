// The open streams of the nodes, so that they can be ended from outside.
#ifndef MC_CLUSTER_AGENT_SITE_NODE_STREAMS_H_
#define MC_CLUSTER_AGENT_SITE_NODE_STREAMS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace mc::agent {

// One of each node: a newer one ends the older. Thread-safe.
class NodeStreams {
 public:
  // Ends a stream. It must not block, and do nothing once the stream is over.
  using End = std::function<void(const absl::Status&)>;

  // The number of the stream. A stream that comes while the master stops is
  // ended at once.
  uint64_t Add(const std::string& node_id, End end) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::string& node_id, uint64_t number)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void EndStreamOf(const std::string& node_id, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all with UNAVAILABLE (OVERLOADED).
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::pair<uint64_t, End>> streams_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_NODE_STREAMS_H_
