#include "common/sqlite/testing/power_loss_vfs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "common/files/temp_dir.h"
#include "common/sqlite/database.h"

namespace mc::sqlite::testing {
namespace {

// The rows of the image, -1 where it is damaged.
int64_t RowsOf(const std::string& folder) {
  auto database = Database::Open(folder + "/test.db");
  if (!database.ok()) return -1;
  auto check = (*database)->Prepare("PRAGMA integrity_check");
  if (!check.ok() || !check->Step().value_or(false) || check->Text(0) != "ok") {
    return -1;
  }
  auto count = (*database)->Prepare("SELECT count(*) FROM t");
  if (!count.ok() || !count->Step().value_or(false)) return -1;
  return count->Int64(0);
}

// How many committed rows are missing, or the number of damaged images, after
// the power failed at each sync of 40 commits.
int Lost(const std::string& synchronous) {
  TempDir folder;
  TempDir images;
  int lost = 0;
  int64_t committed = 0;
  bool made = false;
  uint64_t seed = 0;
  PowerLossVfs* power = nullptr;
  const std::string image = images.File("image");
  const auto look = [&] {
    if (!made) return;
    for (const Loss loss : kLosses) {
      power->MakeImage(image, loss, ++seed);
      if (RowsOf(image) < committed) ++lost;
    }
  };
  PowerLossVfs vfs(folder.path(), look);
  power = &vfs;
  auto database = *Database::Open(folder.File("test.db"));
  EXPECT_TRUE(database->Exec("CREATE TABLE t (v BLOB)").ok());
  EXPECT_TRUE(database->Exec("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  EXPECT_TRUE(database->Exec("PRAGMA synchronous = " + synchronous).ok());
  EXPECT_TRUE(database->Exec("PRAGMA wal_autocheckpoint = 20").ok());
  made = true;
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(database->Exec("INSERT INTO t VALUES (randomblob(3000))").ok());
    ++committed;
  }
  look();
  database = nullptr;
  return lost;
}

TEST(PowerLoss, WhatWasSyncedIsThere) { EXPECT_EQ(Lost("FULL"), 0); }

// The file system does lose what nobody syncs: the test above can fail.
TEST(PowerLoss, WhatWasNotSyncedIsLost) {
  EXPECT_GT(Lost("NORMAL"), 0);
  EXPECT_GT(Lost("OFF"), 0);
}

}  // namespace
}  // namespace mc::sqlite::testing
