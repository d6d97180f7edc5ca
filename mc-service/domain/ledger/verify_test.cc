#include "mc-service/domain/ledger/verify.h"

#include <gtest/gtest.h>

#include "common/files/temp_dir.h"
#include "common/sqlite/database.h"
#include "mc-service/domain/ledger/fixture.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

// The store is damaged from outside, so it is one on disk.
class VerifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    License license = SeedLicense(TestHour());
    license.limits.set_host_units_milli(500);
    ASSERT_TRUE(Seed(*store_, license, {"c-1", "c-2"}).ok());
    for (int hour = 0; hour < 3; ++hour) {
      for (const std::string cluster : {"c-1", "c-2"}) {
        StoredConsumption report =
            MakeReport(cluster, 1, hour + 1, TestHour() + absl::Hours(hour),
                       absl::Hours(1));
        Environment(report).set_rum_sessions(10);
        AddHost(report, "host", 16 * kGiB, TestHour() + absl::Hours(hour),
                TestHour() + absl::Hours(hour + 1));
        Record(*store_, report);
      }
    }
  }

  void Open() {
    auto store = OpenSqliteStore({.path = path_, .create = true});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // What is found after `sql` was run on the file.
  v1::VerifyLedgerResponse After(const std::string& sql) {
    store_.reset();
    auto database = sqlite::Database::Open(path_);
    EXPECT_TRUE(database.ok()) << database.status();
    EXPECT_TRUE((*database)->Exec(sql).ok()) << sql;
    database->reset();
    Open();
    return Verified(*store_);
  }

  TempDir folder_;
  const std::string path_ = folder_.File("store.db");
  std::unique_ptr<Store> store_;
};

TEST_F(VerifyTest, UntouchedLedgerIsEqualAndWasLookedAt) {
  const v1::VerifyLedgerResponse verified = Verified(*store_);
  EXPECT_EQ(verified.differences_size(), 0) << verified.DebugString();
  EXPECT_EQ(verified.checked_reports(), 6);
  EXPECT_EQ(verified.checked_entries(), 12);
  EXPECT_GT(verified.checked_totals(), 4);
  EXPECT_EQ(Verified(*store_, "license-1").checked_entries(), 12);
  EXPECT_EQ(VerifyLedger(*store_, "license-9").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(VerifyTest, EachKindOfDamageIsFound) {
  const struct {
    const char* damage;
    const char* repair;
    const char* message;
    int64_t expected;
    int64_t found;
  } cases[] = {
      {"UPDATE ledger_total SET quantity = quantity + 1 WHERE id = 1",
       "UPDATE ledger_total SET quantity = quantity - 1 WHERE id = 1",
       "total of cluster c-1", 30, 31},
      {"UPDATE ledger_license_total SET quantity = 61 WHERE meter = 1",
       "UPDATE ledger_license_total SET quantity = 60 WHERE meter = 1",
       "total of the license, METER_RUM_SESSIONS", 60, 61},
      {"UPDATE ledger_license_total SET overage = 4501 WHERE meter = 3",
       "UPDATE ledger_license_total SET overage = 4500 WHERE meter = 3",
       "overage of host-unit-hours", 4500, 4501},
      {"UPDATE ledger_license_hour SET host_units_milli = 1 WHERE hour_us = "
       "1795255200000000",
       "UPDATE ledger_license_hour SET host_units_milli = 2000",
       "host units of the license", 2000, 1},
      {"UPDATE consumption_environment SET rum_sessions = 9 WHERE id = 1",
       "UPDATE consumption_environment SET rum_sessions = 10 WHERE id = 1",
       "entry of cluster c-1", 9, 10},
  };
  for (const auto& c : cases) {
    const v1::VerifyLedgerResponse verified = After(c.damage);
    bool found = false;
    for (const v1::LedgerDifference& difference : verified.differences()) {
      if (difference.message().find(c.message) == std::string::npos) continue;
      found = true;
      EXPECT_EQ(difference.expected(), c.expected) << difference.message();
      EXPECT_EQ(difference.found(), c.found) << difference.message();
      EXPECT_EQ(difference.license_id(), "license-1");
    }
    EXPECT_TRUE(found) << c.damage << ": " << verified.DebugString();
    const v1::VerifyLedgerResponse again = After(c.repair);
    EXPECT_EQ(again.differences_size(), 0) << again.DebugString();
  }
}

TEST_F(VerifyTest, MissingAndStrangeEntriesAreFound) {
  EXPECT_EQ(After("DELETE FROM ledger_entry WHERE meter = 1 AND id = "
                  "(SELECT min(id) FROM ledger_entry WHERE meter = 1)")
                .differences_size(),
            2)
      << "the entry, and the total that it was in";
  EXPECT_GE(After("UPDATE ledger_entry SET resource_id = 'strange' WHERE id = "
                  "(SELECT min(id) FROM ledger_entry WHERE meter = 3)")
                .differences_size(),
            4);
}

TEST_F(VerifyTest, ReportsThatAreNotKeptAnyMoreAreNotMissed) {
  const std::string gone =
      "(SELECT id FROM consumption_report WHERE sequence = 1)";
  const std::string hosts =
      "(SELECT id FROM consumption_host WHERE parent IN (SELECT id FROM "
      "consumption_environment WHERE parent IN " +
      gone + "))";
  const v1::VerifyLedgerResponse verified =
      After("DELETE FROM consumption_interval WHERE parent IN " + hosts +
            "; DELETE FROM consumption_host WHERE id IN " + hosts +
            "; DELETE FROM consumption_environment WHERE parent IN " + gone +
            "; DELETE FROM consumption_report WHERE id IN " + gone);
  EXPECT_EQ(verified.differences_size(), 0) << verified.DebugString();
  EXPECT_EQ(verified.checked_reports(), 4);
  EXPECT_EQ(verified.checked_entries(), 12);
  EXPECT_EQ(After("UPDATE ledger_entry SET quantity = 11 WHERE id = 1")
                .differences_size(),
            1)
      << "its total still tells";
}

}  // namespace
}  // namespace mc::service
