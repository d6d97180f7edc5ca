// What every stream of a cluster does besides its own messages: its identity
// is checked when it opens and at intervals, it can be ended from outside, and
// it is counted.
#ifndef MC_SERVICE_API_CLUSTER_STREAM_H_
#define MC_SERVICE_API_CLUSTER_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/executor/executor.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/rpc/bidi_reactor.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/tls/identity.h"
#include "mc-service/api/call.h"
#include "mc-service/api/stream_registry.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// A cluster as its open stream needs it.
struct StreamCaller {
  std::string cluster_id;
  bool remote_ui_requested = false;
  // The agent that is to renew its certificate at once; empty: none.
  std::string renewing_instance_id = {};
  // Whoever speaks is to renew: the service does not know its password.
  bool renewal_wanted = false;

  friend bool operator==(const StreamCaller&, const StreamCaller&) = default;
};

// What streams share; all of it outlives them.
struct StreamDeps {
  // Who the handshake proved the peer to be: asked once for each stream, on the
  // executor.
  using Identify =
      absl::StatusOr<PeerIdentity> (*)(const grpc::AuthContext& auth);
  // Whether that peer may call, or why the call is refused. It blocks, on the
  // executor. The address is for logs.
  using Check = std::function<absl::StatusOr<StreamCaller>(
      const PeerIdentity& identity, std::string_view peer,
      std::string_view full_method)>;

  Identify identify = &PeerIdentityOf;
  Check check;
  Executor* executor = nullptr;
  const Clock* clock = nullptr;
  StreamRegistry* registry = nullptr;
  RpcMetrics* metrics = nullptr;
  ExchangeLog* exchanges = nullptr;
  // Null: clusters may open streams as often as they like.
  CallLimit* limit = nullptr;
  // An open stream's identity is checked again after this: when it speaks, or
  // at the ticks of the registry.
  absl::Duration check_interval = absl::Seconds(30);
  absl::Duration overload_retry_delay = absl::Seconds(1);
  // Messages of one stream that are read ahead of their answers.
  size_t max_unanswered = 64;
  // A peer that takes no answer for this long is cut; noticed at the ticks of
  // the registry.
  absl::Duration slow_reader_timeout = absl::Minutes(1);
  // When those that find the executor full are told to come again; null: after
  // overload_retry_delay.
  RetrySlots* overload_slots = nullptr;
};

absl::Status IdentityMismatch();

// The peer takes no answers.
absl::Status ReadsTooSlowly();

// The executor takes nothing more.
absl::Status Busy(const StreamDeps& deps);

template <typename Request, typename Response>
class ClusterStream : public BidiReactor<Request, Response> {
 public:
  // Makes the stream and hands it to gRPC; the check runs on the executor.
  template <typename Stream, typename... Args>
  static Stream* Open(grpc::CallbackServerContext* context, Args&&... args) {
    auto stream =
        std::make_shared<Stream>(context, std::forward<Args>(args)...);
    Stream* raw = ClusterStream::Launch(stream);
    ClusterStream& base = *stream;
    if (const absl::Status status = CheckLimit(base.deps_.limit, *base.auth_,
                                               base.peer_, base.full_method_);
        !status.ok()) {
      base.Fail(status);
      return raw;
    }
    static_cast<ClusterStream&>(*stream).SubmitOrFail(
        [stream] { static_cast<ClusterStream&>(*stream).Admit(); });
    return raw;
  }

 protected:
  // The context is gone when the call is over, while work on the executor may
  // still hold the stream.
  ClusterStream(grpc::CallbackServerContext* context, const StreamDeps& deps,
                StreamKind kind, std::string_view full_method,
                size_t max_unanswered)
      : BidiReactor<Request, Response>(max_unanswered),
        deps_(deps),
        kind_(kind),
        full_method_(full_method),
        auth_(context->auth_context()),
        peer_(context->peer()),
        opened_at_(deps.clock->Now()),
        context_(context) {}

  const StreamDeps& deps() const { return deps_; }

  // Set before the first message is read.
  const std::string& cluster_id() const { return cluster_id_; }

  // As of the last check.
  StreamCaller caller() const ABSL_LOCKS_EXCLUDED(state_mutex_) {
    absl::MutexLock lock(&state_mutex_);
    return caller_;
  }

  // caller() is another than before, on a thread of the executor.
  virtual void OnCallerChanged() {}

  // Ends the call with what may be said of `status`. Thread-safe.
  void Fail(const absl::Status& status) {
    this->End(ToGrpc(PublicStatus(full_method_, status)));
  }

  // Runs `work` on the executor; when that is full the call ends.
  void SubmitOrFail(std::function<void()> work) {
    if (deps_.executor->TryRun(std::move(work))) return;
    Fail(Busy(deps_));
  }

  // At the ticks of the registry, while the stream is open.
  virtual void OnTick() {}

  // To be called for each message. Counted by boot time: a clock that is set
  // back keeps nobody in.
  void RecheckWhenDue() ABSL_LOCKS_EXCLUDED(state_mutex_) {
    const absl::Duration now = deps_.clock->SinceBoot();
    {
      absl::MutexLock lock(&state_mutex_);
      if (now < check_at_) return;
      check_at_ = now + deps_.check_interval;
    }
    auto self = Self();
    if (deps_.executor->TryRun([self] { self->Recheck(); })) return;
    // The executor is full: the next message or tick tries again.
    absl::MutexLock lock(&state_mutex_);
    check_at_ = now;
  }

  void Record(missioncontrol::v1::Exchange exchange, const absl::Status& status,
              std::string summary) {
    deps_.exchanges->Record({.at = deps_.clock->Now(),
                             .exchange = exchange,
                             .cluster_id = cluster_id_,
                             .status = status,
                             .summary = std::move(summary)});
  }

  template <typename Stream>
  std::shared_ptr<Stream> SelfAs() {
    return std::static_pointer_cast<Stream>(this->shared_from_this());
  }

 private:
  std::shared_ptr<ClusterStream> Self() { return SelfAs<ClusterStream>(); }

  void Admit() ABSL_LOCKS_EXCLUDED(state_mutex_) {
    if (this->ended()) return;
    absl::StatusOr<PeerIdentity> identity = deps_.identify(*auth_);
    if (!identity.ok()) return Fail(identity.status());
    identity_ = *std::move(identity);
    absl::StatusOr<StreamCaller> caller =
        deps_.check(identity_, peer_, full_method_);
    if (!caller.ok()) return Fail(caller.status());
    cluster_id_ = caller->cluster_id;
    {
      absl::MutexLock lock(&state_mutex_);
      check_at_ = deps_.clock->SinceBoot() + FirstCheck();
      caller_ = *std::move(caller);
    }
    std::weak_ptr<ClusterStream> weak = Self();
    absl::StatusOr<StreamRegistry::Id> id = deps_.registry->Add(
        kind_, cluster_id_,
        [weak](const absl::Status& status) {
          if (auto self = weak.lock()) self->Fail(status);
        },
        [weak] {
          auto self = weak.lock();
          if (self == nullptr) return;
          self->CutSlowReader();
          self->RecheckWhenDue();
          self->OnTick();
        },
        FindPolicy(full_method_)->max_open);
    if (!id.ok()) return Fail(id.status());
    bool over = false;
    {
      absl::MutexLock lock(&state_mutex_);
      over = over_;
      if (!over) registered_ = *id;
    }
    if (over) return deps_.registry->Remove(*id);
    this->StartReading();
  }

  // Those that came together are not checked together.
  absl::Duration FirstCheck() const {
    const auto spread = reinterpret_cast<uintptr_t>(this) / 64 % 16;
    return deps_.check_interval * (16 - spread) / 16;
  }

  void Recheck() ABSL_LOCKS_EXCLUDED(state_mutex_) {
    if (this->ended()) return;
    absl::StatusOr<StreamCaller> caller =
        deps_.check(identity_, peer_, full_method_);
    if (caller.ok()) {
      {
        absl::MutexLock lock(&state_mutex_);
        if (caller_ == *caller) return;
        caller_ = *std::move(caller);
      }
      return OnCallerChanged();
    }
    // A store in trouble says nothing against the caller.
    if (absl::IsPermissionDenied(caller.status()) ||
        absl::IsUnauthenticated(caller.status())) {
      Fail(caller.status());
    }
  }

  // A write that a peer does not take never ends by itself, and nothing else
  // can end the call while it is under way.
  void CutSlowReader() ABSL_LOCKS_EXCLUDED(state_mutex_, context_mutex_) {
    const std::optional<uint64_t> write = this->write_under_way();
    const absl::Duration now = deps_.clock->SinceBoot();
    {
      absl::MutexLock lock(&state_mutex_);
      if (!write.has_value() || write != slow_write_) {
        slow_write_ = write;
        slow_since_ = now;
        return;
      }
      if (now - slow_since_ < deps_.slow_reader_timeout) return;
    }
    LogWarning("a stream was cut: its peer takes no answers",
               {{"cluster", cluster_id_}, {"method", full_method_}});
    Fail(ReadsTooSlowly());
    // Reactions run on gRPC's threads, never on this one: OnOver waits, and the
    // context stays.
    absl::MutexLock lock(&context_mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

  void OnOver(const grpc::Status& end) final
      ABSL_LOCKS_EXCLUDED(state_mutex_, context_mutex_) {
    {
      absl::MutexLock lock(&context_mutex_);
      context_ = nullptr;
    }
    std::optional<StreamRegistry::Id> id;
    {
      absl::MutexLock lock(&state_mutex_);
      over_ = true;
      id = registered_;
    }
    if (id.has_value()) deps_.registry->Remove(*id);
    deps_.metrics->Observe(full_method_,
                           static_cast<absl::StatusCode>(end.error_code()),
                           deps_.clock->Now() - opened_at_);
  }

  const StreamDeps& deps_;
  const StreamKind kind_;
  const std::string_view full_method_;
  const std::shared_ptr<const grpc::AuthContext> auth_;
  const std::string peer_;
  const absl::Time opened_at_;
  // Both are set before the first message is read.
  PeerIdentity identity_;
  std::string cluster_id_;

  mutable absl::Mutex state_mutex_;
  // Since boot.
  absl::Duration check_at_ ABSL_GUARDED_BY(state_mutex_);
  StreamCaller caller_ ABSL_GUARDED_BY(state_mutex_);
  std::optional<StreamRegistry::Id> registered_ ABSL_GUARDED_BY(state_mutex_);
  bool over_ ABSL_GUARDED_BY(state_mutex_) = false;
  // The write that was under way at the last tick, and since when.
  std::optional<uint64_t> slow_write_ ABSL_GUARDED_BY(state_mutex_);
  absl::Duration slow_since_ ABSL_GUARDED_BY(state_mutex_);

  absl::Mutex context_mutex_;
  // Null when the call is over.
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(context_mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_CLUSTER_STREAM_H_
