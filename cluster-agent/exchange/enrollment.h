// Installation and registration: what a cluster does before it has a
// certificate.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_
#define MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/state/state_directory.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/enrollment_service.grpc.pb.h"

namespace mc::agent {

// Thread-safe.
class Enrollment {
 public:
  struct Options {
    std::shared_ptr<grpc::Channel> channel;
    InFlight* in_flight = nullptr;
    Executor* executor = nullptr;
    // A secret.
    std::string license_key;
    std::string agent_version;
  };
  explicit Enrollment(Options options);

  using InstallDone =
      std::function<void(absl::StatusOr<missioncontrol::v1::InstallResponse>)>;
  void Install(const std::string& product_version, InstallDone done);

  // The answer as it was given; not saved.
  using RegisterDone =
      std::function<void(absl::StatusOr<missioncontrol::v1::RegisterResponse>)>;
  void Register(const StateDirectory& state, RegisterDone done);

 private:
  const Options options_;
  const std::unique_ptr<missioncontrol::v1::EnrollmentService::Stub> stub_;
};

// Keeps an installation, so that the same versions are not reported again.
absl::Status KeepInstallation(SharedState& state,
                              const std::string& agent_version,
                              const std::string& product_version,
                              const missioncontrol::v1::InstallResponse& answer,
                              absl::Time now);

// Whether these versions were not reported yet.
absl::StatusOr<bool> NeedsInstall(const StateDirectory& state,
                                  const std::string& agent_version,
                                  const std::string& product_version);

// Keeps a registration. ABORTED: an operator has to approve it first.
// FAILED_PRECONDITION: it was revoked. UNAUTHENTICATED: what the service
// answered is not this cluster's identity.
absl::Status KeepRegistration(
    SharedState& state, const std::string& license_key,
    const missioncontrol::v1::RegisterResponse& answer, absl::Time now);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_
