#include "cluster-agent/doctor/service_call.h"

#include <functional>

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

// Sets the deadline, calls, and reads the service's clock.
absl::Status Call(const Clock& clock,
                  const std::function<grpc::Status(grpc::ClientContext*)>& call,
                  ServiceAnswer& answer) {
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(kDeadline));
  context.set_wait_for_ready(false);
  const absl::Time begin = clock.Now();
  const grpc::Status status = call(&context);
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
  const auto channel = MakeChannel(options);
  if (!channel.ok()) {
    answer.result = Judge(target, channel.status(), "");
    return answer;
  }
  const auto stub = health::Health::NewStub(*channel);
  health::HealthCheckResponse response;
  const absl::Status status = Call(
      clock,
      [&](grpc::ClientContext* context) {
        return stub->Check(context, health::HealthCheckRequest(), &response);
      },
      answer);
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
  const auto channel = MakeChannel(options);
  if (!channel.ok()) {
    answer.result = Judge(target, channel.status(), "");
    return answer;
  }
  const auto stub = v1::ClusterService::NewStub(*channel);
  v1::CheckLicenseResponse response;
  const absl::Status status = Call(
      clock,
      [&](grpc::ClientContext* context) {
        return stub->CheckLicense(context, v1::CheckLicenseRequest(),
                                  &response);
      },
      answer);
  answer.result = Judge(target, status,
                        absl::StrCat("it knows this cluster; license ",
                                     EnumText(response.license().status())));
  return answer;
}

}  // namespace mc::agent
