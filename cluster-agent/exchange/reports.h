// The reports stream: what waits in the outbox goes to the service, and leaves
// the outbox with the service's receipt.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_REPORTS_H_
#define MC_CLUSTER_AGENT_EXCHANGE_REPORTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/documents/key_ring.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "cluster-agent/exchange/backlog.h"
#include "cluster-agent/exchange/client_stream.h"
#include "cluster-agent/exchange/cluster_link.h"
#include "cluster-agent/exchange/pacer.h"
#include "cluster-agent/exchange/status_board.h"
#include "cluster-agent/outbox/outbox.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// Thread-safe. The stream is open only while something waits, and a little
// longer. Whatever has no receipt when it ends is sent again, the same bytes.
class Reports {
 public:
  struct Options {
    CurrentLink* links = nullptr;
    InFlight* in_flight = nullptr;
    Executor* executor = nullptr;
    const Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    StatusBoard* board = nullptr;
    Outbox* outbox = nullptr;
    // Its interval is not used.
    Pacer::Options pacer;
    UniformDraw draw;
    std::string cluster_id;
    std::string agent_instance_id;
    // Those that receipts are signed with; more may come.
    const KeyRing* document_keys = nullptr;
    // How many reports, and of how many bytes together, wait for their receipts
    // at the same time; one that is larger waits alone.
    size_t window = 16;
    size_t window_bytes = 4 << 20;
    // A stream that is waited for longer than this is cut.
    absl::Duration liveness = absl::Seconds(30);
    absl::Duration idle = absl::Seconds(2);
    // Told of reports that are refused for good; null: nobody is.
    EventSink* events = nullptr;
    // Told how each stream ended.
    std::function<void(const absl::Status&)> on_over;
    // Told the service's wish for the next health check.
    std::function<void(const missioncontrol::v1::Pacing&)> on_health_pacing;
  };
  explicit Reports(Options options);

  // As in Heartbeats.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold() ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // Something new may wait; or the link is another one, and the stream has to
  // go over to it.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Stream = ClientStream<grpc::ByteBuffer, grpc::ByteBuffer>;
  using Key = std::tuple<missioncontrol::v1::Lane, uint64_t, uint64_t>;
  using Epochs = std::vector<missioncontrol::v1::LaneEpoch>;
  enum class Phase { kClosed, kGreeting, kSending, kClosing };
  struct Sent {
    std::string sha256;
    size_t size_bytes = 0;
    // Its receipt has come; the disk has it not yet.
    bool answered = false;
  };

  // Looks for what waits and sends it, opening and closing the stream where it
  // must. One runs at a time, on the executor.
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WorkOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status OpenIfAnythingWaits() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> AnythingWaits(const Epochs& epochs);
  absl::Status SendMore() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SendLane(const missioncontrol::v1::LaneEpoch& epoch)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Everything that was sent is answered, and nothing more waits.
  absl::Status Settle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing is sent for so long.
  void HoldFor(absl::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAfter(absl::Duration pause);
  // How long the disk is left alone after it has failed.
  absl::Duration DiskPause() const;

  std::shared_ptr<Stream> OpenStream(uint64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnMessage(uint64_t number, const grpc::ByteBuffer& buffer);
  void OnWelcome(uint64_t number, const missioncontrol::v1::Welcome& welcome)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReceipt(uint64_t number,
                 const missioncontrol::v1::ReportReceipt& receipt)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckReceipt(
      const std::string& sha256,
      const missioncontrol::v1::ReportReceipt& receipt) const;
  // The service's wish that nothing is sent for a while.
  void Obey(const missioncontrol::v1::Pacing& pacing)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Accept(uint64_t number,
              const missioncontrol::v1::ReportReceipt& receipt);
  void Refuse(uint64_t number, const missioncontrol::v1::ReportReceipt& receipt,
              const missioncontrol::v1::Rejection& rejection)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of consumption that is refused for good.
  void TellRefusal(const missioncontrol::v1::ReportReceipt& receipt);
  // What became of a report is durable here, too, or could not be kept.
  void OnStored(uint64_t number, const Key& key, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOver(uint64_t number, const std::shared_ptr<ClusterLink>& link,
              const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // A stream that had to make way for one on another link.
  void Reopen(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  void Cut(uint64_t number, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void HalfClose(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The service has said something, or is asked for something: from now on it
  // has the time of the liveness bound again.
  void Progress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckLiveness(uint64_t number, uint64_t progress)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  Backlog backlog_;
  absl::Mutex mutex_;
  Pacer pacer_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Work() is queued or runs; `again_` asks it for another look.
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  // Nothing is sent before this time since boot.
  absl::Duration not_before_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();

  // The stream: its number tells what belongs to an earlier one.
  uint64_t number_ ABSL_GUARDED_BY(mutex_) = 0;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kClosed;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ClusterLink> link_ ABSL_GUARDED_BY(mutex_);
  // As Hello has declared them.
  Epochs epochs_ ABSL_GUARDED_BY(mutex_);
  // The last report of each lane that was sent on this stream.
  std::map<missioncontrol::v1::Lane, uint64_t> sent_up_to_
      ABSL_GUARDED_BY(mutex_);
  // Sent on this stream and not settled.
  std::map<Key, Sent> waiting_ ABSL_GUARDED_BY(mutex_);
  // Of all of them together.
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t progress_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_REPORTS_H_
