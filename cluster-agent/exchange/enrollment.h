// Installation and registration: what a cluster does before it has a
// certificate.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_
#define MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/domain/config/enrollment_token.h"
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
    // Reads the token, anew at each registration; empty: none is sent.
    EnrollmentTokenSource token = {};
    std::string agent_version;
  };
  explicit Enrollment(Options options);

  using InstallDone =
      std::function<void(absl::StatusOr<missioncontrol::v1::InstallResponse>)>;
  void Install(const std::string& product_version, InstallDone done);

  // The answer as it was given; not saved.
  using RegisterDone =
      std::function<void(absl::StatusOr<missioncontrol::v1::RegisterResponse>)>;
  void Register(SharedState& state, RegisterDone done);

  using RecoverDone = std::function<void(
      absl::StatusOr<missioncontrol::v1::RecoverCertificateResponse>)>;
  void Recover(missioncontrol::v1::RecoverCertificateRequest request,
               RecoverDone done);

  // Calls from now on go there.
  void Use(std::shared_ptr<grpc::Channel> channel) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Stub = missioncontrol::v1::EnrollmentService::Stub;
  std::shared_ptr<Stub> stub() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  absl::Mutex mutex_;
  std::shared_ptr<Stub> stub_ ABSL_GUARDED_BY(mutex_);
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

// Keeps a registration. ABORTED (REGISTRATION_PENDING): an operator has to
// approve it first. FAILED_PRECONDITION: it was revoked. UNAUTHENTICATED: what
// the service answered is not this cluster's identity.
absl::Status KeepRegistration(
    SharedState& state, const std::string& license_key,
    const missioncontrol::v1::RegisterResponse& answer, absl::Time now);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_ENROLLMENT_H_
