#include "common/sqlite/migrate.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/migrations.h"
#include "common/sqlite/testing.h"

namespace mc::sqlite {
namespace {

using testing::Fork;
using testing::kMigrations;
using testing::SignalThatEnded;

std::unique_ptr<Database> OpenOrDie(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path);
  EXPECT_TRUE(database.ok()) << database.status();
  return *std::move(database);
}

int64_t Number(Database& database, const std::string& sql) {
  auto row = database.Prepare(sql);
  EXPECT_TRUE(row.ok()) << row.status();
  EXPECT_TRUE(*row->Step());
  return row->Int64(0);
}

TEST(Migrate, EmbeddedFilesKeepVersionNameAndText) {
  ASSERT_EQ(std::size(kMigrations), 2u);
  EXPECT_EQ(kMigrations[0].version, 1);
  EXPECT_STREQ(kMigrations[0].name, "first");
  EXPECT_EQ(kMigrations[1].version, 2);
  EXPECT_STREQ(kMigrations[1].name, "second_step");
  EXPECT_NE(std::string(kMigrations[0].sql).find("('a;b\\n[');"),
            std::string::npos);
}

TEST(Migrate, AppliesOnceAndRecordsWhatItApplied) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(Migrate(*database, kMigrations).ok());
  ASSERT_TRUE(Migrate(*database, kMigrations).ok());
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM first"), 1);
  auto row = database->Prepare(
      "SELECT version, name, sha256, applied_at FROM schema_migration "
      "ORDER BY version DESC");
  ASSERT_TRUE(*row->Step());
  EXPECT_EQ(row->Int64(0), 2);
  EXPECT_EQ(row->Text(1), "second_step");
  EXPECT_EQ(row->BlobBytes(2), Sha256(kMigrations[1].sql));
  EXPECT_GT(row->Int64(3), 0);
}

TEST(Migrate, GoesOnFromAnOlderVersion) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(Migrate(*database, std::span(kMigrations).first(1)).ok());
  ASSERT_TRUE(Migrate(*database, kMigrations).ok());
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM first"), 1);
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM second"), 0);
}

TEST(Migrate, RefusesADatabaseOfANewerProgram) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(Migrate(*database, kMigrations).ok());
  const absl::Status refused =
      Migrate(*database, std::span(kMigrations).first(1));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("newer program"), absl::string_view::npos);
}

TEST(Migrate, RefusesAChangedOrInsertedMigration) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(Migrate(*database, kMigrations).ok());
  const Migration changed[] = {{1, "first", "CREATE TABLE other (a)"},
                               kMigrations[1]};
  EXPECT_EQ(Migrate(*database, changed).code(),
            absl::StatusCode::kFailedPrecondition);

  auto sparse = OpenOrDie(":memory:");
  const Migration third[] = {kMigrations[0], {3, "third", "SELECT 1"}};
  ASSERT_TRUE(Migrate(*sparse, third).ok());
  const Migration inserted[] = {kMigrations[0], kMigrations[1], third[1]};
  EXPECT_EQ(Migrate(*sparse, inserted).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Number(*sparse, "SELECT count(*) FROM schema_migration"), 2);
}

TEST(Migrate, FailedMigrationLeavesNothingAndIsNamed) {
  auto database = OpenOrDie(":memory:");
  const Migration broken[] = {kMigrations[0],
                              {2, "broken", "CREATE TABLE second (a); no sql"}};
  const absl::Status failed = Migrate(*database, broken);
  EXPECT_NE(failed.message().find("2 (broken)"), absl::string_view::npos);
  EXPECT_EQ(Number(*database, "SELECT max(version) FROM schema_migration"), 1);
  EXPECT_TRUE(Migrate(*database, kMigrations).ok());
}

TEST(Migrate, MigrationMustNotEndItsTransaction) {
  auto database = OpenOrDie(":memory:");
  const Migration bad[] = {{1, "bad", "CREATE TABLE t (a); COMMIT"}};
  EXPECT_EQ(Migrate(*database, bad).code(), absl::StatusCode::kInternal);
}

TEST(Migrate, KilledAnywhereItGoesOnAtTheNextStart) {
  for (const int version : {1, 2}) {
    for (const MigrationStage stage :
         {MigrationStage::kBegun, MigrationStage::kExecuted,
          MigrationStage::kRecorded, MigrationStage::kCommitted}) {
      SCOPED_TRACE(::testing::Message()
                   << "version " << version << " stage " << int(stage));
      TempDir dir;
      const std::string path = dir.File("a.db");
      const pid_t child = Fork([&] {
        auto database = Database::Open(path);
        Migrate(**database, kMigrations, [&](int v, MigrationStage s) {
          if (v == version && s == stage) kill(getpid(), SIGKILL);
        }).IgnoreError();
      });
      ASSERT_EQ(SignalThatEnded(child), SIGKILL);

      auto database = OpenOrDie(path);
      const int kept =
          stage == MigrationStage::kCommitted ? version : version - 1;
      EXPECT_EQ(Number(*database, "SELECT count(*) FROM schema_migration"),
                kept);
      ASSERT_TRUE(Migrate(*database, kMigrations).ok());
      EXPECT_EQ(Number(*database, "SELECT count(*) FROM first"), 1);
      EXPECT_EQ(Number(*database, "SELECT count(*) FROM second"), 0);
    }
  }
}

}  // namespace
}  // namespace mc::sqlite
