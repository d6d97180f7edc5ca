#include "cluster-agent/doctor/service_call.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/exchange/pacer.h"
#include "common/cli/output.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/http_date.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace health = grpc::health::v1;

constexpr char kCheck[] = "service";
constexpr absl::Duration kDeadline = absl::Seconds(10);

// Connects, calls `method` of `Service`, and reads the service's clock.
template <typename Service, typename Request, typename Response>
absl::Status Call(const ChannelOptions& options, const Clock& clock,
                  grpc::Status (Service::StubInterface::*method)(
                      grpc::ClientContext*, const Request&, Response*),
                  Response& response, ServiceAnswer& answer) {
  const auto channel = MakeChannel(options);
  if (!channel.ok()) return channel.status();
  const auto stub = Service::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(kDeadline));
  context.set_wait_for_ready(false);
  const absl::Time begin = clock.Now();
  const grpc::Status status =
      (stub.get()->*method)(&context, Request(), &response);
  const auto& metadata = context.GetServerInitialMetadata();
  const auto date = metadata.find("date");
  if (date != metadata.end()) {
    answer.told = ParseHttpDate(
        std::string_view(date->second.data(), date->second.size()));
    answer.now = begin + (clock.Now() - begin) / 2;
  }
  return FromGrpc(status);
}

CheckResult Judge(const std::string& target, const absl::Status& status,
                  const std::string& answered) {
  if (status.ok()) return Ok(kCheck, target, answered);
  const std::string detail =
      absl::StrCat(ResultName(status), ": ", status.message());
  if (IsUnreachable(status)) {
    return Failed(kCheck, target, detail,
                  "TLS stands, but the call is not answered: the service may "
                  "be starting or stopping; if it stays so, ask your vendor");
  }
  return Failed(
      kCheck, target, detail,
      IsRefusal(status) ? Advice(status) : "give this line to your vendor");
}

}  // namespace

ServiceAnswer CallHealth(const std::string& target,
                         const ChannelOptions& options, const Clock& clock) {
  ServiceAnswer answer;
  health::HealthCheckResponse response;
  const absl::Status status = Call<health::Health>(
      options, clock, &health::Health::StubInterface::Check, response, answer);
  answer.result = Judge(target, status, "it serves");
  if (status.ok() &&
      response.status() != health::HealthCheckResponse::SERVING) {
    answer.result = Warning(kCheck, target, "it answers that it does not serve",
                            "it is starting or stopping: try again");
  }
  return answer;
}

ServiceAnswer CallLicense(const std::string& target,
                          const ChannelOptions& options, const Clock& clock) {
  ServiceAnswer answer;
  v1::CheckLicenseResponse response;
  const absl::Status status = Call<v1::ClusterService>(
      options, clock, &v1::ClusterService::StubInterface::CheckLicense,
      response, answer);
  answer.result = Judge(target, status,
                        absl::StrCat("it knows this cluster; license ",
                                     EnumText(response.license().status())));
  return answer;
}

}  // namespace mc::agent
