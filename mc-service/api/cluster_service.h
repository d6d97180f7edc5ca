// ClusterService: what registered clusters call.
#ifndef MC_SERVICE_API_CLUSTER_SERVICE_H_
#define MC_SERVICE_API_CLUSTER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "mc-service/api/call.h"
#include "mc-service/api/cluster_stream.h"
#include "mc-service/api/heartbeats_stream.h"
#include "mc-service/api/reports_stream.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::service {

// Every method through gRPC's callbacks. StreamReports is raw: the generated
// CallbackService cannot be combined with that, so each method is named.
using ClusterServiceBase = v1::ClusterService::WithCallbackMethod_CheckLicense<
    v1::ClusterService::WithRawCallbackMethod_StreamReports<
        v1::ClusterService::WithCallbackMethod_StreamHeartbeats<
            v1::ClusterService::WithCallbackMethod_CheckUpdates<
                v1::ClusterService::WithCallbackMethod_RenewCertificate<
                    v1::ClusterService::WithCallbackMethod_FetchSettings<
                        v1::ClusterService::
                            WithCallbackMethod_UploadDiagnostics<
                                v1::ClusterService::
                                    WithCallbackMethod_ExchangeAuditHeads<
                                        v1::ClusterService::Service>>>>>>>>;

class ClusterService final : public ClusterServiceBase {
 public:
  // The one domain call of a unary method. It may block.
  template <typename Request, typename Response>
  using Handler =
      std::function<absl::Status(const Caller& caller, const Request& request,
                                 Response* response, std::string* summary)>;

  // All of it outlives the server.
  struct Options {
    CallRunner* calls = nullptr;
    StreamDeps streams;
    ReportDesk* reports = nullptr;
    // Reports of one cluster that wait for the store.
    size_t max_reports_per_cluster = 32;
    HeartbeatDeps heartbeats;
    Handler<v1::CheckLicenseRequest, v1::CheckLicenseResponse> check_license;
    Handler<v1::CheckUpdatesRequest, v1::CheckUpdatesResponse> check_updates;
    Handler<v1::RenewCertificateRequest, v1::RenewCertificateResponse>
        renew_certificate;
  };

  explicit ClusterService(Options options);

  grpc::ServerUnaryReactor* CheckLicense(
      grpc::CallbackServerContext* context,
      const v1::CheckLicenseRequest* request,
      v1::CheckLicenseResponse* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamReports(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::StreamHeartbeatsRequest,
                          v1::StreamHeartbeatsResponse>*
  StreamHeartbeats(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CheckUpdates(
      grpc::CallbackServerContext* context,
      const v1::CheckUpdatesRequest* request,
      v1::CheckUpdatesResponse* response) override;
  grpc::ServerUnaryReactor* RenewCertificate(
      grpc::CallbackServerContext* context,
      const v1::RenewCertificateRequest* request,
      v1::RenewCertificateResponse* response) override;

  // Not built yet.
  grpc::ServerUnaryReactor* FetchSettings(
      grpc::CallbackServerContext* context,
      const v1::FetchSettingsRequest* request,
      v1::FetchSettingsResponse* response) override;
  grpc::ServerReadReactor<v1::UploadDiagnosticsRequest>* UploadDiagnostics(
      grpc::CallbackServerContext* context,
      v1::UploadDiagnosticsResponse* response) override;
  grpc::ServerUnaryReactor* ExchangeAuditHeads(
      grpc::CallbackServerContext* context,
      const v1::ExchangeAuditHeadsRequest* request,
      v1::ExchangeAuditHeadsResponse* response) override;

 private:
  const Options options_;
  ReportShares shares_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_CLUSTER_SERVICE_H_
