// The agent's side of a bidirectional stream on gRPC's callback API.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_CLIENT_STREAM_H_
#define MC_CLUSTER_AGENT_EXCHANGE_CLIENT_STREAM_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/exchange/in_flight.h"
#include "common/executor/executor.h"
#include "common/status/grpc_status.h"

namespace mc::agent {

// Thread-safe. Messages are handed over on the executor, one after the other:
// the next one is read when `on_message` has returned, which may block.
template <typename Request, typename Response>
class ClientStream final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  struct Options {
    InFlight* in_flight = nullptr;
    Executor* executor = nullptr;
    std::function<void(Response&)> on_message;
    // Once, after the last message; never when the agent stops before.
    std::function<void(const absl::Status&)> on_over;
  };
  using Reactor = grpc::ClientBidiReactor<Request, Response>;
  using Start = absl::FunctionRef<void(grpc::ClientContext*, Reactor*)>;

  // `start` binds the reactor to a method. Null while the agent stops.
  static std::shared_ptr<ClientStream> Open(Options options, Start start) {
    auto stream =
        std::shared_ptr<ClientStream>(new ClientStream(std::move(options)));
    if (!stream->options_.in_flight->Add(&stream->context_)) return nullptr;
    {
      absl::MutexLock lock(&stream->mutex_);
      stream->self_ = stream;
    }
    start(&stream->context_, stream.get());
    // Writes come from other threads than gRPC's, until the reads end.
    stream->AddHold();
    stream->StartRead(&stream->response_);
    stream->StartCall();
    return stream;
  }

  ~ClientStream() override { options_.in_flight->Remove(&context_); }

  // Queues a message; the caller bounds their number. Dropped once the stream
  // is over or half-closed.
  void Send(Request request) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || half_close_) return;
    queue_.push_back(std::move(request));
    MaybeWrite();
  }

  // Says that nothing more comes, after what is queued.
  void HalfClose() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || half_close_) return;
    half_close_ = true;
    MaybeWrite();
  }

  // Ends the stream at once; on_over gets `why`. The first reason counts.
  void Cancel(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!why_.has_value()) why_ = why;
    }
    context_.TryCancel();
  }

 private:
  explicit ClientStream(Options options) : options_(std::move(options)) {}

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    if (ok) {
      std::shared_ptr<ClientStream> self = Self();
      if (options_.executor->TryRun([self] {
            self->options_.on_message(self->response_);
            self->StartRead(&self->response_);
          })) {
        return;
      }
      Cancel(absl::UnavailableError("the agent is busy"));
    }
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      while (queue_.size() > (writing_ ? 1u : 0u)) queue_.pop_back();
    }
    this->RemoveHold();
  }

  void OnWriteDone(bool /*ok*/) override ABSL_LOCKS_EXCLUDED(mutex_) {
    // A write that failed shows itself in the end of the reads, too.
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    queue_.pop_front();
    MaybeWrite();
  }

  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ClientStream> self;
    absl::Status end = FromGrpc(status);
    {
      absl::MutexLock lock(&mutex_);
      self = std::move(self_);
      if (why_.has_value() && !end.ok()) end = *why_;
    }
    Executor* const executor = options_.executor;
    executor->TryRun(
        [self = std::move(self), end] { self->options_.on_over(end); });
  }

  std::shared_ptr<ClientStream> Self() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return self_;
  }

  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closed_ || writing_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(&queue_.front());
    } else if (half_close_ && !half_closed_) {
      half_closed_ = true;
      this->StartWritesDone();
    }
  }

  const Options options_;
  grpc::ClientContext context_;
  // Read into by gRPC and used by on_message, never at the same time.
  Response response_;
  absl::Mutex mutex_;
  std::shared_ptr<ClientStream> self_ ABSL_GUARDED_BY(mutex_);
  // The front is being written when `writing_`.
  std::deque<Request> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_close_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  // The reads are over: nothing more may be started.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> why_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_CLIENT_STREAM_H_
