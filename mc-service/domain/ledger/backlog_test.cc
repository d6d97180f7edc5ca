// A store of a version without a ledger gets one, whatever is killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/migrate.h"
#include "common/sqlite/testing.h"
#include "mc-service/domain/ledger/fixture.h"
#include "mc-service/store/sqlite/migrations.h"
#include "mc-service/store/sqlite/sqlite_store.h"
#include "mc-service/store/sqlite/tables.h"

namespace mc::service {
namespace {

using sqlite::MigrationStage;
using sqlite::testing::Fork;
using sqlite::testing::SignalThatEnded;

constexpr int kLedgerMigration = 4;

// Ends the process before a work, after it, or after its commit.
class DyingStore final : public Store {
 public:
  DyingStore(Store* inner, int steps) : inner_(inner), steps_(steps) {}

  absl::Status Read(ReadWork work) override { return inner_->Read(work); }
  bool Write(WriteWork work, WriteDone done) override {
    return inner_->Write(
        [this, work = std::move(work)](Writer& writer) {
          Step();
          absl::Status status = work(writer);
          Step();
          return status;
        },
        [this, done = std::move(done)](absl::Status status) {
          Step();
          done(std::move(status));
        });
  }
  absl::Status Scrub() override { return inner_->Scrub(); }
  void Stop() override { inner_->Stop(); }

 private:
  void Step() {
    if (--steps_ == 0) kill(getpid(), SIGKILL);
  }

  Store* const inner_;
  int steps_;
};

class BacklogTest : public ::testing::Test {
 protected:
  // Of two clusters and epochs, with overlaps and late usage.
  static std::vector<StoredConsumption> Reports() {
    std::vector<StoredConsumption> reports;
    for (uint64_t i = 1; i <= 250; ++i) {
      const bool late = i % 7 == 0;
      const absl::Time start =
          TestHour() +
          absl::Minutes(10) * static_cast<int64_t>(late ? i / 2 : i);
      StoredConsumption report =
          MakeReport(i % 3 == 0 ? "c-2" : "c-1", i % 11 == 0 ? 2 : 1, i, start,
                     absl::Minutes(10));
      report.accepted_at = TestHour() + absl::Seconds(i);
      Environment(report).set_rum_sessions(static_cast<int64_t>(i % 13));
      AddHost(report, "host", (1 + i % 4) * 16 * kGiB, start,
              start + absl::Minutes(static_cast<int64_t>(1 + i % 9)));
      reports.push_back(std::move(report));
    }
    return reports;
  }

  static License TheLicense() {
    License license = SeedLicense(TestHour());
    license.limits.set_host_units_milli(1000);
    v1::MeterLimit& meter = *license.limits.add_meters();
    meter.set_meter_id("storage");
    meter.set_unit("GiB");
    meter.set_quantity(5);
    return license;
  }

  // As the version before left it.
  void MakeOldStore() {
    std::vector<sqlite::Migration> old;
    for (const sqlite::Migration& migration : kMigrations) {
      if (migration.version < kLedgerMigration) old.push_back(migration);
    }
    auto database = sqlite::Database::Open(path_);
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE(sqlite::Migrate(**database, old).ok());
    const int64_t created = absl::ToUnixMicros(TestHour());
    for (const std::string& sql :
         {absl::StrCat("INSERT INTO account VALUES (1, 'account-1', 'Acme', ",
                       created, ")"),
          absl::StrCat(
              "INSERT INTO license (id, license_id, account_row, name, "
              "key_digest, key_hint, state, model, enrollment_policy, "
              "created_at_us, starts_at_us, one_agent_installation) VALUES "
              "(1, 'license-1', 1, 'Production', x'6b', 'ABCD', 1, 1, 1, ",
              created, ", ", created, ", 0)"),
          std::string("INSERT INTO license_limits (id, host_units_milli, "
                      "overage, reset) VALUES (1, 1000, 0, 1)"),
          std::string("INSERT INTO license_meter VALUES (1, 0, 'storage', 5, "
                      "'GiB', 0)"),
          std::string(
              "INSERT INTO cluster (id, cluster_id, license_row, registration, "
              "registered_at_us, user_name, password_digest, tls_key_digest, "
              "site_public_key, certificate_serial, certificate_not_after_us, "
              "remote_ui_requested) SELECT value, 'c-' || value, 1, 2, 0, '', "
              "x'', x'', x'', '', 0, 0 FROM json_each('[1, 2]')"),
          // What an older version thought of its hosts.
          std::string("INSERT INTO host_hour VALUES (1, 1, 'env-1', 'host', "
                      "1795255200000000, 3600000000000, 77000)")}) {
      ASSERT_TRUE((*database)->Exec(sql).ok()) << sql;
    }
    const Tables tables;
    for (const StoredConsumption& report : Reports()) {
      const int64_t keys[] = {1,
                              1,
                              report.key.cluster_id == "c-1" ? 1 : 2,
                              static_cast<int64_t>(report.key.epoch),
                              static_cast<int64_t>(report.key.sequence),
                              absl::ToUnixMicros(report.accepted_at)};
      const auto inserted =
          tables.consumption.Insert(**database, keys, report.consumption);
      ASSERT_TRUE(inserted.ok()) << inserted.status();
    }
  }

  static std::unique_ptr<Store> Open(const std::string& path) {
    auto store = OpenSqliteStore({.path = path, .create = true});
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  // The ledger in words, in no order of arrival.
  static std::multiset<std::string> Dump(Store& store) {
    std::multiset<std::string> rows;
    for (const LedgerEntry& e : AllEntries(store)) {
      rows.insert(absl::StrCat(
          e.license_id, " ", e.cluster_id, " ", e.identity.environment_id, " ",
          int{e.identity.meter}, " ", e.identity.resource_id, " ",
          absl::ToUnixNanos(e.start), " ", absl::ToUnixNanos(e.end), " ",
          e.quantity, " ", e.epoch, " ", e.sequence, " ", e.parts.size()));
    }
    for (const UsageTotal& t : AllTotals(store)) {
      rows.insert(absl::StrCat("total ", t.cluster_id, " ", int{t.meter}, " ",
                               absl::ToUnixMicros(t.period_start), " ",
                               absl::ToUnixMicros(t.period_end), " ",
                               t.quantity));
    }
    return rows;
  }

  // Opens, enters, and compares with a store that had a ledger all along.
  void ExpectTheLedgerIsThere() {
    const std::unique_ptr<Store> store = Open(path_);
    const absl::Status entered = EnterBacklog(*store, {});
    ASSERT_TRUE(entered.ok()) << entered;
    TempDir folder;
    const std::unique_ptr<Store> other = Open(folder.File("store.db"));
    ASSERT_TRUE(Seed(*other, TheLicense(), {"c-1", "c-2"}).ok());
    for (const StoredConsumption& report : Reports()) Record(*other, report);
    EXPECT_EQ(Dump(*store), Dump(*other));
    ExpectEqualLedger(*store);
    // Nothing is entered again.
    EXPECT_TRUE(EnterBacklog(*store, {}).ok());
    EXPECT_EQ(Dump(*store), Dump(*other));
    const auto terms = ReadFrom(*store, [](Reader& reader) {
      return reader.ListLicenseTerms("license-1");
    });
    ASSERT_EQ(terms.size(), 1u);
    EXPECT_EQ(terms[0].from, TestHour());
    EXPECT_EQ(terms[0].limits.host_units_milli(), 1000);
    EXPECT_EQ(terms[0].limits.meters(0).meter_id(), "storage");
  }

  TempDir folder_;
  const std::string path_ = folder_.File("old.db");
};

TEST_F(BacklogTest, ReportsOfAnOlderVersionAreEntered) {
  MakeOldStore();
  ExpectTheLedgerIsThere();
}

TEST_F(BacklogTest, KilledAtEachStepItGoesOn) {
  MakeOldStore();
  for (const MigrationStage stage :
       {MigrationStage::kBegun, MigrationStage::kExecuted,
        MigrationStage::kRecorded, MigrationStage::kCommitted}) {
    const pid_t child = Fork([&] {
      auto database = sqlite::Database::Open(path_);
      (void)sqlite::Migrate(**database, kMigrations,
                            [&](int version, MigrationStage at) {
                              if (version == kLedgerMigration && at == stage) {
                                kill(getpid(), SIGKILL);
                              }
                            });
    });
    EXPECT_EQ(SignalThatEnded(child), SIGKILL) << static_cast<int>(stage);
  }
  // Each try starts where the one before died: three steps of a work, of
  // which there are four with the last, empty one.
  int killed = 0;
  for (int steps = 1; steps <= 12; ++steps) {
    const pid_t child = Fork([&] {
      const std::unique_ptr<Store> store = Open(path_);
      DyingStore dying(store.get(), steps);
      (void)EnterBacklog(dying, {});
      store->Stop();
    });
    killed += SignalThatEnded(child) == SIGKILL;
  }
  EXPECT_GE(killed, 5);
  ExpectTheLedgerIsThere();
}

TEST_F(BacklogTest, EachStepOfEveryWorkSurvivesAKill) {
  MakeOldStore();
  const std::string fresh = folder_.File("fresh.db");
  std::filesystem::copy_file(path_, fresh);
  for (int steps = 1; steps <= 12; ++steps) {
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
    std::filesystem::copy_file(
        fresh, path_, std::filesystem::copy_options::overwrite_existing);
    const pid_t child = Fork([&] {
      const std::unique_ptr<Store> store = Open(path_);
      DyingStore dying(store.get(), steps);
      (void)EnterBacklog(dying, {});
      store->Stop();
    });
    EXPECT_EQ(SignalThatEnded(child), SIGKILL) << steps;
    const std::unique_ptr<Store> store = Open(path_);
    const absl::Status entered = EnterBacklog(*store, {});
    EXPECT_TRUE(entered.ok()) << entered;
    ExpectEqualLedger(*store);
  }
}

}  // namespace
}  // namespace mc::service
