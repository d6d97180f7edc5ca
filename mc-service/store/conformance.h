// What every backend of the store passes.
//
// A test program of a backend links service_store_conformance and says
//   INSTANTIATE_TEST_SUITE_P(Name, StoreConformance, testing::Values(backend));
#ifndef MC_SERVICE_STORE_CONFORMANCE_H_
#define MC_SERVICE_STORE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

struct ConformanceBackend {
  // An empty store of its own each time, where `max_queue` works can wait.
  std::function<std::unique_ptr<Store>(size_t max_queue)> open;
};

class StoreConformance : public ::testing::TestWithParam<ConformanceBackend> {
 public:
  // `seconds` after the start of some UTC hour.
  static absl::Time At(int64_t seconds);

 protected:
  static constexpr size_t kMaxQueue = 64;

  StoreConformance();
  ~StoreConformance() override;

  // WriteAndWait.
  absl::Status Write(std::function<absl::Status(Writer&)> work);
  // Fails the test where the work fails.
  void WriteOk(std::function<absl::Status(Writer&)> work);

  // What `get(reader)`, a StatusOr, returns.
  template <typename Get>
  auto Read(Get get) {
    using Result = decltype(get(std::declval<Reader&>()));
    Result result = absl::UnknownError("the work did not run");
    store_
        ->Read([&](Reader& reader) {
          result = get(reader);
          return absl::OkStatus();
        })
        .IgnoreError();
    return result;
  }

  // The names of all rows in pages of two; `between` runs after each page.
  template <typename List, typename Name>
  std::vector<std::string> Walk(List list, Name name,
                                absl::FunctionRef<void()> between) {
    std::vector<std::string> names;
    Page page{.limit = 2};
    for (;;) {
      auto rows = Read([&](Reader& reader) { return list(reader, page); });
      EXPECT_TRUE(rows.ok()) << rows.status();
      if (!rows.ok()) return names;
      EXPECT_LE(rows->items.size(), 2u);
      for (const auto& row : rows->items) names.push_back(name(row));
      if (!rows->next.has_value()) return names;
      page.after = *rows->next;
      between();
    }
  }

  // Account a1 with license l1 and clusters c1 and c2; account a2 with license
  // l2 and cluster c3.
  void AddFleet();

  static Account MakeAccount(const std::string& id);
  static License MakeLicense(const std::string& id,
                             const std::string& account_id);
  static Cluster MakeCluster(const std::string& id,
                             const std::string& license_id);
  static StoredHealth MakeHealth(const std::string& cluster_id, int64_t at,
                                 v1::HealthStatus status);
  // A report of one environment, for a frame that starts at `start`.
  static StoredConsumption MakeConsumption(const std::string& cluster_id,
                                           const std::string& license_id,
                                           uint64_t sequence, absl::Time start,
                                           const std::string& environment_id);

  std::unique_ptr<Store> store_;
};

google::protobuf::Timestamp ToTimestamp(absl::Time time);

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_CONFORMANCE_H_
