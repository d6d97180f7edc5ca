// An initialized service in a temporary folder, and its callers.
#ifndef MC_SERVICE_TESTING_SERVICE_FOLDER_H_
#define MC_SERVICE_TESTING_SERVICE_FOLDER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/files/temp_dir.h"
#include "common/time/clock.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/store/store.h"

namespace mc::service::testing {

// A client's certificate chain and key in PEM.
struct ClientIdentity {
  std::string certificate;
  std::string key;
};

// As `mc-service init --free-ports` leaves it.
class ServiceFolder {
 public:
  ServiceFolder();

  const StateLayout& state() const { return state_; }
  Configuration Load() const;

  // Works on the store while no service runs.
  absl::Status Write(Store::WriteWork work) const;

  // The operator that init made.
  ClientIdentity Admin() const;
  // A certificate of the operator CA; the store need not know the name.
  ClientIdentity Operator(std::string_view name) const;
  // A certificate of the cluster CA.
  ClientIdentity Cluster(std::string_view id) const;

  // A channel to a port on loopback; without an identity there is no client
  // certificate.
  std::shared_ptr<grpc::Channel> Connect(
      int port, const ClientIdentity* identity = nullptr) const;

 private:
  ClientIdentity Issue(const CertificateFiles& ca, std::string_view uri) const;

  TempDir folder_;
  RealClock clock_;
  StateLayout state_;
};

}  // namespace mc::service::testing

#endif  // MC_SERVICE_TESTING_SERVICE_FOLDER_H_
