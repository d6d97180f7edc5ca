#include "mc-service/api/cluster_service.h"

#include <utility>

namespace mc::service {
namespace {

constexpr std::string_view kCheckLicense =
    "/missioncontrol.v1.ClusterService/CheckLicense";
constexpr std::string_view kCheckUpdates =
    "/missioncontrol.v1.ClusterService/CheckUpdates";
constexpr std::string_view kRenewCertificate =
    "/missioncontrol.v1.ClusterService/RenewCertificate";
constexpr std::string_view kFetchSettings =
    "/missioncontrol.v1.ClusterService/FetchSettings";
constexpr std::string_view kUploadDiagnostics =
    "/missioncontrol.v1.ClusterService/UploadDiagnostics";
constexpr std::string_view kExchangeAuditHeads =
    "/missioncontrol.v1.ClusterService/ExchangeAuditHeads";

// Refuses an upload, to those who may call it, without reading anything. gRPC
// keeps the context until it was finished.
class RefusedUpload
    : public grpc::ServerReadReactor<v1::UploadDiagnosticsRequest> {
 public:
  static RefusedUpload* Start(grpc::CallbackServerContext* context,
                              const StreamDeps& deps) {
    auto* upload = new RefusedUpload;
    const absl::Time start = deps.clock->Now();
    if (const absl::Status limited =
            CheckLimit(deps.limit, *context->auth_context(), context->peer(),
                       kUploadDiagnostics);
        !limited.ok()) {
      upload->Finish(ToGrpc(limited));
      return upload;
    }
    auto refuse = [=, &deps] {
      const auto identity = deps.identify(*context->auth_context());
      absl::Status refused = identity.status();
      if (refused.ok()) {
        refused =
            deps.check(*identity, context->peer(), kUploadDiagnostics).status();
      }
      const absl::Status status =
          refused.ok() ? CallRunner::NotSupportedYet(kUploadDiagnostics)
                       : PublicStatus(kUploadDiagnostics, refused);
      deps.metrics->Observe(kUploadDiagnostics, status.code(),
                            deps.clock->Now() - start);
      upload->Finish(ToGrpc(status));
    };
    if (!deps.executor->TryRun(refuse)) upload->Finish(ToGrpc(Busy(deps)));
    return upload;
  }

  void OnDone() override { delete this; }
};

template <typename Request, typename Response>
CallRunner::Work Bind(const ClusterService::Handler<Request, Response>& handler,
                      const Request* request, Response* response) {
  return [&handler, request, response](const Caller& caller,
                                       std::string* summary) {
    return handler(caller, *request, response, summary);
  };
}

}  // namespace

ClusterService::ClusterService(Options options)
    : options_(std::move(options)), shares_(options_.max_reports_per_cluster) {}

grpc::ServerUnaryReactor* ClusterService::CheckLicense(
    grpc::CallbackServerContext* context,
    const v1::CheckLicenseRequest* request,
    v1::CheckLicenseResponse* response) {
  return options_.calls->Unary(context, kCheckLicense, v1::EXCHANGE_LICENSE,
                               request, response,
                               Bind(options_.check_license, request, response));
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
ClusterService::StreamReports(grpc::CallbackServerContext* context) {
  return ReportsStream::Open<ReportsStream>(context, options_.streams,
                                            options_.reports, &shares_);
}

grpc::ServerBidiReactor<v1::StreamHeartbeatsRequest,
                        v1::StreamHeartbeatsResponse>*
ClusterService::StreamHeartbeats(grpc::CallbackServerContext* context) {
  return HeartbeatsStream::Open<HeartbeatsStream>(context, options_.streams,
                                                  options_.heartbeats);
}

grpc::ServerUnaryReactor* ClusterService::CheckUpdates(
    grpc::CallbackServerContext* context,
    const v1::CheckUpdatesRequest* request,
    v1::CheckUpdatesResponse* response) {
  return options_.calls->Unary(context, kCheckUpdates, v1::EXCHANGE_UPDATES,
                               request, response,
                               Bind(options_.check_updates, request, response));
}

grpc::ServerUnaryReactor* ClusterService::RenewCertificate(
    grpc::CallbackServerContext* context,
    const v1::RenewCertificateRequest* request,
    v1::RenewCertificateResponse* response) {
  return options_.calls->Unary(
      context, kRenewCertificate, v1::EXCHANGE_UNSPECIFIED, request, response,
      Bind(options_.renew_certificate, request, response));
}

grpc::ServerUnaryReactor* ClusterService::FetchSettings(
    grpc::CallbackServerContext* context,
    const v1::FetchSettingsRequest* /*request*/,
    v1::FetchSettingsResponse* /*response*/) {
  return options_.calls->Unimplemented(context, kFetchSettings);
}

grpc::ServerReadReactor<v1::UploadDiagnosticsRequest>*
ClusterService::UploadDiagnostics(grpc::CallbackServerContext* context,
                                  v1::UploadDiagnosticsResponse* /*response*/) {
  return RefusedUpload::Start(context, options_.streams);
}

grpc::ServerUnaryReactor* ClusterService::ExchangeAuditHeads(
    grpc::CallbackServerContext* context,
    const v1::ExchangeAuditHeadsRequest* /*request*/,
    v1::ExchangeAuditHeadsResponse* /*response*/) {
  return options_.calls->Unimplemented(context, kExchangeAuditHeads);
}

}  // namespace mc::service
