#include "cluster-agent/local/license_watch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status Overloaded(std::string_view message) {
  return Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
               message);
}

template <typename Response>
Response ResponseOf(LicenseState state) {
  Response response;
  if (state.license.has_value()) {
    *response.mutable_license() = *std::move(state.license);
  }
  *response.mutable_answer() = std::move(state.answer);
  return response;
}

}  // namespace

// Lives by its own reference until gRPC is done with it.
class LicenseWatch::Stream : public Reactor {
 public:
  explicit Stream(LicenseKeeper* keeper) : keeper_(keeper) {}

  static Reactor* Begin(const std::shared_ptr<Stream>& stream) {
    const std::weak_ptr<Stream> weak = stream;
    const auto watcher = std::make_shared<LicenseKeeper::Watcher>([weak] {
      if (const auto alive = weak.lock()) alive->Changed();
    });
    {
      absl::MutexLock lock(&stream->mutex_);
      stream->self_ = stream;
      stream->watcher_ = watcher;
    }
    stream->keeper_->Watch(watcher);
    stream->Changed();
    return stream.get();
  }

  void End(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    end_ = ToGrpc(status);
    if (!writing_) Finish(*end_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
    if (end_.has_value()) {
      Finish(*end_);
    } else if (std::exchange(again_, false)) {
      Write();
    }
  }

  void OnCancel() override { End(absl::CancelledError("")); }

  void OnDone() override {
    std::shared_ptr<Stream> self;
    absl::MutexLock lock(&mutex_);
    watcher_ = nullptr;
    // Goes when the lock is free.
    self = std::move(self_);
  }

 private:
  void Changed() {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    if (writing_) {
      again_ = true;
    } else {
      Write();
    }
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    response_ = ResponseOf<v1::WatchLicenseStateResponse>(keeper_->Get());
    writing_ = true;
    StartWrite(&response_);
  }

  LicenseKeeper* const keeper_;
  absl::Mutex mutex_;
  std::shared_ptr<Stream> self_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<LicenseKeeper::Watcher> watcher_ ABSL_GUARDED_BY(mutex_);
  // gRPC reads it while a write is under way.
  v1::WatchLicenseStateResponse response_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Something has changed since the write began.
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
};

v1::GetLicenseStateResponse LicenseWatch::Get() const {
  return ResponseOf<v1::GetLicenseStateResponse>(keeper_->Get());
}

absl::StatusOr<LicenseWatch::Reactor*> LicenseWatch::Open() {
  const auto stream = std::make_shared<Stream>(keeper_);
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return Overloaded("the agent is stopping; try again");
    streams_.erase(
        std::remove_if(streams_.begin(), streams_.end(),
                       [](const auto& known) { return known.expired(); }),
        streams_.end());
    if (streams_.size() >= max_streams_) {
      return Overloaded(
          "too many watch the license already; keep one stream open per "
          "product, or ask with GetLicenseState");
    }
    streams_.push_back(stream);
  }
  return Stream::Begin(stream);
}

void LicenseWatch::End() {
  std::vector<std::weak_ptr<Stream>> streams;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    streams = std::move(streams_);
  }
  for (const std::weak_ptr<Stream>& known : streams) {
    const std::shared_ptr<Stream> stream = known.lock();
    if (stream == nullptr) continue;
    stream->End(Overloaded("the agent is stopping; try again"));
  }
}

}  // namespace mc::agent
