// What only a store on disk can promise.
#include "mc-service/store/sqlite/sqlite_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/database.h"
#include "common/sqlite/testing.h"
#include "mc-service/store/sqlite/schema_tree.h"

namespace mc::service {
namespace {

using sqlite::testing::Fork;
using sqlite::testing::SignalThatEnded;

class SqliteStoreTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> Open() {
    return OpenSqliteStore({.path = path_, .create = true});
  }

  std::unique_ptr<Store> OpenOrDie() {
    absl::StatusOr<std::unique_ptr<Store>> store = Open();
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  static absl::Status AddAccount(Writer& writer) {
    return writer.InsertAccount({"a1", "name", absl::UnixEpoch()});
  }

  static absl::Status HasAccount(Store& store) {
    return store.Read(
        [](Reader& reader) { return reader.GetAccount("a1").status(); });
  }

  TempDir folder_;
  const std::string path_ = folder_.File("store.db");
};

TEST_F(SqliteStoreTest, WhatDoneWasCalledForOutlivesTheProcess) {
  const pid_t child = Fork([&] {
    auto store = Open();
    (*store)->Write(AddAccount, [](absl::Status status) {
      if (status.ok()) kill(getpid(), SIGKILL);
    });
    (*store)->Stop();
  });
  ASSERT_EQ(SignalThatEnded(child), SIGKILL);
  auto store = OpenOrDie();
  EXPECT_TRUE(HasAccount(*store).ok()) << HasAccount(*store);
}

std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Rows of many sizes for an account, with its name in each.
absl::Status Fill(Writer& writer, const std::string& account) {
  const std::string cluster = "cluster-of-" + account;
  absl::Status status =
      writer.InsertAccount({account, account + " Inc.", absl::UnixEpoch()});
  License license;
  license.id = "license-of-" + account;
  license.account_id = account;
  license.name = "license named " + account;
  license.key_digest = "digest-" + account;
  license.key_hint = "HINT";
  status.Update(writer.InsertLicense(license));
  Cluster row;
  row.id = cluster;
  row.license_id = license.id;
  row.user_name = "user-" + account;
  status.Update(writer.PutCluster(row));
  for (uint64_t sequence = 1; sequence <= 200; ++sequence) {
    StoredConsumption stored;
    stored.key = {cluster, v1::LANE_BILLING, 1, sequence};
    stored.license_id = license.id;
    auto* environment = stored.consumption.add_environments();
    environment->set_environment_id("environment-of-" + account);
    auto* monitor = environment->add_synthetic_monitors();
    monitor->set_monitor_id("m");
    monitor->set_description(account + std::string(sequence * 37 % 2000, 'x') +
                             account);
    environment->add_hosts()->set_host_id("host-of-" + account);
    status.Update(writer.InsertConsumption(stored));
    status.Update(writer.InsertReport({.key = stored.key,
                                       .digest = "d",
                                       .receipt = "receipt " + account,
                                       .accepted_at = absl::UnixEpoch()}));
  }
  return status;
}

TEST_F(SqliteStoreTest, OfAnErasedAccountNoByteIsLeft) {
  auto store = OpenOrDie();
  ASSERT_TRUE(store
                  ->WriteAndWait([](Writer& writer) {
                    absl::Status filled = Fill(writer, "acme-corporation");
                    filled.Update(Fill(writer, "others"));
                    return filled;
                  })
                  .ok());
  const std::string wal = path_ + "-wal";
  ASSERT_NE((FileBytes(path_) + FileBytes(wal)).find("acme-corporation"),
            std::string::npos);
  ErasedRows erased;
  absl::StatusOr<bool> finished = false;
  ASSERT_TRUE(store
                  ->WriteAndWait([](Writer& writer) {
                    return writer.BeginErasure("acme-corporation");
                  })
                  .ok());
  int chunks = 0;
  while (finished.ok() && !*finished) {
    ++chunks;
    ASSERT_TRUE(store
                    ->WriteAndWait([&](Writer& writer) {
                      finished =
                          writer.EraseSome("acme-corporation", 100, erased);
                      return finished.status();
                    })
                    .ok());
  }
  EXPECT_GT(chunks, 5);
  EXPECT_EQ(erased.reports, 200);
  const absl::Status scrubbed = store->Scrub();
  ASSERT_TRUE(scrubbed.ok()) << scrubbed;
  for (const std::string& file : {path_, wal}) {
    EXPECT_EQ(FileBytes(file).find("acme-corporation"), std::string::npos)
        << file;
  }
  EXPECT_NE(FileBytes(path_).find("environment-of-others"), std::string::npos);
  store->Stop();
}

// An erasure finds the tables by their references: a table that has none is
// either nobody's, or would keep a customer's rows.
TEST_F(SqliteStoreTest, EveryTableIsErasedWithItsAccountOrIsNobodys) {
  OpenOrDie()->Stop();
  auto database = *sqlite::Database::Open(path_);
  const auto tree = SchemaTree::Below(*database, "account", "account_id = ?1");
  ASSERT_TRUE(tree.ok()) << tree.status();
  std::set<std::string> found = {"erased_cluster", "operator",
                                 "release",        "schema_migration",
                                 "store_info",     "ledger_backlog"};
  for (const SchemaTree::Table& table : tree->tables()) {
    found.insert(table.name);
    EXPECT_FALSE(table.key.empty()) << table.name;
  }
  auto tables = *database->Prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
      "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
  int count = 0;
  for (; *tables.Step(); ++count) {
    EXPECT_TRUE(found.contains(tables.Text(0))) << tables.Text(0);
  }
  EXPECT_GT(count, 20);
  EXPECT_EQ(tree->tables().back().name, "account");
}

TEST_F(SqliteStoreTest, WhatWasNotCommittedDiesWithTheProcess) {
  const pid_t child = Fork([&] {
    auto store = Open();
    (*store)->Write(
        [](Writer& writer) {
          absl::Status done = AddAccount(writer);
          kill(getpid(), SIGKILL);
          return done;
        },
        [](absl::Status) {});
    (*store)->Stop();
  });
  ASSERT_EQ(SignalThatEnded(child), SIGKILL);
  auto store = OpenOrDie();
  EXPECT_EQ(HasAccount(*store).code(), absl::StatusCode::kNotFound);
}

TEST_F(SqliteStoreTest, RowsAndEpochAreThereAfterARestart) {
  const auto epoch = [](Store& store) {
    uint64_t value = 0;
    EXPECT_TRUE(store
                    .Read([&](Reader& reader) {
                      absl::StatusOr<uint64_t> read = reader.ServiceEpoch();
                      value = read.value_or(0);
                      return read.status();
                    })
                    .ok());
    return value;
  };
  auto store = OpenOrDie();
  ASSERT_TRUE(store->WriteAndWait(AddAccount).ok());
  const uint64_t before = epoch(*store);
  store.reset();
  store = OpenOrDie();
  EXPECT_TRUE(HasAccount(*store).ok());
  EXPECT_EQ(epoch(*store), before);
}

TEST_F(SqliteStoreTest, SecondProcessIsRefusedAndToldWhy) {
  auto store = OpenOrDie();
  const absl::Status refused = Open().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("another process has the store open"),
            absl::string_view::npos)
      << refused;
  EXPECT_NE(refused.message().find(path_), absl::string_view::npos) << refused;
  store.reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(SqliteStoreTest, FilesAreForTheirOwnerOnly) {
  auto store = OpenOrDie();
  ASSERT_TRUE(store->WriteAndWait(AddAccount).ok());
  for (const std::string suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat file;
    ASSERT_EQ(stat((path_ + suffix).c_str(), &file), 0) << suffix;
    EXPECT_EQ(file.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(SqliteStoreTest, MissingStoreIsNotMadeUnasked) {
  const absl::Status missing =
      OpenSqliteStore({.path = path_, .create = false}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(path_), absl::string_view::npos) << missing;
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

TEST_F(SqliteStoreTest, DamagedFileIsNamedWithWhatToDo) {
  std::ofstream(path_) << std::string(8192, 'x');
  const absl::Status damaged = Open().status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(damaged.message().find(path_), absl::string_view::npos) << damaged;
  EXPECT_NE(damaged.message().find("backup"), absl::string_view::npos)
      << damaged;
}

TEST_F(SqliteStoreTest, WorksThatWaitShareACommit) {
  std::vector<size_t> batches;
  absl::StatusOr<std::unique_ptr<Store>> opened =
      OpenSqliteStore({.path = path_,
                       .create = true,
                       .max_batch = 3,
                       .observer = [&](const sqlite::BatchStats& stats) {
                         batches.push_back(stats.batch_size);
                       }});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  absl::Notification running;
  absl::Notification go;
  const auto nothing = [](Writer&) { return absl::OkStatus(); };
  const auto ignore = [](absl::Status) {};
  ASSERT_TRUE(store.Write(
      [&](Writer&) {
        running.Notify();
        go.WaitForNotification();
        return absl::OkStatus();
      },
      ignore));
  running.WaitForNotification();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store.Write(nothing, ignore));
  go.Notify();
  store.Stop();
  EXPECT_EQ(batches, (std::vector<size_t>{1, 3, 1}));
}

TEST_F(SqliteStoreTest, ValuesThatCannotBeAreRefusedAndLeaveNothing) {
  auto store = OpenOrDie();
  ASSERT_TRUE(store
                  ->WriteAndWait([](Writer& writer) {
                    absl::Status done = AddAccount(writer);
                    License license;
                    license.id = "l1";
                    license.account_id = "a1";
                    license.name = "name";
                    done.Update(writer.InsertLicense(license));
                    Cluster cluster;
                    cluster.id = "c1";
                    cluster.license_id = "l1";
                    done.Update(writer.PutCluster(cluster));
                    return done;
                  })
                  .ok());
  StoredHealth too_late;
  too_late.cluster_id = "c1";
  too_late.health_check.add_nodes();
  too_late.health_check.mutable_nodes(0)->mutable_started_at()->set_seconds(
      253'402'300'799);
  StoredHealth negative;
  negative.cluster_id = "c1";
  negative.health_check.add_nodes()->add_partitions()->set_used_bytes(-1);
  for (const StoredHealth& health : {too_late, negative}) {
    // The work goes on, yet nothing of the report stays.
    EXPECT_TRUE(store
                    ->WriteAndWait([&](Writer& writer) {
                      EXPECT_EQ(writer.InsertHealth(health, 5).code(),
                                absl::StatusCode::kInvalidArgument);
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_EQ(store
                  ->Read([](Reader& reader) {
                    return reader.LatestHealth("c1").status();
                  })
                  .code(),
              absl::StatusCode::kNotFound);
  }
}

}  // namespace
}  // namespace mc::service
