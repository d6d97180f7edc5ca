#include <map>
#include <string>
#include <tuple>

#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/fleet/page_token.h"
#include "mc-service/domain/ledger/verify.h"

namespace mc::service {
namespace {

// Of either listing.
template <typename Request>
absl::StatusOr<LedgerFilter> FilterOf(const Request& request) {
  LedgerFilter filter;
  filter.account_id = request.account_id();
  filter.license_id = request.license_id();
  filter.cluster_id = request.cluster_id();
  filter.environment_id = request.environment_id();
  const v1::TimeFrame& period = request.period();
  if (period.has_start()) {
    const auto from = FromProto(period.start());
    if (!from.ok()) {
      return InvalidField("period.start", std::string(from.status().message()));
    }
    filter.from = *from;
  }
  if (period.has_end()) {
    const auto to = FromProto(period.end());
    if (!to.ok()) {
      return InvalidField("period.end", std::string(to.status().message()));
    }
    filter.to = *to;
  }
  return filter;
}

// A token is good for the filter that it came with.
template <typename Request>
std::string ListingOf(std::string_view name, Request request) {
  request.clear_page_size();
  request.clear_page_token();
  return std::string(name).append(request.SerializeAsString());
}

// Whether totals are complete, asked once for each cluster and period.
class Completeness {
 public:
  Completeness(const FleetService::Options& options, Reader& reader)
      : options_(options), reader_(reader) {}

  absl::StatusOr<bool> Of(const UsageTotal& total) {
    if (!options_.has_gap) return true;
    const auto [known, added] = known_.try_emplace(
        {total.cluster_id, total.period_start, total.period_end}, true);
    if (!added) return known->second;
    const absl::StatusOr<bool> gap = options_.has_gap(
        reader_, total.cluster_id, total.period_start, total.period_end);
    if (!gap.ok()) return gap.status();
    known->second = !*gap;
    return known->second;
  }

 private:
  const FleetService::Options& options_;
  Reader& reader_;
  std::map<std::tuple<std::string, absl::Time, absl::Time>, bool> known_;
};

}  // namespace

grpc::ServerUnaryReactor* FleetService::ListUsage(
    grpc::CallbackServerContext* context, const v1::ListUsageRequest* request,
    v1::ListUsageResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListUsage",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const auto filter = FilterOf(*request);
        if (!filter.ok()) return filter.status();
        const std::string listing = ListingOf("usage", *request);
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto totals = reader.ListUsageTotals(*filter, *page);
          if (!totals.ok()) return totals.status();
          Completeness completeness(options_, reader);
          for (const UsageTotal& total : totals->items) {
            const auto complete = completeness.Of(total);
            if (!complete.ok()) return complete.status();
            *response->add_totals() = ToProto(total, *complete);
          }
          response->set_next_page_token(MakePageToken(listing, totals->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::ListLedgerEntries(
    grpc::CallbackServerContext* context,
    const v1::ListLedgerEntriesRequest* request,
    v1::ListLedgerEntriesResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListLedgerEntries",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const auto filter = FilterOf(*request);
        if (!filter.ok()) return filter.status();
        if (filter->account_id.empty() && filter->license_id.empty() &&
            filter->cluster_id.empty()) {
          return InvalidField("account_id",
                              "or license_id or cluster_id must be given");
        }
        const std::string listing = ListingOf("ledger", *request);
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto entries = reader.ListLedgerEntries(*filter, *page);
          if (!entries.ok()) return entries.status();
          for (const LedgerEntry& entry : entries->items) {
            *response->add_entries() = ToProto(entry);
          }
          response->set_next_page_token(MakePageToken(listing, entries->next));
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* FleetService::VerifyLedger(
    grpc::CallbackServerContext* context,
    const v1::VerifyLedgerRequest* request,
    v1::VerifyLedgerResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/VerifyLedger",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        auto verified =
            service::VerifyLedger(*options_.store, request->license_id());
        if (!verified.ok()) {
          return ExplainMissing(verified.status(),
                                "license " + request->license_id());
        }
        *response = *std::move(verified);
        if (response->differences_size() > 0) {
          LogError(
              "ALARM: the ledger is not what the reports say",
              {{"operator", caller.id},
               {"differences", std::to_string(response->differences_size())},
               {"first", response->differences(0).message()}});
        }
        return absl::OkStatus();
      });
}

}  // namespace mc::service
