// Reports and a store for the ledger's tests.
#ifndef MC_SERVICE_DOMAIN_LEDGER_FIXTURE_H_
#define MC_SERVICE_DOMAIN_LEDGER_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/consumption/balance.h"
#include "mc-service/domain/ledger/verify.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/store.h"

namespace mc::service {

inline constexpr int64_t kGiB = int64_t{1} << 30;

// 2026-11-21T10:00:00Z.
inline absl::Time TestHour() { return absl::FromUnixSeconds(1'795'255'200); }

// A report of `cluster` for [start, start + length) with one environment.
inline StoredConsumption MakeReport(const std::string& cluster, uint64_t epoch,
                                    uint64_t sequence, absl::Time start,
                                    absl::Duration length,
                                    const std::string& environment = "env-1") {
  StoredConsumption report;
  report.key = {cluster, v1::LANE_BILLING, epoch, sequence};
  report.license_id = "license-1";
  report.accepted_at = start + length + absl::Seconds(1);
  report.consumption.set_cluster_id(cluster);
  v1::TimeFrame& frame = *report.consumption.mutable_time_frame();
  *frame.mutable_start() = ToProto(start);
  *frame.mutable_end() = ToProto(start + length);
  report.consumption.add_environments()->set_environment_id(environment);
  return report;
}

inline v1::EnvironmentConsumption& Environment(StoredConsumption& report) {
  return *report.consumption.mutable_environments(0);
}

inline void AddHost(StoredConsumption& report, const std::string& id,
                    int64_t memory_bytes, absl::Time from, absl::Time to) {
  v1::HostConsumption& host = *Environment(report).add_hosts();
  host.set_host_id(id);
  host.set_host_category(v1::HOST_CATEGORY_FULL_STACK);
  host.set_memory_bytes(memory_bytes);
  v1::TimeFrame& frame = *host.add_monitored();
  *frame.mutable_start() = ToProto(from);
  *frame.mutable_end() = ToProto(to);
}

// Takes the report in as the desk does, once.
inline v1::ConsumptionResult Record(Store& store,
                                    const StoredConsumption& report,
                                    const LedgerOptions& options = {}) {
  v1::ConsumptionResult result;
  const absl::Status status =
      store.WriteAndWait([&](Writer& writer) -> absl::Status {
        auto license = writer.GetLicense(report.license_id);
        if (!license.ok()) return license.status();
        auto recorded = RecordConsumption(writer, *license, report, options);
        if (!recorded.ok()) return recorded.status();
        result = *std::move(recorded);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return result;
}

// What `get(reader)`, a StatusOr, returns.
template <typename Get>
auto ReadFrom(Store& store, Get get) {
  using Result = decltype(get(std::declval<Reader&>()));
  Result result = absl::UnknownError("the work did not run");
  store
      .Read([&](Reader& reader) {
        result = get(reader);
        return absl::OkStatus();
      })
      .IgnoreError();
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

inline std::vector<LedgerEntry> AllEntries(Store& store) {
  return ReadFrom(store,
                  [](Reader& reader) {
                    return reader.ListLedgerEntries({}, {.limit = 100'000});
                  })
      .items;
}

inline std::vector<UsageTotal> AllTotals(Store& store) {
  return ReadFrom(store,
                  [](Reader& reader) {
                    return reader.ListUsageTotals({}, {.limit = 100'000});
                  })
      .items;
}

inline v1::VerifyLedgerResponse Verified(Store& store,
                                         const std::string& license = "") {
  auto verified = VerifyLedger(store, license);
  EXPECT_TRUE(verified.ok()) << verified.status();
  return verified.value_or(v1::VerifyLedgerResponse());
}

inline void ExpectEqualLedger(Store& store) {
  const v1::VerifyLedgerResponse verified = Verified(store);
  EXPECT_EQ(verified.differences_size(), 0) << verified.DebugString();
}

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_FIXTURE_H_
