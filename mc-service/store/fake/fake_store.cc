#include "mc-service/store/fake/fake_store.h"

#include <utility>
#include <vector>

#include "mc-service/store/fake/fake_session.h"

namespace mc::service {

FakeStore::FakeStore(const Options& options) : max_queue_(options.max_queue) {
  auto state = std::make_shared<FakeState>();
  state->service_epoch = options.service_epoch;
  state_ = std::move(state);
  writer_ = std::thread([this] { RunWriter(); });
}

FakeStore::~FakeStore() { Stop(); }

absl::Status FakeStore::Read(ReadWork work) {
  std::shared_ptr<const FakeState> snapshot;
  {
    absl::MutexLock lock(&mutex_);
    snapshot = state_;
  }
  FakeSession session(*snapshot, nullptr);
  return work(session);
}

bool FakeStore::Write(WriteWork work, WriteDone done) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ || queue_.size() >= max_queue_) return false;
  queue_.push_back({std::move(work), std::move(done)});
  return true;
}

absl::Status FakeStore::Scrub() {
  absl::MutexLock lock(&mutex_);
  auto scrubbed = std::make_shared<FakeState>(*state_);
  scrubbed->scrub_pending = false;
  state_ = std::move(scrubbed);
  return absl::OkStatus();
}

void FakeStore::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  absl::MutexLock lock(&join_mutex_);
  if (writer_.joinable()) writer_.join();
}

void FakeStore::FailNextCommit(absl::Status error) {
  absl::MutexLock lock(&mutex_);
  next_failure_ = std::move(error);
}

void FakeStore::RunWriter() {
  for (;;) {
    std::deque<Item> batch;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    Commit(std::move(batch));
  }
}

void FakeStore::Commit(std::deque<Item> batch) {
  std::shared_ptr<const FakeState> committed;
  {
    absl::MutexLock lock(&mutex_);
    committed = state_;
  }
  std::vector<absl::Status> results;
  for (const Item& item : batch) {
    auto changed = std::make_shared<FakeState>(*committed);
    FakeSession session(*changed, changed.get());
    results.push_back(item.work(session));
    if (results.back().ok()) committed = std::move(changed);
  }
  std::optional<absl::Status> failure;
  {
    absl::MutexLock lock(&mutex_);
    failure.swap(next_failure_);
    if (!failure.has_value()) state_ = std::move(committed);
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i].done(failure.value_or(results[i]));
  }
}

}  // namespace mc::service
