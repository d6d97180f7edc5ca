// Which TLS handshakes may begin, and which wait.
#ifndef MC_SERVICE_EDGE_HANDSHAKE_QUEUE_H_
#define MC_SERVICE_EDGE_HANDSHAKE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/time/time.h"
#include "mc-service/edge/address.h"

namespace mc::service {

// A handshake costs a millisecond of CPU, and when all clusters come back at
// once, those that are connected must not wait for thousands of them. So they
// begin at a bounded rate, and few are under way; the others wait in a short
// queue. Who is known comes first; both they and strangers take turns by their
// site. A known site that floods the queue keeps strangers from three of four
// turns and places, and other known sites from none.
//
// Times are of any clock that never jumps. Not thread-safe.
class HandshakeQueue {
 public:
  struct Options {
    // A tenth of a second's worth may begin at once.
    double per_second = 1000;
    int max_under_way = 64;
    size_t max_waiting = 256;
    // One that takes longer waits for its client: it holds up no others.
    absl::Duration stalled_after = absl::Seconds(1);
  };

  explicit HandshakeQueue(const Options& options);

  // `id` waits from now on. Where the queue is full, whom to turn away, who has
  // left the queue: the last that came of the site of which most wait, among
  // strangers, or, where these have a quarter of the places at most, among the
  // known.
  std::optional<uint64_t> Push(uint64_t id, const IpAddress& site, bool known);

  // The next that may begin now, if any; it is under way from then on.
  std::optional<uint64_t> Pop(absl::Duration now);

  // `id` is over, whether it waited, was under way, or neither.
  void Remove(uint64_t id);

  // When Pop() is to be asked again, unless Push() or Remove() come before;
  // InfiniteDuration while none waits.
  absl::Duration NextAt(absl::Duration now) const;

  size_t waiting() const { return waiting_.size(); }
  // Without those that stalled.
  size_t under_way() const { return under_way_.size(); }

 private:
  struct Waiting {
    IpAddress site;
    bool known;
  };

  void Forget(uint64_t id);
  // Of a list that is not empty.
  uint64_t FirstOfIdlestSite(const std::list<uint64_t>& ids) const;
  uint64_t LastOfBusiestSite(const std::list<uint64_t>& ids) const;
  uint64_t ChooseNext();
  uint64_t ChooseVictim() const;
  void DropStalled(absl::Duration now);

  const Options options_;
  // IDs, the first that came first.
  std::list<uint64_t> known_;
  std::list<uint64_t> strangers_;
  // Of the known, while strangers waited.
  int turns_ = 0;
  std::unordered_map<uint64_t, Waiting> waiting_;
  // The site of each.
  std::unordered_map<uint64_t, IpAddress> under_way_;
  std::map<IpAddress, int> under_way_of_;
  // Of all that began lately, when.
  std::deque<std::pair<absl::Duration, uint64_t>> began_;
  // When all of the burst may begin again.
  absl::Duration full_at_ = -absl::InfiniteDuration();
  const absl::Duration interval_;
  const absl::Duration burst_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_HANDSHAKE_QUEUE_H_
