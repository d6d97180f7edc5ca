// A Lease in memory that several agents compete for, for tests.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_FAKE_LEASE_API_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_FAKE_LEASE_API_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/mastership/lease_api.h"

namespace mc::agent {

// What the API server keeps. Thread-safe.
class FakeLease {
 public:
  absl::StatusOr<Lease> Get() {
    absl::MutexLock lock(&mutex_);
    if (!lease_.has_value()) return absl::NotFoundError("no such Lease");
    return *lease_;
  }
  absl::StatusOr<Lease> Put(const Lease& lease, bool create) {
    absl::MutexLock lock(&mutex_);
    if (create && lease_.has_value()) return absl::AbortedError("there is one");
    if (!create && !lease_.has_value()) return absl::NotFoundError("gone");
    if (!create && lease_->object != lease.object) {
      return absl::AbortedError("the object has been modified");
    }
    lease_ = lease;
    lease_->object = absl::StrCat("version ", ++version_);
    return *lease_;
  }
  // Somebody labels the object: another version that says the same.
  void Touch() {
    absl::MutexLock lock(&mutex_);
    lease_->object = absl::StrCat("version ", ++version_);
  }
  void Delete() {
    absl::MutexLock lock(&mutex_);
    lease_.reset();
  }

 private:
  absl::Mutex mutex_;
  std::optional<Lease> lease_ ABSL_GUARDED_BY(mutex_);
  int version_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One agent's way to it. Thread-safe.
class FakeLeaseApi : public LeaseApi {
 public:
  enum class Fault {
    kNone,
    // Nothing arrives.
    kCut,
    // What is written arrives; the answer does not.
    kAnswerLost,
  };
  explicit FakeLeaseApi(FakeLease* lease) : lease_(lease) {}

  void SetFault(Fault fault) {
    absl::MutexLock lock(&mutex_);
    fault_ = fault;
  }
  int calls() const {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }

  absl::StatusOr<Lease> Get() override {
    if (Count() != Fault::kNone) return Cut();
    return lease_->Get();
  }
  absl::StatusOr<Lease> Create(const Lease& lease) override {
    return Put(lease, true);
  }
  absl::StatusOr<Lease> Update(const Lease& lease) override {
    return Put(lease, false);
  }

 private:
  Fault Count() {
    absl::MutexLock lock(&mutex_);
    ++calls_;
    return fault_;
  }
  static absl::Status Cut() { return absl::UnavailableError("cut off"); }
  absl::StatusOr<Lease> Put(const Lease& lease, bool create) {
    const Fault fault = Count();
    if (fault == Fault::kCut) return Cut();
    const absl::StatusOr<Lease> put = lease_->Put(lease, create);
    if (fault == Fault::kAnswerLost) return Cut();
    return put;
  }

  FakeLease* const lease_;
  mutable absl::Mutex mutex_;
  Fault fault_ ABSL_GUARDED_BY(mutex_) = Fault::kNone;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_FAKE_LEASE_API_H_
