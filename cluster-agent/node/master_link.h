// One connection to the master: a stream of this node's reports.
#ifndef MC_CLUSTER_AGENT_NODE_MASTER_LINK_H_
#define MC_CLUSTER_AGENT_NODE_MASTER_LINK_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/client_stream.h"
#include "common/retry/backoff.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/v1/site_service.grpc.pb.h"

namespace mc::agent {

// Hello and Welcome; then a report at once, and one each time that the interval
// of the Welcome has passed, with jitter. A master that does not answer in time
// is given up: a connection can be dead without saying so.
//
// Thread-safe. A link that is over stays so: the next attempt has a channel of
// its own, for the old one may wait for what will never come.
class MasterLink : public std::enable_shared_from_this<MasterLink> {
 public:
  struct Options {
    std::shared_ptr<grpc::Channel> channel;
    // All outlive the link.
    InFlight* in_flight = nullptr;
    Executor* executor = nullptr;
    TimerQueue* timers = nullptr;
    UniformDraw draw;
    missioncontrol::v1::NodeHello hello;
    // What is reported now. May read files; an error skips this report.
    std::function<absl::StatusOr<missioncontrol::v1::NodeReport>()> report;
    // Each is called on the executor.
    std::function<void(const missioncontrol::v1::NodeWelcome&)> on_welcome;
    std::function<void()> on_receipt;
    // Once, unless Close came before.
    std::function<void(const absl::Status&)> on_over;
  };

  // Null while the agent stops.
  static std::shared_ptr<MasterLink> Open(Options options);

  missioncontrol::v1::SiteService::Stub& stub() { return *stub_; }

  // Something has changed: reports now, and then at the interval again.
  void ReportNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream; nothing is called any more.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Stream = ClientStream<missioncontrol::v1::StreamNodeReportsRequest,
                              missioncontrol::v1::StreamNodeReportsResponse>;

  explicit MasterLink(Options options);

  void OnMessage(const missioncontrol::v1::StreamNodeReportsResponse& message)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOver(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Report() ABSL_LOCKS_EXCLUDED(mutex_);
  void ScheduleReport() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives the master up unless it has answered `expected` messages by then.
  void ExpectAnswers(int64_t expected, absl::Duration within)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunAfter(absl::Duration delay, void (MasterLink::*run)(int64_t),
                int64_t argument);
  void ReportDue(int64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckAnswers(int64_t expected) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const std::unique_ptr<missioncontrol::v1::SiteService::Stub> stub_;
  absl::Mutex mutex_;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  // Closed, or over.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  // Hello and Welcome are among them.
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration interval_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  missioncontrol::v1::Pacing pacing_ ABSL_GUARDED_BY(mutex_);
  // Tells timers of an earlier schedule apart.
  int64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_NODE_MASTER_LINK_H_
