#include "common/sqlite/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "common/files/temp_dir.h"

namespace mc::sqlite {
namespace {

std::unique_ptr<Database> OpenOrDie(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path);
  EXPECT_TRUE(database.ok()) << database.status();
  return *std::move(database);
}

TEST(Database, FilesAreTheOwnersAlone) {
  TempDir dir;
  auto database = OpenOrDie(dir.File("a.db"));
  ASSERT_TRUE(database->Exec("CREATE TABLE t (a)").ok());
  for (const char* name : {"a.db", "a.db-wal", "a.db-shm"}) {
    struct stat info;
    ASSERT_EQ(stat(dir.File(name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST(Database, CommitsAreDurableAndReadersGoOnBeside) {
  TempDir dir;
  auto database = OpenOrDie(dir.File("a.db"));
  auto journal = database->Prepare("PRAGMA journal_mode");
  ASSERT_TRUE(*journal->Step());
  EXPECT_EQ(journal->Text(0), "wal");
  auto synchronous = database->Prepare("PRAGMA synchronous");
  ASSERT_TRUE(*synchronous->Step());
  EXPECT_EQ(synchronous->Int64(0), 2);  // FULL
}

TEST(Database, EveryTypeComesBackAsItWent) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(database->Exec("CREATE TABLE t (a,b,c,d,e,f,g,h)").ok());
  const std::string bytes("\0\xff z", 4);
  constexpr uint64_t kBig = std::numeric_limits<uint64_t>::max() - 1;
  ASSERT_TRUE(database->Prepare("INSERT INTO t VALUES (?,?,?,?,?,?,?,?)")
                  ->BindAll(int64_t{-7}, kBig, 0.25, std::string("text"),
                            Blob{bytes}, true, std::nullopt,
                            std::optional<int64_t>(3))
                  .Run()
                  .ok());
  auto row = database->Prepare("SELECT * FROM t");
  ASSERT_TRUE(*row->Step());
  EXPECT_EQ(row->Int64(0), -7);
  EXPECT_EQ(row->Uint64(1), kBig);
  EXPECT_EQ(row->Double(2), 0.25);
  EXPECT_EQ(row->Text(3), "text");
  EXPECT_EQ(row->BlobBytes(4), bytes);
  EXPECT_TRUE(row->Bool(5));
  EXPECT_TRUE(row->IsNull(6));
  EXPECT_EQ(row->OptionalText(6), std::nullopt);
  EXPECT_EQ(row->OptionalInt64(7), 3);
  EXPECT_FALSE(*row->Step());
}

TEST(Database, EmptyTextAndBlobAreNotNull) {
  auto database = OpenOrDie(":memory:");
  auto row = database->Prepare("SELECT ?, ?, ?");
  row->BindAll(std::string_view(), Blob{}, std::optional<std::string>());
  ASSERT_TRUE(*row->Step());
  EXPECT_EQ(row->OptionalText(0), "");
  EXPECT_EQ(row->OptionalBlob(1), "");
  EXPECT_EQ(row->OptionalText(2), std::nullopt);
}

TEST(Database, StatementIsResetWhenItsGuardEnds) {
  TempDir dir;
  auto database = OpenOrDie(dir.File("a.db"));
  ASSERT_TRUE(
      database->Exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)").ok());
  {
    auto row = database->Prepare("SELECT a FROM t");
    ASSERT_TRUE(*row->Step());
  }
  // A read that is still open would refuse this.
  EXPECT_TRUE(database->Exec("DROP TABLE t").ok());
}

TEST(Database, SameTextCanBeInUseTwice) {
  auto database = OpenOrDie(":memory:");
  auto outer = database->Prepare("SELECT ?");
  auto inner = database->Prepare("SELECT ?");
  outer->Bind(1, 1);
  inner->Bind(1, 2);
  ASSERT_TRUE(*outer->Step());
  ASSERT_TRUE(*inner->Step());
  EXPECT_EQ(outer->Int64(0), 1);
  EXPECT_EQ(inner->Int64(0), 2);
}

TEST(Database, BindingErrorsComeOutOfStep) {
  auto database = OpenOrDie(":memory:");
  auto row = database->Prepare("SELECT ?");
  row->Bind(2, "there is no second parameter");
  EXPECT_EQ(row->Step().status().code(), absl::StatusCode::kInternal);
}

TEST(Database, ErrorsHaveCodesToBranchOn) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(database
                  ->Exec("CREATE TABLE t (a INTEGER PRIMARY KEY,"
                         " b TEXT NOT NULL UNIQUE);"
                         "INSERT INTO t VALUES (1, 'x')")
                  .ok());
  EXPECT_EQ(database->Exec("INSERT INTO t VALUES (1, 'y')").code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(database->Exec("INSERT INTO t VALUES (2, 'x')").code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(database->Exec("INSERT INTO t VALUES (2, NULL)").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database->Exec("no sql").code(), absl::StatusCode::kInternal);
}

TEST(Database, MissingFileIsNotFoundAndNamed) {
  TempDir dir;
  const std::string path = dir.File("none.db");
  for (const bool read_only : {false, true}) {
    auto database =
        Database::Open(path, {.read_only = read_only, .create = false});
    EXPECT_EQ(database.status().code(), absl::StatusCode::kNotFound);
    EXPECT_NE(database.status().message().find(path), absl::string_view::npos);
  }
  EXPECT_EQ(Database::Open(dir.File("no/folder.db")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(Database, FileThatIsNoDatabaseIsDataLoss) {
  TempDir dir;
  std::ofstream(dir.File("a.db")) << std::string(8192, 'x');
  EXPECT_EQ(Database::Open(dir.File("a.db")).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(Database, ReadOnlyConnectionCannotWrite) {
  TempDir dir;
  auto writer = OpenOrDie(dir.File("a.db"));
  ASSERT_TRUE(writer->Exec("CREATE TABLE t (a)").ok());
  auto reader = Database::Open(dir.File("a.db"), {.read_only = true});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Exec("INSERT INTO t VALUES (1)").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE((*reader)->Exec("SELECT a FROM t").ok());
}

TEST(Database, SecondWriterIsUnavailableWhileTheFirstHoldsTheLock) {
  TempDir dir;
  auto first = OpenOrDie(dir.File("a.db"));
  auto second =
      Database::Open(dir.File("a.db"), {.busy_timeout = absl::ZeroDuration()});
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(first->Exec("BEGIN IMMEDIATE").ok());
  EXPECT_EQ((*second)->Exec("BEGIN IMMEDIATE").code(),
            absl::StatusCode::kUnavailable);
}

TEST(Database, FailedTransactionLeavesNothing) {
  auto database = OpenOrDie(":memory:");
  ASSERT_TRUE(database->Exec("CREATE TABLE t (a)").ok());
  EXPECT_EQ(database
                ->InTransaction([&] {
                  EXPECT_TRUE(database->Exec("INSERT INTO t VALUES (1)").ok());
                  return absl::AbortedError("no");
                })
                .code(),
            absl::StatusCode::kAborted);
  EXPECT_FALSE(database->in_transaction());
  auto count = database->Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(*count->Step());
  EXPECT_EQ(count->Int64(0), 0);
}

}  // namespace
}  // namespace mc::sqlite
