#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/fleet/page_token.h"
#include "mc-service/domain/updates/release.h"

namespace mc::service {

grpc::ServerUnaryReactor* FleetService::CreateRelease(
    grpc::CallbackServerContext* context,
    const v1::CreateReleaseRequest* request,
    v1::CreateReleaseResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/CreateRelease",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const auto release = options_.releases->Create(*request);
        if (!release.ok()) return release.status();
        LogInfo("release created",
                {{"operator", caller.id},
                 {"release_id", release->id},
                 {"component", v1::Component_Name(request->component())},
                 {"version", request->version()}});
        *response->mutable_release() = ToProto(*release);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* FleetService::GetRelease(
    grpc::CallbackServerContext* context, const v1::GetReleaseRequest* request,
    v1::GetReleaseResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/GetRelease",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto release = reader.GetRelease(request->release_id());
          if (!release.ok()) {
            return ExplainMissing(release.status(),
                                  "release " + request->release_id());
          }
          *response->mutable_release() = ToProto(*release);
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::ListReleases(
    grpc::CallbackServerContext* context,
    const v1::ListReleasesRequest* request,
    v1::ListReleasesResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListReleases",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing =
            absl::StrCat("releases ", request->component());
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto releases =
              reader.ListReleases(request->component(), *page);
          if (!releases.ok()) return releases.status();
          for (const Release& release : releases->items) {
            *response->add_releases() = ToProto(release);
          }
          response->set_next_page_token(MakePageToken(listing, releases->next));
          return absl::OkStatus();
        });
      });
}

}  // namespace mc::service
