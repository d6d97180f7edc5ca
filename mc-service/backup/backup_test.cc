#include "mc-service/backup/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/time/clock.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/init.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kPublic[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
    "-----END PUBLIC KEY-----\n";
constexpr char kPrivate[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
    "-----END PRIVATE KEY-----\n";

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() {
    InitOptions options;
    options.directory = service_;
    options.server_names = {"localhost"};
    options.trust_domain = "test.example";
    options.free_ports = true;
    options.clock = &clock_;
    EXPECT_TRUE(Init(options).ok());
    store_ = OpenStore(service_);
  }
  ~BackupTest() override {
    if (store_ != nullptr) store_->Stop();
  }

  std::unique_ptr<Store> OpenStore(const std::string& directory) {
    SqliteOptions options;
    options.path = StateLayout(directory).StoreFile();
    options.clock = &clock_;
    auto store = OpenSqliteStore(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  void AddAccount(const std::string& name) {
    EXPECT_TRUE(store_
                    ->WriteAndWait([&](Writer& writer) {
                      return writer.InsertAccount({.id = name,
                                                   .name = name,
                                                   .created_at = clock_.Now()});
                    })
                    .ok());
  }

  static int Accounts(Store& store) {
    int count = 0;
    EXPECT_TRUE(store
                    .Read([&](Reader& reader) {
                      const auto listed = reader.ListAccounts({.limit = 1000});
                      count = static_cast<int>(listed->items.size());
                      return absl::OkStatus();
                    })
                    .ok());
    return count;
  }

  static uint64_t Epoch(Store& store) {
    uint64_t epoch = 0;
    EXPECT_TRUE(store
                    .Read([&](Reader& reader) {
                      epoch = *reader.ServiceEpoch();
                      return absl::OkStatus();
                    })
                    .ok());
    return epoch;
  }

  absl::StatusOr<Manifest> Backup() {
    const auto configuration =
        LoadConfiguration(StateLayout(service_).ConfigFile());
    if (!configuration.ok()) return configuration.status();
    BackupOptions options;
    options.configuration = &*configuration;
    options.to = file_;
    options.recipient = &recipient_;
    options.clock = &clock_;
    options.program_version = "1.2.3";
    return MakeBackup(options);
  }

  absl::StatusOr<Manifest> RestoreTo(const std::string& to) {
    RestoreOptions options;
    options.from = file_;
    options.identity = &identity_;
    options.to = to;
    return Restore(options);
  }

  std::string Bytes() const { return *ReadFile(file_, 64 << 20); }
  void SetBytes(const std::string& bytes) {
    ASSERT_TRUE(AtomicWrite(file_, bytes, 0600).ok());
  }

  const age::Recipient recipient_ = *age::Recipient::Parse(kPublic);
  const age::Identity identity_ = *age::Identity::Parse(kPrivate);
  RealClock clock_;
  TempDir folder_;
  const std::string service_ = folder_.File("service");
  const std::string file_ = folder_.File("backup");
  const std::string restored_ = folder_.File("restored");
  std::unique_ptr<Store> store_;
};

TEST_F(BackupTest, IsMadeWhileTheStoreIsWritten) {
  for (int i = 0; i < 20; ++i) AddAccount("account-" + std::to_string(i));
  const auto manifest = Backup();
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  AddAccount("later");
  EXPECT_EQ(manifest->service_epoch, Epoch(*store_));
  struct stat info = {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_FALSE(FileExists(file_ + ".partial"));
  EXPECT_FALSE(FileExists(service_ + "/.backup-store.db"));
  // Nothing of it can be read without the key.
  EXPECT_THAT(Bytes(), Not(HasSubstr("account-7")));
  EXPECT_THAT(Bytes(), Not(HasSubstr("PRIVATE KEY")));

  const auto restored = RestoreTo(restored_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  const auto store = OpenStore(restored_);
  EXPECT_EQ(Accounts(*store), 20);
  EXPECT_NE(Epoch(*store), Epoch(*store_));
  store->Stop();
}

TEST_F(BackupTest, HoldsEveryFileOfTheService) {
  const RealClock clock;
  const StateLayout state(service_);
  ASSERT_TRUE(RotateAuthority(state, AuthorityKind::kCluster, absl::Hours(1),
                              clock.Now())
                  .ok());
  ASSERT_TRUE(PrepareServerAuthority(state, clock.Now()).ok());
  ASSERT_TRUE(Backup().ok());
  ASSERT_TRUE(RestoreTo(restored_).ok());
  for (const AuthorityKind kind :
       {AuthorityKind::kServer, AuthorityKind::kCluster}) {
    const auto trusted = TrustedAuthorities(state, kind, clock.Now());
    const auto again =
        TrustedAuthorities(StateLayout(restored_), kind, clock.Now());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(CertificateChainPemToDer(*again)->size(), 2u);
    EXPECT_EQ(*again, *trusted);
  }
  for (const auto& entry : fs::recursive_directory_iterator(service_)) {
    const std::string name = entry.path().lexically_relative(service_).string();
    if (!entry.is_regular_file() || name.rfind("store.db", 0) == 0) continue;
    EXPECT_EQ(*ReadFile(restored_ + "/" + name), *ReadFile(entry.path()))
        << name;
    EXPECT_TRUE(CheckPrivateFile(restored_ + "/" + name).ok()) << name;
  }
  EXPECT_TRUE(CheckPrivateDirectory(restored_).ok());
  EXPECT_FALSE(FileExists(restored_ + ".restoring"));
}

TEST_F(BackupTest, AStateDirectoryElsewhereIsNotTakenOver) {
  const std::string file = StateLayout(service_).ConfigFile();
  ASSERT_TRUE(
      AtomicWrite(
          file, *ReadFile(file) + "\nstate_directory: " + service_ + "\n", 0600)
          .ok());
  ASSERT_TRUE(Backup().ok());
  ASSERT_TRUE(RestoreTo(restored_).ok());
  const auto loaded = LoadConfiguration(StateLayout(restored_).ConfigFile());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state().directory(), restored_);
}

TEST_F(BackupTest, ADamagedOneLeavesNothingBehind) {
  ASSERT_TRUE(Backup().ok());
  const std::string whole = Bytes();
  for (const size_t cut :
       {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    SetBytes(whole.substr(0, cut));
    EXPECT_FALSE(RestoreTo(restored_).ok()) << cut << " bytes";
    EXPECT_FALSE(fs::exists(restored_));
    EXPECT_FALSE(fs::exists(restored_ + ".restoring"));
  }
  for (const size_t at : {size_t{500}, whole.size() / 2, whole.size() - 1}) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    SetBytes(changed);
    const auto restored = RestoreTo(restored_);
    EXPECT_TRUE(absl::IsDataLoss(restored.status())) << restored.status();
    EXPECT_FALSE(fs::exists(restored_));
  }
  SetBytes(whole);
  EXPECT_TRUE(RestoreTo(restored_).ok());
}

TEST_F(BackupTest, ATargetWithSomethingInItIsLeftAlone) {
  ASSERT_TRUE(Backup().ok());
  ASSERT_TRUE(fs::create_directory(restored_));
  ASSERT_TRUE(AtomicWrite(restored_ + "/mine", "x", 0600).ok());
  const auto refused = RestoreTo(restored_);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_EQ(*ReadFile(restored_ + "/mine"), "x");
  fs::remove(restored_ + "/mine");
  EXPECT_TRUE(RestoreTo(restored_ + "/").ok());
}

TEST_F(BackupTest, WhatAKilledRestoreLeftIsRemoved) {
  ASSERT_TRUE(Backup().ok());
  ASSERT_TRUE(fs::create_directories(restored_ + ".restoring/ca"));
  ASSERT_TRUE(AtomicWrite(restored_ + ".restoring/store.db", "x", 0600).ok());
  EXPECT_TRUE(RestoreTo(restored_).ok());
  EXPECT_FALSE(fs::exists(restored_ + ".restoring"));
}

TEST_F(BackupTest, AnotherKeyOpensNothing) {
  ASSERT_TRUE(Backup().ok());
  const auto other = *age::Identity::Parse(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIF2rCH5iSopLeeF/i4OADuZvO7EpJhi2/Rwviyf/iODr\n"
      "-----END PRIVATE KEY-----\n");
  EXPECT_TRUE(
      absl::IsPermissionDenied(InspectBackup(file_, other, nullptr).status()));
  EXPECT_TRUE(InspectBackup(file_, identity_, nullptr).ok());
}

}  // namespace
}  // namespace mc::service
