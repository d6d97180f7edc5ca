#include "common/log/log.h"
#include "common/time/clock.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/fleet/page_token.h"

namespace mc::service {
namespace {

constexpr std::string_view kAccounts = "accounts";

std::string LicensesOf(std::string_view account_id) {
  return std::string("licenses of ").append(account_id);
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::CreateAccount(
    grpc::CallbackServerContext* context,
    const v1::CreateAccountRequest* request,
    v1::CreateAccountResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/CreateAccount",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const auto account = service::CreateAccount(
            *options_.store, request->name(), options_.clock->Now());
        if (!account.ok()) return account.status();
        LogInfo("account created",
                {{"operator", caller.id}, {"account_id", account->id}});
        *response->mutable_account() = ToProto(*account);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::ListAccounts(
    grpc::CallbackServerContext* context,
    const v1::ListAccountsRequest* request,
    v1::ListAccountsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListAccounts",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const auto page =
            ParsePage(kAccounts, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto accounts = reader.ListAccounts(*page);
          if (!accounts.ok()) return accounts.status();
          for (const Account& account : accounts->items) {
            *response->add_accounts() = ToProto(account);
          }
          response->set_next_page_token(
              MakePageToken(kAccounts, accounts->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::GetAccount(
    grpc::CallbackServerContext* context, const v1::GetAccountRequest* request,
    v1::GetAccountResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/GetAccount",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto account = reader.GetAccount(request->account_id());
          if (!account.ok()) {
            return ExplainMissing(account.status(),
                                  "account " + request->account_id());
          }
          *response->mutable_account() = ToProto(*account);
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::CreateLicense(
    grpc::CallbackServerContext* context,
    const v1::CreateLicenseRequest* request,
    v1::CreateLicenseResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/CreateLicense",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const absl::Time now = options_.clock->Now();
        const auto made =
            service::CreateLicense(*options_.store, *request, now);
        if (!made.ok()) return made.status();
        LogInfo("license created",
                {{"operator", caller.id}, {"license_id", made->license.id}});
        response->set_license_key(made->key);
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          auto shown = ShowLicense(reader, made->license, now);
          if (!shown.ok()) return shown.status();
          *response->mutable_license() = *std::move(shown);
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::ListLicenses(
    grpc::CallbackServerContext* context,
    const v1::ListLicensesRequest* request,
    v1::ListLicensesResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListLicenses",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = LicensesOf(request->account_id());
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto licenses =
              reader.ListLicenses(request->account_id(), *page);
          if (!licenses.ok()) return licenses.status();
          for (const License& license : licenses->items) {
            auto shown = ShowLicense(reader, license, options_.clock->Now());
            if (!shown.ok()) return shown.status();
            *response->add_licenses() = *std::move(shown);
          }
          response->set_next_page_token(MakePageToken(listing, licenses->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::GetLicense(
    grpc::CallbackServerContext* context, const v1::GetLicenseRequest* request,
    v1::GetLicenseResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/GetLicense",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto license = reader.GetLicense(request->license_id());
          if (!license.ok()) {
            return ExplainMissing(license.status(),
                                  "license " + request->license_id());
          }
          auto shown = ShowLicense(reader, *license, options_.clock->Now());
          if (!shown.ok()) return shown.status();
          *response->mutable_license() = *std::move(shown);
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::UpdateLicense(
    grpc::CallbackServerContext* context,
    const v1::UpdateLicenseRequest* request,
    v1::UpdateLicenseResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/UpdateLicense",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const absl::Time now = options_.clock->Now();
        const auto license =
            service::UpdateLicense(*options_.store, *request, now);
        if (!license.ok()) return license.status();
        LogInfo("license updated",
                {{"operator", caller.id}, {"license_id", license->id}});
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          auto shown = ShowLicense(reader, *license, now);
          if (!shown.ok()) return shown.status();
          *response->mutable_license() = *std::move(shown);
          return absl::OkStatus();
        });
      });
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* FleetService::ChangeState(
    grpc::CallbackServerContext* context, std::string_view full_method,
    v1::LicenseState state, const Request* request, Response* response) {
  return options_.calls->Unary(
      context, full_method, v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        absl::Status status =
            ChangeLicenseState(*options_.store, request->license_id(), state);
        if (!status.ok()) return status;
        LogInfo("license state changed",
                {{"operator", caller.id},
                 {"license_id", request->license_id()},
                 {"state", v1::LicenseState_Name(state)}});
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto license = reader.GetLicense(request->license_id());
          if (!license.ok()) return license.status();
          auto shown = ShowLicense(reader, *license, options_.clock->Now());
          if (!shown.ok()) return shown.status();
          *response->mutable_license() = *std::move(shown);
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::SuspendLicense(
    grpc::CallbackServerContext* context,
    const v1::SuspendLicenseRequest* request,
    v1::SuspendLicenseResponse* response) {
  return ChangeState(context, "/missioncontrol.v1.FleetService/SuspendLicense",
                     v1::LICENSE_STATE_SUSPENDED, request, response);
}

grpc::ServerUnaryReactor* FleetService::ResumeLicense(
    grpc::CallbackServerContext* context,
    const v1::ResumeLicenseRequest* request,
    v1::ResumeLicenseResponse* response) {
  return ChangeState(context, "/missioncontrol.v1.FleetService/ResumeLicense",
                     v1::LICENSE_STATE_VALID, request, response);
}

grpc::ServerUnaryReactor* FleetService::RevokeLicense(
    grpc::CallbackServerContext* context,
    const v1::RevokeLicenseRequest* request,
    v1::RevokeLicenseResponse* response) {
  return ChangeState(context, "/missioncontrol.v1.FleetService/RevokeLicense",
                     v1::LICENSE_STATE_REVOKED, request, response);
}

}  // namespace mc::service
