// ClusterService.StreamHeartbeats.
#ifndef MC_SERVICE_API_HEARTBEATS_STREAM_H_
#define MC_SERVICE_API_HEARTBEATS_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "mc-service/api/cluster_stream.h"
#include "mc-service/domain/presence/presence.h"
#include "missioncontrol/v1/heartbeat.pb.h"

namespace mc::service {

inline constexpr std::string_view kStreamHeartbeats =
    "/missioncontrol.v1.ClusterService/StreamHeartbeats";

struct HeartbeatDeps {
  Presence* presence = nullptr;
  // What clusters are told; absent: their own schedule.
  std::optional<absl::Duration> interval;
  // Beats of one stream between two ticks of the registry; what comes beyond
  // waits, unread, for the next one. A site has one for each of its nodes.
  int64_t max_per_tick = 1000;
};

// Each beat is counted and answered from memory.
class HeartbeatsStream : public ClusterStream<v1::StreamHeartbeatsRequest,
                                              v1::StreamHeartbeatsResponse> {
 public:
  HeartbeatsStream(grpc::CallbackServerContext* context, const StreamDeps& deps,
                   const HeartbeatDeps& heartbeats);

 private:
  void OnMessage(v1::StreamHeartbeatsRequest& beat) override;
  void OnCallerChanged() override;
  // `speaker` is the agent that is answered; empty: it is not known.
  v1::StreamHeartbeatsResponse Response(std::string_view speaker) const;
  void OnTick() override;
  absl::Status Check(const v1::StreamHeartbeatsRequest& beat) const;

  const HeartbeatDeps heartbeats_;
  // Who speaks on this stream; used in OnMessage alone.
  std::string agent_instance_id_;
  // Since the last tick.
  std::atomic<int64_t> beats_ = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_HEARTBEATS_STREAM_H_
