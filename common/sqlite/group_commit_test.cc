#include "common/sqlite/group_commit.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/files/temp_dir.h"
#include "common/sqlite/testing.h"

namespace mc::sqlite {
namespace {

using testing::Fork;
using testing::SignalThatEnded;

std::unique_ptr<Database> OpenWithTable(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path);
  EXPECT_TRUE(database.ok()) << database.status();
  EXPECT_TRUE(
      (*database)
          ->Exec("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b)")
          .ok());
  return *std::move(database);
}

absl::Status Insert(Database& database, int64_t value) {
  absl::StatusOr<Statement> insert =
      database.Prepare("INSERT INTO t (a) VALUES (?)");
  if (!insert.ok()) return insert.status();
  return insert->Bind(1, value).Run();
}

std::vector<int64_t> Values(Database& database) {
  auto rows = database.Prepare("SELECT a FROM t ORDER BY a");
  std::vector<int64_t> values;
  while (*rows->Step()) values.push_back(rows->Int64(0));
  return values;
}

// Holds the writer thread, so that what is submitted meanwhile becomes one
// batch.
class Gate {
 public:
  explicit Gate(GroupCommitter& committer) {
    EXPECT_TRUE(committer.Submit(
        [this](Database&) {
          entered_.Notify();
          open_.WaitForNotification();
          return absl::OkStatus();
        },
        [](absl::Status) {}));
    entered_.WaitForNotification();
  }
  void Open() { open_.Notify(); }

 private:
  absl::Notification entered_;
  absl::Notification open_;
};

// SQLite's writes to files fail as long as it lives.
class FailingDisk {
 public:
  FailingDisk() {
    sqlite3_vfs* files = sqlite3_vfs_find(nullptr);
    for (const char* call : {"write", "pwrite", "pwrite64"}) {
      files->xSetSystemCall(
          files, call, reinterpret_cast<sqlite3_syscall_ptr>(&FailingWrite));
    }
  }
  ~FailingDisk() {
    sqlite3_vfs* files = sqlite3_vfs_find(nullptr);
    for (const char* call : {"write", "pwrite", "pwrite64"}) {
      files->xSetSystemCall(files, call, nullptr);
    }
  }

 private:
  static ssize_t FailingWrite(int, const void*, size_t, off_t) {
    errno = EIO;
    return -1;
  }
};

TEST(GroupCommitter, NothingIsConfirmedAfterTheDiskFailedACommit) {
  TempDir dir;
  const std::string path = dir.File("a.db");
  {
    bool failed = false;
    GroupCommitter committer(
        OpenWithTable(path),
        {.observer = [&](const BatchStats& stats) { failed = stats.failed; }});
    const auto insert = [&](int64_t value) {
      return committer.Run(
          [value](Database& database) { return Insert(database, value); });
    };
    ASSERT_TRUE(insert(1).ok());
    EXPECT_FALSE(failed);
    {
      FailingDisk disk;
      EXPECT_TRUE(absl::IsUnavailable(insert(2)));
    }
    // The disk says that all is well again. It is not believed.
    EXPECT_TRUE(failed);
    EXPECT_TRUE(absl::IsUnavailable(insert(3)));
  }
  auto restarted = Database::Open(path);
  ASSERT_TRUE(restarted.ok()) << restarted.status();
  EXPECT_EQ(Values(**restarted), std::vector<int64_t>{1});
  EXPECT_TRUE(Insert(**restarted, 4).ok());
}

TEST(GroupCommitter, PoisonedWorkFailsAlone) {
  TempDir dir;
  GroupCommitter committer(OpenWithTable(dir.File("a.db")));
  std::vector<absl::Status> results(4);
  Gate gate(committer);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(committer.Submit(
        [i](Database& database) {
          absl::Status inserted = Insert(database, i);
          if (i == 1) return Insert(database, 0);  // exists
          if (i == 2) return absl::AbortedError("changed its mind");
          return inserted;
        },
        [&results, i](absl::Status status) { results[i] = status; }));
  }
  gate.Open();
  committer.Stop();
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(results[1].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(results[2].code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(results[3].ok());
  auto reader = Database::Open(dir.File("a.db"), {.read_only = true});
  EXPECT_EQ(Values(**reader), (std::vector<int64_t>{0, 3}));
}

TEST(GroupCommitter, DoneComesAfterOthersCanSeeTheCommit) {
  TempDir dir;
  GroupCommitter committer(OpenWithTable(dir.File("a.db")));
  auto reader = Database::Open(dir.File("a.db"), {.read_only = true});
  std::vector<size_t> seen;
  for (int i = 0; i < 3; ++i) {
    absl::Notification finished;
    std::vector<int64_t> inside;
    ASSERT_TRUE(committer.Submit(
        [&, i](Database& database) {
          absl::Status inserted = Insert(database, i);
          inside = Values(**reader);
          return inserted;
        },
        [&](absl::Status status) {
          EXPECT_TRUE(status.ok());
          seen.push_back(Values(**reader).size());
          finished.Notify();
        }));
    finished.WaitForNotification();
    EXPECT_EQ(inside.size(), static_cast<size_t>(i));
  }
  EXPECT_EQ(seen, (std::vector<size_t>{1, 2, 3}));
}

TEST(GroupCommitter, WaitingWorksShareOneCommitUpToTheBound) {
  std::vector<BatchStats> stats;
  absl::Time now = absl::UnixEpoch();
  GroupCommitter committer(
      OpenWithTable(":memory:"),
      {.max_batch = 3,
       .observer = [&](const BatchStats& s) { stats.push_back(s); },
       .now = [&] { return now += absl::Seconds(1); }});
  Gate gate(committer);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(committer.Submit(
        [i](Database& database) { return Insert(database, i); },
        [](absl::Status status) { EXPECT_TRUE(status.ok()); }));
  }
  EXPECT_EQ(committer.queue_length(), 5u);
  gate.Open();
  committer.Stop();
  ASSERT_EQ(stats.size(), 3u);
  EXPECT_EQ(stats[1].batch_size, 3u);
  EXPECT_EQ(stats[1].queue_length, 2u);
  EXPECT_EQ(stats[1].commit_seconds, 1);
  EXPECT_EQ(stats[2].batch_size, 2u);
  EXPECT_TRUE(stats[2].status.ok());
}

TEST(GroupCommitter, FullQueueRefusesAndStopDrains) {
  int done = 0;
  GroupCommitter committer(OpenWithTable(":memory:"), {.max_queue = 2});
  Gate gate(committer);
  const auto submit = [&] {
    return committer.Submit([](Database&) { return absl::OkStatus(); },
                            [&](absl::Status) { ++done; });
  };
  EXPECT_TRUE(submit());
  EXPECT_TRUE(submit());
  EXPECT_FALSE(submit());
  EXPECT_EQ(committer.Run([](Database&) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kUnavailable);
  gate.Open();
  committer.Stop();
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(submit());
}

TEST(GroupCommitter, RunWaitsForTheResult) {
  GroupCommitter committer(OpenWithTable(":memory:"));
  EXPECT_TRUE(committer.Run([](Database& d) { return Insert(d, 1); }).ok());
  EXPECT_EQ(committer.Run([](Database& d) { return Insert(d, 1); }).code(),
            absl::StatusCode::kAlreadyExists);
  absl::Status nested;
  EXPECT_TRUE(committer
                  .Run([&](Database&) {
                    nested = committer.Run(
                        [](Database&) { return absl::OkStatus(); });
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(nested.code(), absl::StatusCode::kFailedPrecondition);
}

// `fill` makes the transaction as a whole fail; everything around it must be
// refused with it, and later batches must go on.
void ExpectWholeBatchFails(GroupCommitter::Work fill, absl::StatusCode code) {
  TempDir dir;
  std::vector<absl::Status> results(3);
  {
    GroupCommitter committer(OpenWithTable(dir.File("a.db")));
    Gate gate(committer);
    for (int i = 0; i < 3; ++i) {
      GroupCommitter::Work work = [i](Database& d) { return Insert(d, i); };
      ASSERT_TRUE(committer.Submit(
          i == 1 ? fill : work,
          [&results, i](absl::Status status) { results[i] = status; }));
    }
    gate.Open();
    committer.Run([](Database&) { return absl::OkStatus(); }).IgnoreError();
    for (const absl::Status& result : results) {
      EXPECT_EQ(result.code(), code) << result;
    }
    EXPECT_TRUE(committer
                    .Run([](Database& database) {
                      absl::Status roomy =
                          database.Exec("PRAGMA max_page_count = 10000");
                      return roomy.ok() ? Insert(database, 9) : roomy;
                    })
                    .ok());
  }
  auto reader = Database::Open(dir.File("a.db"), {.read_only = true});
  EXPECT_EQ(Values(**reader), (std::vector<int64_t>{9}));
}

TEST(GroupCommitter, FullDiskAcknowledgesNothing) {
  ExpectWholeBatchFails(
      [](Database& database) {
        absl::Status limited = database.Exec("PRAGMA max_page_count = 3");
        if (!limited.ok()) return limited;
        return database.Exec(
            "INSERT INTO t (a, b) VALUES (1000, zeroblob(1000000))");
      },
      absl::StatusCode::kResourceExhausted);
}

TEST(GroupCommitter, WorkThatEndsTheTransactionFailsTheBatch) {
  ExpectWholeBatchFails(
      [](Database& database) { return database.Exec("ROLLBACK"); },
      absl::StatusCode::kInternal);
}

TEST(GroupCommitter, FailedBeginFailsTheBatchAndTheNextGoesOn) {
  TempDir dir;
  OpenWithTable(dir.File("a.db"));
  auto database =
      Database::Open(dir.File("a.db"), {.busy_timeout = absl::ZeroDuration()});
  auto other = Database::Open(dir.File("a.db"));
  GroupCommitter committer(*std::move(database));
  const auto insert = [](Database& d) { return Insert(d, 1); };
  ASSERT_TRUE((*other)->Exec("BEGIN IMMEDIATE").ok());
  EXPECT_EQ(committer.Run(insert).code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE((*other)->Exec("ROLLBACK").ok());
  EXPECT_TRUE(committer.Run(insert).ok());
}

TEST(GroupCommitter, KilledProcessKeepsWhatItAcknowledged) {
  TempDir dir;
  const std::string path = dir.File("a.db");
  OpenWithTable(path);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  // The child writes until it is killed, and tells each acknowledged number.
  const pid_t child = Fork([&] {
    auto database = Database::Open(path);
    GroupCommitter committer(*std::move(database), {.max_batch = 16});
    for (int64_t i = 0;; ++i) {
      while (!committer.Submit([i](Database& d) { return Insert(d, i); },
                               [i, &pipe_ends](absl::Status status) {
                                 if (status.ok() &&
                                     write(pipe_ends[1], &i, sizeof(i)) < 0)
                                   _exit(1);
                               })) {
        std::this_thread::yield();
      }
    }
  });
  close(pipe_ends[1]);
  std::vector<int64_t> acknowledged;
  int64_t value = 0;
  while (read(pipe_ends[0], &value, sizeof(value)) == sizeof(value)) {
    acknowledged.push_back(value);
    if (acknowledged.size() == 300) kill(child, SIGKILL);
  }
  EXPECT_EQ(SignalThatEnded(child), SIGKILL);
  close(pipe_ends[0]);

  ASSERT_GE(acknowledged.size(), 300u);
  auto database = OpenWithTable(path);
  const std::vector<int64_t> kept = Values(*database);
  EXPECT_GE(kept.size(), acknowledged.size());
  for (const int64_t number : acknowledged) {
    EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), number)) << number;
  }
}

}  // namespace
}  // namespace mc::sqlite
