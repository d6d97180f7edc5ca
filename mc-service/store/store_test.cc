// Both backends that live in this tree pass the suite.
#include "common/files/temp_dir.h"
#include "mc-service/store/conformance.h"
#include "mc-service/store/fake/fake_store.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

// Takes its folder along.
class TemporaryStore final : public Store {
 public:
  explicit TemporaryStore(size_t max_queue) {
    absl::StatusOr<std::unique_ptr<Store>> opened =
        OpenSqliteStore({.path = folder_.File("store.db"),
                         .create = true,
                         .max_queue = max_queue});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  absl::Status Read(ReadWork work) override { return store_->Read(work); }
  bool Write(WriteWork work, WriteDone done) override {
    return store_->Write(std::move(work), std::move(done));
  }
  absl::Status Scrub() override { return store_->Scrub(); }
  void Stop() override { store_->Stop(); }

 private:
  TempDir folder_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(
    Sqlite, StoreConformance,
    ::testing::Values(ConformanceBackend{[](size_t max_queue) {
      return std::make_unique<TemporaryStore>(max_queue);
    }}));

INSTANTIATE_TEST_SUITE_P(Fake, StoreConformance,
                         ::testing::Values(ConformanceBackend{
                             [](size_t max_queue) {
                               return std::make_unique<FakeStore>(
                                   FakeStore::Options{.max_queue = max_queue});
                             }}));

TEST(FakeStore, FailedCommitKeepsNothingAndTheNextOneDoes) {
  FakeStore store;
  const auto add = [](Writer& writer) {
    return writer.InsertAccount({"a1", "name", absl::UnixEpoch()});
  };
  store.FailNextCommit(absl::UnavailableError("the disk is gone"));
  EXPECT_EQ(store.WriteAndWait(add),
            absl::UnavailableError("the disk is gone"));
  EXPECT_TRUE(store.WriteAndWait(add).ok());
}

}  // namespace
}  // namespace mc::service
