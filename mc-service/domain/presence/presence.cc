#include "mc-service/domain/presence/presence.h"

#include <algorithm>
#include <memory>

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
  Nodes& nodes = known->second;
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

void Presence::TakeChanges(Shard& shard, absl::Time now,
                           std::vector<NodePresence>& changes) {
  absl::MutexLock lock(&shard.mutex);
  for (auto cluster = shard.clusters.begin();
       cluster != shard.clusters.end();) {
    Nodes& nodes = cluster->second;
    for (auto node = nodes.begin(); node != nodes.end();) {
      if (node->second.beats > 0) {
        changes.push_back({.cluster_id = cluster->first,
                           .node_id = node->first.first,
                           .source_type = node->first.second,
                           .last_heartbeat_at = node->second.last,
                           .heartbeats = std::exchange(node->second.beats, 0)});
      } else if (now - node->second.last > options_.forget_after) {
        nodes.erase(node++);
        continue;
      }
      ++node;
    }
    if (nodes.empty()) {
      shard.clusters.erase(cluster++);
    } else {
      ++cluster;
    }
  }
}

void Presence::PutBack(const std::vector<NodePresence>& changes) {
  for (const NodePresence& change : changes) {
    Shard& shard = ShardOf(change.cluster_id);
    absl::MutexLock lock(&shard.mutex);
    Node& node = shard.clusters[change.cluster_id]
                     .try_emplace({change.node_id, change.source_type},
                                  Node{.last = change.last_heartbeat_at})
                     .first->second;
    node.last = std::max(node.last, change.last_heartbeat_at);
    node.beats += change.heartbeats;
  }
}

void Presence::Flush(absl::Time now, std::function<void(absl::Status)> done) {
  auto changes = std::make_shared<std::vector<NodePresence>>();
  for (Shard& shard : shards_) TakeChanges(shard, now, *changes);
  if (changes->empty()) {
    if (done) done(absl::OkStatus());
    return;
  }
  auto work = [changes](Writer& writer) -> absl::Status {
    for (const NodePresence& change : *changes) {
      if (absl::Status s = writer.AddPresence(change); !s.ok()) return s;
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
