// usage, ledger entries, ledger verify.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/time/proto_time.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

// Rows of one call of an export.
constexpr int kExportPage = 1000;
// A ledger of years is not verified in the seconds of other calls.
constexpr absl::Duration kVerifyTimeout = absl::Hours(1);

// One record of RFC 4180.
std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (!line.empty() || &field != &fields.front()) line += ',';
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line + "\r\n";
}

// RFC 3339 in UTC, as precise as the time is.
std::string CsvTime(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ",
                          FromProto(time).value_or(absl::UnixEpoch()),
                          absl::UTCTimeZone());
}

// The column `meter`, for instance RUM_SESSIONS.
std::string MeterText(v1::Meter meter) { return EnumText(meter); }

// For people: host units as such, and what is counted as it is.
std::string QuantityText(v1::Meter meter, int64_t quantity) {
  return meter == v1::METER_HOST_UNIT_HOURS_MILLI ? MilliText(quantity)
                                                  : absl::StrCat(quantity);
}

std::string NameOf(v1::Meter meter, const std::string& meter_id) {
  if (meter == v1::METER_GENERIC) return meter_id;
  return meter == v1::METER_HOST_UNIT_HOURS_MILLI ? "HOST_UNIT_HOURS"
                                                  : MeterText(meter);
}

// The options of both listings; they live as long as the command.
template <typename Request>
struct Listing {
  Request request;
  PageOptions page;
  std::string from, to;

  void AddTo(CLI::App& command, const std::shared_ptr<Listing>& self) {
    const auto text = [&](const std::string& name, auto set,
                          const std::string& help) {
      command.add_option_function<std::string>(name, set, help);
    };
    text(
        "--account",
        [self](const std::string& v) { self->request.set_account_id(v); },
        "Only of this account");
    text(
        "--license",
        [self](const std::string& v) { self->request.set_license_id(v); },
        "Only of this license");
    text(
        "--cluster",
        [self](const std::string& v) { self->request.set_cluster_id(v); },
        "Only of this cluster");
    text(
        "--environment",
        [self](const std::string& v) { self->request.set_environment_id(v); },
        "Only of this environment");
    command.add_option("--from", from, "Periods from this time on");
    command.add_option("--to", to, "Periods before this time");
    page.AddTo(command);
  }

  absl::Status Complete() {
    if (!from.empty() || !to.empty()) {
      const auto period = PeriodValue(from, to);
      if (!period.ok()) return period.status();
      *request.mutable_period() = *period;
    }
    request.set_page_size(page.size);
    request.set_page_token(page.token);
    return absl::OkStatus();
  }
};

// Writes all pages from the request's on; `lines` makes records of a response.
template <typename Request, typename Response, typename Lines>
absl::Status Export(Client& client,
                    grpc::Status (FleetStub::*method)(grpc::ClientContext*,
                                                      const Request&,
                                                      Response*),
                    Request request, const std::vector<std::string>& header,
                    Lines lines) {
  if (request.page_size() == 0) request.set_page_size(kExportPage);
  std::cout << CsvLine(header);
  for (;;) {
    Response response;
    absl::Status status = client.Call(method, request, &response);
    if (!status.ok()) return status;
    lines(response);
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  std::cout.flush();
  return std::cout.good() ? absl::OkStatus()
                          : absl::DataLossError("the output was not written");
}

void AddUsage(CLI::App& app, Context& context) {
  Client& client = *context.client;
  auto listing = std::make_shared<Listing<v1::ListUsageRequest>>();
  CLI::App* command = AddCommand(
      app, context, "usage", "Show what was used in each quota period",
      "mcctl usage --license ID --from 2026-05-01T00:00:00Z --output csv",
      [&client, listing] {
        absl::Status status = listing->Complete();
        if (!status.ok()) return status;
        if (client.options().csv) {
          return Export(
              client, &FleetStub::ListUsage, listing->request,
              {"account_id", "license_id", "cluster_id", "environment_id",
               "meter", "meter_id", "unit", "period_start", "period_end",
               "quantity", "complete"},
              [](const v1::ListUsageResponse& response) {
                for (const v1::UsageTotal& total : response.totals()) {
                  std::cout
                      << CsvLine({total.account_id(), total.license_id(),
                                  total.cluster_id(), total.environment_id(),
                                  MeterText(total.meter()), total.meter_id(),
                                  total.unit(), CsvTime(total.period().start()),
                                  CsvTime(total.period().end()),
                                  absl::StrCat(total.quantity()),
                                  total.complete() ? "true" : "false"});
                }
              });
        }
        v1::ListUsageResponse response;
        status =
            client.Call(&FleetStub::ListUsage, listing->request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"PERIOD", "UNTIL", "LICENSE", "CLUSTER", "ENVIRONMENT",
                       "METER", "QUANTITY", "UNIT", "COMPLETE"});
          for (const v1::UsageTotal& total : response.totals()) {
            table.Add({TimeText(total.period().start()),
                       TimeText(total.period().end()), total.license_id(),
                       total.cluster_id(), total.environment_id(),
                       NameOf(total.meter(), total.meter_id()),
                       QuantityText(total.meter(), total.quantity()),
                       total.unit(), total.complete() ? "yes" : "no"});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  listing->AddTo(*command, listing);
}

void AddEntries(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto listing = std::make_shared<Listing<v1::ListLedgerEntriesRequest>>();
  CLI::App* command = AddCommand(
      group, context, "entries", "List what was used, in the order of arrival",
      "mcctl ledger entries --license ID --output csv", [&client, listing] {
        absl::Status status = listing->Complete();
        if (!status.ok()) return status;
        if (client.options().csv) {
          return Export(
              client, &FleetStub::ListLedgerEntries, listing->request,
              {"account_id", "license_id", "cluster_id", "environment_id",
               "meter", "meter_id", "unit", "resource_id", "time_frame_start",
               "time_frame_end", "quantity", "epoch", "sequence",
               "accepted_at"},
              [](const v1::ListLedgerEntriesResponse& response) {
                for (const v1::LedgerEntry& entry : response.entries()) {
                  std::cout << CsvLine(
                      {entry.account_id(), entry.license_id(),
                       entry.cluster_id(), entry.environment_id(),
                       MeterText(entry.meter()), entry.meter_id(), entry.unit(),
                       entry.resource_id(), CsvTime(entry.time_frame().start()),
                       CsvTime(entry.time_frame().end()),
                       absl::StrCat(entry.quantity()),
                       absl::StrCat(entry.epoch()),
                       absl::StrCat(entry.sequence()),
                       CsvTime(entry.accepted_at())});
                }
              });
        }
        v1::ListLedgerEntriesResponse response;
        status = client.Call(&FleetStub::ListLedgerEntries, listing->request,
                             &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"START", "END", "CLUSTER", "ENVIRONMENT", "METER",
                       "RESOURCE", "QUANTITY", "UNIT", "SEQUENCE"});
          for (const v1::LedgerEntry& entry : response.entries()) {
            table.Add({TimeText(entry.time_frame().start()),
                       TimeText(entry.time_frame().end()), entry.cluster_id(),
                       entry.environment_id(),
                       NameOf(entry.meter(), entry.meter_id()),
                       entry.resource_id(),
                       QuantityText(entry.meter(), entry.quantity()),
                       entry.unit(), absl::StrCat(entry.sequence())});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  listing->AddTo(*command, listing);
}

std::string TextOf(const v1::VerifyLedgerResponse& response) {
  std::string text =
      absl::StrCat("Checked ", response.checked_reports(), " reports, ",
                   response.checked_entries(), " entries, ",
                   response.checked_totals(), " totals: ");
  if (response.differences().empty()) return text + "equal\n";
  absl::StrAppend(&text, response.differences_size(), " differences\n\n");
  Table table({"LICENSE", "WHAT", "EXPECTED", "FOUND"});
  for (const v1::LedgerDifference& difference : response.differences()) {
    table.Add({difference.license_id(), difference.message(),
               absl::StrCat(difference.expected()),
               absl::StrCat(difference.found())});
  }
  return text + table.Text();
}

void AddVerify(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::VerifyLedgerRequest>();
  CLI::App* command = AddCommand(
      group, context, "verify",
      "Compute the ledger anew from the reports, and compare; differences end "
      "with exit code 1",
      "mcctl ledger verify --license ID", [&client, request] {
        client.options().timeout =
            std::max(client.options().timeout, kVerifyTimeout);
        v1::VerifyLedgerResponse response;
        absl::Status status =
            client.Call(&FleetStub::VerifyLedger, *request, &response);
        if (status.ok()) {
          status = client.Print(response, [&] { return TextOf(response); });
        }
        if (!status.ok() || response.differences().empty()) return status;
        return absl::Status(absl::DataLossError(
            "the ledger is not what the reports say; keep a copy of the store "
            "and look for what else wrote to it"));
      });
  command->add_option_function<std::string>(
      "--license",
      [request](const std::string& v) { request->set_license_id(v); },
      "Only of this license");
}

}  // namespace

void AddUsageCommands(CLI::App& app, Context& context) {
  AddUsage(app, context);
  CLI::App* group = AddGroup(app, "ledger", "What was used, once each");
  group->footer("Example:\n  mcctl ledger verify");
  AddEntries(*group, context);
  AddVerify(*group, context);
}

}  // namespace mc::service
