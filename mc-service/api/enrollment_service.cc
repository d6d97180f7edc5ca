#include "mc-service/api/enrollment_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/license_key.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "mc-service/api/call.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/renewal_desk.h"

namespace mc::service {

grpc::ServerUnaryReactor* EnrollmentService::Install(
    grpc::CallbackServerContext* context, const v1::InstallRequest* request,
    v1::InstallResponse* response) {
  return options_.runner->Unary(
      context, "/missioncontrol.v1.EnrollmentService/Install",
      v1::EXCHANGE_INSTALLATION, request, response,
      [=, this](const Caller&, std::string* summary) {
        *summary =
            absl::StrCat("agent ", request->agent_version(), ", product ",
                         request->product_version(), ", key ",
                         MaskLicenseKey(request->license_key()));
        absl::StatusOr<v1::InstallResponse> answer =
            options_.desk->Install(*request);
        if (!answer.ok()) return answer.status();
        absl::StrAppend(summary, ", account ", answer->account_name(),
                        ", license ", answer->license_name());
        *response = *std::move(answer);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* EnrollmentService::Register(
    grpc::CallbackServerContext* context, const v1::RegisterRequest* request,
    v1::RegisterResponse* response) {
  return options_.runner->Unary(
      context, "/missioncontrol.v1.EnrollmentService/Register",
      v1::EXCHANGE_REGISTRATION, request, response,
      [=, this](const Caller& caller, std::string* summary) {
        *summary = absl::StrCat("cluster ", request->cluster_id(), ", key ",
                                MaskLicenseKey(request->license_key()));
        absl::StatusOr<v1::RegisterResponse> answer =
            options_.desk->Register(*request);
        if (ReasonOf(answer.status()) ==
            v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED) {
          LogWarning("an enrollment token was refused",
                     {{"cluster_id", request->cluster_id()},
                      {"license_key", MaskLicenseKey(request->license_key())},
                      {"peer", caller.peer},
                      {"detail", std::string(answer.status().message())}});
        }
        if (!answer.ok()) return answer.status();
        if (answer->status() == v1::REGISTRATION_STATUS_PENDING) {
          absl::StrAppend(summary, ", waits for its approval");
        }
        *response = *std::move(answer);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* EnrollmentService::RecoverCertificate(
    grpc::CallbackServerContext* context,
    const v1::RecoverCertificateRequest* request,
    v1::RecoverCertificateResponse* response) {
  return options_.runner->Unary(
      context, "/missioncontrol.v1.EnrollmentService/RecoverCertificate",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) {
        absl::StatusOr<v1::RecoverCertificateResponse> answer =
            options_.renewals->Recover(*request);
        if (!answer.ok()) return answer.status();
        *response = *std::move(answer);
        return absl::OkStatus();
      });
}

}  // namespace mc::service
