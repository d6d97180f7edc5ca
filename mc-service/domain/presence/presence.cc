#include "mc-service/domain/presence/presence.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/status/status.h"

namespace mc::service {

Presence::Presence(const Options& options) : options_(options) {}

Presence::Shard& Presence::ShardOf(std::string_view cluster_id) {
  const size_t hash = absl::Hash<absl::string_view>()(
      absl::string_view(cluster_id.data(), cluster_id.size()));
  return shards_[hash % shards_.size()];
}

absl::Status Presence::Beat(std::string_view cluster_id,
                            std::string_view node_id,
                            v1::SourceType source_type, absl::Time at) {
  Shard& shard = ShardOf(cluster_id);
  absl::MutexLock lock(&shard.mutex);
  const absl::string_view cluster(cluster_id.data(), cluster_id.size());
  auto known = shard.clusters.find(cluster);
  if (known == shard.clusters.end()) {
    known = shard.clusters.try_emplace(cluster).first;
  }
  Nodes& nodes = known->second.nodes;
  auto it = nodes.find(
      NodeView(absl::string_view(node_id.data(), node_id.size()), source_type));
  if (it == nodes.end()) {
    if (nodes.size() >= options_.max_nodes_per_cluster) {
      return Error(absl::StatusCode::kResourceExhausted,
                   v1::ERROR_REASON_OVERLOADED,
                   "the cluster has sent beats of too many different nodes");
    }
    it = nodes.try_emplace(NodeKey(node_id, source_type)).first;
    it->second.last = at;
  }
  it->second.last = std::max(it->second.last, at);
  ++it->second.beats;
  return absl::OkStatus();
}

void Presence::Speaks(std::string_view cluster_id, std::string_view instance,
                      absl::Time at) {
  Shard& shard = ShardOf(cluster_id);
  std::string other;
  {
    absl::MutexLock lock(&shard.mutex);
    Cluster& cluster = shard.clusters[std::string(cluster_id)];
    other = cluster.masters.instance();
    const Masters::Verdict verdict =
        cluster.masters.Speaks(instance, at, options_.clone_window);
    if (verdict != Masters::Verdict::kUsual) cluster.clone_news = true;
    if (verdict != Masters::Verdict::kCloneBegins) return;
  }
  if (options_.on_clone) options_.on_clone(cluster_id, instance, other);
}

bool Presence::CloneSuspected(std::string_view cluster_id, absl::Time at) {
  Shard& shard = ShardOf(cluster_id);
  absl::MutexLock lock(&shard.mutex);
  const auto cluster = shard.clusters.find(
      absl::string_view(cluster_id.data(), cluster_id.size()));
  return cluster != shard.clusters.end() &&
         cluster->second.masters.Suspected(at, options_.clone_window);
}

void Presence::EndCloneSuspicion(std::string_view cluster_id) {
  Shard& shard = ShardOf(cluster_id);
  absl::MutexLock lock(&shard.mutex);
  const auto cluster = shard.clusters.find(
      absl::string_view(cluster_id.data(), cluster_id.size()));
  if (cluster == shard.clusters.end()) return;
  cluster->second.masters.EndSuspicion();
  cluster->second.clone_news = false;
}

void Presence::TakeChanges(Shard& shard, absl::Time now, Changes& changes) {
  absl::MutexLock lock(&shard.mutex);
  for (auto it = shard.clusters.begin(); it != shard.clusters.end();) {
    const std::string& id = it->first;
    Cluster& cluster = it->second;
    if (std::exchange(cluster.clone_news, false)) {
      changes.clones.push_back(
          {id, cluster.masters.suspected_at(), cluster.masters.suspects()});
    }
    Nodes& nodes = cluster.nodes;
    for (auto node = nodes.begin(); node != nodes.end();) {
      if (node->second.beats > 0) {
        changes.nodes.push_back(
            {.cluster_id = id,
             .node_id = node->first.first,
             .source_type = node->first.second,
             .last_heartbeat_at = node->second.last,
             .heartbeats = std::exchange(node->second.beats, 0),
             .agent_instance_id = cluster.masters.instance()});
      } else if (now - node->second.last > options_.forget_after) {
        nodes.erase(node++);
        continue;
      }
      ++node;
    }
    if (nodes.empty()) {
      shard.clusters.erase(it++);
    } else {
      ++it;
    }
  }
}

void Presence::PutBack(const Changes& changes) {
  for (const NodePresence& change : changes.nodes) {
    Shard& shard = ShardOf(change.cluster_id);
    absl::MutexLock lock(&shard.mutex);
    Node& node = shard.clusters[change.cluster_id]
                     .nodes
                     .try_emplace({change.node_id, change.source_type},
                                  Node{.last = change.last_heartbeat_at})
                     .first->second;
    node.last = std::max(node.last, change.last_heartbeat_at);
    node.beats += change.heartbeats;
  }
  for (const CloneNews& news : changes.clones) {
    Shard& shard = ShardOf(news.cluster_id);
    absl::MutexLock lock(&shard.mutex);
    const auto cluster = shard.clusters.find(news.cluster_id);
    if (cluster != shard.clusters.end()) cluster->second.clone_news = true;
  }
}

void Presence::Flush(absl::Time now, std::function<void(absl::Status)> done) {
  auto changes = std::make_shared<Changes>();
  for (Shard& shard : shards_) TakeChanges(shard, now, *changes);
  if (changes->nodes.empty() && changes->clones.empty()) {
    if (done) done(absl::OkStatus());
    return;
  }
  auto work = [changes](Writer& writer) -> absl::Status {
    for (const NodePresence& change : changes->nodes) {
      const absl::Status s = writer.AddPresence(change);
      // A cluster that was erased meanwhile must not hold up the others.
      if (!s.ok() && !absl::IsNotFound(s)) return s;
    }
    for (const CloneNews& news : changes->clones) {
      const absl::Status s =
          writer.SetCloneSuspected(news.cluster_id, news.at, news.instances);
      if (!s.ok() && !absl::IsNotFound(s)) return s;
    }
    return absl::OkStatus();
  };
  auto finish = [this, changes, done = std::move(done)](absl::Status status) {
    if (!status.ok()) PutBack(*changes);
    if (done) done(std::move(status));
  };
  if (!options_.store->Write(work, finish)) {
    finish(Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                 "the store's queue is full or it stops"));
  }
}

}  // namespace mc::service
