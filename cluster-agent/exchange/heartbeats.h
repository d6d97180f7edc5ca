// The heartbeat stream: one beat an interval for this node and each live
// ActiveGate.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_HEARTBEATS_H_
#define MC_CLUSTER_AGENT_EXCHANGE_HEARTBEATS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/client_stream.h"
#include "cluster-agent/exchange/cluster_link.h"
#include "cluster-agent/exchange/pacer.h"
#include "cluster-agent/exchange/status_board.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::agent {

// Thread-safe. A stream that ends is opened again after a pause; one that was
// superseded by another agent's only after the longest pause.
class Heartbeats {
 public:
  struct Options {
    CurrentLink* links = nullptr;
    InFlight* in_flight = nullptr;
    Executor* executor = nullptr;
    const Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    StatusBoard* board = nullptr;
    // The interval between two beats is the pacer's.
    Pacer::Options pacer;
    UniformDraw draw;
    // A stream whose beats are not answered for longer than this is cut.
    absl::Duration liveness = absl::Seconds(30);
    // The beats that are due now.
    std::function<std::vector<missioncontrol::v1::StreamHeartbeatsRequest>()>
        beats;
    // Told what the service wants done; may be empty.
    std::function<void(const missioncontrol::v1::Directive&)> on_directive = {};
    // Told how each stream ended.
    std::function<void(const absl::Status&)> on_over;
  };
  explicit Heartbeats(Options options);

  // The service answers: from now on beats are sent.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  // It does not: no new stream is opened until Open().
  void Hold() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream in order, and opens another one at once on the link that is
  // in use then; after Hold() none.
  void Move() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream in order.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Stream = ClientStream<missioncontrol::v1::StreamHeartbeatsRequest,
                              missioncontrol::v1::StreamHeartbeatsResponse>;

  // `round` tells timers of an earlier schedule apart.
  void Schedule(absl::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Due(uint64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  void Beat() ABSL_LOCKS_EXCLUDED(mutex_);
  void CutMoving(uint64_t stream_number) ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckAnswers(uint64_t stream_number, int64_t expected)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAnswer(uint64_t stream_number,
                const missioncontrol::v1::StreamHeartbeatsResponse& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOver(uint64_t stream_number, const std::shared_ptr<ClusterLink>& link,
              const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // A stream that had to make way for another one.
  void Reopen(uint64_t stream_number) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<Stream> OpenStream(uint64_t stream_number);

  const Options options_;
  absl::Mutex mutex_;
  Pacer pacer_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::Pacing pacing_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  // After a failure nothing is opened before this time.
  absl::Time not_before_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t stream_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  // The stream was asked to end, for another one to take its place.
  bool moving_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_HEARTBEATS_H_
