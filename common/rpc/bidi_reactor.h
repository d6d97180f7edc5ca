// The server's side of a bidirectional stream on gRPC's callback API.
//
// gRPC allows one read and one write at a time, no operation after Finish(),
// and deletes nothing by itself; a peer can vanish between any two steps. This
// base keeps those rules, so that a stream says only what it reads and what it
// answers.
#ifndef COMMON_RPC_BIDI_REACTOR_H_
#define COMMON_RPC_BIDI_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc {

// Lifetime: made by std::make_shared, then Launch(). gRPC's own reference
// lasts until the call is over for good; whoever else keeps a reference (work
// on an executor, a registry) may call Answer, Push and End at any time: they
// do nothing once the stream has ended.
//
// Backpressure: every message that was read has to be answered once. At most
// `max_unanswered` are read ahead of the answers that were really written, so
// that a peer which does not read is not read from either, and what waits for
// it is bounded.
template <typename Request, typename Response>
class BidiReactor
    : public grpc::ServerBidiReactor<Request, Response>,
      public std::enable_shared_from_this<BidiReactor<Request, Response>> {
 public:
  // Hands a new stream over to gRPC, as a handler returns it. The context
  // must live as long as the call; gRPC's does.
  template <typename Stream>
  static Stream* Launch(const std::shared_ptr<Stream>& stream) {
    BidiReactor& base = *stream;
    absl::MutexLock lock(&base.mutex_);
    base.self_ = stream;
    return stream.get();
  }

  // Ends the call with `status`, as soon as the write under way is over; what
  // still waited to be written is dropped. The first end counts. Thread-safe.
  void End(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    BeginEnd(status);
  }

 protected:
  explicit BidiReactor(size_t max_unanswered)
      : max_unanswered_(max_unanswered) {}
  ~BidiReactor() override = default;

  // Called for each message, one at a time, on a thread of gRPC: it must not
  // block. It may take the message's contents; the object is read into again
  // after it returned.
  virtual void OnMessage(Request& request) = 0;

  // Called once, after the last reaction, before gRPC's reference goes, with
  // what the call ended with.
  virtual void OnOver(const grpc::Status& /*end*/) {}

  // Starts to read. Thread-safe.
  void StartReading() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    started_ = true;
    MaybeRead();
  }

  void SetMaxUnanswered(size_t max_unanswered) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    max_unanswered_ = max_unanswered;
    MaybeRead();
  }

  // Queues the answer to one message. Thread-safe.
  void Answer(Response response) ABSL_LOCKS_EXCLUDED(mutex_) {
    Enqueue(std::move(response), true);
  }

  // Queues a message that answers none. The caller bounds their number.
  // Thread-safe.
  void Push(Response response) ABSL_LOCKS_EXCLUDED(mutex_) {
    Enqueue(std::move(response), false);
  }

  // The number of the write under way; absent: none is. A peer that does not
  // read keeps one under way for long.
  std::optional<uint64_t> write_under_way() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!writing_) return std::nullopt;
    return writes_;
  }

  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return end_.has_value();
  }

 private:
  struct Outgoing {
    Response response;
    bool answers = false;
  };

  void OnReadDone(bool ok) final ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        ++unanswered_;
      } else {
        // The peer has said everything, or is gone; OnCancel tells the latter.
        reading_ = false;
        half_closed_ = true;
        MaybeFinish();
        return;
      }
      if (end_.has_value()) {
        reading_ = false;
        return;
      }
    }
    // reading_ stays set: the next read must not overwrite the message.
    OnMessage(request_);
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    MaybeRead();
  }

  void OnWriteDone(bool ok) final ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (queue_.front().answers) --unanswered_;
    queue_.pop_front();
    writing_ = false;
    if (!ok) BeginEnd(grpc::Status::CANCELLED);
    if (end_.has_value()) queue_.clear();
    MaybeWrite();
    MaybeRead();
    MaybeFinish();
  }

  void OnCancel() final ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    BeginEnd(grpc::Status::CANCELLED);
  }

  void OnDone() final ABSL_LOCKS_EXCLUDED(mutex_) {
    // May be the last reference: it must not go while the mutex is held.
    std::shared_ptr<BidiReactor> self;
    grpc::Status end;
    {
      absl::MutexLock lock(&mutex_);
      self = std::move(self_);
      if (end_.has_value()) end = *end_;
    }
    OnOver(end);
  }

  void Enqueue(Response response, bool answers) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    queue_.push_back({std::move(response), answers});
    MaybeWrite();
  }

  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!started_ || reading_ || half_closed_ || end_.has_value() ||
        unanswered_ >= max_unanswered_) {
      return;
    }
    reading_ = true;
    this->StartRead(&request_);
  }

  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || queue_.empty() || finished_) return;
    writing_ = true;
    ++writes_;
    this->StartWrite(&queue_.front().response);
  }

  void BeginEnd(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (end_.has_value()) return;
    end_ = status;
    MaybeFinish();
  }

  void MaybeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || writing_) return;
    if (!end_.has_value()) {
      // After a half-close the stream lives until all is answered.
      if (!half_closed_ || unanswered_ > 0 || !queue_.empty()) return;
      end_ = grpc::Status::OK;
    }
    queue_.clear();
    finished_ = true;
    this->Finish(*end_);
  }

  mutable absl::Mutex mutex_;
  std::shared_ptr<BidiReactor> self_ ABSL_GUARDED_BY(mutex_);
  // Read into by gRPC and used by OnMessage, never at the same time.
  Request request_;
  size_t max_unanswered_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The front is being written when `writing_`. A list: an idle stream has
  // none, where an empty deque has more than half a kilobyte.
  std::list<Outgoing> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mc

#endif  // COMMON_RPC_BIDI_REACTOR_H_
