// A store for tests that stands between the code and a real one: it holds
// commits until the test lets them go, fails them, or refuses them.
#ifndef MC_SERVICE_DOMAIN_TESTING_HELD_STORE_H_
#define MC_SERVICE_DOMAIN_TESTING_HELD_STORE_H_

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Thread-safe.
class HeldStore : public Store {
 public:
  // Passes everything on to `inner`, which outlives it.
  explicit HeldStore(Store* inner) : inner_(inner) {}

  // From now on writes wait for Release().
  void Hold() {
    absl::MutexLock lock(&mutex_);
    holding_ = true;
  }
  // Passes on what waits, and whatever comes.
  void Release() {
    std::deque<Held> held;
    {
      absl::MutexLock lock(&mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (Held& write : held) {
      (void)inner_->Write(std::move(write.work), std::move(write.done));
    }
  }
  // From now on works run, and their commits end with `status`: nothing is
  // written. OK: back to normal.
  void FailCommits(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    commit_ = std::move(status);
  }
  // Whether the queue is full.
  void Refuse(bool refuse) {
    absl::MutexLock lock(&mutex_);
    refuse_ = refuse;
  }
  // Returns when at least `count` writes are held.
  void WaitForHeld(size_t count) {
    absl::MutexLock lock(&mutex_);
    auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return held_.size() >= count;
    };
    mutex_.Await(absl::Condition(&reached));
  }
  size_t held() const {
    absl::MutexLock lock(&mutex_);
    return held_.size();
  }

  absl::Status Read(ReadWork work) override { return inner_->Read(work); }

  bool Write(WriteWork work, WriteDone done) override {
    absl::Status commit;
    {
      absl::MutexLock lock(&mutex_);
      if (refuse_) return false;
      if (holding_) {
        held_.push_back({std::move(work), std::move(done)});
        return true;
      }
      commit = commit_;
    }
    if (commit.ok()) return inner_->Write(std::move(work), std::move(done));
    // An error of the work undoes what it wrote.
    return inner_->Write(
        [work = std::move(work), commit](Writer& writer) {
          absl::Status status = work(writer);
          return status.ok() ? commit : status;
        },
        std::move(done));
  }

  absl::Status Scrub() override { return inner_->Scrub(); }
  void Stop() override { inner_->Stop(); }

 private:
  struct Held {
    WriteWork work;
    WriteDone done;
  };

  Store* const inner_;
  mutable absl::Mutex mutex_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  bool refuse_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status commit_ ABSL_GUARDED_BY(mutex_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_TESTING_HELD_STORE_H_
