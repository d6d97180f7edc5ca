#include "mc-service/domain/ledger/merge.h"

#include <cstddef>
#include <map>
#include <numeric>

namespace mc::service {
namespace {

struct Node {
  size_t frame;
  LedgerPart part;
};

bool Overlap(const FrameUsage& a, const FrameUsage& b) {
  return a.start < b.end && b.start < a.end;
}

size_t Root(std::vector<size_t>& parents, size_t node) {
  while (parents[node] != node) {
    parents[node] = parents[parents[node]];
    node = parents[node];
  }
  return node;
}

// The epoch with the most; of equal ones the lower.
uint64_t Winner(const std::map<uint64_t, int64_t>& sums) {
  auto best = sums.begin();
  for (auto sum = sums.begin(); sum != sums.end(); ++sum) {
    if (sum->second > best->second) best = sum;
  }
  return best->first;
}

}  // namespace

void MergeFrames(std::vector<FrameUsage>& frames) {
  std::vector<Node> nodes;
  for (size_t i = 0; i < frames.size(); ++i) {
    frames[i].quantity = 0;
    frames[i].disputed = false;
    for (const LedgerPart& part : frames[i].parts) {
      if (part.quantity > 0) nodes.push_back({i, part});
    }
  }
  // Frames of one epoch belong together only through those of others.
  std::vector<size_t> parents(nodes.size());
  std::iota(parents.begin(), parents.end(), size_t{0});
  for (size_t a = 0; a < nodes.size(); ++a) {
    for (size_t b = a + 1; b < nodes.size(); ++b) {
      if (nodes[a].part.epoch != nodes[b].part.epoch &&
          Overlap(frames[nodes[a].frame], frames[nodes[b].frame])) {
        parents[Root(parents, a)] = Root(parents, b);
      }
    }
  }
  std::map<size_t, std::map<uint64_t, int64_t>> groups;
  for (size_t i = 0; i < nodes.size(); ++i) {
    groups[Root(parents, i)][nodes[i].part.epoch] += nodes[i].part.quantity;
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto& sums = groups[Root(parents, i)];
    FrameUsage& frame = frames[nodes[i].frame];
    frame.disputed |= sums.size() > 1;
    if (Winner(sums) == nodes[i].part.epoch) {
      frame.quantity += nodes[i].part.quantity;
    }
  }
}

void AddPart(std::vector<LedgerPart>& parts, uint64_t epoch, int64_t quantity) {
  for (LedgerPart& part : parts) {
    if (part.epoch == epoch) {
      part.quantity += quantity;
      return;
    }
  }
  parts.push_back({epoch, quantity});
}

}  // namespace mc::service
