#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/access/approval.h"
#include "mc-service/domain/consumption/balance.h"
#include "mc-service/domain/enrollment/adoption.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/fleet/page_token.h"
#include "mc-service/domain/license/license.h"

namespace mc::service {
namespace {

// The filter as part of the listing's name, so that a page token of one filter
// does not serve for another.
template <typename Request>
std::string ListingOf(std::string_view name, const Request& request) {
  Request filter = request;
  filter.clear_page_size();
  filter.clear_page_token();
  return std::string(name).append(" ").append(filter.SerializeAsString());
}

ClusterFilter FilterOf(const v1::ListClustersRequest& request,
                       absl::Time online_since) {
  ClusterFilter filter;
  filter.account_id = request.account_id();
  filter.license_id = request.license_id();
  filter.health = request.health();
  filter.registration = request.registration();
  switch (request.presence()) {
    case v1::PRESENCE_STATE_ONLINE:
      filter.heartbeat_since = online_since;
      break;
    case v1::PRESENCE_STATE_OFFLINE:
      filter.heartbeat_before = online_since;
      break;
    case v1::PRESENCE_STATE_NEVER_SEEN:
      filter.never_seen = true;
      break;
    default:
      break;
  }
  return filter;
}

absl::StatusOr<ConsumptionFilter> FilterOf(
    const v1::ListConsumptionRequest& request) {
  if (request.cluster_id().empty() && request.license_id().empty() &&
      request.account_id().empty()) {
    return InvalidField("cluster_id",
                        "or license_id or account_id must be given");
  }
  ConsumptionFilter filter;
  filter.cluster_id = request.cluster_id();
  filter.license_id = request.license_id();
  filter.account_id = request.account_id();
  filter.environment_id = request.environment_id();
  if (request.period().has_start()) {
    const auto from = FromProto(request.period().start());
    if (!from.ok()) {
      return InvalidField("period.start", from.status().ToString());
    }
    filter.from = *from;
  }
  if (request.period().has_end()) {
    const auto to = FromProto(request.period().end());
    if (!to.ok()) return InvalidField("period.end", to.status().ToString());
    filter.to = *to;
  }
  return filter;
}

// Where the cluster's license stands, with the environments that the cluster
// reported last.
absl::StatusOr<v1::ConsumptionResult> UsageOf(Reader& reader,
                                              const License& license,
                                              const std::string& cluster_id,
                                              absl::Time now) {
  constexpr int kRecentReports = 10;
  ConsumptionFilter filter;
  filter.cluster_id = cluster_id;
  const auto recent =
      reader.ListConsumption(filter, {.limit = kRecentReports, .after = 0});
  if (!recent.ok()) return recent.status();
  std::set<std::string> environments;
  for (const StoredConsumption& report : recent->items) {
    for (const auto& environment : report.consumption.environments()) {
      environments.insert(environment.environment_id());
    }
  }
  return Balance(reader, license, now, cluster_id,
                 {environments.begin(), environments.end()});
}

absl::Status ShowCluster(Reader& reader, const std::string& id, absl::Time now,
                         absl::Duration presence_window,
                         v1::GetClusterResponse& response) {
  const auto overview = reader.GetClusterOverview(id);
  if (!overview.ok()) return ExplainMissing(overview.status(), "cluster " + id);
  *response.mutable_cluster() = ToProto(*overview, now, presence_window);

  const auto license = reader.GetLicense(overview->cluster.license_id);
  if (!license.ok()) return license.status();
  auto shown = ShowLicense(reader, *license, now);
  if (!shown.ok()) return shown.status();
  *response.mutable_license() = *std::move(shown);

  const auto nodes = reader.ListPresence(id);
  if (!nodes.ok()) return nodes.status();
  for (const NodePresence& node : *nodes) {
    *response.add_nodes() = ToProto(node);
  }

  auto health = reader.LatestHealth(id);
  if (health.ok()) {
    *response.mutable_last_health() = ToProto(*std::move(health));
  } else if (health.status().code() != absl::StatusCode::kNotFound) {
    return health.status();
  }

  auto usage = UsageOf(reader, *license, id, now);
  if (!usage.ok()) return usage.status();
  *response.mutable_usage() = *std::move(usage);
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::ListClusters(
    grpc::CallbackServerContext* context,
    const v1::ListClustersRequest* request,
    v1::ListClustersResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListClusters",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = ListingOf("clusters", *request);
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        const absl::Time now = options_.clock->Now();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto clusters = reader.ListClusters(
              FilterOf(*request, now - options_.presence_window), *page);
          if (!clusters.ok()) return clusters.status();
          for (const ClusterOverview& cluster : clusters->items) {
            *response->add_clusters() =
                ToProto(cluster, now, options_.presence_window);
          }
          response->set_next_page_token(MakePageToken(listing, clusters->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::GetCluster(
    grpc::CallbackServerContext* context, const v1::GetClusterRequest* request,
    v1::GetClusterResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/GetCluster",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          return ShowCluster(reader, request->cluster_id(),
                             options_.clock->Now(), options_.presence_window,
                             *response);
        });
      });
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* FleetService::ChangeCluster(
    grpc::CallbackServerContext* context, std::string_view full_method,
    std::function<absl::Status(Store& store, std::string_view cluster_id)>
        change,
    const Request* request, Response* response) {
  return options_.calls->Unary(
      context, full_method, v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        const std::string& id = request->cluster_id();
        absl::Status status = change(*options_.store, id);
        if (!status.ok()) return status;
        if (options_.cluster_changed) options_.cluster_changed(id);
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto overview = reader.GetClusterOverview(id);
          if (!overview.ok()) return overview.status();
          *response->mutable_cluster() = ToProto(
              *overview, options_.clock->Now(), options_.presence_window);
          LogInfo("registration changed",
                  {{"operator", caller.id},
                   {"cluster_id", id},
                   {"registration", v1::RegistrationStatus_Name(
                                        overview->cluster.registration)}});
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::ReopenRegistration(
    grpc::CallbackServerContext* context,
    const v1::ReopenRegistrationRequest* request,
    v1::ReopenRegistrationResponse* response) {
  return ChangeCluster(context,
                       "/missioncontrol.v1.FleetService/ReopenRegistration",
                       &service::ReopenRegistration, request, response);
}

grpc::ServerUnaryReactor* FleetService::ApproveRegistration(
    grpc::CallbackServerContext* context,
    const v1::ApproveRegistrationRequest* request,
    v1::ApproveRegistrationResponse* response) {
  return ChangeCluster(
      context, "/missioncontrol.v1.FleetService/ApproveRegistration",
      [clock = options_.clock](Store& store, std::string_view cluster_id) {
        return service::ApproveRegistration(store, cluster_id, clock->Now());
      },
      request, response);
}

grpc::ServerUnaryReactor* FleetService::AdoptCluster(
    grpc::CallbackServerContext* context,
    const v1::AdoptClusterRequest* request,
    v1::AdoptClusterResponse* response) {
  return ChangeCluster(
      context, "/missioncontrol.v1.FleetService/AdoptCluster",
      [this, request](Store& store, std::string_view cluster_id) {
        const std::string& agent = request->agent_instance_id();
        absl::Status adopted = service::AdoptCluster(store, cluster_id, agent,
                                                     options_.clock->Now());
        if (adopted.ok() && agent.empty() && options_.suspicion_ended) {
          options_.suspicion_ended(cluster_id);
        }
        return adopted;
      },
      request, response);
}

grpc::ServerUnaryReactor* FleetService::RevokeCluster(
    grpc::CallbackServerContext* context,
    const v1::RevokeClusterRequest* request,
    v1::RevokeClusterResponse* response) {
  return ChangeCluster(context, "/missioncontrol.v1.FleetService/RevokeCluster",
                       &service::RevokeCluster, request, response);
}

grpc::ServerUnaryReactor* FleetService::ListHealthReports(
    grpc::CallbackServerContext* context,
    const v1::ListHealthReportsRequest* request,
    v1::ListHealthReportsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListHealthReports",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = ListingOf("health", *request);
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          if (const auto cluster = reader.GetCluster(request->cluster_id());
              !cluster.ok()) {
            return ExplainMissing(cluster.status(),
                                  "cluster " + request->cluster_id());
          }
          auto reports = reader.ListHealth(request->cluster_id(), *page);
          if (!reports.ok()) return reports.status();
          for (StoredHealth& report : reports->items) {
            *response->add_reports() = ToProto(std::move(report));
          }
          response->set_next_page_token(MakePageToken(listing, reports->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::ListConsumption(
    grpc::CallbackServerContext* context,
    const v1::ListConsumptionRequest* request,
    v1::ListConsumptionResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListConsumption",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = ListingOf("consumption", *request);
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        const auto filter = FilterOf(*request);
        if (!filter.ok()) return filter.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          auto reports = reader.ListConsumption(*filter, *page);
          if (!reports.ok()) return reports.status();
          for (StoredConsumption& report : reports->items) {
            *response->add_reports() = ToProto(std::move(report));
          }
          response->set_next_page_token(MakePageToken(listing, reports->next));
          return absl::OkStatus();
        });
      });
}

}  // namespace mc::service
