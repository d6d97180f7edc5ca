// Enrollment tokens, approvals and operators.
#include <string>

#include "common/log/log.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/access/operator_desk.h"
#include "mc-service/domain/access/tokens.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/fleet/page_token.h"

namespace mc::service {
namespace {

constexpr std::string_view kOperators = "operators";

std::string TokensOf(const std::string& license_id) {
  return "enrollment tokens of " + license_id;
}

// A certificate with the operator that it is for.
template <typename Response>
void Fill(OperatorDesk::Certified certified, Response& response) {
  *response.mutable_operator_() = ToProto(certified.op);
  response.set_certificate(std::move(certified.certificate));
  response.add_ca_chain(std::move(certified.issuer));
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::CreateEnrollmentToken(
    grpc::CallbackServerContext* context,
    const v1::CreateEnrollmentTokenRequest* request,
    v1::CreateEnrollmentTokenResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/CreateEnrollmentToken",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        auto made = service::CreateEnrollmentToken(*options_.store, *request,
                                                   options_.clock->Now());
        if (!made.ok()) return made.status();
        LogInfo("enrollment token created",
                {{"operator", caller.id},
                 {"token_id", made->row.id},
                 {"license_id", made->row.license_id}});
        *response->mutable_enrollment_token() = ToProto(made->row);
        response->set_token(std::move(made->token));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::ListEnrollmentTokens(
    grpc::CallbackServerContext* context,
    const v1::ListEnrollmentTokensRequest* request,
    v1::ListEnrollmentTokensResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListEnrollmentTokens",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = TokensOf(request->license_id());
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          if (const auto license = reader.GetLicense(request->license_id());
              !license.ok()) {
            return ExplainMissing(license.status(),
                                  "license " + request->license_id());
          }
          const auto tokens =
              reader.ListEnrollmentTokens(request->license_id(), *page);
          if (!tokens.ok()) return tokens.status();
          for (const EnrollmentToken& token : tokens->items) {
            *response->add_enrollment_tokens() = ToProto(token);
          }
          response->set_next_page_token(MakePageToken(listing, tokens->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::DeleteEnrollmentToken(
    grpc::CallbackServerContext* context,
    const v1::DeleteEnrollmentTokenRequest* request,
    v1::DeleteEnrollmentTokenResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/DeleteEnrollmentToken",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        absl::Status status = service::DeleteEnrollmentToken(
            *options_.store, request->token_id());
        if (!status.ok()) return status;
        LogInfo("enrollment token deleted",
                {{"operator", caller.id}, {"token_id", request->token_id()}});
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::CreateOperator(
    grpc::CallbackServerContext* context,
    const v1::CreateOperatorRequest* request,
    v1::CreateOperatorResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/CreateOperator",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        auto made = options_.operators->Create(*request);
        if (!made.ok()) return made.status();
        LogInfo("operator created",
                {{"operator", caller.id},
                 {"name", made->op.name},
                 {"role", v1::OperatorRole_Name(request->role())}});
        Fill(*std::move(made), *response);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::ListOperators(
    grpc::CallbackServerContext* context,
    const v1::ListOperatorsRequest* request,
    v1::ListOperatorsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListOperators",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const auto page = ParseNamePage(kOperators, request->page_size(),
                                        request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          // One more tells whether there is a further page.
          const auto operators =
              reader.ListOperators(page->after, page->limit + 1);
          if (!operators.ok()) return operators.status();
          for (const Operator& op : *operators) {
            if (response->operators_size() == page->limit) {
              response->set_next_page_token(MakeNamePageToken(
                  kOperators, response->operators(page->limit - 1).name()));
              break;
            }
            *response->add_operators() = ToProto(op);
          }
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::UpdateOperator(
    grpc::CallbackServerContext* context,
    const v1::UpdateOperatorRequest* request,
    v1::UpdateOperatorResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/UpdateOperator",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const auto changed =
            options_.operators->ChangeRole(request->name(), request->role());
        if (!changed.ok()) return changed.status();
        LogInfo("operator updated",
                {{"operator", caller.id},
                 {"name", changed->name},
                 {"role", v1::OperatorRole_Name(request->role())}});
        *response->mutable_operator_() = ToProto(*changed);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::DeleteOperator(
    grpc::CallbackServerContext* context,
    const v1::DeleteOperatorRequest* request,
    v1::DeleteOperatorResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/DeleteOperator",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        absl::Status status = options_.operators->Delete(request->name());
        if (!status.ok()) return status;
        LogInfo("operator deleted",
                {{"operator", caller.id}, {"name", request->name()}});
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::IssueOperatorCertificate(
    grpc::CallbackServerContext* context,
    const v1::IssueOperatorCertificateRequest* request,
    v1::IssueOperatorCertificateResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/IssueOperatorCertificate",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        auto issued =
            options_.operators->Issue(caller.id, caller.role, *request);
        if (!issued.ok()) return issued.status();
        LogInfo("operator certificate issued",
                {{"operator", caller.id}, {"name", issued->op.name}});
        Fill(*std::move(issued), *response);
        return absl::OkStatus();
      });
}

}  // namespace mc::service
