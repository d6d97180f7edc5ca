// The store in memory, for tests.
#ifndef MC_SERVICE_STORE_FAKE_FAKE_STORE_H_
#define MC_SERVICE_STORE_FAKE_FAKE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "mc-service/store/store.h"

namespace mc::service {

struct FakeState;

// Passes the conformance suite: works have a thread of their own and fail
// alone, reads see a snapshot. Each work copies all rows: for tests with few.
class FakeStore final : public Store {
 public:
  struct Options {
    size_t max_queue = 8192;
    uint64_t service_epoch = 1;
  };

  FakeStore() : FakeStore(Options()) {}
  explicit FakeStore(const Options& options);
  ~FakeStore() override;

  absl::Status Read(ReadWork work) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Write(WriteWork work, WriteDone done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Scrub() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_, join_mutex_);

  // The next commit keeps nothing, and its works all end with `error`.
  void FailNextCommit(absl::Status error) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Item {
    WriteWork work;
    WriteDone done;
  };

  void RunWriter() ABSL_LOCKS_EXCLUDED(mutex_);
  void Commit(std::deque<Item> batch) ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_queue_;
  absl::Mutex mutex_;
  std::shared_ptr<const FakeState> state_ ABSL_GUARDED_BY(mutex_);
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> next_failure_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread writer_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_FAKE_FAKE_STORE_H_
