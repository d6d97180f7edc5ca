#include "mc-service/api/heartbeats_stream.h"

#include <string>
#include <utility>

#include "common/time/proto_time.h"
#include "common/wire/check.h"
#include "mc-service/domain/exchanges/summary.h"

namespace mc::service {

HeartbeatsStream::HeartbeatsStream(grpc::CallbackServerContext* context,
                                   const StreamDeps& deps,
                                   const HeartbeatDeps& heartbeats)
    : ClusterStream(context, deps, StreamKind::kHeartbeats, kStreamHeartbeats,
                    deps.max_unanswered),
      heartbeats_(heartbeats) {}

absl::Status HeartbeatsStream::Check(
    const v1::StreamHeartbeatsRequest& beat) const {
  if (absl::Status s = CheckMessage(beat); !s.ok()) return s;
  if (beat.cluster_id().empty()) {
    return InvalidField("cluster_id", "the beat does not name its cluster");
  }
  if (beat.cluster_id() != cluster_id()) return IdentityMismatch();
  if (beat.node_id().empty()) {
    return InvalidField("node_id", "the beat does not name its node");
  }
  if (beat.source_type() == v1::SOURCE_TYPE_UNSPECIFIED ||
      !v1::SourceType_IsValid(beat.source_type())) {
    return InvalidField("source_type",
                        "the beat does not say what it speaks for");
  }
  return absl::OkStatus();
}

// Whatever OnMessage was about: where it stops the reading after this, the next
// tick lets it go on.
void HeartbeatsStream::OnTick() {
  beats_ = 0;
  SetMaxUnanswered(deps().max_unanswered);
}

void HeartbeatsStream::OnMessage(v1::StreamHeartbeatsRequest& beat) {
  if (++beats_ == heartbeats_.max_per_tick) SetMaxUnanswered(0);
  absl::Status status = Check(beat);
  if (status.ok()) {
    if (beat.agent_instance_id() != agent_instance_id_ &&
        !beat.agent_instance_id().empty()) {
      agent_instance_id_ = beat.agent_instance_id();
      heartbeats_.presence->Speaks(cluster_id(), agent_instance_id_,
                                   deps().clock->Now());
    }
    status = heartbeats_.presence->Beat(
        cluster_id(), beat.node_id(), beat.source_type(), deps().clock->Now());
  }
  std::string summary;
  if (!status.ok()) {
    summary = std::string(status.message());
  } else if (deps().exchanges->watched()) {
    summary = Summarize(beat);
  }
  Record(v1::EXCHANGE_HEARTBEAT, status, std::move(summary));
  if (!status.ok()) return Fail(status);
  RecheckWhenDue();
  Answer(Response(agent_instance_id_));
}

// At most one for each check.
void HeartbeatsStream::OnCallerChanged() { Push(Response("")); }

v1::StreamHeartbeatsResponse HeartbeatsStream::Response(
    std::string_view speaker) const {
  const StreamCaller now = caller();
  v1::StreamHeartbeatsResponse response;
  response.set_remote_ui_requested(now.remote_ui_requested);
  std::string renewing = now.renewing_instance_id;
  if (renewing.empty() && now.renewal_wanted) renewing = speaker;
  if (!renewing.empty()) {
    response.add_directives()
        ->mutable_certificate_renewal_requested()
        ->set_agent_instance_id(std::move(renewing));
  }
  if (heartbeats_.interval.has_value()) {
    *response.mutable_pacing()->mutable_next_interval() =
        ToProto(*heartbeats_.interval);
  }
  return response;
}

}  // namespace mc::service
