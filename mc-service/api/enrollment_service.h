// EnrollmentService: what a cluster may ask before it has a certificate.
#ifndef MC_SERVICE_API_ENROLLMENT_SERVICE_H_
#define MC_SERVICE_API_ENROLLMENT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "missioncontrol/v1/enrollment_service.grpc.pb.h"

namespace mc::service {

class CallRunner;
class EnrollmentDesk;
class RenewalDesk;

class EnrollmentService final
    : public missioncontrol::v1::EnrollmentService::CallbackService {
 public:
  struct Options {
    CallRunner* runner = nullptr;
    const EnrollmentDesk* desk = nullptr;
    RenewalDesk* renewals = nullptr;
  };

  explicit EnrollmentService(const Options& options) : options_(options) {}

  grpc::ServerUnaryReactor* Install(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::InstallRequest* request,
      missioncontrol::v1::InstallResponse* response) override;
  grpc::ServerUnaryReactor* Register(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::RegisterRequest* request,
      missioncontrol::v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* RecoverCertificate(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::RecoverCertificateRequest* request,
      missioncontrol::v1::RecoverCertificateResponse* response) override;

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_ENROLLMENT_SERVICE_H_
