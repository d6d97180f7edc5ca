// The product's question "may I monitor this now?", once and as a stream.
#ifndef MC_CLUSTER_AGENT_LOCAL_LICENSE_WATCH_H_
#define MC_CLUSTER_AGENT_LOCAL_LICENSE_WATCH_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/domain/license/license_keeper.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// Thread-safe.
class LicenseWatch {
 public:
  using Reactor =
      grpc::ServerWriteReactor<missioncontrol::v1::WatchLicenseStateResponse>;

  // A product needs one; each holds a connection and a little memory.
  static constexpr size_t kMaxStreams = 64;

  // The keeper outlives the streams.
  explicit LicenseWatch(LicenseKeeper* keeper, size_t max_streams = kMaxStreams)
      : keeper_(keeper), max_streams_(max_streams) {}

  missioncontrol::v1::GetLicenseStateResponse Get() const;

  // A stream that tells the state at once and at each change; a reader that is
  // slow gets the latest. UNAVAILABLE (OVERLOADED): there are as many as
  // allowed, or End() was called.
  absl::StatusOr<Reactor*> Open() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends every stream, and takes no more.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Stream;

  LicenseKeeper* const keeper_;
  const size_t max_streams_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_LOCAL_LICENSE_WATCH_H_
