// The power fails at every sync: what was acknowledged is there, and whole.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "absl/synchronization/mutex.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/testing/power_loss_vfs.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

using sqlite::testing::kLosses;
using sqlite::testing::PowerLossVfs;

constexpr char kCluster[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr uint64_t kEpoch = 7;
const absl::Time kNow = absl::FromUnixSeconds(1777888800);

std::unique_ptr<Store> OpenStore(const std::string& path) {
  auto store = OpenSqliteStore({.path = path, .create = true});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

ReportKey KeyOf(uint64_t sequence) {
  return {kCluster, v1::LANE_BILLING, kEpoch, sequence};
}

std::string DigestOf(uint64_t sequence) {
  return std::string(32, static_cast<char>(sequence));
}

// A report with its usage, as the desk writes both.
absl::Status Accept(Writer& writer, uint64_t sequence) {
  StoredConsumption stored;
  stored.key = KeyOf(sequence);
  stored.license_id = "license-1";
  stored.accepted_at = kNow;
  stored.consumption.set_cluster_id(kCluster);
  v1::EnvironmentConsumption* environment =
      stored.consumption.add_environments();
  environment->set_environment_id("env");
  environment->set_rum_sessions(1);
  for (int i = 0; i < 40; ++i) {
    v1::MeterConsumption* meter = environment->add_meters();
    meter->set_meter_id("meter-" + std::to_string(i));
    meter->set_quantity(i);
    meter->set_unit("piece");
  }
  if (absl::Status s = writer.InsertConsumption(stored); !s.ok()) return s;
  return writer.InsertReport({.key = stored.key,
                              .digest = DigestOf(sequence),
                              .receipt = std::string(3000, 'r'),
                              .accepted_at = kNow});
}

// What a store has after the power was lost.
void Judge(Store& store, uint64_t submitted,
           const std::set<uint64_t>& acknowledged) {
  const absl::Status read = store.Read([&](Reader& reader) {
    std::set<uint64_t> usage;
    ConsumptionFilter filter;
    filter.cluster_id = kCluster;
    const auto listed = reader.ListConsumption(filter, {.limit = 1000});
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const StoredConsumption& stored : listed->items) {
      usage.insert(stored.key.sequence);
      EXPECT_EQ(stored.consumption.environments(0).meters_size(), 40);
    }
    for (uint64_t sequence = 1; sequence <= submitted; ++sequence) {
      const auto report = reader.FindReport(KeyOf(sequence));
      EXPECT_EQ(report.ok(), usage.contains(sequence)) << sequence;
      if (acknowledged.contains(sequence)) {
        EXPECT_TRUE(report.ok()) << sequence << " is lost: " << report.status();
      }
      if (report.ok()) {
        EXPECT_EQ(report->digest, DigestOf(sequence));
      }
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;
}

TEST(PowerLoss, AtEverySyncWhatWasAcknowledgedIsThere) {
  TempDir folder;
  TempDir images;
  const std::string image = images.File("image");
  const std::string path = folder.File("store.db");
  absl::Mutex mutex;
  uint64_t submitted = 0;
  std::set<uint64_t> acknowledged;
  std::atomic<bool> armed = false;
  PowerLossVfs* power = nullptr;
  uint64_t failures = 0;
  const auto fail = [&] {
    if (!armed) return;
    power->MakeImage(image, kLosses[failures % std::size(kLosses)], failures);
    ++failures;
    const auto after = OpenStore(image + "/store.db");
    absl::MutexLock lock(&mutex);
    Judge(*after, submitted, acknowledged);
    after->Stop();
  };
  {
    PowerLossVfs vfs(folder.path(), fail);
    power = &vfs;
    auto store = OpenStore(path);
    ASSERT_TRUE(Seed(*store, SeedLicense(kNow), {kCluster}).ok());
    armed = true;
    for (int round = 0; round < 4; ++round) {
      // Several in one transaction, too, and many enough that the log is
      // written back into the file while the store is open.
      for (int i = 0; i < 12; ++i) {
        for (int j = 0; j <= i % 3; ++j) {
          uint64_t sequence = 0;
          {
            absl::MutexLock lock(&mutex);
            sequence = ++submitted;
          }
          ASSERT_TRUE(store->Write(
              [sequence](Writer& writer) { return Accept(writer, sequence); },
              [&, sequence](const absl::Status& status) {
                EXPECT_TRUE(status.ok()) << status;
                absl::MutexLock lock(&mutex);
                acknowledged.insert(sequence);
              }));
        }
        ASSERT_TRUE(
            store->WriteAndWait([](Writer&) { return absl::OkStatus(); }).ok());
      }
      store->Stop();
      store = nullptr;
      store = OpenStore(path);
    }
    store->Stop();
    store = nullptr;
    armed = false;
  }
  EXPECT_GT(failures, 100U);
  EXPECT_EQ(acknowledged.size(), submitted);
  printf("the power failed %d times\n", static_cast<int>(failures));
}

}  // namespace
}  // namespace mc::service
