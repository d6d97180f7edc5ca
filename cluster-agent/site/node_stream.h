// SiteService.StreamNodeReports.
#ifndef MC_CLUSTER_AGENT_SITE_NODE_STREAM_H_
#define MC_CLUSTER_AGENT_SITE_NODE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "cluster-agent/site/node_identity.h"
#include "cluster-agent/site/site_service.h"
#include "common/rpc/bidi_reactor.h"

namespace mc::agent {

class NodeStream
    : public BidiReactor<missioncontrol::v1::StreamNodeReportsRequest,
                         missioncontrol::v1::StreamNodeReportsResponse> {
 public:
  // The stream of one who may not open one ends at once with `refused`.
  static std::shared_ptr<NodeStream> Refused(const absl::Status& refused);
  static std::shared_ptr<NodeStream> Open(const SiteDeps& deps,
                                          const CallingNode& node);

  // For make_shared; see the functions above.
  NodeStream(const SiteDeps* deps, CallingNode node);

 private:
  void OnMessage(
      missioncontrol::v1::StreamNodeReportsRequest& request) override;
  void OnOver(const grpc::Status& end) override;

  absl::Status OnHello(const missioncontrol::v1::NodeHello& hello);
  absl::Status OnReport(missioncontrol::v1::NodeReport& report);
  void LookForOtherMaster(const missioncontrol::v1::NodeHello& hello) const;

  const SiteDeps* const deps_;
  const CallingNode node_;
  uint64_t number_ = 0;
  // Used in OnMessage alone.
  bool welcomed_ = false;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_NODE_STREAM_H_
