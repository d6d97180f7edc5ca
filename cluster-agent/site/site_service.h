// SiteService: what the master serves to the other nodes of its site.
#ifndef MC_CLUSTER_AGENT_SITE_SITE_SERVICE_H_
#define MC_CLUSTER_AGENT_SITE_SITE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/site/attempt_limit.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "cluster-agent/site/node_streams.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/site_service.grpc.pb.h"

namespace mc::agent {

// What the handlers need; everything outlives the servers.
struct SiteDeps {
  const SiteAuthority* authority = nullptr;
  NodeRegistry* registry = nullptr;
  Executor* executor = nullptr;
  const Clock* clock = nullptr;
  NodeStreams* streams = nullptr;
  AttemptLimit* attempts = nullptr;
  std::string cluster_id;
  std::string master_node_id;
  // Random, new at every start of the master.
  std::string master_instance_id;
  // Since boot.
  absl::Duration started;
  absl::Duration report_interval;
  // As in JoinResponse. Known when the ports are.
  std::function<std::string()> node_address;
  // Whether this agent speaks for the cluster now; null: always.
  std::function<bool()> is_master;
  // Another master answered this node after this one had started; null: only
  // the log says so.
  std::function<void(const std::string& instance_id, absl::Duration age)>
      on_other_master;
};

// Which port a call came on; the policy goes by it.
enum class SitePort { kJoin, kNodes };

// One for each port. Nothing blocks in a reaction.
class SiteServiceImpl
    : public missioncontrol::v1::SiteService::CallbackService {
 public:
  // `deps` outlives this.
  SiteServiceImpl(const SiteDeps* deps, SitePort port)
      : deps_(deps), port_(port) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Join(Context* context, const missioncontrol::v1::JoinRequest* request,
              missioncontrol::v1::JoinResponse* response) override;
  Unary* RenewNodeCertificate(
      Context* context,
      const missioncontrol::v1::RenewNodeCertificateRequest* request,
      missioncontrol::v1::RenewNodeCertificateResponse* response) override;
  grpc::ServerBidiReactor<missioncontrol::v1::StreamNodeReportsRequest,
                          missioncontrol::v1::StreamNodeReportsResponse>*
  StreamNodeReports(Context* context) override;

 private:
  // PERMISSION_DENIED on the other port.
  absl::Status Only(SitePort port) const;
  Unary* Run(Context* context, std::function<absl::Status()> work) const;

  const SiteDeps* const deps_;
  const SitePort port_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_SITE_SERVICE_H_
