// What only a store on disk can promise.
#include "mc-service/store/sqlite/sqlite_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/testing.h"

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
