// Which nodes and ActiveGates were heard of last, and when.
#ifndef MC_SERVICE_DOMAIN_PRESENCE_PRESENCE_H_
#define MC_SERVICE_DOMAIN_PRESENCE_PRESENCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "mc-service/domain/presence/masters.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Beats in memory, written behind. Thread-safe.
class Presence {
 public:
  struct Options {
    Store* store = nullptr;
    // Nodes and ActiveGates of one cluster that are kept in mind.
    size_t max_nodes_per_cluster = 10'000;
    // A node that was silent for longer is forgotten here; what was written of
    // it stays.
    absl::Duration forget_after = absl::Hours(24);
    // Agents that take turns within it are clones: three intervals of the
    // clusters that beat most rarely.
    absl::Duration clone_window = absl::Minutes(15);
    // Told once for each occurrence, on the thread of the beat.
    std::function<void(std::string_view cluster_id, std::string_view instance,
                       std::string_view other_instance)>
        on_clone;
  };

  explicit Presence(const Options& options);

  // Counts a beat, in O(1) and without I/O. RESOURCE_EXHAUSTED (OVERLOADED)
  // for a new node beyond the cluster's bound.
  absl::Status Beat(std::string_view cluster_id, std::string_view node_id,
                    v1::SourceType source_type, absl::Time at);

  // The agent `instance` begins to speak for the cluster, on a stream of its
  // own. Not for each beat.
  void Speaks(std::string_view cluster_id, std::string_view instance,
              absl::Time at);

  // Whether two agents were seen that speak in turn for the cluster, as late
  // as within the window before `at`.
  bool CloneSuspected(std::string_view cluster_id, absl::Time at);

  // An operator says that there are no two.
  void EndCloneSuspicion(std::string_view cluster_id);

  // Queues what changed since the last flush for the store, in one work, and
  // forgets who was silent for long. Counts that could not be written are kept
  // for the next flush. `done`, where given, is called once with the outcome,
  // possibly on the store's thread. To be called at intervals, and at stop
  // before the store stops.
  void Flush(absl::Time now, std::function<void(absl::Status)> done = nullptr);

 private:
  // Found by a view: a beat of a known node allocates nothing.
  using NodeKey = std::pair<std::string, v1::SourceType>;
  using NodeView = std::pair<absl::string_view, v1::SourceType>;
  struct NodeHash {
    using is_transparent = void;
    size_t operator()(const NodeView& node) const {
      return absl::Hash<NodeView>()(node);
    }
    size_t operator()(const NodeKey& node) const {
      return (*this)(NodeView(node.first, node.second));
    }
  };
  struct NodeEqual {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.second == b.second && a.first == b.first;
    }
  };
  struct Node {
    absl::Time last;
    // Since the last flush.
    int64_t beats = 0;
  };
  using Nodes = absl::flat_hash_map<NodeKey, Node, NodeHash, NodeEqual>;
  struct Cluster {
    Nodes nodes;
    Masters masters;
    // The store does not know yet when a clone was suspected last.
    bool clone_news = false;
  };
  struct CloneNews {
    std::string cluster_id;
    absl::Time at;
    std::vector<std::string> instances;
  };
  struct Changes {
    std::vector<NodePresence> nodes;
    std::vector<CloneNews> clones;
  };
  // Clusters are spread over shards, so that a flush holds up few of them.
  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<std::string, Cluster> clusters ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(std::string_view cluster_id);
  void TakeChanges(Shard& shard, absl::Time now, Changes& changes);
  void PutBack(const Changes& changes);

  const Options options_;
  std::array<Shard, 32> shards_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_PRESENCE_PRESENCE_H_
